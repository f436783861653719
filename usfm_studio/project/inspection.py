"""What is wrong with a project's folder. Only looks; opens the database to read, wherever it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from sqlite3 import Connection

from usfm_studio.document.errors import BadModel, Damaged, StudioError, WrongVersion
from usfm_studio.document.frame import FrameId
from usfm_studio.project import blobs, files, models, opening, tables
from usfm_studio.project.replaying import differences, replayed
from usfm_studio.project.store import Store

RUNS = "runs"
RUN_AFTER_S = 24 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that is not as it should be. `kind`: version, database, row, journal, orphan, blob, model, champion,
    leftover. `detail` names no patient and no path outside the project.
    """

    kind: str
    detail: str
    repairable: bool


def problems(folder: Path) -> list[Problem]:
    """All that is found wrong; empty for a sound project. Young leftovers of a crash are no problem: they are swept.

    Raises NotFound where there is no project.
    """
    try:
        opened = opening.open_to_read(folder)
    except WrongVersion as error:
        return [Problem(kind="version", detail=str(error), repairable=False)]
    except Damaged as error:
        return [Problem(kind="database", detail=error.why or error.what, repairable=True)]
    try:
        return [*of_database(opened.reader), *of_folder(opened.reader, opened.folder)]
    finally:
        opened.close()


def of_database(store: Store) -> list[Problem]:
    """Structure, every row, and whether the journal leads to what the tables hold."""
    wrong = [Problem(kind="database", detail=text, repairable=True) for text in store.integrity_check()]
    if wrong:
        return wrong
    rows = [*_rows(store), *_entries(store)]
    if rows:
        return rows
    try:
        entries = (store.read(tables.read_entry, n) for n in range(1, store.read(tables.last_position) + 1))
        found = [
            Problem(kind="journal", detail=f"{part}: not what the journal leads to", repairable=True)
            for part in differences(store, replayed(entries))
        ]
    except StudioError as error:
        found = [Problem(kind="journal", detail=str(error), repairable=True)]
    return found or [*_orphans(store)]


def of_folder(store: Store, folder: Path) -> list[Problem]:
    """Blobs, models, champions, and what crashes left behind."""
    try:
        return [*_blobs(store, folder), *_models(store, folder), *_leftovers(store, folder)]
    except Damaged as error:
        return [Problem(kind="database", detail=str(error), repairable=True)]


def _rows(store: Store) -> Iterator[Problem]:
    """Rows that are not as they were written: images and annotations at once, masks and proposals one by one."""
    checks: list[tuple[str, Callable[[Connection], object]]] = [
        ("the list of images", tables.read_instances),
        ("the annotations", tables.read_annotations),
    ]
    for frame, layer in store.read(tables.read_marked):
        checks.append((f"the mask of frame {frame}", partial(tables.read_mask, frame=frame, layer=layer)))
    for frame, _ in store.read(tables.read_proposed):
        checks.append((f"the proposal on frame {frame}", partial(tables.read_proposal, frame=frame)))
    for what, read in checks:
        try:
            store.read(read)
        except Damaged:
            yield Problem(kind="row", detail=f"{what} cannot be read as written", repairable=True)


def _entries(store: Store) -> Iterator[Problem]:
    for position in range(1, store.read(tables.last_position) + 1):
        try:
            store.read(tables.read_entry, position)
        except Damaged:
            yield Problem(kind="journal", detail=f"entry {position} cannot be read", repairable=True)


def orphans(store: Store) -> list[FrameId]:
    """Frames with marks, decisions or proposals that never belonged to an image of the project. Raises Damaged.

    Work on an image that was taken out is none of them: it waits for the image to come back.
    """
    frames = {i.digest: i.frames for i in store.read(tables.read_instances)}
    gone = store.read(tables.read_joined).keys() - frames.keys()
    named = {frame for frame, _ in store.read(tables.read_annotations)}
    named |= {frame for frame, _ in store.read(tables.read_marked)}
    named |= {frame for frame, _ in store.read(tables.read_proposed)}
    return sorted(f for f in named if f.source not in gone and not 0 <= f.index < frames.get(f.source, 0))


def _orphans(store: Store) -> Iterator[Problem]:
    for frame in orphans(store):
        yield Problem(kind="orphan", detail=f"work on frame {frame}, whose image is not here", repairable=True)


def _blobs(store: Store, folder: Path) -> Iterator[Problem]:
    for digest in store.read(tables.read_blobs):
        path = folder / blobs.FOLDER / digest
        try:
            if files.digest_of(path) != digest:
                yield Problem(kind="blob", detail=f"blob {digest[:8]} is not as it was written", repairable=True)
        except OSError:
            yield Problem(kind="blob", detail=f"blob {digest[:8]} is missing", repairable=False)


def _models(store: Store, folder: Path) -> Iterator[Problem]:
    shelf = {row.folder: row for row in store.read(models.read_shelf)}
    for name, row in shelf.items():
        if row.removed:
            continue
        try:
            models.read_card(folder / models.FOLDER / name)
        except BadModel as error:
            yield Problem(kind="model", detail=f"model {row.card.short}: {error.why}", repairable=True)
    for path in unshelved(store, folder):
        yield Problem(kind="model", detail=f"the model folder {path.name} is not on the shelf", repairable=True)
    there = {row.card.digest for row in shelf.values() if not row.removed}
    for exam, digest in store.read(tables.read_champions).items():
        if digest not in there:
            detail = f"the model in use for {exam or 'all images'} ({digest[:8]}) is not on the shelf"
            yield Problem(kind="champion", detail=detail, repairable=True)


def unshelved(store: Store, folder: Path, older_than_s: float = opening.SWEEP_AFTER_S) -> list[Path]:
    """Model folders without a row: a crash came between the two. Raises Damaged."""
    named = {row.folder for row in store.read(models.read_shelf) if not row.removed}
    found = sorted(p for p in (folder / models.FOLDER).glob("*") if p.is_dir() and not p.name.endswith(files.BESIDE))
    return [p for p in found if p.name not in named and opening.is_older(p, older_than_s)]


def _leftovers(store: Store, folder: Path) -> Iterator[Problem]:
    for path in opening.leftovers(folder, opening.SWEEP_AFTER_S):
        yield Problem(kind="leftover", detail=f"{path.name} was not finished", repairable=True)
    for path in opening.nameless_blobs(store, folder, opening.SWEEP_AFTER_S):
        yield Problem(kind="leftover", detail=f"blob {path.name[:8]} belongs to nothing", repairable=True)
    for path in unfinished_runs(folder):
        yield Problem(kind="leftover", detail=f"the training {path.name} was not finished", repairable=True)


def unfinished_runs(folder: Path, older_than_s: float = RUN_AFTER_S) -> list[Path]:
    """Run folders that still hold their training data: the run ended before its model was adopted."""
    found = sorted(p for p in (folder / RUNS).glob("*") if (p / "snapshot").is_dir())
    return [p for p in found if opening.is_older(p, older_than_s)]
