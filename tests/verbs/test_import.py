"""Files into a project: each once, each with an outcome, and what was read is kept."""

import shutil
import zipfile
from concurrent.futures import Future
from itertools import pairwise

import pytest

from tests.imaging.making import a_dataset, a_file, bytes_of
from tests.verbs.making import LONG, a_data_folder, a_still, by_hand, grey, kinds, stills
from usfm_studio.document.annotation import State
from usfm_studio.document.errors import ChildDied, Interrupted
from usfm_studio.project.project import Project
from usfm_studio.verbs import info
from usfm_studio.verbs.drive import drive
from usfm_studio.verbs.house import House
from usfm_studio.verbs.import_files import ImportArguments, run
from usfm_studio.verbs.info import InfoArguments
from usfm_studio.verbs.review import set_state
from usfm_studio.verbs.steps import Event


def bring(house, *paths, **more):
    return drive(run(ImportArguments(paths=tuple(map(str, paths)), **more), house))


def test_a_folder_comes_in_once(house, tmp_path):
    images = stills(tmp_path / "images", 5)
    first = bring(house, images)
    assert (first.imported, first.skipped, first.frames, first.failed) == (5, 0, 5, [])
    again = bring(house, images, images / "im0001.dcm")
    assert (again.imported, again.skipped, again.frames) == (0, 5, 0)
    assert [i.subject for i in house.project.instances] == [f"P{n}" for n in range(1, 6)]


def test_every_file_has_one_outcome(house, tmp_path):
    images = stills(tmp_path / "images", 2)
    (images / "notes.txt").write_text("hello")
    (images / "empty.dcm").touch()
    shutil.copy(images / "im0001.dcm", images / "twin.dcm")
    result = bring(house, images, tmp_path / "nowhere")
    assert (result.imported, result.skipped) == (2, 1)
    assert {failure.path.rpartition("/")[2] for failure in result.failed} == {"notes.txt", "empty.dcm", "nowhere"}
    assert all(failure.error.startswith("Could not") for failure in result.failed)
    assert result.partial


def test_relative_paths_are_stored_whole(house, tmp_path, monkeypatch):
    stills(tmp_path / "images", 1)
    monkeypatch.chdir(tmp_path)
    assert bring(house, "images").imported == 1
    assert house.project.instances[0].path == str(tmp_path / "images" / "im0001.dcm")


def test_a_zip_is_read_as_the_folder_that_it_holds(house, tmp_path):
    images = stills(tmp_path / "images", 3)
    archive = tmp_path / "study.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for path in sorted(images.iterdir()):
            packed.write(path, f"study/{path.name}")
    assert bring(house, archive).imported == 3
    assert bring(house, images).skipped == 3, "the same content at another place is the same file"


def test_a_loop_counts_its_frames(house, tmp_path):
    a_still(tmp_path / "images", 1, frames=4)
    result = bring(house, tmp_path / "images")
    assert (result.imported, result.frames) == (1, 4)


def test_of_a_data_folder_only_the_images_come_in(house, tmp_path):
    data = a_data_folder(tmp_path / "data", subjects=3)
    result = bring(house, data)
    assert (result.imported, result.failed) == (3, [])


def test_a_file_that_has_moved_is_found_again_and_keeps_its_annotations(house, tmp_path):
    images = stills(tmp_path / "images", 2)
    bring(house, images)
    frame = house.project.frames()[0]
    house.project.apply(set_state(house.project, frame.id, State.NOTHING))
    images.rename(tmp_path / "elsewhere")
    assert house.project.source_state(frame.instance) == "missing"
    result = bring(house, tmp_path / "elsewhere")
    assert (result.imported, result.skipped, result.relinked) == (0, 2, 2)
    found = house.project.frame(frame.id)
    assert house.project.source_state(found.instance) == "ok"
    assert house.project.annotation(frame.id).state is State.NOTHING


def test_a_copy_elsewhere_does_not_move_a_file_that_is_still_there(house, tmp_path):
    images = stills(tmp_path / "images", 1)
    bring(house, images)
    shutil.copytree(images, tmp_path / "copy")
    assert bring(house, tmp_path / "copy").relinked == 0
    assert house.project.instances[0].path == str(images / "im0001.dcm")


