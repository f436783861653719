"""Projects come and go: never in the window's way, never at the price of what was open or unsaved."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest

from tests.children.support import ROOT
from tests.ui.session.desk import HEAD, LESION, LOOP, NECK, Desk, crown
from usfm_studio.document.annotation import State
from usfm_studio.document.errors import ProjectBusy
from usfm_studio.document.frame import FrameId
from usfm_studio.project import faults
from usfm_studio.project.project import Project
from usfm_studio.ui.job import Job, hands
from usfm_studio.ui.place import FILE, read_place
from usfm_studio.ui.session import Session
from usfm_studio.verbs import runs
from usfm_studio.verbs.export import ExportArguments
from usfm_studio.verbs.export import run as export


@pytest.fixture
def faulty():
    yield faults.arm
    faults.disarm()


def is_free(folder):
    try:
        Project.open(folder).close()
    except ProjectBusy:
        return False
    return True


def test_a_project_opens_at_the_first_item_that_waits(empty_desk, folder):
    desk = empty_desk
    desk.open(folder)
    assert (desk.count("opened"), desk.row, len(desk.session.navigation.items)) == (1, 0, 6)
    assert desk.session.exam == HEAD
    assert desk.session.segment == 1
    desk.session.reviewing.set_state(State.UNUSABLE)
    desk.close()
    (folder / "cache" / FILE).unlink()
    desk.open(folder)
    assert desk.row == 1


def test_opening_and_closing_stay_away_from_the_windows_thread(empty_desk, folder, tmp_path):
    desk, threads = empty_desk, []

    def make(path):
        threads.append(threading.current_thread().name)
        return Project.create(path)

    desk.open(tmp_path / "new" / "project", make=make)
    assert threads[0].startswith("apart")
    assert desk.project.instances == ()
    assert desk.session.segment == 0
    began = time.thread_time()
    assert desk.session.close_project()
    assert time.thread_time() - began < 0.05
    assert desk.session.opening.wait(20)
    assert is_free(tmp_path / "new" / "project")


def test_a_project_opens_where_it_was_left(desk, folder):
    desk.go(LOOP, index=5)
    desk.wait(lambda: read_place(folder) == desk.frame(LOOP, 5))  # without closing: the program may be killed
    desk.go(LESION)
    desk.close()
    desk.open(folder)
    assert desk.session.current.id == desk.frame(LESION)
    assert desk.session.segment == 4


@pytest.mark.parametrize("place", [b"", b"{}", b'{"frame": "nonsense"}', b'{"frame": "%s#0"}' % (b"0" * 64)])
def test_a_place_that_makes_no_sense_is_the_start(empty_desk, folder, place):
    (folder / "cache").mkdir(exist_ok=True)
    (folder / "cache" / FILE).write_bytes(place)
    empty_desk.open(folder)
    assert empty_desk.row == 0


def test_a_place_beyond_the_loops_end_is_the_start(empty_desk, folder):
    project = Project.open(folder)
    loop = project.instances[LOOP]
    project.close()
    from usfm_studio.ui.place import write_place

    write_place(folder, FrameId(loop.digest, 99))
    empty_desk.open(folder)
    assert empty_desk.row == 0


def test_what_cannot_be_opened_is_told_and_the_open_one_stays(desk, folder, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    (broken / "project.db").write_bytes(b"no database at all" * 1000)
    before = desk.project
    desk.session.open_project(broken, lambda: pytest.fail("it was not opened"))
    desk.wait(lambda: bool(desk.notices))
    assert desk.notices[0].title == "The project cannot be opened"
    assert "backup" in desk.notices[0].text
    assert desk.notices[0].kind == "error"
    assert desk.project is before
    assert desk.session.current is not None
    (tmp_path / "a file").write_text("")
    desk.session.open_project(tmp_path / "a file" / "project")
    desk.wait(lambda: len(desk.notices) == 2)
    assert desk.project is before


def test_opening_what_is_open_only_goes_on(desk, folder):
    done = []
    desk.session.open_project(folder, lambda: done.append(True))
    assert done == [True]
    assert desk.heard == []


def test_of_two_wishes_the_newer_counts_and_the_other_is_let_go(empty_desk, folder, tmp_path):
    desk, done = empty_desk, []
    desk.session.open_project(folder, lambda: done.append("old"))
    desk.session.open_project(tmp_path / "second", lambda: done.append("new"))
    desk.wait(lambda: bool(done))
    hands().submit(lambda: None).result(20)
    desk.qtbot.wait(20)
    hands().submit(lambda: None).result(20)
    assert done == ["new"]
    assert desk.project.folder.name == "second"
    assert is_free(folder)


def test_asking_twice_opens_once(empty_desk, folder):
    desk, done = empty_desk, []
    desk.session.open_project(folder, lambda: done.append(1))
    desk.session.open_project(folder, lambda: done.append(2))
    desk.wait(lambda: len(done) == 2)
    assert not desk.session.read_only
    assert (desk.count("opened"), desk.notices) == (1, [])


def test_going_back_to_the_open_project_takes_the_other_wish_back(desk, folder, tmp_path):
    desk.session.open_project(tmp_path / "second", lambda: pytest.fail("it was taken back"))
    desk.session.open_project(folder)
    desk.qtbot.wait(50)
    hands().submit(lambda: None).result(20)
    desk.qtbot.wait(50)
    assert desk.project.folder == folder
    assert desk.count("closed") == 0


def test_changing_ones_mind_back_and_forth_ends_where_one_wants(empty_desk, folder, tmp_path):
    desk, done = empty_desk, []
    for path in (folder, tmp_path / "second", folder, tmp_path / "second", folder):
        desk.session.open_project(path, lambda path=path: done.append(path))
    desk.wait(lambda: bool(done))
    assert done == [folder]
    assert not desk.session.read_only


def test_a_project_that_comes_after_the_window_has_left_is_let_go(empty_desk, folder):
    desk = empty_desk
    desk.session.open_project(folder, lambda: pytest.fail("too late"))
    assert desk.session.close_project()
    desk.qtbot.wait(50)
    hands().submit(lambda: None).result(20)
    desk.qtbot.wait(50)
    hands().submit(lambda: None).result(20)
    assert desk.project is None
    assert is_free(folder)


def test_another_project_takes_the_place_of_the_open_one(desk, folder, tmp_path):
    desk.session.reviewing.draw(desk.stroke())
    desk.session.toggle_segment_visible(1)
    desk.open(tmp_path / "second")
    assert (desk.count("closing"), desk.count("closed"), desk.count("opened")) == (1, 1, 1)
    assert desk.session.current is None
    assert desk.session.hidden_segments == frozenset()
    assert desk.session.segment == 0
    assert desk.session.undo_text == ""
    desk.open(folder)
    assert desk.session.mask().values() == (1,)
    assert desk.session.undo_text == "Brush, 1"


HOLDER = "import sys, time; from usfm_studio.project.project import Project; from pathlib import Path\n\
project = Project.open(Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"


def test_one_that_is_open_elsewhere_opens_to_be_looked_at(empty_desk, folder):
    desk = empty_desk
    env = {**os.environ, "PYTHONPATH": ROOT}
    with subprocess.Popen([sys.executable, "-c", HOLDER, folder], stdout=subprocess.PIPE, env=env) as holder:
        try:
            assert holder.stdout.readline() == b"held\n"
            desk.open(folder)
            notice = desk.notices[0]
            assert notice.kind == "warning"
            assert "open in another window" in notice.title
            assert f"process {holder.pid}" in notice.text
            assert desk.session.read_only
            assert (desk.session.saved.kind, desk.session.saved.text) == ("readonly", "Read only")
            _nothing_can_be_changed(desk)
            desk.go(2)
            desk.wait(lambda: desk.session.pixels is not None)
            desk.qtbot.wait(600)  # longer than a place waits to be written
            assert read_place(folder) is None
            assert not list(folder.glob("**/place.json*"))
        finally:
            holder.kill()
            holder.wait(20)
    desk.close()
    desk.open(folder)
    assert not desk.session.read_only


def _nothing_can_be_changed(desk: Desk):
    desk.heard.clear()
    desk.session.reviewing.draw(desk.stroke())
    desk.session.reviewing.set_state(State.FLAGGED)
    desk.session.reviewing.add_segment("Skull")
    desk.session.undo()
    desk.session.learning.fine_tune()
    desk.session.bringing_in.import_paths(["/nowhere"])
    assert desk.count("changed") == 0
    assert desk.session.mask().tiles == {}
    assert {notice.kind for notice in desk.notices} <= {"warning", "info"}


def test_what_the_project_has_to_say_is_shown(empty_desk, folder, monkeypatch):
    monkeypatch.setattr("usfm_studio.project.opening.is_network", lambda _folder: True)
    empty_desk.open(folder)
    assert empty_desk.titles == ["The project is on a network drive"]
    assert empty_desk.notices[0].text.startswith("saving is slower")


# --- what could not be written ----------------------------------------------------------------------------------------


def test_a_project_that_cannot_be_written_is_not_closed_in_silence(desk, folder, faulty):
    faulty("EIO:statement:1+")
    desk.session.reviewing.draw(desk.stroke())
    desk.wait(lambda: desk.session.saved.kind == "unsaved")
    notice = next(notice for notice in desk.notices if notice.key == "unsaved")
    assert notice.kind == "error"
    assert "1 edit is not saved yet" in notice.text
    assert not desk.session.close_project()
    assert not desk.session.shut_down()
    assert desk.session.current is not None
    assert desk.session.mask().values() == (1,)
    assert desk.count("closed") == 0
    faults.disarm()
    desk.wait(lambda: desk.session.saved.kind == "saved")
    assert ("settled", "unsaved") in desk.heard
    desk.close()
    desk.open(folder)
    assert desk.session.mask().values() == (1,)


def test_what_cannot_be_written_can_be_given_up(desk, folder, faulty):
    faulty("EIO:statement:1+")
    desk.session.reviewing.draw(desk.stroke())
    desk.wait(lambda: desk.session.saved.kind == "unsaved")
    assert desk.session.close_project(discard=True)
    assert desk.project is None
    faults.disarm()
    assert desk.session.opening.wait(20)
    desk.open(folder)
    assert desk.session.mask().tiles == {}


def test_a_full_disk_lets_look_but_not_touch_until_there_is_room(desk, faulty):
    project = desk.project
    hands().submit(project.flush).result(20)
    faulty("ENOSPC:statement:1")  # the ballast goes, the stroke is written
    project._journal._ballast.make_if_room = lambda: False
    desk.session.reviewing.draw(desk.stroke())
    desk.wait(lambda: desk.session.saved.text == "Disk full")
    assert desk.session.read_only
    assert "All that you did is saved" in next(n for n in desk.notices if n.key == "unsaved").text
    desk.session.reviewing.draw(desk.stroke(at=30))
    assert desk.count("changed") == 1
    assert desk.titles[-1] == "The disk is full"
    project._journal._ballast.make_if_room = lambda: True
    desk.wait(lambda: desk.session.saved.kind == "saved")
    assert not desk.session.read_only
    desk.session.reviewing.draw(desk.stroke(at=30))
    assert desk.count("changed") == 2


# --- closing while something runs ------------------------------------------------------------------------------------


def test_closing_ends_what_runs_with_a_word(desk, tmp_path):
    desk.session.reviewing.draw(desk.stroke())
    desk.session.reviewing.set_state(State.DONE)
    failed = []
    job = Job(
        export(ExportArguments(format="png", out=tmp_path / "out"), desk.session.house),
        failed=lambda error: failed.append(str(error)),
    ).start()
    desk.qtbot.wait(1)
    desk.close()
    assert not job.running
    assert failed == ["Stopped: the project was closed."]
    desk.qtbot.wait(300)
    assert not (tmp_path / "out").exists()


def test_answers_that_come_after_closing_go_back_where_they_came_from(desk):
    reader = desk.session.house.reader
    for row in range(6):
        desk.go(row)
    desk.close()
    desk.qtbot.wait(300)
    assert desk.session.navigation.pictures.held_bytes == 0
    desk.wait(lambda: not reader._pool._used)


def test_shutting_down_leaves_no_process(qapp, qtbot, folder, tiny_engine):
    session = Session()
    session.house.readers, session.house.spare = 2, True
    desk = Desk(session, qtbot)
    desk.open(folder)
    crown(desk.project, folder.parent / "model")
    session.start_engine()
    desk.wait(lambda: session.engine.kind in ("ready", "busy") and session.pixels is not None)
    reader, engine = session.house.reader, session.house.engine
    pids = [*reader.pids, engine.pid]
    assert session.shut_down()
    desk.wait(lambda: not any(_lives(pid) for pid in pids), 5000)
    assert is_free(folder)
    assert session.shut_down()  # twice is no error


def _lives(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123
        return file.read().rpartition(b")")[2].split()[0] != b"Z"


# --- runs that were interrupted ---------------------------------------------------------------------------------------


def test_an_interrupted_run_is_found_at_opening_and_can_be_discarded(empty_desk, folder):
    with Project.open(folder) as project:
        run = runs.begin(project)
        runs.interrupted(run, "the program was ended")
    desk = empty_desk
    desk.open(folder)
    notice = desk.notices[0]
    assert notice.title.startswith("A fine-tuning was interrupted, begun on")
    assert (notice.button, notice.action) == ("Discard", "runs.discard")
    assert len(desk.session.learning.interrupted) == 1
    desk.session.learning.discard_interrupted()
    assert ("settled", "run") in desk.heard
    desk.close()
    assert not run.exists()
    desk.heard.clear()
    desk.open(folder)
    assert desk.notices == []


def test_a_reader_that_is_killed_comes_back(desk, kitchen):
    for pid in kitchen.reader.pids:
        os.kill(pid, signal.SIGKILL)
    desk.go(3)
    desk.wait(lambda: desk.session.pixels is not None or desk.session.navigation.trouble is not None)
    desk.go(2)
    desk.wait(lambda: desk.session.pixels is not None)


def test_a_damaged_mask_is_told_once_and_cannot_be_painted_over(desk, folder):
    desk.session.reviewing.draw(desk.stroke())
    desk.close()
    project = Project.open(folder)
    frame = project.instances[0].frame_id(0)
    with project._opened.writer.transaction() as connection:
        connection.execute("UPDATE tiles SET data = x'00112233'")
    project.close()
    desk.heard.clear()
    desk.open(folder)
    assert desk.session.current.id == frame
    for _ in range(3):
        assert desk.session.mask().tiles == {}
    assert sum(notice.kind == "error" for notice in desk.notices) == 1
    desk.session.reviewing.draw(replace(desk.stroke(), frame=frame))
    assert desk.count("changed") == 0


def test_the_exam_of_another_project_does_not_linger(desk, tmp_path):
    desk.go(LESION)
    assert desk.session.exam == NECK
    desk.open(tmp_path / "second")
    assert desk.session.exam == ""
    assert desk.session.schema.segments == ()
