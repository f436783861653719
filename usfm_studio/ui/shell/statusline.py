"""The last line: what the mouse does now, what undo takes back, on which device the model runs."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSize, QTimer
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from usfm_studio.ui.shell import fonts, paint
from usfm_studio.ui.shell.controls import ElidedLabel, IconMark, Label, Rule
from usfm_studio.ui.shell.icons import draw_icon
from usfm_studio.ui.shell.theme import colour
from usfm_studio.ui.shell.tokens import PADDING, STATUS

PASSING_MS = 4000


class Hints(QWidget):
    """Keys and what they do, as many as there is room for."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._hints: tuple[tuple[str, str], ...] = ()
        self._passing = self._passing_icon = ""
        self._lasting = self._lasting_icon = ""
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(STATUS - 2)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(lambda: self.say(""))

    def set_hints(self, hints: Sequence[tuple[str, str]]) -> None:
        """Other pairs: ("Drag", "paint")."""
        if tuple(hints) != self._hints:
            self._hints = tuple(hints)
            self.setAccessibleName(", ".join(f"{key}: {does}" for key, does in hints))
            self.update()

    def say(self, words: str, icon: str = "") -> None:
        """Something for a few seconds in their place."""
        self._passing, self._passing_icon = words, icon
        if words:
            self._timer.start(PASSING_MS)
        self.update()

    def keep_saying(self, words: str, icon: str = "") -> None:
        """The same for as long as nothing else is said; an empty text gives the place back to the hints."""
        self._lasting, self._lasting_icon = words, icon
        self.update()

    @property
    def said(self) -> str:
        """What stands there for a few seconds."""
        return self._passing

    def minimumSizeHint(self) -> QSize:
        """They give way."""
        return QSize(40, STATUS - 2)

    def paintEvent(self, event: QPaintEvent) -> None:
        """The pairs from the left; one that does not fit ends the line."""
        painter = paint.painter_on(self)
        words, icon = (self._passing, self._passing_icon) if self._passing else (self._lasting, self._lasting_icon)
        if words:
            left = 0.0
            if icon:
                ink = "ok" if icon == "circle-check" else "warning"
                draw_icon(painter, icon, QRectF(0, 0, 14, self.height()), 14, colour(ink))
                left = 20.0
            room = QRectF(left, 0, self.width() - left, self.height())
            paint.text(painter, room, words, colour("text"), fonts.SMALL, 500)
        else:
            self._draw_pairs(painter)
        painter.end()

    def _draw_pairs(self, painter: QPainter) -> None:
        left, high = 0.0, float(self.height())
        for key, does in self._hints:
            first, second = fonts.text_width(key, fonts.SMALL, 600), fonts.text_width(does, fonts.SMALL, 500)
            if left + first + 6 + second > self.width():
                break
            paint.text(painter, QRectF(left, 0, first + 1, high), key, colour("text"), fonts.SMALL, 600)
            paint.text(painter, QRectF(left + first + 6, 0, second + 1, high), does, colour("muted"), fonts.SMALL, 500)
            left += first + 6 + second + 20


class StatusLine(QWidget):
    """24 px."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedHeight(STATUS)
        self.setAccessibleName("Status line")
        self.hints = Hints()
        self.undo_icon = IconMark("arrow-back-up", size=14)
        self.undo = ElidedLabel("", size=fonts.SMALL, weight=600, least=60)
        self.undo_key = Label("", size=fonts.SMALL, ink="muted")
        self.rule = Rule(upright=True, ink="line2")
        self.rule.setFixedHeight(12)
        self.device = Label("", size=fonts.SMALL, weight=500, ink="muted")
        box = QHBoxLayout(self)
        box.setContentsMargins(PADDING, 1, PADDING, 1)
        box.setSpacing(0)
        box.addWidget(self.hints, 1)
        for part in (12, self.undo_icon, 6, self.undo, 6, self.undo_key, 10, self.rule, 11, self.device):
            box.addSpacing(part) if isinstance(part, int) else box.addWidget(part)
        self.show_undo("", "")
        self.show_device("")

    def show_undo(self, name: str, key: str) -> None:
        """What undo would take back."""
        self.undo.setText(f"Undo: {name}" if name else "")
        self.undo_key.setText(key if name else "")
        for widget in (self.undo_icon, self.undo, self.undo_key):
            widget.setVisible(bool(name))
        self.rule.setVisible(bool(name) and bool(self.device.text()))

    def show_device(self, text: str) -> None:
        """Where the model runs."""
        self.device.setText(text)
        self.rule.setVisible(bool(text) and self.undo.isVisibleTo(self))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Ground and hairline."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), colour("panel"))
        painter.fillRect(0, 0, self.width(), 1, colour("line"))
        painter.end()
