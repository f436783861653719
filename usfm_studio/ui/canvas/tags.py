"""Names at outlines: a small plate that hangs on a segment's outline by a line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from usfm_studio.ui.canvas.contours import Loops
from usfm_studio.ui.canvas.styles import SegmentStyle
from usfm_studio.ui.shell import fonts, paint, theme

HEIGHT, NUMBER_BOX = 24.0, 16.0
ARM_X, ARM_Y = 16.0, 8.0  # from the outline to the tag's nearer edge
DOT = 3.0
EDGE = 10.0  # how near the view's edge an outline point may be to carry a tag
REPEAT_FROM, REPEAT_EVERY = 4, 200.0
_MARK = 14.0
_PLATE_ALPHA = 0.84

Points = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tagged:
    """A segment that wants a tag: its outlines in view points, and what to say."""

    value: int
    loops: Loops
    style: SegmentStyle
    proposed: bool
    confidence: float | None = None
    named: bool = False  # with its name, not by its number alone

    @property
    def number(self) -> int:
        """What stands in the box."""
        return self.style.number or self.value

    @property
    def texts(self) -> tuple[str, str]:
        """Name and confidence as shown; empty where not."""
        confidence = f"{self.confidence:.2f}" if self.proposed and self.confidence is not None else ""
        return (self.style.name if self.named else ""), confidence


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag in its place."""

    of: Tagged
    anchor: QPointF
    box: QRectF

    @property
    def bounds(self) -> QRectF:
        """All that it draws on."""
        dot = QRectF(self.anchor.x() - DOT - 2, self.anchor.y() - DOT - 2, 2 * DOT + 4, 2 * DOT + 4)
        return self.box.united(dot).adjusted(-1, -1, 1, 1)

    def renamed(self, named: bool) -> Tag:
        """The same tag with or without the segment's name, its near edge where it was."""
        of = replace(self.of, named=named)
        width, box = _width(of), QRectF(self.box)
        if box.center().x() < self.anchor.x():
            box.setLeft(box.right() - width)
        else:
            box.setWidth(width)
        return Tag(of, self.anchor, box)


def place(wanted: Sequence[Tagged], view: QRectF, taken: Sequence[QRectF] = ()) -> tuple[Tag, ...]:
    """Tags for the segments whose outlines show in the view, apart from each other and from what is taken."""
    placed: list[Tag] = []
    for tagged in wanted:
        options = _options(tagged, view)
        if options:
            blocked = [*taken, *(tag.box for tag in placed)]
            placed.append(min(options, key=lambda tag: _cost(tag, view, blocked)))
    return tuple(placed)


def _options(tagged: Tagged, view: QRectF) -> list[Tag]:
    points = tagged.loops.points
    inside = (
        (points[:, 0] > view.left() + EDGE)
        & (points[:, 0] < view.right() - EDGE)
        & (points[:, 1] > view.top() + EDGE)
        & (points[:, 1] < view.bottom() - EDGE)
    )
    shown = points[inside]
    if not len(shown):
        return []
    middle = (shown.min(axis=0) + shown.max(axis=0)) / 2
    width = _width(tagged)
    options = []
    for angle in (-28, 20, -152, 160, -60, 60):
        along = np.array([math.cos(math.radians(angle)), math.sin(math.radians(angle))], np.float32)
        x, y = _outermost(shown, middle, along)
        top = y + math.copysign(ARM_Y, along[1]) - HEIGHT / 2
        left = x + ARM_X if along[0] > 0 else x - ARM_X - width
        options.append(Tag(tagged, QPointF(x, y), QRectF(round(left), round(top), round(width), HEIGHT)))
    return options


def _outermost(points: Points, middle: Points, along: Points) -> tuple[float, float]:
    away = points - middle
    forward = away @ along
    sideways = np.abs(away @ np.array([-along[1], along[0]], np.float32))
    x, y = points[int(np.argmax(forward - 2 * sideways))].tolist()
    return x, y


def _cost(tag: Tag, view: QRectF, blocked: Sequence[QRectF]) -> float:
    grown = tag.box.adjusted(-4, -4, 4, 4)
    seen = grown.intersected(view)
    cost = grown.width() * grown.height() - seen.width() * seen.height() if not seen.isEmpty() else 1e6
    for other in blocked:
        both = grown.intersected(other)
        cost += max(0.0, both.width()) * max(0.0, both.height())
    return cost


