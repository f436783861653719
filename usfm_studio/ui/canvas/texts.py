"""Texts in the canvas's corners, on plates, and the depth scale at its right."""

from __future__ import annotations

import math
from dataclasses import dataclass

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from usfm_studio.ui.canvas.coordinates import NO_MARGINS, Margins, Placement
from usfm_studio.ui.shell import fonts, paint, theme

EDGE, PAD_X, PAD_Y, LINE = 8.0, 8.0, 4.0, 18.0
SCALE_ROOM = 28.0  # at the right, for the depth scale
_PLATE_ALPHA = 0.72
_SAMPLE, _SAMPLE_GAP = 20.0, 8.0
_TICK, _SMALL_TICK, _FROM_RIGHT = 10.0, 5.0, 10.0
_STEPS_CM = (0.1, 0.5, 1.0, 5.0, 10.0, 50.0)
_TICKS_APART = 48.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CornerTexts:
    """What the corners say. Empty strings take no room.

    `identity` and `place` stand at the upper left ("SAMPLE^ONE · 0412", "Loop 3 · frame 71 / 118"); `proposal` and
    `accepted` are the legend at the upper right ("proposal · Heads v4", "accepted by reader"); `calibration` stands
    under window, level and zoom ("0.21 mm/px · region 1", "not calibrated"). `badge` is said in amber ("Enhanced
    view"). Words like "assumed" come with the texts.
    """

    identity: str = ""
    place: str = ""
    proposal: str = ""
    accepted: str = ""
    calibration: str = ""
    badge: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a plate. `sample` draws a piece of outline before it: `dashed` or `solid`."""

    text: str
    weight: int = 400
    ink: str = "on_plate_muted"
    sample: str = ""


@dataclass(frozen=True, slots=True)
class Plate:
    """Lines in their place."""

    rect: QRectF
    lines: tuple[Line, ...]


def plates(texts: CornerTexts, view_line: str, view: QRectF, margins: Margins = NO_MARGINS) -> tuple[Plate, ...]:
    """The plates of all corners that have something to say; `view_line` is window, level and zoom."""
    area = view.adjusted(margins.left + EDGE, margins.top + EDGE, -margins.right - EDGE, -margins.bottom - EDGE)
    upper_left = _lines(Line(texts.identity, 600, "text"), Line(texts.place), Line(texts.badge, 600, "warning"))
    upper_right = _lines(
        Line(texts.proposal, 600, "text", "dashed"), Line(texts.accepted, 400, "on_plate_muted", "solid")
    )
    lower_left = _lines(Line(view_line, 500, "on_plate_muted"), Line(texts.calibration, 600, "text"))
    made = []
    for lines, right, low in ((upper_left, False, False), (upper_right, True, False), (lower_left, False, True)):
        if lines:
            width, height = math.ceil(max(map(_line_width, lines)) + 2 * PAD_X), len(lines) * LINE + 2 * PAD_Y
            x = area.right() - (SCALE_ROOM - EDGE) - width if right else area.left()
            y = area.bottom() - height if low else area.top()
            made.append(Plate(QRectF(round(x), round(y), width, height), lines))
    return tuple(made)


def draw_plate(painter: QPainter, plate: Plate) -> None:
    """One plate with its lines."""
    paint.ground(painter, plate.rect, 6, paint.clear("plate", _PLATE_ALPHA))
    top = plate.rect.top() + PAD_Y
    for line in plate.lines:
        left = plate.rect.left() + PAD_X
        if line.sample:
            _draw_sample(painter, left, top + LINE / 2, line.sample == "dashed")
            left += _SAMPLE + _SAMPLE_GAP
        rect = QRectF(left, top, plate.rect.right() - left, LINE)
        ink = theme.colour("on_plate") if line.ink == "text" else theme.colour(line.ink)
        paint.text(painter, rect, line.text, ink, fonts.SECONDARY, line.weight)
        top += LINE


def _lines(*lines: Line) -> tuple[Line, ...]:
    return tuple(line for line in lines if line.text)


def _line_width(line: Line) -> float:
    sample = _SAMPLE + _SAMPLE_GAP if line.sample else 0.0
    return sample + fonts.text_width(line.text, fonts.SECONDARY, line.weight)


def _draw_sample(painter: QPainter, x: float, y: float, dashed: bool) -> None:
    line = QLineF(x, y, x + _SAMPLE, y)
    painter.setPen(QPen(QColor(0, 0, 0, 217), 4, Qt.PenStyle.SolidLine, Qt.PenCapStyle.FlatCap))
    painter.drawLine(line)
    pen = QPen(theme.colour("on_plate"), 2, Qt.PenStyle.SolidLine, Qt.PenCapStyle.FlatCap)
    if dashed:
        pen.setDashPattern([3, 2])
    painter.setPen(pen)
    painter.drawLine(line)


@dataclass(frozen=True, slots=True)
class Tick:
    """One mark of the depth scale: its height in the view, and its label (empty for a small one)."""

    y: float
    label: str


def depth_ticks(placement: Placement, mm_per_row: float, top_row: float, rows: int, height: float) -> tuple[Tick, ...]:
    """Marks of the depth below `top_row`, at the finest of 1, 5, 10 … mm that leaves them 48 px apart."""
    px_per_cm = 10 / mm_per_row * placement.scale
    step = next((s for s in _STEPS_CM if s * px_per_cm >= _TICKS_APART), _STEPS_CM[-1])
    labelled = _STEPS_CM[min(_STEPS_CM.index(step) + 1, len(_STEPS_CM) - 1)]
    deepest = (rows - top_row) * mm_per_row / 10
    ticks, first = [], True
    for number in range(1, int(deepest / step + 1e-9) + 1):
        depth = number * step
        y = placement.image_to_view((0.0, top_row - 0.5 + depth * 10 / mm_per_row))[1]
        if not 0 <= y <= height:
            continue
        label = ""
        if abs(depth / labelled - round(depth / labelled)) < 1e-6:
            label, first = (f"{depth:g} cm" if first else f"{depth:g}"), False
        ticks.append(Tick(y, label))
    return tuple(ticks)


def draw_depth_scale(painter: QPainter, ticks: tuple[Tick, ...], right: float) -> None:
    """The marks, 10 px from `right`, white on a black halo."""
    end = right - _FROM_RIGHT
    for tick in ticks:
        line = QLineF(end - (_TICK if tick.label else _SMALL_TICK), tick.y, end, tick.y)
        for colour, width in ((QColor(0, 0, 0, 217), 3.5), (theme.colour("on_plate"), 1.25)):
            painter.setPen(QPen(colour, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.FlatCap))
            painter.drawLine(line)
        if tick.label:
            _draw_haloed(painter, QPointF(line.x1() - 4, tick.y), tick.label)


def _draw_haloed(painter: QPainter, right_middle: QPointF, words: str) -> None:
    width = fonts.text_width(words, fonts.SECONDARY, 600) + 2
    rect = QRectF(right_middle.x() - width, right_middle.y() - LINE / 2, width, LINE)
    for dx in (-1, 0, 1):
        for dy in (-1, 0, 1):
            if dx or dy:
                shade = QColor(0, 0, 0, 150)
                paint.text(painter, rect.translated(dx, dy), words, shade, fonts.SECONDARY, 600, paint.RIGHT)
    paint.text(painter, rect, words, theme.colour("on_plate"), fonts.SECONDARY, 600, paint.RIGHT)
