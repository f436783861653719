"""The shelf takes a model whole and checked, knows which one is in use, and never forgets who was trained on."""

import hashlib
import json
import sqlite3
from contextlib import closing

import pytest

from usfm_studio.document.edit import SetChampion
from usfm_studio.document.errors import BadModel, NotFound, WrongUsage
from usfm_studio.document.model_card import subject_code
from usfm_studio.project.check import repair
from usfm_studio.project.models import slug
from usfm_studio.project.project import Project

from .making import a_model, a_project


@pytest.fixture
def project(tmp_path):
    with a_project(tmp_path / "p") as made:
        yield made


def promote(project, digest, exam=""):
    before = project.models.champion(exam)
    project.apply(SetChampion(name="Promote", exam=exam, before=before, after=digest))


def test_an_adopted_model_is_on_the_shelf_with_all_its_files_and_survives_closing(project, tmp_path):
    run = tmp_path / "run"
    a_model(run / "model", labels=("benign",), segments={1: "Fetal head"})
    (run / "model" / "LICENSE").write_text("Apache-2.0")
    (run / "model" / "link").symlink_to("/etc/passwd")
    card = project.models.adopt(run)
    assert project.models.cards() == [card]
    path = project.models.path(card.digest)
    assert path.name == f"{card.short}-fetal-head-1"
    assert sorted(p.name for p in path.iterdir()) == ["LICENSE", "card.json", "model.safetensors"]
    assert project.models.adopt(run) == card
    folder = project.folder
    project.close()
    with Project.open(folder) as again:
        assert again.models.cards() == [card]
        assert again.models.card(card.digest).segments == {1: "Fetal head"}


def test_a_model_whose_weights_are_not_those_of_its_card_is_refused(project, tmp_path):
    folder = a_model(tmp_path / "model")
    (folder / "model.safetensors").write_bytes(b"others")
    with pytest.raises(BadModel, match="wrong digest"):
        project.models.adopt(folder)
    (folder / "card.json").write_text("[]")
    with pytest.raises(BadModel, match="malformed"):
        project.models.import_model(folder)
    (folder / "card.json").write_text(json.dumps({"digest": "x", "evil": 1}))
    with pytest.raises(BadModel):
        project.models.import_model(folder)
    (folder / "card.json").write_text("[" * 100_000)
    with pytest.raises(BadModel, match="malformed"):
        project.models.import_model(folder)
    (folder / "card.json").unlink()
    with pytest.raises(BadModel, match=r"not a model folder|missing"):
        project.models.import_model(folder)
    assert project.models.cards() == []
    assert list((project.folder / "models").iterdir()) == []


def test_models_are_found_by_champion_digest_path_and_name(project, tmp_path):
    one = project.models.adopt(a_model(tmp_path / "1", b"one", name="Heads"))
    two = project.models.adopt(a_model(tmp_path / "2", b"two", name="Heads"))
    elsewhere = a_model(tmp_path / "3", b"three")
    with pytest.raises(NotFound, match="no champion"):
        project.models.resolve("champion")
    promote(project, one.digest)
    resolve = project.models.resolve
    assert resolve("champion") == project.models.path(one.digest)
    assert resolve(two.digest[:8].upper()) == project.models.path(two.digest)
    assert resolve("Heads") == project.models.path(two.digest)
    assert resolve(str(elsewhere)) == elsewhere
    for name in (two.digest[:7], "0" * 64, "", "nothing"):
        with pytest.raises(NotFound):
            resolve(name)


def test_the_champion_changes_by_an_edit_and_goes_back_by_undo(project, tmp_path):
    one = project.models.adopt(a_model(tmp_path / "1", b"one"))
    two = project.models.adopt(a_model(tmp_path / "2", b"two"))
    promote(project, one.digest)
    promote(project, two.digest)
    assert project.models.champion() == two.digest
    project.undo()
    assert project.models.champion() == one.digest
    assert project.models.champion("BREAST") is None


def test_a_champion_cannot_be_removed_and_a_removed_model_is_no_champion(project, tmp_path):
    one = project.models.adopt(a_model(tmp_path / "1", b"one"))
    two = project.models.adopt(a_model(tmp_path / "2", b"two"))
    promote(project, one.digest)
    with pytest.raises(WrongUsage, match="in use"):
        project.models.remove(one.digest)
    promote(project, two.digest)
    path = project.models.path(one.digest)
    project.models.remove(one.digest)
    assert not path.exists()
    assert [card.digest for card in project.models.cards()] == [two.digest]
    with pytest.raises(NotFound):
        project.models.path(one.digest)
    project.undo()  # the one that is gone would propose again
    assert project.models.champion() is None
    promote(project, two.digest)
    assert project.models.champion() == two.digest
    assert project.models.adopt(tmp_path / "1").digest == one.digest


def test_whoever_was_trained_on_is_remembered_even_of_removed_models_and_ancestors(project, tmp_path):
    known = tuple(subject_code(f"subject {n}") for n in (1, 2))
    old = project.models.adopt(a_model(tmp_path / "1", b"one", exam="BREAST", train_subjects=known[:1]))
    project.models.adopt(
        a_model(tmp_path / "2", b"two", exam="FETUS", parents=(old.digest,), train_subjects=(known[1], "f" * 16))
    )
    project.models.remove(old.digest)
    folder = project.folder
    project.close()
    with Project.open(folder) as again:
        assert again.trained_subjects("BREAST") == {"subject 1"}
        assert again.trained_subjects("FETUS") == {"subject 1", "subject 2"}
        assert again.trained_subjects("") == set()


def test_a_shelf_written_by_a_stranger_leads_nowhere(project, tmp_path):
    """A project may come from elsewhere: a row whose folder is a path is no model, and nothing outside is touched."""
    card = project.models.adopt(a_model(tmp_path / "1", b"one"))
    outside = a_model(tmp_path / "valuable", b"one")
    folder = project.folder
    project.close()
    for path in ("../../valuable", str(outside), "..", ""):
        with closing(sqlite3.connect(folder / "project.db")) as database:
            database.execute("UPDATE models SET folder = ?", (path,))
            database.commit()
        with Project.open(folder) as again:
            assert again.models.cards() == []
            with pytest.raises(NotFound):
                again.models.remove(card.digest)
        repair(folder)
    assert (outside / "card.json").is_file()


def test_export_copies_a_model_and_overwrites_nothing(project, tmp_path):
    card = project.models.adopt(a_model(tmp_path / "1", b"one"))
    out = project.models.export(card.digest, tmp_path / "out")
    assert hashlib.sha256((out / "model.safetensors").read_bytes()).hexdigest() == card.digest
    with pytest.raises(WrongUsage):
        project.models.export(card.digest, out)


def test_folder_names_are_plain():
    assert slug("Fötal Kopf / ../v2\0") == "fotal-kopf-v2"
    assert slug("胎") == "model"
    assert len(slug("x" * 300)) == 40