def _width(tagged: Tagged) -> float:
    name, confidence = tagged.texts
    width = 4 + NUMBER_BOX + 4
    if name:
        width += 4 + fonts.text_width(name, fonts.SECONDARY, 500)
    if confidence:
        width += 8 + fonts.text_width(confidence, fonts.SECONDARY, 600)
    return math.ceil(width + (4 if name or confidence else 0))


def draw(painter: QPainter, tag: Tag, alone: bool = False) -> None:
    """One tag with its line and dot; `alone` leaves those out."""
    colour = QColor(tag.of.style.colour)
    near = QPointF(tag.box.left() if tag.box.center().x() > tag.anchor.x() else tag.box.right(), tag.box.center().y())
    if not alone:
        painter.setPen(QPen(paint.clear("shadow", 0.7), 3.25))
        painter.drawLine(tag.anchor, near)
        painter.setPen(QPen(colour, 1.25))
        painter.drawLine(tag.anchor, near)
    paint.ground(painter, tag.box, 6, paint.clear("plate", _PLATE_ALPHA))
    border = QPen(colour, 1)
    if tag.of.proposed:
        border.setDashPattern([4, 2.5])
        border.setCapStyle(Qt.PenCapStyle.FlatCap)
    painter.setPen(border)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRoundedRect(tag.box.adjusted(0.5, 0.5, -0.5, -0.5), 5.5, 5.5)
    if not alone:
        painter.setPen(QPen(QColor(0, 0, 0, 220), 1.25))
        painter.setBrush(colour)
        painter.drawEllipse(tag.anchor, DOT + 0.5, DOT + 0.5)
    _draw_texts(painter, tag, colour)


def _draw_texts(painter: QPainter, tag: Tag, colour: QColor) -> None:
    left, middle = tag.box.left() + 4, tag.box.center().y()
    number(painter, QRectF(left, middle - NUMBER_BOX / 2, NUMBER_BOX, NUMBER_BOX), tag.of.number, colour)
    left += NUMBER_BOX + 8
    name, confidence = tag.of.texts
    white = theme.colour("on_plate")
    if name:
        width = fonts.text_width(name, fonts.SECONDARY, 500)
        paint.text(painter, QRectF(left, middle - 9, width + 1, 18), name, white, fonts.SECONDARY, 500)
        left += width + 8
    if confidence:
        rect = QRectF(left, middle - 9, tag.box.right() - left, 18)
        paint.text(painter, rect, confidence, white, fonts.SECONDARY, 600)


def number(painter: QPainter, box: QRectF, value: int, colour: QColor) -> None:
    """A segment's number on its colour, in black or white ink, whichever reads better."""
    paint.ground(painter, box, 4, colour)
    ink = QColor("#0B0D0F") if colour.lightnessF() > 0.3 or colour.green() > 110 else QColor("#FFFFFF")
    size = fonts.SMALL if value < 100 else 9
    paint.text(painter, box, str(value), ink, size, 600, paint.CENTRE)


def repeats(loops: Loops, view: QRectF, tag_at: QPointF | None) -> tuple[QPointF, ...]:
    """Where to repeat a segment's number along its outlines: every 200 px from its tag on, clear of the view's edge."""
    found = []
    inner = view.adjusted(_MARK, _MARK, -_MARK, -_MARK)
    for index in range(len(loops)):
        points = loops.loop(index)
        if tag_at is not None:
            first = int(np.argmin(np.hypot(points[:, 0] - tag_at.x(), points[:, 1] - tag_at.y())))
            points = np.roll(points, -first, axis=0)
        steps = np.hypot(*(np.roll(points, -1, axis=0) - points).T)
        along = np.cumsum(steps) - steps
        for distance in np.arange(REPEAT_EVERY, float(steps.sum()) - REPEAT_EVERY / 2, REPEAT_EVERY):
            x, y = points[int(np.searchsorted(along, distance)) % len(points)].tolist()
            if inner.contains(x, y):
                found.append(QPointF(x, y))
    return tuple(found)


def draw_repeat(painter: QPainter, at: QPointF, value: int, colour: QColor) -> None:
    """A segment's number once more on its outline."""
    box = QRectF(at.x() - _MARK / 2, at.y() - _MARK / 2, _MARK, _MARK)
    paint.ground(painter, box.adjusted(-1, -1, 1, 1), 5, QColor(0, 0, 0, 217))
    number(painter, box, value, colour)
