"""Mending a project. Nothing is destroyed: what is taken out of the way goes to `lost+found`."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from usfm_studio.document import values_json
from usfm_studio.document.annotation import NO_ANNOTATION
from usfm_studio.document.edit import Edit, SetAnnotation, SetChampion, SetProposal, Several, paint
from usfm_studio.document.errors import BadModel, NotFound, StudioError, WrongVersion
from usfm_studio.document.frame import FrameId
from usfm_studio.document.mask import Mask
from usfm_studio.project import backup, blobs, files, inspection, models, opening, rebuilding, tables
from usfm_studio.project.lock import ProjectLock
from usfm_studio.project.project import Project
from usfm_studio.project.store import NAME, Store, in_words
from usfm_studio.project.trouble import explained

LOST = "lost+found"
COULD_NOT = "The project could not be repaired"


def repair(folder: Path) -> list[str]:
    """Mend what can be mended; answers what was done, empty for a sound project.

    Raises NotFound, ProjectBusy, WrongVersion, DiskFull; Damaged where neither journal nor backup can be read.
    """
    folder = Path(folder).absolute()
    if not (folder / NAME).exists() and not backup.backups(folder):
        raise NotFound(f'"{folder.name}" is not a project', "it has no project.db and no backup")
    with in_words(COULD_NOT):
        lost = _Lost(folder)
        done = _database(folder, lost)
        with Project.open(folder) as project:
            for step in (_orphans, _blobs, _models, _champions, _leftovers):
                done += step(project, lost)
    return done


class _Lost:
    """The place of one repair in `lost+found`, made when something is put there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / LOST / datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")

    @property
    def folder(self) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder

    def take(self, path: Path) -> None:
        """Move a file or folder here."""
        target = self.folder / path.name
        if target.exists():
            target = files.beside(target)
        shutil.move(path, target)


def _database(folder: Path, lost: _Lost) -> list[str]:
    held = ProjectLock.take(folder)
    try:
        wrong = _wrong_with_database(folder)
        if not wrong:
            return []
        target = files.beside(folder / NAME)
        try:
            rebuilt = rebuilding.rebuild(folder / NAME, folder, target)
            _replace(folder, target, lost)
        finally:
            for path in folder.glob(f"{target.name}*"):
                path.unlink()
    except (OSError, sqlite3.Error) as error:
        raise explained(error, COULD_NOT) from error
    finally:
        held.release()
    done = [
        f"project.db was damaged ({wrong}); made anew from {rebuilt.from_backup} changes of a backup and"
        f" {rebuilt.from_journal} of the journal; the damaged file is in {LOST}"
    ]
    if rebuilt.unreadable:
        done.append(f"{rebuilt.unreadable} changes could not be read and are left out")
    return done


def _wrong_with_database(folder: Path) -> str:
    """What is wrong, in words; empty where nothing is. Raises WrongVersion."""
    try:
        with closing(Store.reader(folder / NAME)) as store:
            found = [p for p in inspection.of_database(store) if p.kind != "orphan"]
            return found[0].detail if found else ""
    except WrongVersion:
        raise
    except StudioError as error:
        return error.why or error.what


def _replace(folder: Path, target: Path, lost: _Lost) -> None:
    """Put a new database in place. A WAL of the damaged one must not be applied to it, so that goes first."""
    for ending in ("-wal", "-shm", "-journal"):
        beside = folder / f"{NAME}{ending}"
        if beside.exists():
            lost.take(beside)
    if (folder / NAME).exists():
        kept = lost.folder / NAME
        try:
            os.link(folder / NAME, kept)
        except OSError:
            shutil.copy2(folder / NAME, kept)
    files.rename(target, folder / NAME)


def _orphans(project: Project, lost: _Lost) -> list[str]:
    """Work on images that are not here: written to `lost+found`, then cleared (undo brings it back)."""
    done = []
    for frame in project.on_reader(inspection.orphans):
        name = f"{frame.source[:16]}-{frame.index}"
        body = values_json.annotation_to(project.annotation(frame))
        (lost.folder / f"{name}.json").write_text(json.dumps({"frame": frame.key, **body}), "utf-8")
        for layer in project.layers(frame):
            np.save(lost.folder / f"{name}-layer{layer}.npy", project.mask(frame, layer).to_array())
        project.apply_unchecked(_cleared(project, frame))
        done.append(f"work on frame {frame}, whose image is not here, was set aside")
    return done


def _cleared(project: Project, frame: FrameId) -> Several:
    name = "Set aside by repair"
    edits: list[Edit] = [SetProposal(name=name, frame=frame, before=None, after=None)]
    for layer in project.layers(frame):
        mask = project.mask(frame, layer)
        painted = paint(name, frame, mask, Mask.empty(mask.shape_rc), layer)
        if painted is not None:
            edits.append(painted)
    before = project.annotation(frame)
    if before != NO_ANNOTATION:
        edits.append(SetAnnotation(name=name, frame=frame, before=before, after=NO_ANNOTATION))
    return Several(name=name, edits=tuple(edits))


def _blobs(project: Project, lost: _Lost) -> list[str]:
    done = []
    for digest in project.on_reader(Store.read, tables.read_blobs):
        path = project.folder / blobs.FOLDER / digest
        if path.exists() and files.digest_of(path) == digest:
            continue
        if path.exists():
            lost.take(path)
        project.blobs.forget(digest)
        done.append(f"blob {digest[:8]} was missing or damaged and is no longer listed")
    return done


def _models(project: Project, lost: _Lost) -> list[str]:
    done = []
    for card in project.models.cards():
        path = project.models.path(card.digest)
        try:
            models.read_card(path)
        except BadModel:
            if path.exists():
                lost.take(path)
            project.models.forget(card.digest)
            done.append(f"model {card.short} was missing or damaged and is off the shelf")
    for path in project.on_reader(inspection.unshelved, project.folder, 0.0):
        try:
            card = project.models.shelve(path.name)
            done.append(f"model {card.short} was put back on the shelf")
        except BadModel:
            lost.take(path)
            done.append(f"the model folder {path.name} cannot be used and was set aside")
    return done


def _champions(project: Project, _lost: _Lost) -> list[str]:
    done = []
    there = {card.digest for card in project.models.cards()}
    for exam, digest in project.on_reader(Store.read, tables.read_champions).items():
        if digest not in there:
            edit = SetChampion(name="Repair", exam=exam, before=digest, after=None)
            project.apply(edit, undoable=False)
            done.append(f"model {digest[:8]}, which is not on the shelf, is no longer in use")
    return done


def _leftovers(project: Project, lost: _Lost) -> list[str]:
    folder, after_s = project.folder, opening.SWEEP_AFTER_S
    found = [*opening.leftovers(folder, after_s), *project.on_reader(opening.nameless_blobs, folder, after_s)]
    done = []
    for path in [*found, *inspection.unfinished_runs(folder)]:
        with suppress(FileNotFoundError):  # opening may have swept it meanwhile
            lost.take(path)
            done.append(f"{path.name} was not finished and was set aside")
    return done


def compact(folder: Path) -> list[str]:
    """Give back the space that the database no longer needs; the whole history stays.

    Raises NotFound, ProjectBusy, ReadOnly, DiskFull, Damaged.
    """
    with Project.open(folder) as project:
        path = project.folder / NAME
        before = path.stat().st_size
        project.compact()
        after = path.stat().st_size
    return [f"project.db: {before / 1e6:.1f} MB before, {after / 1e6:.1f} MB now"]
