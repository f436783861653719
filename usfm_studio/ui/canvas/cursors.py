"""What follows the pointer: the brush's ring, the cross of outlines; and the open outline itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

from PySide6.QtCore import QLineF, QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen, QPolygonF, QRegion

_HALO = QColor(0, 0, 0, 217)
_SIGN = 4.5  # half its length
_ROOM = 4.0  # around what is drawn
_VERTEX = 3.0
_LARGE = 120.0
_SIDES = 160


def draw_ring(painter: QPainter, at: QPointF, radius_x: float, radius_y: float, sign: str, colour: QColor) -> None:
    """A ring of the brush's true size in the segment's colour, with + or − in its middle (beside a small ring)."""
    painter.setBrush(Qt.BrushStyle.NoBrush)
    if min(radius_x, radius_y) > _LARGE:
        _draw_large_ring(painter, at, radius_x, radius_y, colour)
    else:
        for ink, width in ((_HALO, 3.5), (colour, 1.5)):
            painter.setPen(QPen(ink, width))
            painter.drawEllipse(at, radius_x, radius_y)
    draw_sign(painter, sign_place(at, radius_x, radius_y), sign)


def _draw_large_ring(painter: QPainter, at: QPointF, radius_x: float, radius_y: float, colour: QColor) -> None:
    """The same ring by lines of one device pixel, for which Qt has a way ten times as fast as for wide ones."""
    for ink, offsets in ((_HALO, (-1.25, 1.25)), (colour, (-0.4, 0.4))):
        painter.setPen(QPen(ink, 0))
        for offset in offsets:
            painter.save()
            painter.translate(at)
            painter.scale(radius_x + offset, radius_y + offset)
            painter.drawPolyline(_unit_circle())
            painter.restore()


@lru_cache(maxsize=1)
def _unit_circle() -> QPolygonF:
    angles = [2 * math.pi * i / _SIDES for i in range(_SIDES + 1)]
    return QPolygonF([QPointF(math.cos(angle), math.sin(angle)) for angle in angles])


def sign_place(at: QPointF, radius_x: float, radius_y: float) -> QPointF:
    """The middle of the ring, or a place at its lower right where the sign would hide what is painted."""
    if min(radius_x, radius_y) >= 12:
        return at
    return QPointF(at.x() + radius_x * 0.7 + 9, at.y() + radius_y * 0.7 + 9)


def draw_cross(painter: QPainter, at: QPointF, sign: str) -> None:
    """A fine cross with an open middle; the sign beside it."""
    lines = [QLineF(at.x() + dx * 4, at.y() + dy * 4, at.x() + dx * 10, at.y() + dy * 10) for dx, dy in _AROUND]
    for ink, width in ((_HALO, 3.5), (QColor("#FFFFFF"), 1.25)):
        painter.setPen(QPen(ink, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        painter.drawLines(lines)
    draw_sign(painter, QPointF(at.x() + 11, at.y() + 11), sign, small=True)


_AROUND = ((1, 0), (-1, 0), (0, 1), (0, -1))


def draw_sign(painter: QPainter, at: QPointF, sign: str, small: bool = False) -> None:
    """+ or −, white in a black rim."""
    if not sign:
        return
    half = _SIGN - 1 if small else _SIGN
    lines = [QLineF(at.x() - half, at.y(), at.x() + half, at.y())]
    if sign == "+":
        lines.append(QLineF(at.x(), at.y() - half, at.x(), at.y() + half))
    for ink, width in ((_HALO, 4.0), (QColor("#FFFFFF"), 1.75)):
        painter.setPen(QPen(ink, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        painter.drawLines(lines)


def ring_region(at: QPointF, radius_x: float, radius_y: float) -> QRegion:
    """What a ring with its sign draws on, its inside included: one box repaints faster than many along the ring."""
    sign, room = sign_place(at, radius_x, radius_y), _SIGN + _ROOM
    ring = QRectF(at.x() - radius_x, at.y() - radius_y, 2 * radius_x, 2 * radius_y)
    box = ring.adjusted(-_ROOM, -_ROOM, _ROOM, _ROOM)
    return QRegion(_aligned(box.united(QRectF(sign.x() - room, sign.y() - room, 2 * room, 2 * room))))


def cross_region(at: QPointF) -> QRegion:
    """What a cross with its sign draws on."""
    return QRegion(_aligned(QRectF(at.x() - 13, at.y() - 13, 32, 32)))


def draw_open_outline(
    painter: QPainter, points: Sequence[QPointF], vertices: int, colour: QColor, width: float
) -> None:
    """An outline that is not closed yet; its first `vertices` points as handles."""
    line = QPolygonF(list(points))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    path = QPainterPath()
    path.addPolygon(line)
    for ink, thick in ((_HALO, width + 2), (colour, width)):
        painter.setPen(QPen(ink, thick, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin))
        painter.drawPath(path)
    for index, point in enumerate(points[:vertices]):
        draw_handle(painter, point, first=index == 0 and vertices >= 3)


def draw_handle(painter: QPainter, at: QPointF, first: bool = False) -> None:
    """A white 6 px square in a black rim; the one that closes the outline is round and larger."""
    painter.setPen(QPen(QColor(0, 0, 0), 1.25))
    painter.setBrush(QColor("#FFFFFF"))
    if first:
        painter.drawEllipse(at, _VERTEX + 2, _VERTEX + 2)
    else:
        painter.drawRect(QRectF(at.x() - _VERTEX, at.y() - _VERTEX, 2 * _VERTEX, 2 * _VERTEX))


def outline_region(points: Sequence[QPointF]) -> QRegion:
    """What an open outline draws on."""
    if not points:
        return QRegion()
    box = QPolygonF(list(points)).boundingRect()
    return QRegion(_aligned(box.adjusted(-8, -8, 8, 8)))


def _aligned(rect: QRectF) -> QRect:
    return rect.toAlignedRect()
