"""Circles that fill: so many of what learning needs are there."""

from __future__ import annotations

from PySide6.QtCore import QRectF
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QWidget

from usfm_studio.ui.shell import fonts, paint
from usfm_studio.ui.shell.icons import draw_icon
from usfm_studio.ui.shell.theme import colour
from usfm_studio.ui.shell.words import many


class Counter(QWidget):
    """Circles that fill: so many of what is needed are there."""

    def __init__(self, word: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._have, self._need, self._word, self._words = 0, 1, word, ""
        self.setFixedHeight(20)

    def show_count(self, have: int, need: int) -> None:
        """`2 of 3 frames`; `6 frames` once there are enough."""
        self._have, self._need = have, need
        self._words = f"{have} of {need} {self._word}s" if have < need else many(have, self._word)
        self.setAccessibleName(self._words)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """The circles and the words."""
        painter = paint.painter_on(self)
        for index in range(self._need):
            there = index < self._have
            rect = QRectF(index * 20, 0, 16, 20)
            draw_icon(
                painter, "circle-check-filled" if there else "circle", rect, 16, colour("accent" if there else "muted")
            )
        left = self._need * 20 + 8
        paint.text(painter, QRectF(left, 0, self.width() - left, 20), self._words, colour("muted"), fonts.SECONDARY)
        painter.end()
