"""A damaged project.db: a message with the newest backup, the file left as it is, and a repair that loses little."""

import os
import random
import shutil
import sqlite3

import pytest

from usfm_studio.document.annotation import State
from usfm_studio.document.errors import Damaged, StudioError, WrongVersion
from usfm_studio.project.backup import KEEP, backups
from usfm_studio.project.check import problems, repair
from usfm_studio.project.project import Project
from usfm_studio.project.store import FORMAT

from .making import a_model, a_project, contents, propose, set_state, stroke


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A project with work, a backup, a model and a blob; closed. Gives the folder and the contents."""
    folder = tmp_path_factory.mktemp("sound") / "p"
    model = a_model(folder.parent / "model")
    with a_project(folder) as project:
        frames = [frame.id for frame in project.frames()]
        for number in range(40):
            project.apply(stroke(project, frames[number % 3], number))
        propose(project, frames[0])
        set_state(project, frames[1], State.DONE, ["benign"])
        project.undo()
        project.models.adopt(model)
        project.blobs.put(b"pixels" * 1000)
    with Project.open(folder) as project:
        return folder, contents(project)


def a_copy(folder, tmp_path, name="copy"):
    target = tmp_path / name
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(folder, target, ignore=shutil.ignore_patterns("ballast"))
    return target


def outcome(folder):
    """The contents, or the error that the damage gives."""
    try:
        with Project.open(folder) as project:
            found = contents(project)
            while project.undo():
                pass
            return found
    except Damaged as error:
        return error


def mended(folder):
    repair(folder)
    assert problems(folder) == []
    with Project.open(folder) as project:
        return contents(project)


@pytest.mark.parametrize("part", range(20))
def test_a_cut_database_is_reported_kept_and_repaired(sound, tmp_path, part):
    folder, before = sound
    copy = a_copy(folder, tmp_path)
    database = copy / "project.db"
    size = database.stat().st_size
    os.truncate(database, size * part // 20)
    damaged = database.read_bytes()
    with pytest.raises(Damaged) as caught:
        Project.open(copy)
    assert "newest backup is of" in caught.value.hint
    assert "repair" in caught.value.hint
    assert database.read_bytes() == damaged
    with pytest.raises(Damaged):
        Project.open(copy, read_only=True).mask(next(iter(_frames(folder))))
    assert [p.kind for p in problems(copy)] == ["database"]
    assert mended(copy) == before
    (kept,) = (copy / "lost+found").glob("*/project.db")
    assert kept.read_bytes() == damaged


def _frames(folder):
    with Project.open(folder, read_only=True) as project:
        return [frame.id for frame in project.frames()]


@pytest.mark.parametrize(
    "seeds", [range(20), pytest.param(range(20, 100), marks=pytest.mark.slow)], ids=lambda r: f"seeds {r[0]} to {r[-1]}"
)
def test_a_flipped_byte_is_found_or_harmless_and_repaired(sound, tmp_path, seeds):
    folder, before = sound
    whole = (folder / "project.db").read_bytes()
    found = 0
    for seed in seeds:
        copy = a_copy(folder, tmp_path)
        chance = random.Random(seed)
        place, bit = chance.randrange(len(whole)), 1 << chance.randrange(8)
        flipped = bytearray(whole)
        flipped[place] ^= bit
        (copy / "project.db").write_bytes(flipped)
        try:
            wrong = problems(copy)
        except WrongVersion:
            continue
        shutil.copytree(copy, tmp_path / "opened", dirs_exist_ok=True)
        got = outcome(tmp_path / "opened")
        assert isinstance(got, Damaged) or got == before or wrong, f"seed {seed}: silently other contents"
        if wrong:
            found += 1
            assert all(p.kind in ("database", "row", "journal", "orphan", "blob", "champion", "model") for p in wrong)
            assert mended(copy) == before, f"seed {seed}"
        shutil.rmtree(tmp_path / "opened")
    assert found > len(seeds) // 5  # the rest struck room that holds nothing


def test_without_a_backup_the_journal_alone_is_enough(sound, tmp_path):
    folder, before = sound
    copy = a_copy(folder, tmp_path)
    shutil.rmtree(copy / "backups")
    with sqlite3.connect(copy / "project.db") as connection:
        connection.execute("UPDATE tiles SET data = zeroblob(40) WHERE layer = 0")
        connection.execute("DELETE FROM annotations")
    connection.close()
    with pytest.raises(Damaged, match="mask tile") as caught:
        _contents_of(copy)
    assert "repair" in caught.value.hint
    assert {p.kind for p in problems(copy)} == {"row"}
    assert mended(copy) == before


def _contents_of(folder):
    with Project.open(folder) as project:
        return contents(project)


def test_an_entry_that_cannot_be_read_is_left_out_and_said(sound, tmp_path):
    folder, before = sound
    copy = a_copy(folder, tmp_path)
    shutil.rmtree(copy / "backups")
    with sqlite3.connect(copy / "project.db") as connection:
        connection.execute("UPDATE journal SET payload = zeroblob(9) WHERE id = 5")
    connection.close()
    assert [p.kind for p in problems(copy)] == ["journal"]
    done = repair(copy)
    assert any("1 changes could not be read" in line for line in done)
    with Project.open(copy) as project:
        assert contents(project)["order"] == before["order"]
        assert project.undo_name == "Brush 39"


def test_what_was_done_after_the_backup_comes_from_the_journal(sound, tmp_path):
    folder, _ = sound
    copy = a_copy(folder, tmp_path)
    kept = copy / "backups" / backups(copy)[0].path.name
    old = kept.read_bytes()
    with Project.open(copy) as project:
        project.apply(stroke(project, project.frames()[0].id, 77))
        project.undo()
        project.redo()
        project.redo()
        before = contents(project)
    kept.write_bytes(old)
    with sqlite3.connect(copy / "project.db") as connection:
        connection.execute("UPDATE annotations SET body = '{}'")
        connection.execute("UPDATE tiles SET crc = 1")
    connection.close()
    assert mended(copy) == before


def test_with_nothing_readable_repair_says_so_and_leaves_the_file(tmp_path):
    a_project(tmp_path / "p").close()
    shutil.rmtree(tmp_path / "p/backups")
    (tmp_path / "p/project.db").write_bytes(b"nothing that SQLite knows" * 1000)
    with pytest.raises(Damaged, match="no backup"):
        Project.open(tmp_path / "p")
    with pytest.raises(Damaged, match="cannot be repaired"):
        repair(tmp_path / "p")
    assert (tmp_path / "p/project.db").read_bytes() == b"nothing that SQLite knows" * 1000
    assert not list((tmp_path / "p").glob("*.tmp*"))


def test_a_missing_database_comes_back_from_the_backup(sound, tmp_path):
    folder, before = sound
    copy = a_copy(folder, tmp_path)
    (copy / "project.db").unlink()
    assert mended(copy) == before


def test_a_project_of_a_newer_version_is_left_alone(sound, tmp_path):
    copy = a_copy(sound[0], tmp_path)
    with sqlite3.connect(copy / "project.db") as connection:
        connection.execute(f"PRAGMA user_version={FORMAT + 1}")
    connection.close()
    newer = (copy / "project.db").read_bytes()
    for act in (Project.open, repair, lambda f: Project.open(f, read_only=True)):
        with pytest.raises(WrongVersion) as caught:
            act(copy)
        assert "Update" in caught.value.hint
    assert [(p.kind, p.repairable) for p in problems(copy)] == [("version", False)]
    assert (copy / "project.db").read_bytes() == newer


def test_five_backups_are_kept(tmp_path):
    with a_project(tmp_path / "p"):
        for day in range(1, 9):
            (tmp_path / f"p/backups/project-2020-01-0{day}.db").write_bytes(b"old")
    names = [copy.path.name for copy in backups(tmp_path / "p")]
    assert len(names) == KEEP
    assert names[0] > "project-2026"
    assert names[-1] == "project-2020-01-05.db"


def test_every_error_of_the_store_is_of_the_house(sound, tmp_path):
    copy = a_copy(sound[0], tmp_path)
    with sqlite3.connect(copy / "project.db") as connection:
        connection.execute("UPDATE instances SET body = '[1, 2]'")
    connection.close()
    with pytest.raises(StudioError, match="list of images"):
        Project.open(copy)
