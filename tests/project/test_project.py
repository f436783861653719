"""A project keeps what a person and a model said of frames, and takes steps back exactly."""

import hashlib

import numpy as np
import pytest

from usfm_studio.document.annotation import NO_ANNOTATION, State
from usfm_studio.document.edit import (
    PaintTiles,
    ReplaceInstances,
    ReplaceSchema,
    SetAnnotation,
    SetChampion,
    SetProposal,
    Several,
    paint,
)
from usfm_studio.document.errors import NotFound, ReadOnly, WrongUsage
from usfm_studio.document.frame import FrameId
from usfm_studio.document.mask import Mask
from usfm_studio.document.schema import Schema
from usfm_studio.project.project import Project

from .making import (
    A_SCHEMA,
    a_mask,
    a_project,
    a_proposal,
    add,
    an_instance,
    contents,
    propose,
    set_state,
    stroke,
)


@pytest.fixture
def project(tmp_path):
    with a_project(tmp_path / "p") as made:
        yield made


def first(project) -> FrameId:
    return project.frames()[0].id


def test_what_was_done_is_there_after_closing_and_opening(tmp_path):
    with a_project(tmp_path / "p", instances=4, frames=2) as project:
        frames = [frame.id for frame in project.frames()]
        for number in range(12):
            project.apply(stroke(project, frames[number % 5], number, layer=number % 2))
        propose(project, frames[1])
        set_state(project, frames[2], State.DONE, ["benign"])
        project.apply(SetChampion(name="Promote", exam="BREAST", before=None, after="c" * 64))
        project.apply(ReplaceSchema(name="Add", before=A_SCHEMA, after=A_SCHEMA.with_segment("Skull")))
        before = contents(project)
    with Project.open(tmp_path / "p") as project:
        assert contents(project) == before
        assert [frame.id for frame in project.annotated()] == [f for f in frames if f in set(frames[:5])]


def test_a_change_is_in_force_at_once_and_saved_after_a_flush(project):
    change = project.apply(stroke(project, first(project), 5))
    assert change.kinds == {"masks"}
    assert change.frames == {first(project)}
    assert project.mask(first(project)).values()
    project.flush()
    assert project.saved.position == change.position
    assert project.saved.pending == 0
    assert project.saved.when is not None
    assert project.saved.error is None


def test_who_listens_is_told_when_something_is_saved(project):
    told = []
    end = project.on_saved(told.append)
    project.apply(stroke(project, first(project), 5))
    project.flush()
    project.models  # noqa: B018
    project.close()
    assert told[-1].pending == 0
    end()


def test_undo_and_redo_have_names_and_frames(project):
    frame = first(project)
    assert project.undo() is None
    assert project.undo_name is None
    assert project.undo_frame is None
    project.apply(stroke(project, frame, 3))
    set_state(project, frame, State.DONE)
    assert project.undo_name == "Mark done"
    assert project.undo_frame == frame
    change = project.undo()
    assert change.kinds == {"annotation"}
    assert project.annotation(frame) == NO_ANNOTATION
    assert project.undo_name == "Brush 3"
    assert project.redo_name == "Mark done"
    assert project.redo_frame == frame
    assert project.redo().kinds == {"annotation"}
    assert project.annotation(frame).state is State.DONE
    assert project.redo() is None


def test_several_edits_are_one_step(project):
    frame = first(project)
    before = contents(project)
    painted = stroke(project, frame, 2)
    edit = SetAnnotation(name="x", frame=frame, before=NO_ANNOTATION, after=_done())
    change = project.apply(Several(name="Accept, Fetal head", edits=(painted, edit)))
    assert change.kinds == {"masks", "annotation"}
    assert project.undo_name == "Accept, Fetal head"
    project.undo()
    assert contents(project) == before
    assert project.undo() is None


def _done():
    return type(NO_ANNOTATION)(state=State.DONE)


def test_proposals_are_never_steps_and_undo_leaves_them_alone(project):
    frame = first(project)
    propose(project, frame, seed=1)
    assert project.undo_name is None
    shape = project.frame(frame).shape
    newer = a_proposal(frame, shape, seed=2, model="cd" * 32)
    edits = (
        SetAnnotation(name="x", frame=frame, before=NO_ANNOTATION, after=_done()),
        SetProposal(name="x", frame=frame, before=None, after=newer),
    )
    project.apply(Several(name="Both", edits=edits))
    project.undo()
    assert project.annotation(frame) == NO_ANNOTATION
    assert project.proposal(frame).model == "cd" * 32
    assert project.proposed() == {frame: "cd" * 32}


