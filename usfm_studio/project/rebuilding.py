"""A new project.db from what can still be read: the newest backup, and the journal of the damaged one on top.

The journal holds every change since the project began, so it alone may be enough. Entries that cannot be read are left
out and counted; later ones still hold, since an entry says what its tiles become.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from usfm_studio.document.errors import Damaged, StudioError
from usfm_studio.project import backup, blobs, files, tables
from usfm_studio.project.inspection import of_database
from usfm_studio.project.store import Store

MISSES = 2_000
"""So many positions without an entry mean that the journal has ended, where its end cannot be asked for."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuilt database holds, in numbers, for the message."""

    from_backup: int
    from_journal: int
    unreadable: int


def rebuild(damaged: Path, folder: Path, target: Path) -> Rebuilt:
    """Write a sound database at `target`. Raises DiskFull, OSError, sqlite3.Error; Damaged where nothing is left."""
    source = _opened(damaged)
    try:
        known = _begin(target, _sound_backup(folder, source))
        with closing(Store.writer(target, rollback_journal=True)) as store:
            read, unreadable = _replay(store, source, known)
            _copy_rows(store, source, folder)
        if not known + read:
            raise Damaged(
                "The project cannot be repaired",
                "neither its journal nor a backup can be read",
                "The damaged file is left as it is; put a copy of project.db from elsewhere in its place.",
            )
        return Rebuilt(known, read, unreadable)
    finally:
        if source is not None:
            source.close()


def _opened(path: Path) -> Store | None:
    with suppress(StudioError):
        return Store.reader(path)
    return None


def _sound_backup(folder: Path, source: Store | None) -> Path | None:
    """The newest backup without a fault, that tells the same story as what can be read of the damaged journal."""
    for copy in backup.backups(folder):
        with suppress(StudioError), closing(Store.reader(copy.path, immutable=True)) as store:
            if not of_database(store) and _same_story(store, source):
                return copy.path
    return None


def _same_story(store: Store, source: Store | None) -> bool:
    last = store.read(tables.last_position)
    try:
        return source is None or source.read(tables.read_step, last) == store.read(tables.read_step, last)
    except StudioError:
        return True


def _begin(target: Path, copy: Path | None) -> int:
    """Make the target from a backup, or empty; answers its last position."""
    if copy is None:
        Store.create(target, rollback_journal=True).close()
        return 0
    with closing(Store.reader(copy, immutable=True)) as store:
        store.copy_to(target)
        return store.read(tables.last_position)


def _replay(store: Store, source: Store | None, known: int) -> tuple[int, int]:
    """Apply the entries after `known` that can be read; answers how many could and how many could not."""
    read = unreadable = 0
    if source is None:
        return read, unreadable
    with store.transaction() as connection:
        for position in _positions(source, known):
            try:
                entry = source.read(tables.read_entry, position, connection)
            except StudioError:
                unreadable += 1
                continue
            tables.write_entry(connection, entry)
            read += 1
    return read, unreadable


def _positions(source: Store, known: int) -> Iterator[int]:
    try:
        yield from range(known + 1, source.read(tables.last_position) + 1)
    except StudioError:
        position, misses = known + 1, 0
        while misses < MISSES:
            try:
                source.read(tables.read_step, position)
                misses = 0
                yield position
            except StudioError:
                misses += 1
            position += 1


def _copy_rows(store: Store, source: Store | None, folder: Path) -> None:
    """Models as the damaged database lists them; blobs as they lie in the folder, where they are whole."""
    listed: list[tuple[object, ...]] = []
    if source is not None:
        with suppress(StudioError):
            listed = source.read(_model_rows)
    whole = [(p.name, p.stat().st_size) for p in sorted((folder / blobs.FOLDER).glob("*")) if _is_whole(p)]
    with store.transaction() as connection:
        connection.executemany("INSERT OR IGNORE INTO models VALUES (?, ?, ?, ?, ?)", listed)
        connection.executemany("INSERT OR IGNORE INTO blobs VALUES (?, ?)", whole)


def _model_rows(connection: sqlite3.Connection) -> list[tuple[object, ...]]:
    return connection.execute("SELECT digest, folder, added, removed, card FROM models ORDER BY rowid").fetchall()


def _is_whole(path: Path) -> bool:
    return not path.name.endswith(files.BESIDE) and files.digest_of(path) == path.name
