"""How the state of an item looks: a small mark on its picture, and a colour in the line of all items."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPen

from usfm_studio.document.annotation import State
from usfm_studio.ui.shell import fonts, paint
from usfm_studio.ui.shell.icons import draw_icon
from usfm_studio.ui.shell.theme import colour
from usfm_studio.ui.shell.tokens import RADIUS_SMALL

BADGE = 16
_ICONS = {
    State.NOTHING: ("circle-off", "on_plate_muted"),
    State.FLAGGED: ("flag-filled", "#FFB224"),
    State.UNUSABLE: ("x", "#FF8080"),
}
STATE_WORDS = {
    State.TODO: "To do",
    State.DOING: "In work",
    State.DONE: "Done",
    State.NOTHING: "Nothing to mark",
    State.FLAGGED: "Flagged",
    State.UNUSABLE: "Unusable",
}
LINE_INK = {
    State.TODO: "line2",
    State.DOING: "accent",
    State.DONE: "ok",
    State.NOTHING: "muted",
    State.FLAGGED: "warning",
    State.UNUSABLE: "error",
}


def draw_badge(painter: QPainter, right: float, bottom: float, state: State) -> None:
    """The mark of a state, its lower right corner at (right, bottom). To do has none.

    It lies on a picture, which is dark in every theme, and keeps its colours there.
    """
    rect = QRectF(right - BADGE, bottom - BADGE, BADGE, BADGE)
    if state is State.DONE:
        paint.dot(painter, rect.center(), 7, colour("#4CC38A"))
        draw_icon(painter, "check", rect, 10, colour("#0B0D0F"))
    elif state is State.DOING:
        _draw_half(painter, rect.center())
    elif state in _ICONS:
        name, ink = _ICONS[state]
        paint.ground(painter, rect, RADIUS_SMALL, paint.clear("plate", 0.84))
        draw_icon(painter, name, rect, 12, colour(ink))


def _draw_half(painter: QPainter, centre: QPointF) -> None:
    """A circle, its right half filled."""
    ink = colour("on_plate")
    paint.dot(painter, centre, 8, paint.clear("plate", 0.84))
    circle = QRectF(centre.x() - 5, centre.y() - 5, 10, 10)
    painter.setPen(QPen(ink, 1.5))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawEllipse(circle)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(ink)
    painter.drawPie(circle, 90 * 16, -180 * 16)


def draw_frames_mark(painter: QPainter, right: float, top: float, frames: int) -> None:
    """The mark of a loop: a triangle and the number of its frames, its upper right corner at (right, top)."""
    words = str(frames)
    width = fonts.text_width(words, fonts.SMALL, 600) + 19
    plate = QRectF(right - width, top, width, BADGE)
    paint.ground(painter, plate, RADIUS_SMALL, paint.clear("plate", 0.84))
    ink = colour("on_plate")
    draw_icon(painter, "player-play-filled", QRectF(plate.left() + 3, top, 10, BADGE), 10, ink)
    paint.text(painter, plate.adjusted(14, 0, 0, 0), words, ink, fonts.SMALL, 600)


def draw_key(painter: QPainter, left: float, top: float, key: str) -> None:
    """The key that leads to a picture, on the accent's ground, its upper left corner at (left, top)."""
    width = max(18.0, fonts.text_width(key, fonts.SMALL, 600) + 10)
    rect = QRectF(left, top, width, BADGE)
    paint.ground(painter, rect, RADIUS_SMALL, colour("accent"))
    paint.text(painter, rect, key, colour("on_accent"), fonts.SMALL, 600, paint.CENTRE)