def test_a_quiet_edit_is_no_step(project):
    add(project, an_instance(9))
    assert len(project.instances) == 4
    assert project.undo() is None


def test_a_new_step_forgets_what_was_undone(project):
    frame = first(project)
    project.apply(stroke(project, frame, 1))
    project.undo()
    project.apply(stroke(project, frame, 2))
    assert project.redo_name is None
    assert [entry.name for entry in project.history()] == ["Brush 2"]


def test_the_history_lists_newest_first_with_undone_steps_on_top(project):
    frame = first(project)
    for number in (1, 2, 3):
        project.apply(stroke(project, frame, number))
    project.undo()
    entries = project.history(2)
    assert [(entry.name, entry.undone) for entry in entries] == [("Brush 3", True), ("Brush 2", False)]
    assert entries[0].frame == frame
    assert entries[0].when.tzinfo is not None


def test_an_edit_that_starts_from_what_is_not_so_is_refused_whole(project):
    frame = first(project)
    stale = stroke(project, frame, 1)
    project.apply(stroke(project, frame, 2))
    before = contents(project)
    fine = SetAnnotation(name="x", frame=frame, before=NO_ANNOTATION, after=_done())
    fresh = ReplaceInstances(name="x", before=(), after=(an_instance(50),))
    with pytest.raises(WrongUsage):
        project.apply(Several(name="Both", edits=(fresh, fine, stale)))
    assert contents(project) == before
    add(project, an_instance(60))
    project.flush()
    assert project.subject_order[-1] == "subject 60"


@pytest.mark.parametrize(
    "edit",
    [
        ReplaceInstances(name="x", before=(), after=(an_instance(1),)),
        ReplaceInstances(name="x", before=(an_instance(77),), after=()),
        ReplaceInstances(name="x", before=(), after=(an_instance(77), an_instance(77))),
        ReplaceSchema(name="x", before=Schema(), after=A_SCHEMA),
        SetAnnotation(name="x", frame=an_instance(1).frame_id(0), before=_done(), after=NO_ANNOTATION),
    ],
)
def test_other_stale_edits_are_refused(project, edit):
    before = contents(project)
    with pytest.raises(WrongUsage):
        project.apply(edit)
    assert contents(project) == before


def test_tiles_outside_of_the_image_or_of_another_shape_are_refused(project):
    frame = first(project)
    empty, tile = np.zeros((256, 256), np.uint8), np.ones((256, 256), np.uint8)
    for index, after, shape in (((9, 0), tile, (300, 520)), ((0, 0), tile[:5], (300, 520)), ((0, 0), tile, (4, 4))):
        edit = PaintTiles(name="x", frame=frame, shape_rc=shape, before={index: empty}, after={index: after})
        with pytest.raises(WrongUsage):
            project.apply(edit)
    assert not project.layers(frame)


def test_unknown_frames_are_not_found(project):
    for frame in (FrameId("f" * 64, 0), FrameId(first(project).source, 1), FrameId(first(project).source, -1)):
        with pytest.raises(NotFound):
            project.frame(frame)
        with pytest.raises(NotFound):
            project.mask(frame)
        edit = SetAnnotation(name="x", frame=frame, before=NO_ANNOTATION, after=_done())
        with pytest.raises(NotFound):
            project.apply(edit)


def test_what_a_caller_does_to_its_arrays_afterwards_changes_nothing(project):
    frame = first(project)
    ids = np.ones((256, 256), np.uint8)
    empty = np.zeros((256, 256), np.uint8)
    edit = PaintTiles(name="x", frame=frame, shape_rc=(300, 520), before={(0, 0): empty}, after={(0, 0): ids})
    project.apply(edit)
    ids[:] = 7
    project.flush()
    assert project.mask(frame).values() == (1,)
    project.undo()
    project.redo()
    assert project.mask(frame).values() == (1,)
    assert not project.mask(frame).tile((0, 0)).flags.writeable


def test_layers_are_apart(project):
    frame = first(project)
    project.apply(stroke(project, frame, 1, layer=0))
    project.apply(stroke(project, frame, 2, layer=3))
    assert project.layers(frame) == (0, 3)
    assert not project.mask(frame, 0).same_as(project.mask(frame, 3))
    project.undo()
    assert project.layers(frame) == (0,)


