"""A full disk: the stroke is written from the ballast, editing waits, and goes on by itself when there is room."""

import os
import resource
import subprocess
import threading
from pathlib import Path

import pytest

from usfm_studio.document.errors import DiskFull, StudioError
from usfm_studio.project import journal
from usfm_studio.project.check import problems
from usfm_studio.project.project import Project

from .forks import in_a_fork
from .making import a_model, a_project, contents, stroke

WAIT_S = 30


@pytest.fixture
def small_disk(tmp_path, request):
    disk = tmp_path / "disk"
    disk.mkdir()
    size = getattr(request, "param", "24m")
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", disk], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("mounting a small disk needs root")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def fill(disk: Path, name: str = "filler") -> Path:
    path = disk / name
    with path.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            try:
                while True:
                    file.write(b"\1" * size)
            except OSError:
                continue
    return path


def draw_until_full(project: Project) -> int:
    """Strokes until one is refused; answers how many were taken."""
    frame = project.frames()[0].id
    for number in range(2_000):
        try:
            project.apply(stroke(project, frame, number))
        except DiskFull:
            return number
        try:
            project.flush()
        except DiskFull:
            continue
    raise AssertionError("the disk never filled")


def wait_until(project: Project, fits) -> None:
    there = threading.Event()
    end = project.on_saved(lambda saved: there.set() if fits(saved) else None)
    assert fits(project.saved) or there.wait(WAIT_S)
    end()


def test_a_stroke_on_a_full_disk_is_saved_from_the_ballast_and_work_goes_on_when_there_is_room(small_disk):
    project = a_project(small_disk / "p")
    project.flush()
    filler = fill(small_disk)
    taken = draw_until_full(project)
    assert taken > 0
    assert isinstance(project.saved.error, DiskFull)
    wait_until(project, lambda saved: saved.pending == 0)
    assert not (small_disk / "p/ballast").exists()
    for act in (project.undo, lambda: project.apply(stroke(project, project.frames()[0].id, 1))):
        with pytest.raises(DiskFull):
            act()
    filler.unlink()
    wait_until(project, lambda saved: saved.error is None)
    assert (small_disk / "p/ballast").stat().st_size == 16 << 20
    project.apply(stroke(project, project.frames()[1].id, 7))
    before = contents(project)
    project.close()
    assert problems(small_disk / "p") == []
    with Project.open(small_disk / "p") as again:
        assert contents(again) == before


def test_without_ballast_the_stroke_waits_in_memory_and_is_saved_when_there_is_room(small_disk):
    project = a_project(small_disk / "p")
    project.flush()
    (small_disk / "p/ballast").unlink()
    filler = fill(small_disk)
    draw_until_full(project)
    assert project.saved.pending == 1
    with pytest.raises(DiskFull):
        project.flush()
    with pytest.raises(DiskFull):
        project.close()
    before = contents(project)
    filler.unlink()
    wait_until(project, lambda saved: saved.pending == 0)
    project.close()
    with Project.open(small_disk / "p") as again:
        assert contents(again) == before


def test_copying_in_and_adopting_on_a_full_disk_leave_nothing_behind(small_disk, tmp_path):
    model = a_model(tmp_path / "model", weights=os.urandom(9 << 20))
    big = tmp_path / "big.dcm"
    big.write_bytes(os.urandom(9 << 20))
    with a_project(small_disk / "p") as project:
        for act in (lambda: project.models.adopt(model), lambda: project.blobs.put_file(big)):
            with pytest.raises(DiskFull):
                act()
        with pytest.raises(DiskFull):
            project.blobs.put(big.read_bytes())
        assert project.models.cards() == []
        for name in ("models", "blobs"):
            assert list((project.folder / name).iterdir()) == []
        project.apply(stroke(project, project.frames()[0].id, 1))
        project.flush()
    assert problems(small_disk / "p") == []


@pytest.mark.parametrize("small_disk", ["8m"], indirect=True)
def test_a_project_is_not_made_where_there_is_no_room_for_it(small_disk):
    with pytest.raises(DiskFull):
        Project.create(small_disk / "p")
    assert not (small_disk / "p").exists()


def limited(folder, tell):
    project = Project.open(folder)
    project.apply(stroke(project, project.frames()[0].id, 1))
    project.flush()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    limit = (folder / "project.db-wal").stat().st_size + 30_000
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    frame = project.frames()[0].id
    for number in range(2, 200):
        project.apply(stroke(project, frame, number))
        try:
            project.flush()
        except StudioError as error:
            tell(type(error).__name__)
            break
    assert project.saved.pending == 1
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    wait_until(project, lambda saved: saved.pending == 0)
    before = contents(project)
    project.close()
    with Project.open(folder) as again:
        assert contents(again) == before


def test_a_file_that_may_not_grow_keeps_the_stroke_waiting(tmp_path):
    a_project(tmp_path / "p").close()
    status, told = in_a_fork(limited, tmp_path / "p")
    assert status == 0
    assert len(told) == 1


def squeezed(folder, tell):
    """Strokes that SQLite cannot finish writing, the file's limit a little further each time; then there is room."""
    journal.RETRY_S = 0.01
    project = Project.open(folder)
    frame = project.frames()[0].id
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    wal = folder / "project.db-wal"
    struck = 0
    for number in range(40):
        project.apply(stroke(project, frame, 3 * number))
        project.flush()
        resource.setrlimit(resource.RLIMIT_FSIZE, (wal.stat().st_size + 700 * number, hard))
        for more in (1, 2):
            if project.saved.error is None:
                project.apply(stroke(project, frame, 3 * number + more))
                try:
                    project.flush()
                except StudioError:
                    struck += 1
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        wait_until(project, lambda saved: saved.pending == 0 and saved.error is None)
    before = contents(project)
    project.close()
    with Project.open(folder) as again:
        assert contents(again) == before
    tell(str(struck))


def test_wherever_in_a_commit_the_writing_stops_the_stroke_is_saved_later(tmp_path):
    a_project(tmp_path / "p").close()
    status, told = in_a_fork(squeezed, tmp_path / "p")
    assert status == 0
    assert int(told[0]) > 10
    assert problems(tmp_path / "p") == []
