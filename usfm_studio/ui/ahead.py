"""The page for work is put together before it is wanted, a part in each turn of the event loop, while nobody waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import Any, TypeVar

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from usfm_studio.ui.job import hands
from usfm_studio.ui.session import Session
from usfm_studio.ui.shell.rooms import Rooms

MODULES = (
    "cv2", "numpy.ma", "usfm_studio.engine.client", "usfm_studio.ui.review.inspector", "usfm_studio.ui.worklist.drawer",
    "usfm_studio.ui.worklist.timeline",
)  # fmt: skip
"""Read from the disk off the window's thread, which only makes objects of them."""
PARTS = ("canvas", "inspector", "filmstrip", "timeline", "worklist")

T = TypeVar("T")


class Ahead(QObject):
    """`rooms` gives each part that is ready already, and makes it where it is not."""

    _read = Signal()

    def __init__(self, rooms: Rooms, session: Session) -> None:
        super().__init__(session)
        self._rooms, self._session = rooms, session
        self._ready: dict[str, Any] = {}
        self._left = list(PARTS)
        self._then: Callable[[], object] = lambda: None
        self._read.connect(self._make_next, Qt.ConnectionType.QueuedConnection)
        self.rooms = replace(rooms, **{part: self._given(part, getattr(rooms, part)) for part in PARTS})

    def start(self, then: Callable[[], object] = lambda: None) -> None:
        """Begin; `then` comes last. A project that is asked for now opens after the reading, and what it needs at once
        is made at once."""
        self._then = then
        hands().submit(self._import)

    def _import(self) -> None:
        for name in MODULES:
            import_module(name)
        try:
            self._read.emit()
        except RuntimeError:
            return  # the window is gone

    def _make_next(self) -> None:
        if self._left:
            part = self._left.pop(0)
            self._ready[part] = getattr(self._rooms, part)(self._session)
            QTimer.singleShot(0, self._make_next)
        else:
            self._then()

    def _given(self, part: str, make: Callable[[Session], T]) -> Callable[[Session], T]:
        def give(session: Session) -> T:
            if part in self._left:
                self._left.remove(part)
            return self._ready.pop(part) if part in self._ready else make(session)

        return give
