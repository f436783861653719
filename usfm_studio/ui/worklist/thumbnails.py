"""Small pictures of stills and loops, made by the reader once and kept in its cache; loaded here when first shown."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

from PySide6.QtCore import QObject, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QImage, QPainter, QPainterPath, QPen, QPixmap

from usfm_studio.document.errors import StudioError
from usfm_studio.document.frame import FrameId, Instance
from usfm_studio.ui.session import Session
from usfm_studio.ui.shell import paint
from usfm_studio.ui.shell.icons import draw_icon
from usfm_studio.ui.shell.theme import colour
from usfm_studio.ui.shell.tokens import RADIUS
from usfm_studio.verbs.pixels import located

SIDE_PX = 192
KEPT = 400
AT_ONCE = 4
_Key = tuple[FrameId, int, int]  # and the size in device pixels


class Thumbnails(QObject):
    """`draw` paints what is there at once; `arrived` tells that a picture has come and a repaint pays."""

    arrived = Signal(object)  # FrameId
    _answer = Signal(object, object)  # FrameId, ticket

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent or session)
        self._session = session
        self._kept: OrderedDict[FrameId, QPixmap] = OrderedDict()
        self._fitted: OrderedDict[_Key, QPixmap] = OrderedDict()
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

    def draw(self, painter: QPainter, rect: QRectF, instance: Instance, index: int = 0) -> None:
        """The picture in a frame with round corners, filling it; a quiet ground while it is not there."""
        picture = self.get(instance, index)
        if picture is None:
            paint.ground(painter, rect, RADIUS, colour("raised"))
        elif picture.isNull():
            _draw_broken(painter, rect)
        else:
            device = painter.device()
            ratio = device.devicePixelRatioF() if device is not None else 1.0
            size = QSize(round(rect.width() * ratio), round(rect.height() * ratio))
            fitted = self._fit(FrameId(instance.digest, index), picture, size, RADIUS * ratio)
            painter.drawPixmap(rect, fitted, QRectF(fitted.rect()))

    def _fit(self, frame: FrameId, picture: QPixmap, size: QSize, radius: float) -> QPixmap:
        key = (frame, size.width(), size.height())
        if key not in self._fitted:
            self._fitted[key] = fitted_to(picture, size, radius)
            while len(self._fitted) > KEPT:
                self._fitted.popitem(last=False)
        return self._fitted[key]

    def _ask(self) -> None:
        while self._waiting and len(self._asked) < AT_ONCE:
            frame, instance = self._waiting.popitem(last=True)  # what was looked at last comes first
            self._asked.add(frame)
            house = self._session.house
            ticket = house.reader.thumbnail(located(house, instance), frame.index, SIDE_PX)
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
        self._fitted.clear()
        self._asked.clear()
        self._waiting.clear()


def fitted_to(picture: QPixmap, size: QSize, radius: float) -> QPixmap:
    """The middle of a picture that fills `size`, with round corners; all in device pixels."""
    grown = picture.scaled(
        size, Qt.AspectRatioMode.KeepAspectRatioByExpanding, Qt.TransformationMode.SmoothTransformation
    )
    made = QPixmap(size)
    made.fill(Qt.GlobalColor.transparent)
    painter = paint.painter_on(made)
    corners = QPainterPath()
    corners.addRoundedRect(QRectF(made.rect()), radius, radius)
    painter.setClipPath(corners)
    painter.drawPixmap((size.width() - grown.width()) // 2, (size.height() - grown.height()) // 2, grown)
    painter.end()
    return made


def _draw_broken(painter: QPainter, rect: QRectF) -> None:
    paint.ground(painter, rect, RADIUS, colour("error_ground"))
    pen = QPen(colour("error"), 1)
    pen.setDashPattern([3, 3])
    painter.setPen(pen)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), RADIUS, RADIUS)
    draw_icon(painter, "file-alert", rect, 18, colour("error"))
