"""Accepted work out and back in: every format whole or not at all, and what came from elsewhere matched by name."""

from dataclasses import replace

import numpy as np
import pytest

from tests.project.making import set_state
from tests.verbs.making import COLUMNS, ROWS, a_project, a_still, by_hand, kinds, lent_out
from usfm_studio.document.annotation import Annotation, Decision, State
from usfm_studio.document.edit import ReplaceSchema, SetAnnotation, paint
from usfm_studio.document.errors import Interrupted, NotFound, Unreadable, WrongUsage
from usfm_studio.document.mask import Mask
from usfm_studio.document.schema import Schema, Segment
from usfm_studio.imaging.pictures import png_bytes
from usfm_studio.project.project import Project
from usfm_studio.verbs import import_annotations, review
from usfm_studio.verbs.drive import drive
from usfm_studio.verbs.export import ExportArguments, run
from usfm_studio.verbs.import_files import ImportArguments
from usfm_studio.verbs.import_files import run as import_files
from usfm_studio.verbs.review import toggle_label


def draw(project, frame, value=1, top=5):
    ids = np.zeros(project.frame(frame).shape, np.uint8)
    ids[top : top + 10, 10:30] = value
    edit = paint("Brush", frame, project.mask(frame), Mask.from_array(ids))
    project.apply(review.hand_work(project, edit))
    if project.annotation(frame).state is not State.DONE:
        project.apply(review.mark_done(project, frame))
    return ids


@pytest.fixture
def worked(filled):
    """Two stills drawn and done, one with nothing to mark, the loop's middle frame drawn."""
    project = filled.project
    first, second, third, _, middle, _ = (frame.id for frame in project.frames())
    draw(project, first)
    draw(project, second, value=2, top=12)
    project.apply(review.set_state(project, third, State.NOTHING))
    draw(project, middle)
    return filled


def export(house, format, out, **more):
    return drive(run(ExportArguments(format=format, out=out, **more), house))


def bring_back(house, format, path):
    return drive(import_files(ImportArguments(annotations=(format, str(path))), house))


def masks_of(project):
    return {frame.id: project.mask(frame.id).to_array() for frame in project.frames()}


@pytest.mark.parametrize("format", ["png", "nifti", "nrrd", "coco", "csv", "seg", "data"])
def test_every_format_is_written_and_counted(worked, tmp_path, format):
    result = export(worked, format, tmp_path / "out")
    assert result.frames == 4 if format != "seg" else result.frames >= 3
    written = sorted(str(p) for p in (tmp_path / "out").rglob("*") if p.is_file())
    assert written == sorted(result.paths)
    assert result.files == len(written)
    assert not list(tmp_path.glob(".out*"))


@pytest.mark.parametrize("format", ["png", "nifti", "nrrd", "coco", "data"])
def test_masks_that_went_out_come_back_the_same(worked, houses, tmp_path, format):
    export(worked, format, tmp_path / "out")
    other = houses(a_project(tmp_path / "other"))
    drive(import_files(ImportArguments(paths=(str(tmp_path / "images"),)), other))
    result = bring_back(other, format, tmp_path / "out")
    assert result.failed == []
    assert result.annotated >= 3
    mine, theirs = masks_of(worked.project), masks_of(other.project)
    assert all(np.array_equal(mine[frame], theirs[frame]) for frame in mine)
    states = [other.project.annotation(frame.id).state for frame in other.project.frames()]
    assert states[:3] == [State.DONE, State.DONE, State.NOTHING if format != "coco" else states[2]]


def test_bringing_the_same_in_again_changes_nothing(worked, tmp_path):
    export(worked, "png", tmp_path / "out")
    worked.project.flush()
    position = worked.project.saved.position
    result = bring_back(worked, "png", tmp_path / "out")
    assert result.annotated == 4
    worked.project.flush()
    assert worked.project.saved.position == position


def test_an_empty_mask_says_nothing_to_mark_and_keeps_the_labels(filled, tmp_path):
    project = filled.project
    frame = project.frames()[0].id
    project.apply(review.toggle_label(project, frame, "benign"))
    draw(project, frame)
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks" / "im0001.png").write_bytes(png_bytes(np.zeros((ROWS, COLUMNS), np.uint8)))
    before = project.annotation(frame), project.mask(frame)
    assert bring_back(filled, "png", tmp_path / "masks").annotated == 1
    assert project.annotation(frame).state is State.NOTHING
    assert project.annotation(frame).labels == ("benign",)
    assert not project.layers(frame)
    project.undo()
    assert project.annotation(frame) == before[0]
    assert project.mask(frame).same_as(before[1])


