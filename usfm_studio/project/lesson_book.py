"""What a look at masks has shown of the frames that an instant head may learn from; kept while a project is open."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from usfm_studio.document.frame import FrameId


@dataclass(frozen=True, slots=True)
class Seen:
    """What a mask is: a digest of it (None: it teaches nothing), and whether anything is marked."""

    revision: str | None
    marked: bool


UNSEEN = Seen("", False)


@dataclass(slots=True)
class LessonBook:
    """What a look at masks has shown, kept while the project is open: `forget` what changes. Safe from several threads.

    `unreadable` are frames whose file cannot be read; `sent` has (key, revision) of lessons that the engine was sent,
    though it may have lost them again.
    """

    unreadable: set[FrameId] = field(default_factory=set)
    sent: set[tuple[str, str]] = field(default_factory=set)
    _known: dict[FrameId, Seen] = field(default_factory=dict)
    _edition: int = 0
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def forget(self, frames: Iterable[FrameId]) -> bool:
        """Their masks or states are others now. True where one of them was known to teach something."""
        with self._guard:
            self._edition += 1
            gone = [self._known.pop(frame, UNSEEN) for frame in frames]
        return any(seen.revision for seen in gone)

    def clear(self) -> None:
        """Anything may be different."""
        with self._guard:
            self._edition += 1
            self._known.clear()
            self.unreadable.clear()

    def open_at(self) -> tuple[int, dict[FrameId, Seen]]:
        """The edition, and what is known in it."""
        with self._guard:
            return self._edition, dict(self._known)

    def note(self, edition: int, seen: Mapping[FrameId, Seen]) -> None:
        """Keep what was seen, unless something has changed since that edition."""
        with self._guard:
            if edition == self._edition:
                self._known.update(seen)