def test_images_come_by_subject_study_series_and_number(tmp_path):
    with Project.create(tmp_path / "p") as project:
        wanted = [
            an_instance(4, subject="s2", study_date="2020-01-01", series_number=1, instance_number=2),
            an_instance(3, subject="s2", study_date="2020-01-01", series_number=1, instance_number=10),
            an_instance(2, subject="s2", study_date="2021-01-01", series_number=0),
            an_instance(5, subject="s10", name="img2.png"),
            an_instance(1, subject="s10", name="img10.png"),
        ]
        add(project, *sorted(wanted, key=lambda i: i.digest))
        assert project.instances == tuple(wanted)


def test_subjects_keep_their_place_when_an_image_is_taken_out_and_comes_back(project):
    order = project.subject_order
    gone = next(i for i in project.instances if i.subject == "subject 1")
    project.apply(ReplaceInstances(name="Remove", before=(gone,), after=()))
    assert project.subject_order == ("subject 2", "subject 3")
    add(project, an_instance(8))
    project.undo()
    assert project.subject_order == (*order, "subject 8")
    project.flush()
    folder = project.folder
    project.close()
    with Project.open(folder) as again:
        assert again.subject_order == (*order, "subject 8")


def test_a_samples_mask_and_labels_follow_the_state(project):
    one, two, three = (frame.id for frame in project.frames())
    project.apply(stroke(project, one, 5, value=1))
    set_state(project, one, State.DONE, ["benign"])
    set_state(project, two, State.NOTHING)
    pixels = {frame.id: np.full((300, 520), n, np.uint8) for n, frame in enumerate(project.frames())}
    snapshot = project.snapshot(project.frames(), project.folder / "runs/a/snapshot", lambda f: pixels[f.id])
    assert [s.stem for s in snapshot.samples] == ["s0001", "s0002"]
    assert [s.labels for s in snapshot.samples] == [("benign",), None]
    assert [s.subject for s in snapshot.samples] == ["subject 1", "subject 2"]
    drawn = project.mask(one).to_array()
    drawn[drawn > 1] = 0  # values that the exam's schema does not name are left out
    assert np.array_equal(snapshot.mask(snapshot.samples[0]), drawn)
    assert not snapshot.mask(snapshot.samples[1]).any()
    assert np.array_equal(snapshot.pixels(snapshot.samples[1]), pixels[two])
    assert snapshot.samples[0].frame_key == one.key
    assert [s.name for s in snapshot.schema.segments] == ["Fetal head"]
    assert three.key not in {s.frame_key for s in snapshot.samples}


def test_a_failing_snapshot_leaves_nothing(project):
    frame = first(project)
    set_state(project, frame, State.NOTHING)
    folder = project.folder / "runs/a"

    def missing(_):
        raise NotFound("The file is not there")

    with pytest.raises(NotFound):
        project.snapshot(project.frames(), folder, missing)
    assert not folder.exists()


def test_creating_refuses_a_folder_that_holds_a_project(project):
    with pytest.raises(WrongUsage):
        Project.create(project.folder)
    project.flush()
    assert project.saved.error is None


def test_a_folder_without_a_project_is_not_found(tmp_path):
    with pytest.raises(NotFound):
        Project.open(tmp_path)


def test_a_closed_project_takes_no_edits_and_closes_twice(project):
    edit = stroke(project, first(project), 1)
    project.close()
    project.close()
    with pytest.raises(ReadOnly):
        project.apply(edit)


def test_names_that_are_no_text_and_paths_beyond_ascii_are_kept(tmp_path):
    folder = tmp_path / ("Ärzte %20 #? " + "ß" * 60)
    odd = b"scan\xff.png".decode("utf-8", "surrogateescape")
    with a_project(folder) as project:
        add(project, an_instance(7, name=odd, path=f"/nowhere/{odd}"))
        painted = paint(
            f"Brush {odd}", first(project), project.mask(first(project)), Mask.from_array(a_mask((300, 520), 1))
        )
        project.apply(painted)
        before = contents(project)
    with Project.open(folder) as project:
        assert contents(project) == before
        assert project.undo_name.startswith("Brush scan")


def test_blobs_are_kept_by_their_digest(project):
    digest = project.blobs.put(b"frames")
    assert digest == hashlib.sha256(b"frames").hexdigest()
    assert project.blobs.get(digest) == b"frames"
    source = project.folder / "exports" / "source.png"
    source.write_bytes(b"frames")
    assert project.blobs.put_file(source) == digest
    with pytest.raises(NotFound):
        project.blobs.get("0" * 64)
    with pytest.raises(NotFound):
        project.blobs.path("../../etc/passwd")