def test_two_files_that_claim_to_be_one_object_are_both_noted_also_over_two_imports(house, tmp_path):
    a_still(tmp_path / "a", 1)
    a_file(tmp_path / "b", a_dataset(grey(9), SOPInstanceUID="1.2.3.1", PatientID="P1"))
    bring(house, tmp_path / "a")
    bring(house, tmp_path / "b")
    notices = [" ".join(i.notices) for i in house.project.instances]
    assert len(notices) == 2
    assert all(text.count("same SOPInstanceUID") == 1 for text in notices)
    bring(house, tmp_path)
    assert [" ".join(i.notices) for i in house.project.instances] == notices


def test_what_came_in_is_told_and_is_no_step_that_undo_takes_back(house, tmp_path):
    images = stills(tmp_path / "images", 3)
    wishes, result = by_hand(run(ImportArguments(paths=(str(images),)), house))
    assert result.imported == 3
    assert kinds(wishes) == ["progress", "applied"]
    totals = [w.body for w in wishes if isinstance(w, Event) and w.kind == "progress"]
    assert totals[0]["what"] == "Looking for files"
    assert house.project.undo_name is None


def many(folder, count):
    """Many small files that differ."""
    base = bytes_of(a_dataset(grey(0, 8, 10), PatientID="P1"))
    folder.mkdir()
    for number in range(count):
        (folder / f"im{number:05d}.dcm").write_bytes(base[:-4] + number.to_bytes(4, "big"))
    return folder


def test_an_interrupted_import_keeps_what_was_read_and_goes_on_later(house, tmp_path, monkeypatch):
    monkeypatch.setattr(info, "GROUP", 60)
    images = many(tmp_path / "images", 500)
    seen = []
    with pytest.raises(Interrupted) as caught:
        drive(
            run(ImportArguments(paths=(str(images),)), house),
            seen.append,
            lambda: sum(e.kind == "progress" and e.body["done"] >= 120 for e in seen) > 0,
        )
    kept = len(house.project.instances)
    assert 120 <= kept < 500
    assert f"{kept} files were added" in caught.value.hint
    result = bring(house, images)
    assert (result.imported, result.skipped) == (500 - kept, kept)


def test_a_reader_that_does_not_stay_up_ends_the_import_with_its_reason_and_keeps_what_was_read(house, tmp_path):
    images = many(tmp_path / "images", 300)
    real, calls = house._reader, []

    class Dying:
        find = real.find
        keep_in = real.keep_in

        def describe(self, files, **more):
            calls.append(files)
            if len(calls) == 1:
                return real.describe(files, **more)
            dead = Future()
            dead.set_exception(ChildDied("The reader does not stay up", "it crashed", "Restart the program."))
            return dead

    house._reader = Dying()
    with pytest.raises(ChildDied):
        bring(house, images)
    assert len(house.project.instances) == 200


def test_a_closed_import_takes_its_requests_back(house, tmp_path):
    images = many(tmp_path / "images", 300)
    steps = run(ImportArguments(paths=(str(images),)), house)
    wish = next(steps)
    while isinstance(wish, Event):
        wish = steps.send(None)
    wish = steps.send(wish.ticket.result(LONG))  # the files are found
    steps.close()
    assert isinstance(wish.ticket.exception(LONG), Interrupted)


def test_info_tells_of_every_file_in_the_order_of_its_name(a_reader, tmp_path):
    images = many(tmp_path / "images", 250)
    (images / "im00100a.txt").write_text("x")
    with House() as house:
        house._reader = a_reader
        shown = []
        result = drive(info.run(InfoArguments(paths=(str(images),)), house), shown.append)
        house._reader = None
    names = [file["path"].rpartition("/")[2] for file in result.files]
    assert names == sorted(names)
    assert len(names) == 251
    assert [file["ok"] for file in result.files].count(False) == 1
    assert result.partial
    done = [event.body["done"] for event in shown if event.body["total"] == 251]
    assert done[-1] == 251
    assert max(b - a for a, b in pairwise(done)) <= 50, "progress comes with every chunk"


def test_making_the_same_project_twice_opens_it(tmp_path):
    for _ in range(2):
        with House.at(tmp_path / "p", create=True) as house:
            assert isinstance(house.project, Project)
