"""A frame as a small picture with outlines on it: the model's dashed, the person's thin and white or in full colour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QImage, QPainter, QPainterPath, QPen, QPixmap, QTransform
from PySide6.QtWidgets import QSizePolicy, QWidget

from usfm_studio.document.frame import FrameId
from usfm_studio.document.mask import Ids
from usfm_studio.document.schema import Schema
from usfm_studio.ui.canvas.contours import outline
from usfm_studio.ui.canvas.outlines import to_path
from usfm_studio.ui.shell import fonts, paint
from usfm_studio.ui.shell.controls.base import Pressable
from usfm_studio.ui.shell.icons import draw_icon
from usfm_studio.ui.shell.theme import colour
from usfm_studio.ui.shell.tokens import RADIUS

DASH = (4.0, 2.5)  # in widths of the line: 8 on, 5 off
Pixels = NDArray[np.uint8] | NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Outline:
    """A closed line in image pixels, its upper left pixel's centre at (0, 0)."""

    path: QPainterPath
    ink: str
    width: float = 2.0
    dashed: bool = False


def model_outlines(ids: Ids, schema: Schema) -> list[Outline]:
    """What a model proposed: dashed, in the colours of the segments."""
    return [Outline(path, ink, dashed=True) for path, ink in _paths(ids, schema)]


def own_outlines(ids: Ids, schema: Schema) -> list[Outline]:
    """What the person marked, in the colours of the segments."""
    return [Outline(path, ink) for path, ink in _paths(ids, schema)]


def reference_outlines(ids: Ids) -> list[Outline]:
    """The same as a thin white line around all that is marked."""
    return [Outline(to_path(outline(ids > 0)), "#FFFFFF", width=1.0)]


def _paths(ids: Ids, schema: Schema) -> list[tuple[QPainterPath, str]]:
    found = []
    for value in np.unique(ids).tolist():
        segment = schema.segment(value) if value else None
        if segment is not None:
            found.append((to_path(outline(ids == value)), segment.shown_colour))
    return found


def image_of(pixels: Pixels, bits: int = 8) -> QImage:
    """The greys or colours of a frame; more than 8 bits are scaled down to 8."""
    if pixels.dtype == np.uint16:
        pixels = (pixels >> max(0, bits - 8)).clip(0, 255).astype(np.uint8)
    held = np.ascontiguousarray(pixels, np.uint8)
    rows, columns = held.shape[:2]
    if held.ndim == 2:
        return QImage(held.data, columns, rows, columns, QImage.Format.Format_Grayscale8).copy()
    return QImage(held.data, columns, rows, 3 * columns, QImage.Format.Format_RGB888).copy()


class OverlayPicture(Pressable):
    """One frame with outlines and its score; a click, or the space bar, opens it."""

    opened = Signal(object)  # FrameId

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._image: QImage | None = None
        self._outlines: list[Outline] = []
        self._scaled: QPixmap | None = None
        self._frame: FrameId | None = None
        self._words = ""
        self.setMinimumSize(96, 72)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.clicked.connect(self._open)

    def show_frame(self, frame: FrameId, words: str, name: str) -> None:
        """The frame that it stands for; its picture comes later. `name` is for screen readers."""
        self._frame, self._words = frame, words
        self._image, self._scaled, self._outlines = None, None, []
        self.setAccessibleName(name)
        self.setToolTip("Open this frame")
        self.update()

    def show_picture(self, image: QImage, outlines: list[Outline]) -> None:
        """The pixels, and what is drawn on them."""
        self._image, self._outlines, self._scaled = image, outlines, None
        self.update()

    @property
    def has_picture(self) -> bool:
        """Whether its pixels have come."""
        return self._image is not None

    def sizeHint(self) -> QSize:
        """A comfortable size."""
        return QSize(220, 150)

    def _open(self) -> None:
        if self._frame is not None:
            self.opened.emit(self._frame)

    def _target(self) -> QRectF:
        """Where the image lies: whole, in the middle."""
        assert self._image is not None
        room = self.size() - QSize(2, 2)
        size = self._image.size().scaled(room, Qt.AspectRatioMode.KeepAspectRatio)
        return QRectF(
            (self.width() - size.width()) / 2, (self.height() - size.height()) / 2, size.width(), size.height()
        )

    def draw(self, painter: QPainter) -> None:
        """The picture, its outlines, and the score on a plate."""
        rect = QRectF(self.rect())
        paint.ground(painter, rect, RADIUS, colour("canvas"), colour("line_hover" if self.lit else "line"))
        if self._image is not None:
            self._draw_image(painter, rect)
        if self._words:
            width = fonts.text_width(self._words, fonts.SECONDARY, 600) + 16
            plate = QRectF(8, rect.height() - 32, width, 24)
            paint.ground(painter, plate, RADIUS, paint.clear("plate", 0.84))
            paint.text(painter, plate, self._words, colour("on_plate"), fonts.SECONDARY, 600, paint.CENTRE)
        if self.lit:
            corner = QRectF(rect.right() - 32, 8, 24, 24)
            paint.ground(painter, corner, RADIUS, paint.clear("plate", 0.84))
            draw_icon(painter, "arrows-maximize", corner, 14, colour("on_plate"))

    def _draw_image(self, painter: QPainter, rect: QRectF) -> None:
        assert self._image is not None
        target, ratio = self._target(), self.devicePixelRatioF()
        wanted = QSize(max(1, round(target.width() * ratio)), max(1, round(target.height() * ratio)))
        if self._scaled is None or self._scaled.size() != wanted:
            smooth = Qt.TransformationMode.SmoothTransformation
            self._scaled = QPixmap.fromImage(self._image.scaled(wanted, Qt.AspectRatioMode.IgnoreAspectRatio, smooth))
        painter.drawPixmap(target, self._scaled, QRectF(self._scaled.rect()))
        scale = target.width() / self._image.width()
        place = QTransform(scale, 0, 0, scale, target.x() + scale / 2, target.y() + scale / 2)
        painter.save()
        painter.setClipRect(rect.adjusted(1, 1, -1, -1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for line in self._outlines:
            _draw_outline(painter, place.map(line.path), line)
        painter.restore()


def _draw_outline(painter: QPainter, path: QPainterPath, line: Outline) -> None:
    halo = QPen(colour("#000000"), line.width + 2)
    halo.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    painter.setPen(halo)
    painter.drawPath(path)
    pen = QPen(colour(line.ink), line.width)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    if line.dashed:
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
        pen.setDashPattern(list(DASH))
    painter.setPen(pen)
    painter.drawPath(path)
