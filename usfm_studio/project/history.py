"""One history over all frames: which steps can be taken back or done again. It survives closing.

Undo never rewinds the journal: it appends the inverse. Steps older than the memory's limit are read from the journal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from usfm_studio.document.edit import Edit, PaintTiles
from usfm_studio.document.frame import FrameId
from usfm_studio.project import tables
from usfm_studio.project.cache import Cache
from usfm_studio.project.store import Store
from usfm_studio.project.tables import Entry, frame_of, parts_of

RECENT_BYTES = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """A step as the history shows it. `undone` steps can be done again."""

    position: int
    name: str
    when: datetime
    frame: FrameId | None
    undone: bool


class History:
    """Steps by journal position. Not safe for threads by itself."""

    def __init__(self, reader: Store, saved: Callable[[], int]) -> None:
        self._reader = reader
        self._recent: Cache[int, Entry] = Cache(RECENT_BYTES, saved)
        self._done = reader.read(tables.read_steps, tables.DONE)
        undone = reader.read(tables.read_steps, tables.UNDONE)
        self._undone = undone[::-1]  # the last one is the next to be done again

    @property
    def next_undo(self) -> int | None:
        """Position of the step that undo takes back, or None."""
        return self._done[-1] if self._done else None

    @property
    def next_redo(self) -> int | None:
        """Position of the step that redo brings again, or None."""
        return self._undone[-1] if self._undone else None

    def add(self, entry: Entry) -> None:
        """A new step; what was undone before it cannot be done again."""
        self._undone.clear()
        self._done.append(entry.position)
        self._recent.put(entry.position, entry, _cost_bytes(entry.edit), entry.position)

    def edit(self, position: int) -> Edit:
        """The edit of a step, from memory or from the journal. Raises Damaged."""
        held = self._recent.get(position)
        if held is not None:
            return held.edit
        return self._reader.read(tables.read_edit, position)

    def moved_back(self) -> None:
        """The newest step was undone."""
        self._undone.append(self._done.pop())

    def moved_on(self) -> None:
        """The newest undone step was done again."""
        self._done.append(self._undone.pop())

    def name_and_frame(self, position: int | None) -> tuple[str | None, FrameId | None]:
        """Name and frame of a step; (None, None) where there is none. Raises Damaged."""
        if position is None:
            return None, None
        name, _, frame = self._named(position)
        return name, frame

    def newest(self, count: int) -> list[HistoryEntry]:
        """Up to `count` steps, newest first, those to be done again on top. Raises Damaged."""
        positions = [(p, True) for p in self._undone] + [(p, False) for p in reversed(self._done)]
        found = []
        for position, undone in positions[:count]:
            name, time, frame = self._named(position)
            when = datetime.fromisoformat(time)
            found.append(HistoryEntry(position=position, name=name, when=when, frame=frame, undone=undone))
        return found

    def _named(self, position: int) -> tuple[str, str, FrameId | None]:
        held = self._recent.get(position)
        if held is not None:
            return held.edit.name, held.time, frame_of(held.edit)
        return self._reader.read(tables.read_step, position)


def _cost_bytes(edit: Edit) -> int:
    tiles = 0
    for part in parts_of(edit):
        if isinstance(part, PaintTiles):
            tiles += sum(t.nbytes for side in (part.before, part.after) for t in side.values())
    return 1024 + tiles
