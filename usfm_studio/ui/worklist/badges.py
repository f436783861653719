"""How the state of an item looks: a small mark on its picture, and a colour in the line of all items."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPixmap

from usfm_studio.document.annotation import State
from usfm_studio.ui.shell import paint
from usfm_studio.ui.shell.icons import draw_icon
from usfm_studio.ui.shell.theme import colour
from usfm_studio.ui.shell.tokens import RADIUS_SMALL

BADGE = 16
_ICONS = {
    State.DOING: ("circle-half", "text"),
    State.DONE: ("check", "on_signal"),
    State.NOTHING: ("circle-off", "muted"),
    State.FLAGGED: ("flag-filled", "warning"),
    State.UNUSABLE: ("x", "error"),
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
    """The mark of a state, its lower right corner at (right, bottom). To do has none."""
    if state not in _ICONS:
        return
    name, ink = _ICONS[state]
    rect = QRectF(right - BADGE, bottom - BADGE, BADGE, BADGE)
    if state is State.DONE:
        paint.dot(painter, rect.center(), 7, colour("ok"))
        draw_icon(painter, name, rect, 10, colour(ink))
        return
    back = QColor(colour("plate"))
    back.setAlphaF(0.84)
    paint.ground(painter, rect, RADIUS_SMALL, back)
    draw_icon(painter, name, rect, 12, colour(ink))


def draw_picture(painter: QPainter, rect: QRectF, picture: QPixmap | None) -> None:
    """A thumbnail that fills a rounded frame, its middle cut out; a quiet ground while it is not there."""
    if picture is None or picture.isNull():
        paint.ground(painter, rect, RADIUS_SMALL, colour("raised"))
        if picture is not None:
            draw_icon(painter, "file-alert", rect, 18, colour("error"))
        return
    wanted = rect.width() / rect.height()
    width, height = picture.width(), picture.height()
    if width / height > wanted:
        source = QRectF((width - height * wanted) / 2, 0, height * wanted, height)
    else:
        source = QRectF(0, (height - width / wanted) / 2, width, width / wanted)
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    painter.drawPixmap(rect, picture, source)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.restore()
