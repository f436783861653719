"""Sources are referred to: one that moved or changed is told as such, and the work on it stays."""

import hashlib
import os

import pytest

from usfm_studio.document.annotation import State
from usfm_studio.document.edit import ReplaceInstances
from usfm_studio.project.project import Project

from .making import a_project, add, an_instance, contents, set_state


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "scan.png"
    path.write_bytes(b"pixels")
    return path


@pytest.fixture
def project(tmp_path, source):
    with a_project(tmp_path / "p", instances=0) as made:
        digest = hashlib.sha256(b"pixels").hexdigest()
        add(made, an_instance(1, digest=digest, path=str(source)))
        set_state(made, made.frames()[0].id, State.DONE, ["benign"])
        made.flush()
        yield made


def test_a_source_that_moved_is_missing_and_its_work_stays(project, source):
    before = contents(project)
    (instance,) = project.instances
    assert project.source_state(instance) == "ok"
    moved = source.rename(source.with_name("elsewhere.png"))
    assert project.source_state(instance) == "missing"
    assert contents(project) == before
    found = an_instance(1, digest=instance.digest, path=str(moved))
    project.apply(ReplaceInstances(name="Found again", before=(instance,), after=(found,)))
    project.flush()
    assert project.source_state(project.instances[0]) == "ok"
    assert contents(project)["annotations"] == before["annotations"]


def test_a_source_that_grew_is_changed_after_reopening_too(project, source):
    with source.open("ab") as file:
        file.write(b"!")
    assert project.source_state(project.instances[0]) == "changed"
    folder = project.folder
    project.close()
    with Project.open(folder) as again:
        assert again.source_state(again.instances[0]) == "changed"
        assert again.verify_source(again.instances[0]) == "changed"
        assert again.annotation(again.frames()[0].id).labels == ("benign",)


def test_a_source_that_was_only_touched_is_unchanged_once_it_was_read(project, source):
    os.utime(source, (1, 1))
    (instance,) = project.instances
    assert project.source_state(instance) == "changed"
    assert project.verify_source(instance) == "ok"
    assert project.source_state(instance) == "ok"


def test_a_folder_or_an_odd_path_is_a_missing_source(project, source, tmp_path):
    source.unlink()
    source.mkdir()
    assert project.source_state(project.instances[0]) == "missing"
    add(project, an_instance(2, path="nul\0byte"), an_instance(3, path=f"{tmp_path}/{'x' * 300}"))
    project.flush()
    states = {project.source_state(i) for i in project.instances}
    assert states == {"missing"}


def test_a_copied_source_is_found_in_the_project_wherever_it_lies(project, tmp_path):
    digest = project.blobs.put(b"pixels")
    add(project, an_instance(5, path=f"blobs/{digest}"))
    project.flush()
    inside = next(i for i in project.instances if i.path.startswith("blobs"))
    assert project.source_state(inside) == "ok"
    folder = project.folder
    project.close()
    moved = folder.rename(tmp_path / "moved")
    with Project.open(moved) as again:
        assert again.source_state(inside) == "ok"
        assert again.source_path(inside).read_bytes() == b"pixels"
