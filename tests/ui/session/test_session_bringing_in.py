"""Files come in group by group; what cannot be read has its reason; stopping keeps what was read."""

import shutil
from pathlib import Path

import pytest

from tests.ui.session.desk import LESION
from usfm_studio.document.resources import resource


def read(desk, *paths):
    desk.session.bringing_in.import_paths([str(path) for path in paths])
    desk.wait(lambda: not desk.session.bringing_in.state.running)
    return desk.session.bringing_in.state


@pytest.fixture
def empty(empty_desk, tmp_path):
    empty_desk.open(tmp_path / "new")
    empty_desk.heard.clear()
    return empty_desk


def test_a_folder_comes_in_and_the_first_image_is_shown(empty, images):
    state = read(empty, images)
    assert (state.imported, state.skipped, state.failed) == (6, 0, ())
    assert (state.done, state.total) == (6, 6)
    assert len(empty.session.navigation.items) == 6
    empty.wait(lambda: empty.session.pixels is not None)
    assert empty.row == 0
    assert empty.session.undo_text == ""  # bringing in is no step to take back
    again = read(empty, images)
    assert (again.imported, again.skipped) == (0, 6)


def test_what_cannot_be_read_is_listed_with_its_reason(empty, images, tmp_path):
    mixed = tmp_path / "mixed"
    shutil.copytree(images, mixed)
    (mixed / "im1.dcm").write_bytes((mixed / "im1.dcm").read_bytes()[:400])
    (mixed / "notes.txt").write_text("not an image")
    state = read(empty, mixed)
    assert state.imported == 5
    assert [name for name, _ in state.failed] == ["im1.dcm", "notes.txt"]
    assert all(len(reason) > 10 for _, reason in state.failed)
    notice = empty.notices[-1]
    assert (notice.kind, notice.title, notice.action) == ("warning", "2 files could not be read", "import.show")
    assert len(notice.details.splitlines()) == 2


def test_the_person_stays_where_she_is_while_files_come_in(desk, images, tmp_path):
    more = tmp_path / "more"
    shutil.copytree(images, more)
    for path in more.iterdir():
        path.write_bytes(path.read_bytes() + bytes(2))  # other files
    desk.go(LESION)
    here = desk.session.current.id
    read(desk, more)
    assert desk.session.current.id == here
    assert len(desk.session.navigation.items) == 12


def test_stopping_keeps_what_was_read(empty, images, tmp_path, monkeypatch):
    monkeypatch.setattr("usfm_studio.verbs.info.GROUP", 20)
    many = tmp_path / "many"
    for copy in range(40):
        shutil.copytree(images, many / str(copy))
        for path in (many / str(copy)).iterdir():
            path.write_bytes(path.read_bytes() + bytes(2 * copy))
    bringing_in = empty.session.bringing_in

    def stop_soon():
        if bringing_in.state is not None and bringing_in.state.running and bringing_in.state.done:
            bringing_in.cancel()

    empty.session.import_changed.connect(stop_soon)
    read(empty, many)
    kept = len(empty.project.instances)
    assert 0 < kept < 240
    assert len(empty.session.navigation.items) == kept
    assert empty.notices[-1].kind == "info"
    assert f"{kept} files were added" in empty.notices[-1].text


def test_what_is_dropped_meanwhile_comes_next(empty, images, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(images, other)
    for path in other.iterdir():
        path.write_bytes(path.read_bytes() + bytes(4))
    empty.session.bringing_in.import_paths([str(images)])
    empty.session.bringing_in.import_paths([str(other)])
    empty.wait(lambda: len(empty.project.instances) == 12 and not empty.session.bringing_in.state.running)
    assert empty.session.bringing_in.state.source == "other"


def test_closing_stops_the_reading(empty, images):
    empty.session.bringing_in.import_paths([str(images)])
    empty.qtbot.wait(1)
    empty.close()
    assert empty.session.bringing_in.state is None
    empty.qtbot.wait(100)
    assert empty.session.navigation.items == ()


def test_a_path_that_is_not_there_is_told(empty):
    state = read(empty, Path("/nowhere/at/all.dcm"))
    assert (state.imported, len(state.failed)) == (0, 1)
    assert empty.notices[-1].title == "1 file could not be read"


def test_the_sample_fills_itself_once(empty_desk, tmp_path):
    desk, shown = empty_desk, []
    count = len(list(resource("sample", "dicom").rglob("*.dcm")))
    desk.session.bringing_in.open_sample(tmp_path / "sample", lambda: shown.append(True))
    desk.wait(lambda: desk.session.bringing_in.state is not None and not desk.session.bringing_in.state.running, 60_000)
    assert shown == [True]
    assert len(desk.project.instances) == count
    exams = {item.exam for item in desk.session.navigation.items}
    assert {"FETAL HEAD", "BREAST", "CAROTID"} <= exams
    values = [segment.value for segment in desk.session.schema.segments]
    assert desk.session.segment in (values or [0])
    desk.close()
    desk.session.bringing_in.open_sample(tmp_path / "sample")
    desk.wait(lambda: desk.project is not None)
    desk.qtbot.wait(20)
    assert desk.session.bringing_in.state is None
    assert len(desk.project.instances) == count
