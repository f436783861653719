"""Decoded frames for the canvas: asked from the reader, kept while memory allows, the neighbours fetched ahead."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal

from usfm_studio.document.errors import Interrupted, StudioError
from usfm_studio.document.frame import Frame, FrameId
from usfm_studio.imaging.client import DecodedFrame, Reader
from usfm_studio.verbs.house import House
from usfm_studio.verbs.pixels import located

KEEP_BYTES = 72 * 1024 * 1024
AHEAD = 6


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request under way, and the reader that has it (and wants its memory back)."""

    frame: Frame
    reader: Reader
    ticket: Future[Any]


@dataclass(frozen=True, slots=True)
class _Kept:
    decoded: DecodedFrame
    reader: Reader

    def release(self) -> None:
        self.reader.release(self.decoded)


class Pictures(QObject):
    """A cache of decoded frames. Each frame that was asked for is told of once, by `arrived` or by `failed`.

    Two frames are never let go: the one that is wanted in view, and the one that was there before while the wanted one
    is still being decoded, since a canvas shows the shared memory itself.
    """

    arrived = Signal(object)  # FrameId
    failed = Signal(object, object)  # FrameId, StudioError
    _answered = Signal(object)  # _Asked

    def __init__(self, house: House, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._house = house
        self._kept: OrderedDict[FrameId, _Kept] = OrderedDict()
        self._bytes = 0
        self._asked: dict[FrameId, _Asked] = {}
        self._errors: dict[FrameId, StudioError] = {}
        self._wanted: FrameId | None = None
        self._shown: FrameId | None = None
        self._answered.connect(self._on_answered, Qt.ConnectionType.QueuedConnection)

    @property
    def held_bytes(self) -> int:
        """Bytes of all frames that are kept."""
        return self._bytes

    def get(self, frame: FrameId) -> DecodedFrame | None:
        """The decoded frame if it is here already; it counts as used now."""
        found = self._kept.get(frame)
        if found is None:
            return None
        self._kept.move_to_end(frame)
        return found.decoded

    def error(self, frame: FrameId) -> StudioError | None:
        """Why a frame could not be decoded when it was last asked for, or None."""
        return self._errors.get(frame)

    def show(self, frame: Frame) -> DecodedFrame | None:
        """This frame is wanted in view: the pixels if they are here; else they are asked for, once more if need be."""
        self._wanted = frame.id
        self._errors.pop(frame.id, None)
        found = self.want(frame)
        if found is not None:
            self._shown = frame.id
        return found

    def want(self, frame: Frame) -> DecodedFrame | None:
        """The frame if it is here; else it is asked for, unless that has failed before."""
        found = self.get(frame.id)
        if found is None and frame.id not in self._asked and frame.id not in self._errors:
            self._ask(frame)
        return found

    def ahead(self, frames: Sequence[Frame]) -> None:
        """Ask for frames that will probably be looked at next, a few at a time; what else was asked is taken back."""
        near = {frame.id for frame in frames} | {self._wanted}
        for asked in [a for id, a in self._asked.items() if id not in near]:
            del self._asked[asked.frame.id]
            asked.ticket.cancel()
        for frame in frames[:AHEAD]:
            if len(self._asked) >= AHEAD:
                return
            self.want(frame)

    def clear(self) -> None:
        """Give every frame back."""
        for asked in self._asked.values():
            asked.ticket.cancel()
        self._asked.clear()
        for kept in self._kept.values():
            kept.release()
        self._kept.clear()
        self._errors.clear()
        self._bytes = 0
        self._wanted = self._shown = None

    def _ask(self, frame: Frame) -> None:
        reader = self._house.reader
        ticket = reader.pixels(located(self._house, frame.instance), frame.index)
        asked = self._asked[frame.id] = _Asked(frame, reader, ticket)
        asked.ticket.add_done_callback(partial(self._tell, asked))

    def _tell(self, asked: _Asked, _ticket: object) -> None:
        try:
            self._answered.emit(asked)
        except RuntimeError:
            return  # the window is gone; the block goes with the reader

    def _on_answered(self, asked: _Asked) -> None:
        frame = asked.frame.id
        expected = self._asked.get(frame) is asked
        if expected:
            del self._asked[frame]
        try:
            kept = _Kept(asked.ticket.result(timeout=0), asked.reader)
        except StudioError as error:
            if expected and not isinstance(error, Interrupted):
                self._errors[frame] = error
                self.failed.emit(frame, error)
            return
        if not expected or frame in self._kept:
            kept.release()
            return
        self._kept[frame] = kept
        self._bytes += kept.decoded.array.nbytes
        if frame == self._wanted:
            self._shown = frame
        self.arrived.emit(frame)
        self._drop_oldest()

    def _drop_oldest(self) -> None:
        for old in list(self._kept):
            if self._bytes <= KEEP_BYTES:
                return
            if old not in (self._wanted, self._shown):
                kept = self._kept.pop(old)
                self._bytes -= kept.decoded.array.nbytes
                kept.release()
