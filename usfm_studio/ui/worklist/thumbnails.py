"""Small pictures of stills and loops, made by the reader once and kept in its cache; loaded here when first shown."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QImage, QPixmap

from usfm_studio.document.errors import StudioError
from usfm_studio.document.frame import FrameId, Instance
from usfm_studio.ui.session import Session

SIDE_PX = 192
KEPT = 400
AT_ONCE = 4


class Thumbnails(QObject):
    """`get` answers at once with what is there; `arrived` tells that a picture has come and a repaint pays."""

    arrived = Signal(object)  # FrameId
    _answer = Signal(object, object)  # FrameId, ticket

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent or session)
        self._session = session
        self._kept: OrderedDict[FrameId, QPixmap] = OrderedDict()
        self._asked: set[FrameId] = set()
        self._waiting: OrderedDict[FrameId, Instance] = OrderedDict()
        self._answer.connect(self._on_answer, Qt.ConnectionType.QueuedConnection)
        session.closed.connect(self._forget)

    def get(self, instance: Instance, index: int = 0) -> QPixmap | None:
        """The picture of a frame, at most 192 px long; None while it is being made (a null one where it cannot be)."""
        frame = FrameId(instance.digest, index)
        found = self._kept.get(frame)
        if found is not None:
            self._kept.move_to_end(frame)
            return found
        if frame not in self._asked:
            self._waiting[frame] = instance
            self._waiting.move_to_end(frame)
            while len(self._waiting) > KEPT:
                self._waiting.popitem(last=False)
            self._ask()
        return None

    def _ask(self) -> None:
        while self._waiting and len(self._asked) < AT_ONCE:
            frame, instance = self._waiting.popitem(last=True)  # what was looked at last comes first
            self._asked.add(frame)
            ticket = self._session.house.reader.thumbnail(instance, frame.index, SIDE_PX)
            ticket.add_done_callback(partial(self._tell, frame))

    def _tell(self, frame: FrameId, ticket: object) -> None:
        try:
            self._answer.emit(frame, ticket)
        except RuntimeError:
            return  # the window is gone

    def _on_answer(self, frame: FrameId, ticket: object) -> None:
        if frame not in self._asked:
            return
        self._asked.discard(frame)
        try:
            image = QImage(str(ticket.result(timeout=0)["path"]))  # type: ignore[attr-defined]
        except StudioError:
            image = QImage()
        self._kept[frame] = QPixmap.fromImage(image)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        self.arrived.emit(frame)
        self._ask()

    def _forget(self) -> None:
        self._kept.clear()
        self._asked.clear()
        self._waiting.clear()
