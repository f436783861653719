"""A small curve with its axes: loss or held-out score against steps, the last value written beside its point."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from usfm_studio.ui.shell import fonts, paint
from usfm_studio.ui.shell.theme import colour

Points = Sequence[tuple[float, float]]
_LEFT, _RIGHT, _TOP, _BOTTOM = 36, 44, 8, 22
MOST = 240
"""Points drawn at most: more than one in two pixels nobody sees."""


class Curve(QWidget):
    """`ink` is a token."""

    def __init__(self, name: str, *, ink: str = "accent", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name, self._ink = name, ink
        self._points: list[tuple[float, float]] = []
        self._level: tuple[float, str] | None = None
        self._range = (0.0, 1.0)
        self._x_end = 1.0
        self._breaks: list[float] = []
        self._numbered = True
        self.setMinimumHeight(120)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(name)

    def sizeHint(self) -> QSize:
        """A comfortable size."""
        return QSize(280, 160)

    def show_points(
        self,
        points: Points,
        *,
        level: tuple[float, str] | None = None,
        x_end: float | None = None,
        numbered: bool = True,
    ) -> None:
        """Show these points; `level` is a value to beat with its words, `x_end` how far the axis goes.

        Where x falls back a new stretch begins: it is drawn after the one before. `numbered` says whether the places
        along the axis mean anything.
        """
        stretches = unrolled(points)
        if len(stretches) > 1:
            x_end = None  # of one stretch; how many are to come nobody knows
        self._breaks = [stretch[-1][0] for stretch in stretches[:-1]]
        self._numbered = numbered
        self._points = thinned([point for stretch in stretches for point in stretch], MOST)
        self._level = level
        self._x_end = max(x_end or 0.0, self._points[-1][0] if self._points else 1.0, 1.0)
        values = [y for _, y in self._points] + ([level[0]] if level else [])
        self._range = nice_range(values)
        if self._points:
            self.setAccessibleName(f"{self._name}: {self._points[-1][1]:.2f} at step {self._points[-1][0]:.0f}")
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Grid, level, line, last value."""
        painter = paint.painter_on(self)
        area = QRectF(_LEFT, _TOP, self.width() - _LEFT - _RIGHT, self.height() - _TOP - _BOTTOM)
        self._draw_grid(painter, area)
        if self._points:
            if self._x_end > self._points[-1][0]:
                rest = QRectF(area)
                rest.setLeft(self._at(area, self._points[-1])[0])
                painter.fillRect(rest.toRect(), paint.clear("selected", 0.25))
            self._draw_breaks(painter, area)
            self._draw_line(painter, area)
        else:
            paint.text(painter, area, "The first values come soon", colour("muted"), fonts.SECONDARY, 400, paint.CENTRE)
        if self._level is not None:
            self._draw_level(painter, area)
        painter.end()

    def _at(self, area: QRectF, point: tuple[float, float]) -> tuple[float, float]:
        low, high = self._range
        x = area.left() + point[0] / self._x_end * area.width()
        y = area.bottom() - (min(max(point[1], low), high) - low) / (high - low) * area.height()
        return x, y

    def _draw_grid(self, painter: QPainter, area: QRectF) -> None:
        low, high = self._range
        for line in range(4):
            value = low + (high - low) * line / 3
            y = area.bottom() - area.height() * line / 3
            painter.setPen(QPen(colour("line"), 1))
            painter.drawLine(QPointF(area.left(), round(y) + 0.5), QPointF(area.right(), round(y) + 0.5))
            if not self._points and self._level is None:
                continue
            rect = QRectF(0, y - 9, _LEFT - 8, 18)
            paint.text(painter, rect, f"{value:.2f}", colour("muted"), fonts.SMALL, 400, paint.RIGHT)
        for part in (0.0, 0.5, 1.0) if self._points and self._numbered else ():
            x = area.left() + part * area.width()
            rect = QRectF(x - 40, area.bottom() + 4, 80, 16)
            words = number(self._x_end * part)
            paint.text(painter, rect, words, colour("muted"), fonts.SMALL, 400, paint.CENTRE)

    def _draw_breaks(self, painter: QPainter, area: QRectF) -> None:
        painter.setPen(QPen(colour("line2"), 1, Qt.PenStyle.DotLine))
        for place in self._breaks:
            x = round(self._at(area, (place, 0.0))[0]) + 0.5
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))

    def _draw_line(self, painter: QPainter, area: QRectF) -> None:
        points = [QPointF(*self._at(area, p)) for p in self._points]
        painter.setPen(QPen(colour(self._ink), 2, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        painter.drawPolyline(QPolygonF(points))
        paint.dot(painter, points[-1], 4, colour(self._ink))
        rect = QRectF(points[-1].x() + 8, points[-1].y() - 9, _RIGHT - 8, 18)
        paint.text(painter, rect, f"{self._points[-1][1]:.2f}", colour("text"), fonts.SECONDARY, 600)

    def _draw_level(self, painter: QPainter, area: QRectF) -> None:
        assert self._level is not None
        value, words = self._level
        y = self._at(area, (0, value))[1]
        painter.setPen(QPen(colour("text"), 1, Qt.PenStyle.DashLine))
        painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
        rect = QRectF(area.left(), y + 3, area.width(), 16)
        paint.text(painter, rect, f"{words}  {value:.2f}", colour("muted"), fonts.SMALL, 500, paint.RIGHT)


def number(value: float) -> str:
    """`1 235`."""
    return f"{value:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def unrolled(points: Points) -> list[list[tuple[float, float]]]:
    """The stretches of a curve, one after the other: each begins where x is not larger than before."""
    found: list[list[tuple[float, float]]] = []
    shift = last = 0.0
    for x, y in points:
        if not found or x <= last:
            shift = found[-1][-1][0] if found else 0.0
            found.append([])
        found[-1].append((x + shift, y))
        last = x
    return found


def thinned(points: list[tuple[float, float]], most: int) -> list[tuple[float, float]]:
    """At most about `most` points, the last one always among them."""
    step = max(1, -(-len(points) // most))
    kept = points[::step]
    return kept if not points or kept[-1] == points[-1] else [*kept, points[-1]]


UNITS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 1000.0, 10000.0)


def nice_range(values: Sequence[float]) -> tuple[float, float]:
    """A range of three round steps around the values, never of no height."""
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    for unit in UNITS:
        bottom = math.floor(low / unit + 1e-9) * unit
        if bottom + 3 * unit >= high - 1e-9:
            return bottom, bottom + 3 * unit
    return low, high
