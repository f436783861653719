"""Proposals for the frames that wait: batch by batch, names matched, pixels given back, bad files left out."""

import numpy as np
import pytest

from tests.project.making import set_state
from tests.verbs.making import SCHEMA, a_project, a_shelf_model, a_still, by_hand, kinds, lent_out
from usfm_studio.document.annotation import State
from usfm_studio.document.edit import SetChampion
from usfm_studio.document.errors import BadModel, Interrupted, NotFound, OutOfMemory, Unreadable
from usfm_studio.document.schema import Schema, Segment
from usfm_studio.verbs.drive import drive
from usfm_studio.verbs.import_files import ImportArguments
from usfm_studio.verbs.import_files import run as import_files
from usfm_studio.verbs.propose import ProposeArguments, matched, run
from usfm_studio.verbs.shelf import read_card


@pytest.fixture
def model(tmp_path):
    return a_shelf_model(tmp_path / "models" / "head", segments={1: "head"}, labels=("plane",))


def propose(house, model, **more):
    return drive(run(ProposeArguments(model=str(model), **more), house))


def test_every_frame_that_nobody_touched_gets_a_proposal_and_nothing_else_changes(filled, model):
    project = filled.project
    first, second, *_ = project.frames()
    set_state(project, first.id, State.DONE)
    set_state(project, second.id, State.FLAGGED)
    result = propose(filled, model)
    assert result.frames == 5
    assert result.model == read_card(model).short
    assert project.proposal(first.id) is None
    proposal = project.proposal(second.id)
    assert proposal.confidences == {1: 0.8}
    wanted = np.zeros((30, 50), np.uint8)
    wanted[:15, :25] = 1
    assert np.array_equal(proposal.mask.to_array(), wanted)
    assert not any(project.layers(frame.id) for frame in project.frames())
    assert project.undo_name == "Mark flagged", "a proposal is no step that undo takes back"


def test_all_takes_frames_with_work_too_and_leaves_their_annotations(filled, model):
    first = filled.project.frames()[0].id
    set_state(filled.project, first, State.DONE)
    before = filled.project.annotation(first)
    assert propose(filled, model, all_frames=True).frames == 6
    assert filled.project.annotation(first) == before


def test_frames_go_in_batches_and_the_first_is_shown_at_once(filled, model):
    wishes, result = by_hand(run(ProposeArguments(model=str(model)), filled))
    assert [len(batch) for batch in filled._engine.asked] == [4, 2]
    assert result.frames == 6
    assert kinds(wishes)[:3] == ["applied", "progress", "applied"]


def test_when_nothing_waits_nothing_is_proposed(filled, model):
    for frame in filled.project.frames():
        set_state(filled.project, frame.id, State.DONE)
    assert propose(filled, model).frames == 0


def test_without_a_model_for_them_frames_cannot_be_proposed_for(filled):
    with pytest.raises(NotFound, match="no model is for these images"):
        drive(run(ProposeArguments(), filled))


def test_the_champion_of_each_exam_proposes(houses, tmp_path):
    schema = Schema(
        segments=(Segment(value=1, name="Head", exam="HEAD"), Segment(value=2, name="Lesion", exam="BREAST"))
    )
    house = houses(a_project(tmp_path / "p", schema=schema))
    a_still(tmp_path / "images", 1, exam="HEAD")
    a_still(tmp_path / "images", 2, exam="BREAST")
    drive(import_files(ImportArguments(paths=(str(tmp_path / "images"),)), house))
    digests = {}
    for exam, name in (("HEAD", "Head"), ("BREAST", "Lesion")):
        folder = a_shelf_model(tmp_path / exam, exam.encode(), name=name, exam=exam, segments={1: name})
        card = house.project.models.import_model(folder)
        house.project.apply(SetChampion(name="Use", exam=exam, before=None, after=card.digest))
        digests[exam] = card.digest
    for named in (None, "champion"):
        drive(run(ProposeArguments(model=named, all_frames=True), house))
        for frame in house.project.frames():
            proposal = house.project.proposal(frame.id)
            assert proposal.model == digests[frame.instance.body_part]
            assert proposal.mask.values() == ((1,) if frame.instance.body_part == "HEAD" else (2,))


def test_what_the_model_marks_and_the_schema_lacks_is_added(filled, tmp_path):
    model = a_shelf_model(tmp_path / "cyst", segments={1: "Cyst"}, labels=("simple",))
    propose(filled, model)
    segment = filled.project.schema.named("cyst")
    assert segment.value == 3
    assert {label.name for label in filled.project.schema.labels} >= {"simple"}
    assert filled.project.proposal(filled.project.frames()[0].id).mask.values() == (3,)


def test_a_segment_of_another_body_part_is_another_segment(tmp_path):
    card = read_card(a_shelf_model(tmp_path / "m", segments={1: "LESION"}))
    schema, values = matched(SCHEMA, card, "LIVER")
    assert [(s.name, s.exam) for s in schema.segments][-1] == ("LESION", "LIVER")
    assert values == {1: schema.segments[-1].value}
    schema, values = matched(SCHEMA, card, "BREAST")
    assert (schema, values) == (SCHEMA, {1: 2})


def test_a_file_that_is_gone_or_changed_is_left_out_and_named(filled, model, tmp_path):
    (tmp_path / "images" / "im0001.dcm").unlink()
    with (tmp_path / "images" / "im0002.dcm").open("ab") as file:
        file.write(b"\0\0")
    result = propose(filled, model)
    assert result.frames == 4
    assert result.partial
    assert [failure.path.rpartition("/")[2] for failure in result.failed] == ["im0001.dcm", "im0002.dcm"]
    assert "not where it was" in result.failed[0].error
    assert "changed since" in result.failed[1].error


def test_where_frames_are_named_the_first_bad_one_is_an_error_after_the_others_have_their_proposals(
    filled, model, tmp_path
):
    (tmp_path / "images" / "im0001.dcm").unlink()
    frames = filled.project.frames()
    with pytest.raises(Unreadable):
        propose(filled, model, frames=frames[:3])
    assert [filled.project.proposal(frame.id) is not None for frame in frames[:3]] == [False, True, True]


def test_a_file_that_was_only_touched_is_the_same_file(filled, model, tmp_path):
    for path in (tmp_path / "images").iterdir():
        path.touch()
    assert propose(filled, model).frames == 6


def test_the_engines_error_ends_the_verb_and_the_pixels_go_back(filled, model):
    filled._engine.error = OutOfMemory("The engine stopped", "the memory was not enough")
    with pytest.raises(OutOfMemory):
        propose(filled, model)
    assert lent_out(filled) == 0


def test_pixels_stay_untouched_until_the_engine_has_let_go_of_them(filled, model):
    filled._engine.hold = True
    steps = run(ProposeArguments(model=str(model)), filled)
    asked = []
    with pytest.raises(Interrupted):
        drive(steps, interrupted=lambda: bool(filled._engine.asked) and not asked.append(1))
    held = filled._engine.last
    assert held.cancelled()
    assert lent_out(filled, 4) == 4, "the engine may still look at them"
    held.ticket.release()
    assert lent_out(filled) == 0


def test_a_model_without_a_card_is_refused_before_anything_is_read(filled, tmp_path):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "card.json").write_text("[")
    with pytest.raises(BadModel):
        propose(filled, tmp_path / "broken")
    assert lent_out(filled) == 0
