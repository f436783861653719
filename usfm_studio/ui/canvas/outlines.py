"""Segments drawn into a layer of the view: rims, halos, outlines. Any part of a layer can be drawn again alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QByteArray, QDataStream, QPoint, QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPainterPath, QPen

from usfm_studio.ui.canvas import compose
from usfm_studio.ui.canvas.contours import Loops
from usfm_studio.ui.canvas.grid import Grid, Rect
from usfm_studio.ui.canvas.styles import (
    HALO_PX,
    PEEK_ALPHA,
    PEEK_PX,
    SELECTED_PX,
    Look,
    Overlay,
    SegmentStyle,
    style_of,
)
from usfm_studio.ui.canvas.tracing import POINT_EVERY, Segments, Tracer

_OUTLINE_REACH = 4.0  # logical pixels: half the widest outline with its halo, and a little
_JOIN = Qt.PenJoinStyle.BevelJoin  # outlines bend little from point to point, and round joins cost twice as much
_FRACTION = 4  # binary digits of a point's position within a pixel
_ELEMENT = np.dtype([("kind", ">i4"), ("x", ">f8"), ("y", ">f8")])


def reach_of(segments: Segments, look: Look) -> float:
    """How far, in logical pixels, a changed pixel can change what is drawn."""
    rims = segments.rims.values() if look.overlay is Overlay.FULL else ()
    return max(rims, default=0.0) + _OUTLINE_REACH


@dataclass(frozen=True, slots=True)
class _Drawn:
    loops: Loops
    shown: QPainterPath  # the part of the loops that shows
    line: QPainterPath  # what is stroked in colour: that part, or all where it has dashes
    value: int
    style: SegmentStyle


def draw_part(layer: QImage, part: QRect, grid: Grid, segments: Segments, tracer: Tracer, look: Look) -> None:
    """Clear a part (device pixels) of an ARGB32_Premultiplied layer and draw its segments there."""
    painter = QPainter(layer)
    painter.setClipRect(part)
    painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Source)
    painter.fillRect(part, Qt.GlobalColor.transparent)
    painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceOver)
    if look.overlay is not Overlay.NONE and segments.values:
        drawn = _drawn(grid.view_rect(part), grid, segments, tracer, look)
        if look.overlay is Overlay.FULL:
            for item in drawn:
                _draw_rim(painter, part, grid, item, segments.rims.get(item.value, compose.NARROWEST), look)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.scale(grid.ratio, grid.ratio)
        painter.translate(-grid.shift[0], -grid.shift[1])
        _draw_outlines(painter, drawn, look)
    painter.end()


def _drawn(rect: Rect, grid: Grid, segments: Segments, tracer: Tracer, look: Look) -> list[_Drawn]:
    """What to draw in a part of the view. Dashed outlines are whole, so that their dashes stay in place."""
    if look.proposed:
        found = tracer.whole(grid, segments)
    else:
        found = tracer.part(rect, grid, segments, reach_of(segments, look))
    longest = max(2 * POINT_EVERY, *grid.pixels_per_image_pixel) / grid.ratio  # way between two points
    drawn = []
    for value, loops in found:
        near = _near(loops, rect, longest + _OUTLINE_REACH)
        shown = to_path(loops, near)
        line = to_path(loops) if look.proposed and near.any() else shown
        drawn.append(_Drawn(loops, shown, line, value, style_of(segments.styles, value)))
    return drawn


def to_path(loops: Loops, kept: NDArray[np.bool_] | None = None) -> QPainterPath:
    """The loops as one path, filled by the even-odd rule; made from its serial form, which numpy writes at once.

    With `kept`, a flag for each point, only the ways between kept points: to be stroked, not filled.
    """
    count, closings = len(loops.points), len(loops)
    if not closings:
        return QPainterPath()
    source = np.insert(np.arange(count), loops.starts[1:], loops.starts[:-1])  # each loop ends where it began
    firsts = loops.starts[:-1] + np.arange(closings)
    elements = np.empty(count + closings, _ELEMENT)
    elements["kind"] = 1  # line to
    elements["kind"][firsts] = 0  # move to
    elements["x"], elements["y"] = loops.points[source, 0], loops.points[source, 1]
    if kept is not None:
        flags = kept[source]
        elements["kind"][1:][~flags[:-1]] = 0
        elements = elements[flags]
    head = np.array([len(elements)], ">i4").tobytes()
    tail = np.array([0, 0], ">i4").tobytes()  # no open figure; odd-even
    path = QPainterPath()
    stream = QDataStream(QByteArray(head + elements.tobytes() + tail))
    stream >> path
    return path


def _near(loops: Loops, rect: Rect, reach: float) -> NDArray[np.bool_]:
    """Which points of the loops lie within `reach` of a part of the view."""
    x, y = loops.points[:, 0], loops.points[:, 1]
    near: NDArray[np.bool_] = (x > rect[0] - reach) & (x < rect[2] + reach)
    near &= (y > rect[1] - reach) & (y < rect[3] + reach)
    return near


def _draw_outlines(painter: QPainter, drawn: list[_Drawn], look: Look) -> None:
    painter.setBrush(Qt.BrushStyle.NoBrush)
    if look.overlay is Overlay.PEEK:
        for item in drawn:
            colour = QColor(item.style.colour)
            colour.setAlphaF(PEEK_ALPHA)
            painter.strokePath(item.line, _pen(colour, PEEK_PX, look))
        return
    for item in drawn:
        halo = QColor(0, 0, 0, round(255 * look.halo_alpha))
        pen = QPen(halo, _width(item, look) + 2 * HALO_PX, Qt.PenStyle.SolidLine, Qt.PenCapStyle.FlatCap)
        pen.setJoinStyle(_JOIN)
        painter.strokePath(item.shown, pen)
    for item in drawn:
        painter.strokePath(item.line, _pen(QColor(item.style.colour), _width(item, look), look))


def _width(item: _Drawn, look: Look) -> float:
    return look.outline_px + (SELECTED_PX if item.style.selected else 0.0)


def _pen(colour: QColor, width: float, look: Look) -> QPen:
    pen = QPen(colour, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.FlatCap, _JOIN)
    if look.dash is not None:
        pen.setDashPattern([length / width for length in look.dash])
    return pen


def _draw_rim(painter: QPainter, part: QRect, grid: Grid, item: _Drawn, width: float, look: Look) -> None:
    """Accepted rims are made in logical pixels (they are soft), striped ones in device pixels."""
    ratio = grid.ratio if look.proposed else 1.0
    area = _rim_area(grid.view_rect(part), item.loops, width)
    if area.isEmpty():
        return
    inside = _filled(item.loops, area, ratio)
    stripes = _stripes(inside.shape, area, grid, ratio) if look.proposed else None
    rgb = QColor(item.style.colour).rgb() & 0xFFFFFF
    argb = compose.rim(inside, width * ratio, rgb, stripes)
    rows, columns = argb.shape
    image = QImage(argb.data, columns, rows, argb.strides[0], QImage.Format.Format_ARGB32_Premultiplied)
    x, y = grid.to_device((area.x(), area.y()))
    if ratio == grid.ratio and x == round(x) and y == round(y):
        painter.drawImage(QPoint(round(x), round(y)), image)
    else:
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(QRectF(x, y, columns * grid.ratio / ratio, rows * grid.ratio / ratio), image)


def _rim_area(rect: Rect, loops: Loops, width: float) -> QRectF:
    """Whole logical pixels of the part and the rim's width around it, as far as the loops reach."""
    (left, top), (right, bottom) = loops.points.min(axis=0).tolist(), loops.points.max(axis=0).tolist()
    reach = width + 2
    part = QRectF(QPointF(rect[0] - reach, rect[1] - reach), QPointF(rect[2] + reach, rect[3] + reach))
    return QRectF(part.intersected(QRectF(QPointF(left, top), QPointF(right, bottom))).toAlignedRect())


def _filled(loops: Loops, area: QRectF, ratio: float) -> NDArray[np.uint8]:
    """255 inside the loops, 0 outside, for an area of the view at `ratio` array pixels per logical pixel."""
    import cv2

    inside = np.zeros((round(area.height() * ratio), round(area.width() * ratio)), np.uint8)
    corner = np.array([area.x(), area.y()], np.float32)
    fixed = np.round(((loops.points - corner) * ratio - 0.5) * (1 << _FRACTION)).astype(np.int32)
    figures = [fixed[loops.starts[i] : loops.starts[i + 1]] for i in range(len(loops))]
    cv2.fillPoly(inside, figures, 255, lineType=cv2.LINE_8, shift=_FRACTION)
    return inside


def _stripes(shape: tuple[int, ...], area: QRectF, grid: Grid, ratio: float) -> NDArray[np.float32]:
    corner = grid.placement.corner_view
    return compose.hatch((shape[0], shape[1]), (area.x() - corner[0], area.y() - corner[1]), ratio)
