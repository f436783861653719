"""The SQL: how an edit becomes rows, and how rows become values again. Every row carries a checksum."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeVar

from usfm_studio.document import values_json
from usfm_studio.document.annotation import NO_ANNOTATION, Annotation, Proposal
from usfm_studio.document.edit import (
    Edit,
    PaintTiles,
    ReplaceInstances,
    ReplaceSchema,
    SetAnnotation,
    SetChampion,
    SetProposal,
    Several,
    change_of,
)
from usfm_studio.document.errors import Damaged
from usfm_studio.document.frame import FrameId, Instance
from usfm_studio.document.mask import Mask
from usfm_studio.document.schema import Schema
from usfm_studio.document.snapshot import schema_from, schema_to
from usfm_studio.project import codec, faults
from usfm_studio.project.codec import checksum

T = TypeVar("T")

EDIT, UNDO, REDO = "edit", "undo", "redo"
DONE, UNDONE, DROPPED = 0, 1, 2
"""Of a step: in force, taken back (redo brings it again), taken back and overtaken by later work."""

DIGEST_DIGITS = 64
"""Of a sha256 in hex."""

Stat = tuple[int, int] | None
"""Size in bytes and time of change in ns of a source file; None when it is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the journal. `edit` is what is applied; an undo or redo names the step it is `of`."""

    position: int
    edit: Edit
    time: str  # ISO 8601, UTC; order is by position alone
    kind: str = EDIT
    undoable: bool = True
    of: int | None = None


def parts_of(edit: Edit) -> Iterator[Edit]:
    """The simple edits of an edit, in order."""
    if isinstance(edit, Several):
        for part in edit.edits:
            yield from parts_of(part)
    else:
        yield edit


def frame_of(edit: Edit) -> FrameId | None:
    """The frame that a person would be shown for this edit: its first, or None."""
    for part in parts_of(edit):
        for frame in change_of(part).frames:
            return frame
    return None


def write_entry(connection: sqlite3.Connection, entry: Entry, stat: Callable[[str], Stat] | None = None) -> None:
    """Journal line and state rows of one entry. Call it inside a transaction."""
    payload = codec.pack_edit(entry.edit) if entry.kind == EDIT else None
    name = entry.edit.name.encode("utf-8", "replace").decode("utf-8")  # a file's name may hold what is no text
    frame = frame_of(entry.edit)
    key = None if frame is None else frame.key
    crc = checksum(entry.position, entry.kind, int(entry.undoable), entry.of, entry.time, name, payload)
    if entry.kind == EDIT and entry.undoable:
        connection.execute("UPDATE journal SET undone = 2 WHERE undone = 1 AND undoable = 1")
    elif entry.kind != EDIT:
        undone = UNDONE if entry.kind == UNDO else DONE
        connection.execute("UPDATE journal SET undone = ? WHERE id = ?", (undone, entry.of))
    connection.execute(
        "INSERT INTO journal (id, kind, undoable, of, time, name, frame, crc, payload)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (entry.position, entry.kind, int(entry.undoable), entry.of, entry.time, name, key, crc, payload),
    )
    for part in parts_of(entry.edit):
        faults.step("statement")
        _write_part(connection, part, stat)


def _write_part(connection: sqlite3.Connection, edit: Edit, stat: Callable[[str], Stat] | None) -> None:
    match edit:
        case PaintTiles():
            _write_tiles(connection, edit)
        case SetAnnotation():
            _write_annotation(connection, edit)
        case SetProposal():
            _write_proposal(connection, edit)
        case ReplaceInstances():
            _write_instances(connection, edit, stat)
        case ReplaceSchema():
            body = json.dumps(schema_to(edit.after), default=codec.plain)
            connection.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('schema', ?)", (body,))
        case SetChampion(after=None):
            connection.execute("DELETE FROM champions WHERE exam = ?", (edit.exam,))
        case SetChampion():
            connection.execute("INSERT OR REPLACE INTO champions VALUES (?, ?)", (edit.exam, edit.after))


def _write_tiles(connection: sqlite3.Connection, edit: PaintTiles) -> None:
    key, (height, width) = edit.frame.key, edit.shape_rc
    for (row, column), tile in edit.after.items():
        where = (key, edit.layer, row, column)
        if tile.any():
            data = codec.pack_tile(tile)
            crc = checksum(*where, height, width, data)
            connection.execute(
                "INSERT OR REPLACE INTO tiles VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*where, height, width, crc, data)
            )
        else:
            connection.execute("DELETE FROM tiles WHERE frame = ? AND layer = ? AND row = ? AND col = ?", where)


def _write_annotation(connection: sqlite3.Connection, edit: SetAnnotation) -> None:
    key = edit.frame.key
    if edit.after == NO_ANNOTATION:
        connection.execute("DELETE FROM annotations WHERE frame = ?", (key,))
        return
    body = json.dumps(values_json.annotation_to(edit.after), default=codec.plain)
    connection.execute("INSERT OR REPLACE INTO annotations VALUES (?, ?, ?)", (key, checksum(key, body), body))


def _write_proposal(connection: sqlite3.Connection, edit: SetProposal) -> None:
    key = edit.frame.key
    if edit.after is None:
        connection.execute("DELETE FROM proposals WHERE frame = ?", (key,))
        return
    model, data = edit.after.model, codec.pack_proposal(edit.after)
    crc = checksum(key, model, data)
    connection.execute("INSERT OR REPLACE INTO proposals VALUES (?, ?, ?, ?)", (key, model, crc, data))


def _write_instances(
    connection: sqlite3.Connection, edit: ReplaceInstances, stat: Callable[[str], Stat] | None
) -> None:
    kept = {instance.digest for instance in edit.after}
    gone = [(instance.digest,) for instance in edit.before if instance.digest not in kept]
    connection.executemany("DELETE FROM instances WHERE digest = ?", gone)
    for instance in edit.after:
        body = json.dumps(values_json.instance_to(instance), default=codec.plain)
        size, changed = (stat(instance.path) if stat else None) or (None, None)
        crc = checksum(instance.digest, body)
        connection.execute("INSERT OR IGNORE INTO joined (digest) VALUES (?)", (instance.digest,))
        connection.execute(
            "INSERT OR REPLACE INTO instances VALUES (?, ?, ?, ?, ?)", (instance.digest, size, changed, crc, body)
        )


# ---- reading ---------------------------------------------------------------------------------------------------------


def read_schema(connection: sqlite3.Connection) -> Schema:
    """The schema; an empty one where none was set. Raises Damaged."""
    row = connection.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
    try:
        return Schema() if row is None else schema_from(json.loads(row[0]))
    except (ValueError, KeyError, TypeError) as error:
        raise damaged("the label schema") from error


def read_joined(connection: sqlite3.Connection) -> dict[str, int]:
    """Digest -> place in the order of joining, removed instances included."""
    return {str(digest): int(place) for place, digest in connection.execute("SELECT place, digest FROM joined")}


def read_instances(connection: sqlite3.Connection) -> list[Instance]:
    """All instances. Raises Damaged."""
    rows = connection.execute("SELECT digest, crc, body FROM instances").fetchall()
    make = values_json.instance_from
    return [_valued("the list of images", crc, (digest, body), make, body) for digest, crc, body in rows]


def read_annotations(connection: sqlite3.Connection) -> list[tuple[FrameId, Annotation]]:
    """All annotations. Raises Damaged."""
    rows = connection.execute("SELECT frame, crc, body FROM annotations").fetchall()
    make = values_json.annotation_from
    return [(frame_id(key), _valued("an annotation", crc, (key, body), make, body)) for key, crc, body in rows]


def read_marked(connection: sqlite3.Connection) -> list[tuple[FrameId, int]]:
    """Frames and layers that have at least one tile. Raises Damaged."""
    rows = connection.execute("SELECT DISTINCT frame, layer FROM tiles").fetchall()
    return [(frame_id(key), int(layer)) for key, layer in rows]


def read_proposed(connection: sqlite3.Connection) -> list[tuple[FrameId, str]]:
    """Frames with a proposal, and by which model. Raises Damaged."""
    rows = connection.execute("SELECT frame, model FROM proposals").fetchall()
    return [(frame_id(key), str(model)) for key, model in rows]


def read_champions(connection: sqlite3.Connection) -> dict[str, str]:
    """Exam -> digest."""
    return {str(exam): str(digest) for exam, digest in connection.execute("SELECT exam, digest FROM champions")}


def read_mask(connection: sqlite3.Connection, frame: FrameId, layer: int) -> Mask | None:
    """One layer, or None where nothing is marked. Raises Damaged."""
    tiles = {}
    shape = (0, 0)
    rows = connection.execute(
        "SELECT row, col, height, width, crc, data FROM tiles WHERE frame = ? AND layer = ?", (frame.key, layer)
    )
    for row, column, height, width, crc, data in rows.fetchall():
        if crc != checksum(frame.key, layer, row, column, height, width, data):
            raise damaged("a mask tile")
        shape = (int(height), int(width))
        tiles[(int(row), int(column))] = codec.unpack_tile(data)
    return Mask(shape, MappingProxyType(tiles)) if tiles else None


def read_proposal(connection: sqlite3.Connection, frame: FrameId) -> Proposal | None:
    """The proposal on a frame, or None. Raises Damaged."""
    row = connection.execute("SELECT model, crc, data FROM proposals WHERE frame = ?", (frame.key,)).fetchone()
    if row is None:
        return None
    model, crc, data = row
    if crc != checksum(frame.key, model, data):
        raise damaged("a proposal")
    return codec.unpack_proposal(data)


def read_stat(connection: sqlite3.Connection, digest: str) -> Stat:
    """Size and time of change that a source had when it was last described; None where not known."""
    row = connection.execute("SELECT size, mtime_ns FROM instances WHERE digest = ?", (digest,)).fetchone()
    return None if row is None or row[0] is None else (int(row[0]), int(row[1]))


def last_position(connection: sqlite3.Connection) -> int:
    """Id of the newest journal line; 0 when there is none."""
    return int(connection.execute("SELECT coalesce(max(id), 0) FROM journal").fetchone()[0])


def read_steps(connection: sqlite3.Connection, undone: int) -> list[int]:
    """Ids of the steps in one state (DONE, UNDONE), ascending."""
    rows = connection.execute("SELECT id FROM journal WHERE undoable = 1 AND undone = ? ORDER BY id", (undone,))
    return [int(row[0]) for row in rows]


def read_step(connection: sqlite3.Connection, position: int) -> tuple[str, str, FrameId | None]:
    """Name, time and frame of one journal line. Raises Damaged."""
    row = connection.execute("SELECT name, time, frame FROM journal WHERE id = ?", (position,)).fetchone()
    if row is None:
        raise damaged(f"entry {position} of the journal")
    return str(row[0]), str(row[1]), None if row[2] is None else frame_id(row[2])


def read_edit(connection: sqlite3.Connection, position: int) -> Edit:
    """The edit of one journal line. Raises Damaged."""
    return read_entry(connection, position).edit


def read_entry(connection: sqlite3.Connection, position: int, originals: sqlite3.Connection | None = None) -> Entry:
    """One journal line; undo and redo come with the edit that they applied. Raises Damaged.

    `originals` is where the edit that was undone is looked up, if not in the same journal.
    """
    row = connection.execute(
        "SELECT id, kind, undoable, of, time, name, crc, payload FROM journal WHERE id = ?", (position,)
    ).fetchone()
    if row is None:
        raise damaged(f"entry {position} of the journal")
    return _entry(originals or connection, row)


def read_blobs(connection: sqlite3.Connection) -> list[str]:
    """Digests of the blobs that belong to the project; a row that names no digest (a stranger wrote it) is none."""
    rows = connection.execute("SELECT digest FROM blobs WHERE digest NOT GLOB '*[^0-9a-f]*' ORDER BY digest")
    return [str(digest) for (digest,) in rows if len(digest) == DIGEST_DIGITS]


def _entry(connection: sqlite3.Connection, row: tuple[Any, ...]) -> Entry:
    position, kind, undoable, of, time, name, crc, payload = row
    if crc != checksum(position, kind, undoable, of, time, name, payload):
        raise damaged(f"entry {position} of the journal")
    if kind == EDIT:
        edit = codec.unpack_edit(payload)
    else:
        original = without_proposals(read_edit(connection, int(of)))
        edit = original.inverse() if kind == UNDO else original
    return Entry(position=int(position), edit=edit, time=time, kind=kind, undoable=bool(undoable), of=of)


def without_proposals(edit: Edit) -> Edit:
    """The edit as undo and redo know it: proposals are the model's, and stay as they are."""
    if not isinstance(edit, Several):
        return edit
    kept = tuple(without_proposals(part) for part in edit.edits if not isinstance(part, SetProposal))
    return Several(name=edit.name, edits=kept)


def frame_id(key: str) -> FrameId:
    """A frame's identity from its stored form. Raises Damaged."""
    try:
        return FrameId.parse(key)
    except (ValueError, AttributeError) as error:
        raise damaged("a frame's name") from error


def damaged(what: str) -> Damaged:
    """The error for a row that is not as it was written."""
    return Damaged(
        f"The project is damaged: {what} cannot be read",
        "project.db is not as it was written",
        "Run `usfm-studio project repair` on it.",
    )


def _valued(what: str, crc: int, columns: tuple[str, ...], make: Callable[[Any], T], body: str) -> T:
    if crc != checksum(*columns):
        raise damaged(what)
    try:
        return make(json.loads(body))
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(what) from error
