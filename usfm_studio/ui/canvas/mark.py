"""The pointer's own mark on the canvas, and the open outline that it draws."""

from __future__ import annotations

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QPainter, QRegion

from usfm_studio.ui.canvas import cursors
from usfm_studio.ui.canvas.coordinates import Placement
from usfm_studio.ui.shell import theme
from usfm_studio.ui.tools.tool import PLAIN, Cursor, Modifiers, Preview

_SHAPES = {
    "ring": Qt.CursorShape.BlankCursor,
    "cross": Qt.CursorShape.BlankCursor,
    "hand": Qt.CursorShape.ClosedHandCursor,
}
_HELD = {
    "pan": Qt.CursorShape.ClosedHandCursor,
    "window": Qt.CursorShape.SizeAllCursor,
    "hand": Qt.CursorShape.OpenHandCursor,
}


class PointerMark:
    """Where the pointer is, and what is drawn there instead of the system's cursor."""

    def __init__(self) -> None:
        self.at: QPointF | None = None
        self.modifiers: Modifiers = PLAIN
        self._cursor = Cursor(kind="arrow")
        self._radius = (0.0, 0.0)
        self._points: list[QPointF] = []
        self._vertices = 0
        self._held = ""
        self._region = QRegion()

    @property
    def qt_shape(self) -> Qt.CursorShape:
        """The system's cursor; none where a mark is drawn."""
        return _HELD.get(self._held) or _SHAPES.get(self._cursor.kind, Qt.CursorShape.ArrowCursor)

    def follow(self, cursor: Cursor, preview: Preview | None, placement: Placement, held: str) -> QRegion:
        """Take the tool's cursor and open outline; what must be painted again, old place and new.

        `held` says what else the pointer does: `pan`, `window`, or `hand` where a press would pan.
        """
        before = self._region
        sx, sy = placement.scale_xy
        self._cursor, self._held = cursor, held
        self._radius = (cursor.diameter_px / 2 * sx, cursor.diameter_px / 2 * sy)
        points = preview.points if preview is not None else ()
        self._points = [QPointF(*placement.image_to_view(xy)) for xy in points]
        self._vertices = preview.vertices if preview is not None else 0
        self._region = cursors.outline_region(self._points).united(self._mark_region())
        return before.united(self._region)

    def draw(self, painter: QPainter, region: QRegion, colour: QColor) -> None:
        """The open outline and the mark, where they meet a region of the view."""
        if not region.intersects(self._region):
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self._points:
            width = theme.tokens().outline_px
            cursors.draw_open_outline(painter, self._points, self._vertices, colour, width)
        if self.at is None or self._held in _HELD:
            return
        if self._cursor.kind == "ring":
            cursors.draw_ring(painter, self.at, *self._radius, self._cursor.sign, colour)
        elif self._cursor.kind == "cross":
            cursors.draw_cross(painter, self.at, self._cursor.sign)

    def _mark_region(self) -> QRegion:
        if self.at is None or self._held in _HELD:
            return QRegion()
        if self._cursor.kind == "ring":
            return cursors.ring_region(self.at, *self._radius)
        return cursors.cross_region(self.at) if self._cursor.kind == "cross" else QRegion()
