"""A project that may not be written to opens to be looked at; nothing is made beside it."""

import os
import stat

import pytest

from usfm_studio.document.errors import ReadOnly
from usfm_studio.project.project import Project

from .forks import a_living_fork, in_a_fork, kill
from .making import a_model, a_project, contents, stroke

NOBODY = 65534


def forbid(folder):
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    for parent in folder.parents:
        if parent.stat().st_uid == os.getuid() and not parent.stat().st_mode & stat.S_IXOTH:
            parent.chmod(parent.stat().st_mode | 0o055)


def looked_at(folder, tell):
    if os.getuid() == 0:
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    with pytest.raises(ReadOnly) as caught:
        Project.open(folder)
    assert "look" in caught.value.hint
    with Project.open(folder, read_only=True) as project:
        assert project.read_only
        assert "cannot be written" in project.read_only_reason
        tell(str(contents(project)["masks"]))
        tell(project.undo_name)
        edit = stroke(project, project.frames()[0].id, 1)
        for act in (
            lambda: project.apply(edit),
            project.undo,
            lambda: project.blobs.put(b"x"),
            lambda: project.models.adopt(a_model_path(folder)),
        ):
            with pytest.raises(ReadOnly):
                act()
        project.flush()
    with pytest.raises(ReadOnly):
        Project.create(folder / "runs" / "other")


def a_model_path(folder):
    return folder.parent / "model"


def test_a_read_only_project_opens_to_be_looked_at(tmp_path):
    folder = tmp_path / "p"
    a_model(tmp_path / "model")
    with a_project(folder) as project:
        project.apply(stroke(project, project.frames()[0].id, 4))
        before = contents(project)
    forbid(folder)
    names = sorted(p.name for p in folder.iterdir())
    status, told = in_a_fork(looked_at, folder)
    assert status == 0
    assert told == [str(before["masks"]), "Brush 4"]
    assert sorted(p.name for p in folder.iterdir()) == names
    assert not [name for name in names if name.startswith("project.db-")]


def drawing(folder, tell):
    project = Project.open(folder)
    project.apply(stroke(project, project.frames()[0].id, 9))
    project.flush()
    tell(str(contents(project)["masks"]))


def test_what_a_crash_left_in_the_wal_is_seen_in_a_read_only_project(tmp_path):
    folder = tmp_path / "p"
    a_model(tmp_path / "model")
    a_project(folder).close()
    with a_living_fork(drawing, folder) as (pid, lines):
        kill(pid)
    assert (folder / "project.db-wal").stat().st_size
    forbid(folder)
    status, told = in_a_fork(looked_at, folder)
    assert status == 0
    assert told[0] == lines[0]
