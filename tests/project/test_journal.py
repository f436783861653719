"""The journal alone leads to the project; time has no say in its order; what is stored comes back as it was."""

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from types import MappingProxyType

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from usfm_studio.document.annotation import Annotation, Decision, Provenance, State
from usfm_studio.document.calibration import Region
from usfm_studio.document.edit import PaintTiles, ReplaceInstances, SetAnnotation, SetProposal, Several
from usfm_studio.document.errors import Damaged
from usfm_studio.document.frame import FrameId
from usfm_studio.document.mask import Mask
from usfm_studio.project import codec, tables
from usfm_studio.project import project as door
from usfm_studio.project.check import problems
from usfm_studio.project.project import Project
from usfm_studio.project.replaying import differences, replayed

from .acting import act
from .making import a_mask, a_project, a_proposal, add, an_instance, contents, set_state, stroke


def test_the_journal_played_into_an_empty_project_gives_the_same(tmp_path):
    with a_project(tmp_path / "p") as project:
        while project._position < 300:
            act(project, project._position + 1)
        project.flush()
        reader = project._opened.reader
        entries = [reader.read(tables.read_entry, n) for n in range(1, 301)]
        assert list(differences(reader, replayed(entries))) == []
        assert list(differences(reader, replayed(entries[:-1])))
        assert {entry.kind for entry in entries} == {"edit", "undo", "redo"}


def test_an_act_that_is_told_as_saved_is_one_entry(tmp_path):
    with a_project(tmp_path / "p") as project:
        told = []
        project.on_saved(lambda saved: told.append(saved.position))
        for number in range(5):
            project.apply(stroke(project, project.frames()[0].id, number))
        project.flush()
    assert told[-5:] == [3, 4, 5, 6, 7]


def test_order_holds_when_the_clock_goes_back(tmp_path, monkeypatch):
    class Clock(datetime):
        at = datetime.fromisoformat("2030-06-01T12:00:00+00:00")

        @classmethod
        def now(cls, zone=None):
            cls.at -= timedelta(hours=7)
            return cls.at

    monkeypatch.setattr(door, "datetime", Clock)
    with a_project(tmp_path / "p") as project:
        for number in range(5):
            project.apply(stroke(project, project.frames()[0].id, number))
        names = [entry.name for entry in project.history()]
        before = contents(project)
    assert names == [f"Brush {n}" for n in reversed(range(5))]
    with Project.open(tmp_path / "p") as project:
        assert [entry.name for entry in project.history()] == names
        assert contents(project) == before


def test_numbers_of_numpy_are_taken_and_saved(tmp_path):
    with a_project(tmp_path / "p", instances=1) as project:
        frame = project.frames()[0].id
        index = (np.int64(0), np.int64(1))
        tiles = {index: np.ones((256, 256), np.uint8)}
        empty = {index: np.zeros((256, 256), np.uint8)}
        shape = tuple(np.array((300, 520)))
        edit = PaintTiles(name="x", frame=frame, shape_rc=shape, layer=np.int32(0), before=empty, after=tiles)
        project.apply(edit)
        add(project, an_instance(2, series_number=np.int64(4), spacing_mm_xy=(np.float32(0.5), np.float32(0.25))))
        project.flush()
    with Project.open(tmp_path / "p") as project:
        assert project.mask(frame).tiles.keys() == {(0, 1)}
        assert project.instances[1].spacing_mm_xy == (0.5, 0.25)


FRAME = FrameId("c" * 64, 2)
WORDS = st.text(max_size=20)
NUMBERS = st.floats(allow_nan=False)
ANNOTATIONS = st.builds(
    Annotation,
    state=st.sampled_from(State),
    labels=st.lists(WORDS, max_size=3).map(tuple),
    note=WORDS,
    decisions=st.dictionaries(WORDS, st.sampled_from(Decision), max_size=3).map(MappingProxyType),
    provenance=st.lists(st.builds(Provenance, who=WORDS, when=WORDS, what=WORDS), max_size=2).map(tuple),
)
REGIONS = st.builds(Region, box=st.tuples(*[st.integers(-9, 9)] * 4), delta_xy=st.tuples(NUMBERS, NUMBERS))
INSTANCES = st.builds(
    an_instance,
    number=st.integers(0, 9),
    name=WORDS,
    seconds=st.none() | st.lists(NUMBERS, max_size=3).map(tuple),
    regions=st.lists(REGIONS, max_size=2).map(tuple),
    series_number=st.none() | st.integers(0, 5),
)
EDITS = st.one_of(
    st.builds(SetAnnotation, name=WORDS, frame=st.just(FRAME), before=ANNOTATIONS, after=ANNOTATIONS),
    st.builds(
        ReplaceInstances,
        name=WORDS,
        before=st.lists(INSTANCES, max_size=2).map(tuple),
        after=st.lists(INSTANCES, max_size=2).map(tuple),
    ),
)