@pytest.mark.parametrize("state", [State.FLAGGED, State.UNUSABLE])
@pytest.mark.parametrize("fill", [0, 1])
def test_what_a_person_said_of_the_frame_itself_outlives_masks_that_come_in(filled, tmp_path, state, fill):
    project = filled.project
    frame = project.frames()[0].id
    draw(project, frame)
    project.apply(review.set_state(project, frame, state))
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks" / "im0001.png").write_bytes(png_bytes(np.full((ROWS, COLUMNS), fill, np.uint8)))
    assert bring_back(filled, "png", tmp_path / "masks").annotated == 1
    assert project.annotation(frame).state is state
    assert bool(project.layers(frame)) is bool(fill)


def test_segments_are_matched_by_name_and_new_ones_are_added(filled, tmp_path):
    masks = tmp_path / "masks"
    masks.mkdir()
    ids = np.zeros((ROWS, COLUMNS), np.uint8)
    ids[:5], ids[5:9] = 1, 2
    (masks / "im0001.png").write_bytes(png_bytes(ids))
    (masks / "schema.toml").write_text(
        '[[segments]]\nvalue = 1\nname = "Cord"\n[[segments]]\nvalue = 2\nname = "head"\n'
    )
    bring_back(filled, "png", masks)
    project = filled.project
    cord, head = project.schema.named("cord"), project.schema.named("Head")
    assert (head.value, cord.value) == (1, 3)
    found = project.mask(project.frames()[0].id).to_array()
    assert np.array_equal(found, np.where(ids == 1, 3, np.where(ids == 2, 1, 0)))


def test_what_fits_no_frame_is_named(filled, tmp_path):
    masks = tmp_path / "masks"
    masks.mkdir()
    (masks / "stranger.png").write_bytes(png_bytes(np.ones((ROWS, COLUMNS), np.uint8)))
    (masks / "im0002.png").write_bytes(png_bytes(np.ones((7, 9), np.uint8)))
    result = bring_back(filled, "png", masks)
    assert result.annotated == 0
    assert sorted(failure.path.rpartition("/")[2] for failure in result.failed) == ["im0002.png", "stranger.png"]


def labels_file(folder, *rows):
    folder.mkdir(exist_ok=True)
    (folder / "labels.csv").write_text("\n".join(["file,label", *rows]) + "\n")
    return folder / "labels.csv"


@pytest.fixture
def labelled(houses, tmp_path):
    """Three breast images: a person called the first one benign, the second one comes labelled by an import."""
    house = houses(a_project(tmp_path / "p"))
    for number in (1, 2, 3):
        a_still(tmp_path / "images", number, exam="BREAST")
    drive(import_files(ImportArguments(paths=(str(tmp_path / "images"),)), house))
    house.project.apply(toggle_label(house.project, house.project.frames()[0].id, "benign"))
    bring_back(house, "csv", labels_file(tmp_path / "first", "im0002.dcm,benign"))
    return house


def labels_of(house):
    return [house.project.annotation(frame.id).labels for frame in house.project.frames()]


def test_two_labels_that_exclude_each_other_do_not_come_in_and_are_named(labelled, tmp_path):
    rows = ("im0003.dcm,benign", "im0003.dcm,malignant", "im0002.dcm,malignant")
    result = bring_back(labelled, "csv", labels_file(tmp_path / "in", *rows))
    assert labels_of(labelled) == [("benign",), ("malignant",), ()]
    assert labelled.project.annotation(labelled.project.frames()[2].id).state is State.TODO
    assert result.annotated == 1
    (failure,) = result.failed
    assert failure.path.endswith("im0003.dcm")
    assert "im0003.dcm: it comes with 2 labels (benign, malignant), and only one can be right" in failure.error


def test_a_label_that_contradicts_a_person_s_does_not_come_in_and_is_named(labelled, tmp_path):
    rows = ("im0001.dcm,malignant", "im0002.dcm,malignant", "im0003.dcm,malignant")
    result = bring_back(labelled, "csv", labels_file(tmp_path / "in", *rows))
    assert labels_of(labelled) == [("benign",), ("malignant",), ("malignant",)]
    assert result.annotated == 2
    (failure,) = result.failed
    assert "im0001.dcm: a person has labelled it benign, and it comes as malignant" in failure.error
    assert bring_back(labelled, "csv", labels_file(tmp_path / "in", "im0001.dcm,benign")).failed == []


def test_a_label_that_was_accepted_is_a_person_s_word_too(labelled, tmp_path):
    frame = labelled.project.frames()[2]
    accepted = Annotation(state=State.DONE, labels=("benign",), decisions={"m:label:benign": Decision.ACCEPTED})
    before = labelled.project.annotation(frame.id)
    labelled.project.apply(SetAnnotation(name="Accept", frame=frame.id, before=before, after=accepted))
    result = bring_back(labelled, "csv", labels_file(tmp_path / "in", "im0003.dcm,malignant"))
    assert labels_of(labelled)[2] == ("benign",)
    assert len(result.failed) == 1


