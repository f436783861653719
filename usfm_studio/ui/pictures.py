"""Decoded frames for the canvas: asked from the reader, kept while memory allows, the neighbours fetched ahead."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from PySide6.QtCore import QObject, Qt, Signal

from usfm_studio.document.errors import Interrupted, StudioError
from usfm_studio.document.frame import Frame, FrameId
from usfm_studio.imaging.client import DecodedFrame, Reader

KEEP_BYTES = 72 * 1024 * 1024
AHEAD = 6


class Pictures(QObject):
    """A cache of decoded frames. `arrived` is emitted on the window's thread for each frame asked with `want`."""

    arrived = Signal(object)  # FrameId
    failed = Signal(object, object)  # FrameId, StudioError
    _answer = Signal(object, object)  # Frame, ticket

    def __init__(self, reader: Callable[[], Reader], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._reader = reader
        self._kept: OrderedDict[FrameId, DecodedFrame] = OrderedDict()
        self._bytes = 0
        self._asked: set[FrameId] = set()
        self._pinned: FrameId | None = None
        self._answer.connect(self._on_answer, Qt.ConnectionType.QueuedConnection)

    def get(self, frame: FrameId) -> DecodedFrame | None:
        """The decoded frame if it is here already; it counts as used now."""
        found = self._kept.get(frame)
        if found is not None:
            self._kept.move_to_end(frame)
        return found

    def want(self, frame: Frame, *, current: bool = False) -> DecodedFrame | None:
        """The frame if it is here; else it is asked for. `current` keeps it from being dropped."""
        if current:
            self._pinned = frame.id
        found = self.get(frame.id)
        if found is not None or frame.id in self._asked:
            return found
        self._asked.add(frame.id)
        ticket = self._reader().pixels(frame.instance, frame.index)
        ticket.add_done_callback(lambda t: self._tell(frame, t))
        return None

    def ahead(self, frames: list[Frame]) -> None:
        """Ask for frames that will probably be looked at next; a few at a time."""
        for frame in frames[:AHEAD]:
            if len(self._asked) >= AHEAD:
                return
            self.want(frame)

    def clear(self) -> None:
        """Give every frame back."""
        for decoded in self._kept.values():
            self._reader().release(decoded)
        self._kept.clear()
        self._bytes = 0
        self._asked.clear()
        self._pinned = None

    def _tell(self, frame: Frame, ticket: object) -> None:
        try:
            self._answer.emit(frame, ticket)
        except RuntimeError:
            return  # the window is gone; the block dies with the reader

    def _on_answer(self, frame: Frame, ticket: object) -> None:
        known = frame.id in self._asked
        self._asked.discard(frame.id)
        try:
            decoded: DecodedFrame = ticket.result(timeout=0)  # type: ignore[attr-defined]
        except Interrupted:
            return
        except StudioError as error:
            self.failed.emit(frame.id, error)
            return
        if not known or frame.id in self._kept:
            self._reader().release(decoded)
            return
        self._kept[frame.id] = decoded
        self._bytes += decoded.array.nbytes
        self._drop_oldest()
        self.arrived.emit(frame.id)

    def _drop_oldest(self) -> None:
        for old in list(self._kept):
            if self._bytes <= KEEP_BYTES:
                return
            if old == self._pinned:
                continue
            decoded = self._kept.pop(old)
            self._bytes -= decoded.array.nbytes
            self._reader().release(decoded)
