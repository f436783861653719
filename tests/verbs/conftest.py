"""One reader process for the whole room (it holds nothing), houses that borrow it, and a worker without torch."""

import pytest

from tests.children.support import ROOT
from tests.verbs.fake_engine import FakeEngine
from tests.verbs.making import a_project, a_still, stills
from usfm_studio.engine import trainer_client
from usfm_studio.verbs.drive import drive
from usfm_studio.verbs.house import House
from usfm_studio.verbs.import_files import ImportArguments
from usfm_studio.verbs.import_files import run as import_files


@pytest.fixture(scope="session")
def a_reader():
    with House() as house:
        yield house.reader


@pytest.fixture
def houses(a_reader):
    """Makes houses with the shared reader and a fake engine; they are closed afterwards."""
    made = []

    def lend(house=None, **says):
        house = house if house is not None else House()
        house._reader, house._engine = a_reader, FakeEngine(**says)
        made.append(house)
        return house

    yield lend
    for house in made:
        house._reader = house._engine = None
        house.close()


@pytest.fixture
def house(houses, tmp_path):
    """An empty project."""
    return houses(a_project(tmp_path / "p"))


@pytest.fixture
def filled(houses, tmp_path):
    """A project of three stills and a loop of three frames."""
    images = stills(tmp_path / "images", 3)
    a_still(images, 4, frames=3)
    house = houses(a_project(tmp_path / "p"))
    drive(import_files(ImportArguments(paths=(str(images),)), house))
    return house


@pytest.fixture
def fake_worker(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", ROOT)
    monkeypatch.setattr(trainer_client, "MODULE", "tests.verbs.fake_worker")
