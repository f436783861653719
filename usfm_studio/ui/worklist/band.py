"""Frames of a loop along the time axis: what is accepted, proposed or flagged, and how sure the model is."""

from __future__ import annotations

from typing import TypeVar

from PySide6.QtCore import QEvent, QPointF, QRectF, Qt
from PySide6.QtGui import (
    QBrush,
    QFocusEvent,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QPolygonF,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from usfm_studio.document.annotation import State
from usfm_studio.ui.session import Session
from usfm_studio.ui.shell import fonts, paint
from usfm_studio.ui.shell.focus import Shape, note_focus_reason
from usfm_studio.ui.shell.icons import draw_icon
from usfm_studio.ui.shell.theme import colour, tokens
from usfm_studio.ui.shell.tokens import RADIUS_SMALL
from usfm_studio.ui.worklist.loop_values import LoopValues

T = TypeVar("T")
SURE = 0.60
_LOW_NUMBERS = (2, 17, 10, 32, 18)  # tops and heights in a strip of 56 px: axis, band, its height, curve, its height
_TALL_NUMBERS = (2, 20, 16, 44, 42)  # the same at 96 px
_TALL = 80


class Band(QWidget):
    """A press goes to the frame, a drag scrubs, arrows step. The first segment's colour stands for all."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.values = LoopValues(session, self)
        self.values.changed.connect(self._on_values)
        self._kept: tuple[tuple[object, ...], QPixmap] | None = None
        self.say()

    def _on_values(self) -> None:
        self._kept = None
        self.say()
        self.update()

    def say(self) -> None:
        """Tell a screen reader where the playhead is."""
        index = self._here()
        self.setAccessibleName(
            f"Frames of the loop. {self.values.words(index)}" if index >= 0 else "Frames of the loop"
        )

    def _here(self) -> int:
        """Index of the frame in view, -1 where it is not of this loop."""
        current, shown = self._session.current, self.values.instance
        if current is None or shown is None or current.instance.digest != shown.digest:
            return -1
        return current.index if current.index < len(self.values.states) else -1

    # --- events ------------------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go to the frame."""
        if event.button() is Qt.MouseButton.LeftButton:
            self._scrub(event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Scrub."""
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._scrub(event.position().x())

    def frame_at(self, x: float) -> int:
        """Index of the frame at a place along the band."""
        return min(max(0, int(x / max(1.0, self.width()) * self._count)), self._count - 1)

    def _scrub(self, x: float) -> None:
        instance, current = self._session.instance, self._session.current
        if instance is None or not self._count:
            return
        self._session.navigation.stop()
        index = self.frame_at(x)
        if current is None or index != current.index:
            self._session.navigation.go(instance.frame_id(index))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows go from frame to frame, Home and End to the ends."""
        navigation = self._session.navigation
        key = Qt.Key(event.key())
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_PageUp: -10, Qt.Key.Key_PageDown: 10}
        if key in steps:
            navigation.step(steps[key])
        elif key == Qt.Key.Key_Home:
            navigation.first()
        elif key == Qt.Key.Key_End:
            navigation.last()
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Remember whether the keyboard brought the focus."""
        note_focus_reason(event)
        super().focusInEvent(event)

    def focus_shape(self) -> Shape:
        """Around the band itself."""
        _, top, height, _, _ = self._numbers()
        return Shape(QRectF(0, top - 3, self.width(), height + 6), RADIUS_SMALL, inside=True)

    def event(self, event: QEvent) -> bool:
        """The tip: frame, state, and how sure the model is."""
        if event.type() is QEvent.Type.ToolTip and isinstance(event, QHelpEvent) and self._count:
            QToolTip.showText(event.globalPos(), self.values.words(self.frame_at(event.pos().x())), self)
            return True
        return super().event(event)

    # --- painting ----------------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        """Axis, band, curve, playhead."""
        if not self._count:
            return
        painter = paint.painter_on(self)
        self._draw_axis(painter)
        painter.drawPixmap(0, 0, self._background())
        self._draw_playhead(painter)
        painter.end()

    def _background(self) -> QPixmap:
        """Band, curve and flags: they stay while the playhead moves."""
        ratio = self.devicePixelRatioF()
        key = (self.width(), self.height(), ratio, tokens().name, self._session.schema)
        if self._kept is None or self._kept[0] != key:
            made = QPixmap(self.size() * ratio)
            made.setDevicePixelRatio(ratio)
            made.fill(Qt.GlobalColor.transparent)
            painter = paint.painter_on(made)
            self._draw_band(painter)
            self._draw_curve(painter)
            self._draw_flags(painter)
            painter.end()
            self._kept = (key, made)
        return self._kept[1]

    def _numbers(self) -> tuple[int, int, int, int, int]:
        return _TALL_NUMBERS if self.height() >= _TALL else _LOW_NUMBERS

    @property
    def _count(self) -> int:
        return len(self.values.states)

    def _x(self, index: float) -> float:
        return index / self._count * self.width()

    def _draw_axis(self, painter: QPainter) -> None:
        top, band, *_ = self._numbers()
        count = self._count
        step = next(
            s for s in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000) if count / s <= max(2, self.width() / 90)
        )
        here = self._here() + 1
        for number in range(step, count + 1, step):
            x = self._x(number - 0.5)
            if abs(x - self._x(here - 0.5)) > 32 and 12 < x < self.width() - 12:
                rect = QRectF(x - 30, top, 60, band - top - 1)
                paint.text(painter, rect, str(number), colour("muted"), fonts.SMALL, 400, paint.CENTRE)

    def _draw_band(self, painter: QPainter) -> None:
        _, top, height, _, _ = self._numbers()
        painter.fillRect(QRectF(0, top, self.width(), height), colour("raised"))
        segments = self._session.schema.segments
        ink = colour(segments[0].shown_colour if segments else "accent")
        for start, end, look in runs([self.values.look(index) for index in range(self._count)]):
            rect = QRectF(self._x(start), top, max(1.0, self._x(end) - self._x(start)), height)
            if look == "accepted":
                painter.fillRect(rect, ink)
            elif look == "nothing":
                painter.fillRect(rect, colour("tick_hover"))
            elif look == "proposed":
                painter.fillRect(rect, paint.blend("raised", ink, 0.30))
                painter.fillRect(rect, QBrush(paint.blend("raised", ink, 0.75), Qt.BrushStyle.BDiagPattern))

    def _draw_curve(self, painter: QPainter) -> None:
        _, _, _, top, height = self._numbers()
        if all(value is None for value in self.values.sure):
            return
        level = top + (1 - SURE) * height
        painter.setPen(QPen(colour("line2"), 1, Qt.PenStyle.DotLine))
        painter.drawLine(QPointF(0, level), QPointF(self.width(), level))
        for start, end, there in runs([value is not None for value in self.values.sure]):
            if there:
                values = [(i, self.values.sure[i] or 0.0) for i in range(start, end)]
                points = [QPointF(self._x(i + 0.5), top + (1 - value) * height) for i, value in values]
                self._draw_stretch(painter, points, level)

    def _draw_stretch(self, painter: QPainter, points: list[QPointF], level: float) -> None:
        if len(points) == 1:
            points = [points[0] - QPointF(2, 0), points[0] + QPointF(2, 0)]
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(colour("muted"), 1.25))
        painter.drawPolyline(QPolygonF(points))
        if max(p.y() for p in points) <= level:
            return
        painter.save()
        painter.setClipRect(QRectF(0, level, self.width(), self.height()))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(paint.clear("warning", 0.35))
        painter.drawPolygon(QPolygonF([QPointF(points[0].x(), level), *points, QPointF(points[-1].x(), level)]))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(colour("warning"), 1.5))
        painter.drawPolyline(QPolygonF(points))
        painter.restore()

    def _draw_flags(self, painter: QPainter) -> None:
        top, band, *_ = self._numbers()
        for index, state in enumerate(self.values.states):
            name = {State.FLAGGED: "flag-filled", State.UNUSABLE: "x"}.get(state)
            if name:
                ink = colour("warning" if state is State.FLAGGED else "error")
                rect = QRectF(self._x(index + 0.5) - 7, top, 14, band - top - 2)
                painter.fillRect(rect.adjusted(-4, 0, 4, 0), colour("panel"))
                draw_icon(painter, name, rect, 12, ink)

    def _draw_playhead(self, painter: QPainter) -> None:
        here = self._here()
        if here < 0:
            return
        top, band, *_ = self._numbers()
        x = self._x(here + 0.5)
        painter.setPen(QPen(colour("text"), 1.5))
        painter.drawLine(QPointF(x, band - 2), QPointF(x, self.height() - 2))
        words = str(here + 1)
        width = max(28.0, fonts.text_width(words, fonts.SMALL, 600) + 12)
        pill = QRectF(min(max(0.0, x - width / 2), self.width() - width), top - 2, width, band - top)
        paint.ground(painter, pill, RADIUS_SMALL, colour("text"))
        paint.text(painter, pill, words, colour("panel"), fonts.SMALL, 600, paint.CENTRE)


def runs(values: list[T]) -> list[tuple[int, int, T]]:
    """Stretches of equal values as (start, end, value); end exclusive."""
    found: list[tuple[int, int, T]] = []
    for index, value in enumerate(values):
        if found and found[-1][2] == value:
            found[-1] = (found[-1][0], index + 1, value)
        else:
            found.append((index, index + 1, value))
    return found
