"""Check names what is wrong and never a patient; repair mends it, and destroys nothing."""

import json
import os
import sqlite3
import time
from contextlib import closing

import pytest

from usfm_studio.document.annotation import NO_ANNOTATION, Annotation, State
from usfm_studio.document.edit import ReplaceInstances, SetAnnotation, SetChampion
from usfm_studio.document.errors import NotFound, ProjectBusy, WrongVersion
from usfm_studio.document.frame import FrameId
from usfm_studio.project.check import compact, problems, repair
from usfm_studio.project.migrate import migrate
from usfm_studio.project.project import Project
from usfm_studio.project.store import FORMAT

from .making import a_model, a_project, contents, stroke


def kinds(folder):
    return [problem.kind for problem in problems(folder)]


def old(path, hours=30):
    then = time.time() - hours * 3600
    os.utime(path, (then, then))
    return path


@pytest.fixture
def folder(tmp_path):
    with a_project(tmp_path / "p") as project:
        project.apply(stroke(project, project.frames()[0].id, 3))
    return tmp_path / "p"


def test_a_sound_project_has_no_problems_and_repair_does_nothing(folder):
    assert problems(folder) == []
    assert repair(folder) == []
    assert not (folder / "lost+found").exists()


def test_a_project_in_use_can_be_checked_but_not_repaired(folder):
    with Project.open(folder) as project:
        project.apply(stroke(project, project.frames()[0].id, 4))
        project.flush()
        assert problems(folder) == []
        for act in (repair, compact):
            with pytest.raises(ProjectBusy):
                act(folder)


def test_a_folder_without_a_project_is_not_found(tmp_path):
    for act in (problems, repair, compact, migrate):
        with pytest.raises(NotFound):
            act(tmp_path)


def test_damaged_and_missing_blobs_are_set_aside(folder):
    with Project.open(folder) as project:
        damaged, missing = project.blobs.put(b"one"), project.blobs.put(b"two")
    (folder / "blobs" / damaged).write_bytes(b"other")
    (folder / "blobs" / missing).unlink()
    assert kinds(folder) == ["blob", "blob"]
    assert len(repair(folder)) == 2
    assert problems(folder) == []
    assert [p.read_bytes() for p in (folder / "lost+found").glob(f"*/{damaged}")] == [b"other"]


def test_a_blob_named_by_a_path_is_no_blob(folder, tmp_path):
    """A project may come from elsewhere: repair must not carry off what lies outside."""
    outside = tmp_path / "letter.txt"
    outside.write_text("dear colleague")
    with closing(sqlite3.connect(folder / "project.db")) as database:
        for name in (str(outside), "../../letter.txt", "/dev/zero"):
            database.execute("INSERT INTO blobs VALUES (?, 1)", (name,))
        database.commit()
    assert kinds(folder) == []
    repair(folder)
    assert outside.read_text() == "dear colleague"


def test_a_model_that_a_crash_left_without_a_row_is_put_back_and_a_damaged_one_set_aside(folder, tmp_path):
    with Project.open(folder) as project:
        damaged = project.models.adopt(a_model(tmp_path / "1", b"one"))
        project.apply(SetChampion(name="Promote", exam="", before=None, after=damaged.digest))
    stray = a_model(folder / "models" / "12345678-stray", b"two")
    assert kinds(folder) == []  # young: the act may be under way
    old(stray)
    (next((folder / "models").glob(f"{damaged.short}*")) / "model.safetensors").write_bytes(b"!")
    assert kinds(folder) == ["model", "model"]
    done = repair(folder)
    assert len(done) == 3
    assert problems(folder) == []
    with Project.open(folder) as project:
        assert [card.short for card in project.models.cards()] == ["3fc4ccfe"]
        assert project.models.champion() is None
    assert list((folder / "lost+found").glob(f"*/{damaged.short}*/model.safetensors"))


def test_half_written_things_are_swept_or_set_aside_when_they_are_old(folder):
    young, stale = folder / "blobs/x.tmp", folder / "models/y.tmp"
    young.write_bytes(b"")
    stale.mkdir()
    old(stale)
    nameless = old_blob(folder)
    run = folder / "runs/20200101T000000-1"
    (run / "snapshot").mkdir(parents=True)
    old(run)
    assert kinds(folder) == ["leftover"] * 3
    assert len(repair(folder)) >= 1
    assert problems(folder) == []
    assert young.exists()
    assert not nameless.exists()
    assert list((folder / "lost+found").glob(f"*/{run.name}/snapshot"))