@given(st.one_of(EDITS, st.builds(Several, name=WORDS, edits=st.lists(EDITS, max_size=3).map(tuple))))
@settings(max_examples=150, deadline=None)
def test_edits_come_back_as_they_were(edit):
    assert codec.unpack_edit(codec.pack_edit(edit)) == edit


def test_tiles_and_proposals_come_back_bit_for_bit_and_read_only():
    before, after = Mask.from_array(a_mask((300, 520), 3)), Mask.from_array(a_mask((300, 520), 8, value=255))
    indexes = sorted({*before.tiles, *after.tiles})
    edit = PaintTiles(
        name="x",
        frame=FRAME,
        shape_rc=(300, 520),
        layer=3,
        before={i: before.tile(i) for i in indexes},
        after={i: after.tile(i) for i in indexes},
    )
    back = codec.unpack_edit(codec.pack_edit(edit))
    assert (back.name, back.frame, back.shape_rc, back.layer) == ("x", FRAME, (300, 520), 3)
    for side, wanted in ((back.before, before), (back.after, after)):
        assert Mask((300, 520), side).same_as(wanted)
        assert not any(tile.flags.writeable for tile in side.values())
    proposal = a_proposal(FRAME, (300, 520), 4)
    back = codec.unpack_proposal(codec.pack_proposal(proposal))
    assert back.mask.same_as(proposal.mask)
    assert (back.confidences, back.predicted_dice, back.labels) == ({1: 0.75}, {1: 0.9}, {"benign": 0.25})
    gone = SetProposal(name="x", frame=FRAME, before=None, after=None)
    assert codec.unpack_edit(codec.pack_edit(gone)) == gone


def test_whatever_bytes_are_read_only_damaged_is_raised():
    proposal = codec.pack_proposal(a_proposal(FRAME, (300, 520), 4))
    tile = codec.pack_tile(np.ones((256, 256), np.uint8))
    for seed in range(1_000):
        chance = random.Random(seed)
        for whole, read in ((proposal, codec.unpack_edit), (tile, codec.unpack_tile)):
            bad = bytearray(whole)
            for _ in range(chance.randrange(1, 4)):
                bad[chance.randrange(len(bad))] = chance.randrange(256)
            del bad[chance.choice([len(bad), chance.randrange(len(bad))]) :]
            try:
                read(bytes(bad))
            except Damaged:
                continue
    for read in (codec.unpack_edit, codec.unpack_tile):
        with pytest.raises(Damaged):
            read(b"")
        with pytest.raises(Damaged, match="codec 9"):
            read(b"\x09rest")


def test_a_state_can_be_set_again_and_again(tmp_path):
    with a_project(tmp_path / "p", instances=1) as project:
        frame = project.frames()[0].id
        for state in (State.DOING, State.DONE, State.TODO):
            set_state(project, frame, state)
        assert project.annotated() == ()


def test_several_threads_may_work_at_once(tmp_path):
    with a_project(tmp_path / "p", instances=4) as project:
        frames = [frame.id for frame in project.frames()]

        def work(frame):
            for number in range(40):
                project.apply(stroke(project, frame, number))
                assert project.mask(frames[number % 4]).shape_rc == (300, 520)
                assert project.history(5)
                project.saved  # noqa: B018

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, frames))
        assert len(project.history(1000)) == 160
        before = contents(project)
    with Project.open(tmp_path / "p") as project:
        assert contents(project) == before
    assert problems(tmp_path / "p") == []
