"""The journal played into an empty database: what the project must hold, if every change was written as it was made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from sqlite3 import Connection
from typing import Any

from usfm_studio.document.frame import FrameId
from usfm_studio.document.mask import Mask
from usfm_studio.project import tables
from usfm_studio.project.store import Store
from usfm_studio.project.tables import Entry

COMPARED = {
    "the label schema": "SELECT key, value FROM meta WHERE key = 'schema'",
    "the order of joining": "SELECT place, digest FROM joined ORDER BY place",
    "the list of images": "SELECT digest, crc, body FROM instances ORDER BY digest",
    "the annotations": "SELECT frame, crc, body FROM annotations ORDER BY frame",
    "the models in use": "SELECT exam, digest FROM champions ORDER BY exam",
    "the history": "SELECT id, undone FROM journal WHERE undoable = 1 ORDER BY id",
    "the masks": "SELECT frame, layer, row, col, height, width FROM tiles ORDER BY frame, layer, row, col",
    "the proposals": "SELECT frame, model FROM proposals ORDER BY frame",
}


def replayed(entries: Iterable[Entry]) -> Store:
    """A database in memory to which the entries were applied, in order. Raises Damaged, sqlite3.Error."""
    store = Store.in_memory()
    with store.transaction() as connection:
        for entry in entries:
            tables.write_entry(connection, entry)
    return store


def differences(store: Store, other: Store) -> Iterator[str]:
    """In words, what is not the same in two databases; compressed things are compared as they are when unpacked.

    Raises Damaged.
    """
    for what, question in COMPARED.items():
        if _rows(store, question) != _rows(other, question):
            yield what
    for frame, layer in store.read(tables.read_marked):
        if not _same(_mask(store, frame, layer), _mask(other, frame, layer)):
            yield f"the mask of frame {frame}"
    for frame, _ in store.read(tables.read_proposed):
        if not _same(_proposed(store, frame), _proposed(other, frame)):
            yield f"the proposal on frame {frame}"


def _rows(store: Store, question: str) -> list[Any]:
    def ask(connection: Connection) -> list[Any]:
        return connection.execute(question).fetchall()

    return store.read(ask)


def _mask(store: Store, frame: FrameId, layer: int) -> Mask | None:
    return store.read(tables.read_mask, frame, layer)


def _proposed(store: Store, frame: FrameId) -> Mask | None:
    proposal = store.read(tables.read_proposal, frame)
    return None if proposal is None else proposal.mask


def _same(one: Mask | None, other: Mask | None) -> bool:
    return one is not None and other is not None and one.same_as(other)
