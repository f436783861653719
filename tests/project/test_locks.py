"""One writer: the second is told who has the project and may look at it; after a kill it opens at once."""

import os
import platform
import subprocess
import sys

import pytest

from usfm_studio.document.errors import ProjectBusy, ReadOnly
from usfm_studio.project.lock import NAME, ProjectLock, holder
from usfm_studio.project.places import is_network
from usfm_studio.project.project import Project

from .forks import a_living_fork, kill
from .making import a_project, contents, stroke


def drawing(folder, tell):
    project = Project.open(folder)
    for number in range(3):
        project.apply(stroke(project, project.frames()[0].id, project._position + number))
    project.flush()
    tell(f"{project.saved.position}")


def drawing_with_a_child(folder, tell):
    project = Project.open(folder)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"])
    assert project.frames()
    tell(f"{child.pid}")


def test_a_second_writer_is_refused_and_may_look_and_opens_at_once_after_a_kill(tmp_path):
    folder = tmp_path / "p"
    a_project(folder).close()
    for _ in range(20):
        with a_living_fork(drawing, folder) as (pid, lines):
            with pytest.raises(ProjectBusy) as caught:
                Project.open(folder)
            assert f"process {pid} on {platform.node()}" in str(caught.value)
            with Project.open(folder, read_only=True) as looking:
                assert f"process {pid}" in looking.read_only_reason
                assert looking.saved.position == int(lines[0])
                seen = contents(looking)
                with pytest.raises(ReadOnly):
                    looking.apply(stroke(looking, looking.frames()[0].id, 1))
                with pytest.raises(ReadOnly):
                    looking.undo()
            kill(pid)
            with Project.open(folder) as project:
                assert project.saved.position == int(lines[0])
                assert contents(project) == seen


def test_a_child_of_the_writer_does_not_keep_the_lock(tmp_path):
    folder = tmp_path / "p"
    a_project(folder).close()
    with a_living_fork(drawing_with_a_child, folder) as (pid, lines):
        kill(pid)
        try:
            Project.open(folder).close()
        finally:
            os.kill(int(lines[0]), 9)


def test_two_openings_in_one_process_exclude_each_other(tmp_path):
    with a_project(tmp_path / "p") as project:
        with pytest.raises(ProjectBusy):
            Project.open(project.folder)
        with Project.open(project.folder, read_only=True) as looking:
            assert looking.read_only
        project.apply(stroke(project, project.frames()[0].id, 1))  # still the writer
        project.flush()


def test_on_a_network_drive_another_hosts_name_keeps_the_lock(tmp_path):
    text = '{"pid": 7, "host": "elsewhere", "since": "2026-01-01"}'
    (tmp_path / "project.lock").write_text(text)
    with pytest.raises(ProjectBusy, match=r"process 7 on elsewhere.*remove project.lock"):
        ProjectLock.take(tmp_path, one_host=True)
    lock = ProjectLock.take(tmp_path)
    assert lock.left_behind
    lock.release()
    lock = ProjectLock.take(tmp_path, one_host=True)
    assert not lock.left_behind
    lock.release()


@pytest.mark.parametrize(("kind", "network"), [("ext4", False), ("nfs4", True), ("cifs", True), ("fuse.sshfs", True)])
def test_network_drives_are_told_by_their_file_system(tmp_path, kind, network):
    mounts = (
        f"20 1 8:1 / / rw - ext4 /dev/sda rw\n30 20 0:50 / {tmp_path} rw,relatime shared:9 - {kind} host:/share rw\n"
    )
    assert is_network(tmp_path / "deeper", mounts) is network
    assert is_network(tmp_path.parent, mounts) is False


def test_a_project_on_a_network_drive_is_kept_without_a_wal(tmp_path, monkeypatch):
    a_project(tmp_path / "p").close()
    monkeypatch.setattr("usfm_studio.project.opening.is_network", lambda _: True)
    with Project.open(tmp_path / "p") as project:
        assert project.notices
        project.apply(stroke(project, project.frames()[0].id, 1))
        project.flush()
        before = contents(project)
        assert not list(project.folder.glob("project.db-wal"))
    monkeypatch.undo()
    with Project.open(tmp_path / "p") as project:
        assert contents(project) == before


@pytest.mark.parametrize("text", ["[" * 4096, "[]", "\x00", '{"pid": 1}'])
def test_a_text_that_makes_no_sense_keeps_nobody_out(tmp_path, text):
    (tmp_path / NAME).write_text(text)
    assert holder(tmp_path) == {}
    ProjectLock.take(tmp_path).release()