def old_blob(folder):
    path = folder / "blobs" / ("a" * 64)
    path.write_bytes(b"")
    return old(path)


def test_opening_sweeps_what_is_older_than_an_hour(folder):
    young, stale = folder / "blobs/x.tmp", folder / "blobs/y.tmp"
    for path in (young, stale):
        path.write_bytes(b"")
    old(stale)
    nameless = old_blob(folder)
    with Project.open(folder):
        deadline = time.monotonic() + 30
        while (stale.exists() or nameless.exists()) and time.monotonic() < deadline:
            time.sleep(0.05)
    assert not stale.exists()
    assert not nameless.exists()
    assert young.exists()


def test_work_on_images_that_never_were_here_is_set_aside_and_undo_brings_it_back(folder):
    stranger = FrameId("d" * 64, 0)
    with Project.open(folder) as project:
        after = Annotation(state=State.DONE, note="x")
        edit = SetAnnotation(name="x", frame=stranger, before=NO_ANNOTATION, after=after)
        project.apply_unchecked(edit)
    (found,) = problems(folder)
    assert found.kind == "orphan"
    repair(folder)
    assert problems(folder) == []
    (kept,) = (folder / "lost+found").glob("*/*.json")
    assert json.loads(kept.read_text())["note"] == "x"
    with Project.open(folder) as project:
        assert project.annotation(stranger) == NO_ANNOTATION
        project.undo()
        assert project.annotation(stranger) == after


def test_work_on_an_image_that_was_taken_out_waits_for_it(folder):
    with Project.open(folder) as project:
        frame = project.frames()[0]
        before = contents(project)
        project.apply(ReplaceInstances(name="Remove", before=(frame.instance,), after=()), undoable=False)
    assert problems(folder) == []
    with Project.open(folder) as project:
        project.apply(ReplaceInstances(name="Import", before=(), after=(frame.instance,)), undoable=False)
        assert contents(project) == before


def test_tables_that_are_not_what_the_journal_leads_to_are_found_and_mended(folder):
    with Project.open(folder) as project:
        before = contents(project)
    with sqlite3.connect(folder / "project.db") as connection:
        connection.execute("DELETE FROM tiles")
        connection.execute("UPDATE journal SET undone = 1 WHERE undoable = 1")
    connection.close()
    assert set(kinds(folder)) == {"journal"}
    repair(folder)
    with Project.open(folder) as project:
        assert contents(project) == before
        assert project.redo_name is None


def test_compacting_keeps_everything(folder):
    with Project.open(folder) as project:
        for number in range(30):
            project.apply(stroke(project, project.frames()[0].id, number))
        before = contents(project)
    (line,) = compact(folder)
    assert "MB" in line
    with Project.open(folder) as project:
        assert contents(project) == before
        assert len(project.history(100)) == 31


def an_older(folder):
    """The project as a format before the first would have been: without blobs."""
    with sqlite3.connect(folder / "project.db") as connection:
        connection.execute("DROP TABLE blobs")
        connection.execute("PRAGMA user_version=0")
    connection.close()


def add_blobs(connection):
    connection.execute("CREATE TABLE blobs (digest TEXT PRIMARY KEY, size INTEGER NOT NULL)")


def test_an_older_project_says_migrate_and_is_migrated_step_by_step_after_a_backup(folder):
    with Project.open(folder) as project:
        before = contents(project)
    an_older(folder)
    with pytest.raises(WrongVersion, match="project migrate"):
        Project.open(folder)
    assert kinds(folder) == ["version"]
    done = migrate(folder, {0: add_blobs})
    assert len(done) == 2
    assert (folder / "backups" / "before-format-1.db").exists()
    with Project.open(folder) as project:
        assert contents(project) == before
    assert migrate(folder) == []


def test_a_migration_that_fails_leaves_the_project_as_it_was(folder):
    an_older(folder)

    def bad(connection):
        add_blobs(connection)
        connection.execute("INSERT INTO nowhere VALUES (1)")

    with pytest.raises(Exception, match="present format"):
        migrate(folder, {0: bad})
    with sqlite3.connect(folder / "project.db") as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (0,)
        assert not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'blobs'").fetchone()
    connection.close()
    with pytest.raises(WrongVersion, match="too old"):
        migrate(folder)
    with pytest.raises(WrongVersion, match="newer"):
        migrate(folder, upto=FORMAT - 2)