def test_where_labels_do_not_exclude_each_other_both_words_stand(labelled, tmp_path):
    schema = labelled.project.schema
    loose = replace(schema, exclusive_labels=False)
    labelled.project.apply(ReplaceSchema(name="Loosen", before=schema, after=loose))
    result = bring_back(labelled, "csv", labels_file(tmp_path / "in", "im0001.dcm,malignant"))
    assert labels_of(labelled)[0] == ("benign", "malignant")
    assert result.failed == []


def test_thousands_of_frames_come_in_as_several_steps(worked, houses, tmp_path, monkeypatch):
    export(worked, "png", tmp_path / "out")
    monkeypatch.setattr(import_annotations, "STEP_TILES", 1)
    other = houses(a_project(tmp_path / "other"))
    drive(import_files(ImportArguments(paths=(str(tmp_path / "images"),)), other))
    bring_back(other, "png", tmp_path / "out")
    names = [entry.name for entry in other.project.history()]
    assert names == ["Import annotations"] * 3
    for _ in names:
        other.project.undo()
    assert not any(mask.any() for mask in masks_of(other.project).values())


def test_two_names_that_are_equal_make_one_clear_message(filled, tmp_path):
    masks = tmp_path / "masks"
    masks.mkdir()
    (masks / "im0001.png").write_bytes(png_bytes(np.ones((ROWS, COLUMNS), np.uint8)))
    (masks / "schema.toml").write_text(
        '[[segments]]\nvalue = 1\nname = "Head"\n[[segments]]\nvalue = 2\nname = "head "\n'
    )
    with pytest.raises(WrongUsage, match='two entries have the segment name "head"'):
        bring_back(filled, "png", masks)


def test_only_finished_frames_go_out_and_only_of_the_exam_asked_for(houses, tmp_path):
    schema = Schema(
        segments=(Segment(value=1, name="Head", exam="HEAD"), Segment(value=2, name="Lesion", exam="BREAST"))
    )
    house = houses(a_project(tmp_path / "p", schema=schema))
    for number, exam in ((1, "HEAD"), (2, "BREAST"), (3, "HEAD")):
        a_still(tmp_path / "images", number, exam=exam)
    drive(import_files(ImportArguments(paths=(str(tmp_path / "images"),)), house))
    first, second, third = (frame.id for frame in house.project.frames())
    draw(house.project, first)
    draw(house.project, second, value=2)
    set_state(house.project, third, State.DOING)
    assert export(house, "png", tmp_path / "all").frames == 2
    assert export(house, "png", tmp_path / "heads", exam="HEAD").frames == 1


def test_a_source_that_is_gone_is_named_and_the_rest_is_written(worked, tmp_path):
    (tmp_path / "images" / "im0001.dcm").unlink()
    result = export(worked, "png", tmp_path / "out")
    assert result.frames == 3
    assert [failure.path.rpartition("/")[2] for failure in result.failed] == ["im0001.dcm"]
    for path in (tmp_path / "images").iterdir():
        path.unlink()
    with pytest.raises(Unreadable):
        export(worked, "png", tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_nothing_finished_is_nothing_to_export(filled, tmp_path):
    with pytest.raises(NotFound):
        export(filled, "png", tmp_path / "out")


@pytest.mark.parametrize("format", ["sr", "gif"])
def test_a_format_that_is_not_there_is_wrong_usage(worked, tmp_path, format):
    with pytest.raises(WrongUsage):
        export(worked, format, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_another_content_is_not_written_over(worked, tmp_path):
    export(worked, "png", tmp_path / "out")
    export(worked, "png", tmp_path / "out")
    draw(worked.project, worked.project.frames()[0].id, top=1)
    before = {p: p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()}
    with pytest.raises(WrongUsage, match="not written over"):
        export(worked, "png", tmp_path / "out")
    assert {p: p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()} == before


def test_a_project_that_can_only_be_looked_at_is_exported_too(worked, houses, tmp_path):
    worked.project.close()
    looking = houses()
    looking.opened = Project.open(tmp_path / "p", read_only=True)
    assert export(looking, "png", tmp_path / "out").frames == 4


def test_step_by_step_frames_are_collected_then_written(worked, tmp_path):
    wishes, result = by_hand(run(ExportArguments(format="png", out=tmp_path / "out"), worked))
    assert kinds(wishes) == ["progress"]
    assert [w.body["done"] for w in wishes if hasattr(w, "body")] == [1, 2, 3, 4, 0]
    assert result.frames == 4
    assert lent_out(worked) == 0


@pytest.mark.parametrize("after", range(1, 6))
def test_an_export_that_is_stopped_leaves_nothing(worked, tmp_path, after):
    seen = []
    with pytest.raises(Interrupted):
        drive(
            run(ExportArguments(format="png", out=tmp_path / "out"), worked),
            seen.append,
            lambda: len(seen) >= after,
        )
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".out*"))
    assert lent_out(worked) == 0
