"""One reader for all these tests (it holds nothing), and a copy of the same small project for each."""

from __future__ import annotations

import shutil

import pytest

from tests.children.support import ROOT
from tests.ui.session.desk import SCHEMA, Desk, write_images
from usfm_studio.engine import client as engine_client
from usfm_studio.engine import trainer_client
from usfm_studio.ui.engine_watch import EngineWatch
from usfm_studio.ui.job import hands
from usfm_studio.ui.session import Session
from usfm_studio.ui.state import EngineState
from usfm_studio.verbs.drive import drive
from usfm_studio.verbs.house import House
from usfm_studio.verbs.import_files import ImportArguments
from usfm_studio.verbs.import_files import run as import_files


@pytest.fixture(scope="session")
def kitchen():
    with House(readers=1) as house:
        yield house


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    return write_images(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="session")
def template(kitchen, images, tmp_path_factory):
    folder = tmp_path_factory.mktemp("template") / "project"
    from usfm_studio.project.project import Project

    house = House()
    house.opened = Project.create(folder, SCHEMA)
    house._reader = kitchen.reader
    drive(import_files(ImportArguments(paths=(str(images),)), house))
    house._reader = None
    house.close()
    return folder


@pytest.fixture
def folder(template, tmp_path):
    """A copy of the project, not open."""
    shutil.copytree(template, tmp_path / "project")
    return tmp_path / "project"


@pytest.fixture
def tiny_engine(monkeypatch):
    """The engine host is a process without torch."""
    monkeypatch.setenv("PYTHONPATH", ROOT)
    monkeypatch.setattr(engine_client, "HOST", "tests.ui.session.tiny_engine")


@pytest.fixture
def fake_worker(monkeypatch):
    """So is the one that learns."""
    monkeypatch.setenv("PYTHONPATH", ROOT)
    monkeypatch.setattr(trainer_client, "MODULE", "tests.verbs.fake_worker")


@pytest.fixture
def empty_desk(qapp, qtbot, kitchen):
    """A session with nothing open, and an engine that sleeps until it is started."""
    session = Session()
    session.house._reader = kitchen.reader
    session.engine_watch.state = EngineState(kind="stopped", text="Engine stopped")
    desk = Desk(session, qtbot)
    yield desk
    session.close_project(discard=True)
    session.house._reader = None
    session.shut_down(discard=True)
    assert session.opening.wait(20)
    hands().submit(lambda: None).result(20)
    qtbot.wait(1)
    session.deleteLater()


@pytest.fixture
def desk(empty_desk, folder):
    """A session on the project, first still in view."""
    empty_desk.open(folder)
    empty_desk.forget()
    return empty_desk


@pytest.fixture
def awake(desk, tiny_engine):
    """The same, with its engine started."""
    watch: EngineWatch = desk.session.engine_watch
    desk.session.start_engine()
    desk.wait(lambda: watch.state.kind in ("ready", "busy"))
    desk.heard.clear()
    return desk
