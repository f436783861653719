"""One-line messages over the status line: newest first, never modal. Errors and warnings stay until they are closed."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from usfm_studio.ui.shell import fonts
from usfm_studio.ui.shell.controls import Button, ElidedLabel, IconButton, IconMark, Kind, Label
from usfm_studio.ui.shell.theme import colour
from usfm_studio.ui.shell.tokens import BAR, CONTROL_BAR
from usfm_studio.ui.state import Notice

SIGNS = {
    "error": ("alert-triangle", "error", "error_ground", Kind.ERROR),
    "warning": ("alert-circle", "warning", "warning_ground", Kind.WARNING),
    "ok": ("circle-check", "ok", "ok_ground", Kind.OK),
    "info": ("info-circle", "accent", "info_ground", Kind.INFO),
}
PASSING_MS = 12_000
MOST = 50
LINES = 4


class Line(QWidget):
    """One message. `pressed` carries the action of its button, `closed` itself."""

    pressed = Signal(str)
    details = Signal(object)
    closed = Signal(object)

    def __init__(self, notice: Notice, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.notice = notice
        icon, ink, self._ground, kind = SIGNS.get(notice.kind, SIGNS["info"])
        self._ink = ink
        self.setFixedHeight(BAR)
        self.setAccessibleName(f"{notice.kind}: {notice.title}. {notice.text}")
        self.title = Label(f"{notice.title}:" if notice.text else notice.title, weight=600, ink=ink)
        self.text = ElidedLabel(notice.text, least=80)
        self.more = Label("", size=fonts.SECONDARY, weight=500, ink="muted")
        self.unfold = IconButton("chevron-up", "Show all messages", size=16, side=CONTROL_BAR)
        self.close_button = IconButton("x", "Close this message", size=16, side=CONTROL_BAR)
        self._box = QHBoxLayout(self)
        self._box.setContentsMargins(12, 1, 10, 0)
        self._box.setSpacing(8)
        self._box.addWidget(IconMark(icon, notice.kind, size=16, ink=ink))
        self._box.addWidget(self.title)
        self._box.addWidget(self.text)
        self._box.addStretch(1)
        if notice.details:
            self._add_button("Details", Kind.QUIET, lambda: self.details.emit(notice))
        if notice.button and notice.action:
            action = notice.action
            self._add_button(notice.button, kind, lambda: self.pressed.emit(action))
        for widget in (self.more, self.unfold, self.close_button):
            self._box.addWidget(widget)
        self.more.hide()
        self.unfold.hide()
        self.close_button.clicked.connect(lambda: self.closed.emit(self))

    def _add_button(self, words: str, kind: Kind, does: Callable[[], None]) -> None:
        button = Button(words, kind, height=CONTROL_BAR)
        button.clicked.connect(does)
        self._box.addWidget(button)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Ground and a line in the signal's colour."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), colour(self._ground))
        painter.fillRect(0, 0, self.width(), 1, colour(self._ink))
        painter.end()


class MessageBar(QWidget):
    """Nothing, one line, or up to four when unfolded."""

    action_wanted = Signal(str)
    details_wanted = Signal(object)  # Notice

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Messages")
        self._lines: list[Line] = []
        self._unfolded = False
        self._box = QVBoxLayout(self)
        self._box.setContentsMargins(0, 0, 0, 0)
        self._box.setSpacing(0)
        self.hide()

    @property
    def notices(self) -> tuple[Notice, ...]:
        """All messages that were not closed, newest first."""
        return tuple(line.notice for line in self._lines)

    def show_notice(self, notice: Notice) -> None:
        """A message more. The same one again, or one about the same thing, takes the place of the earlier."""
        self.drop(lambda other: other == notice or bool(notice.key and other.key == notice.key))
        line = Line(notice, self)
        line.closed.connect(self._close)
        line.pressed.connect(self.action_wanted)
        line.details.connect(self.details_wanted)
        line.unfold.clicked.connect(self.toggle)
        self._lines.insert(0, line)
        for old in self._lines[MOST:]:
            old.deleteLater()
        self._lines = self._lines[:MOST]
        if notice.kind in ("ok", "info"):
            QTimer.singleShot(PASSING_MS, line, lambda: self._fade(line))
        self._arrange()

    def drop(self, which: Callable[[Notice], bool]) -> None:
        """Take away messages that are no longer true."""
        gone = [line for line in self._lines if which(line.notice)]
        for line in gone:
            self._lines.remove(line)
            line.hide()
            line.deleteLater()
        if gone:
            self._arrange()

    def toggle(self) -> None:
        """Show up to four, or the newest alone."""
        self._unfolded = not self._unfolded
        self._arrange()

    def close_newest(self) -> None:
        """Close the newest message."""
        if self._lines:
            self._close(self._lines[0])

    def _close(self, line: Line) -> None:
        self.drop(lambda notice: notice is line.notice)

    def _fade(self, line: Line) -> None:
        if line in self._lines and not line.underMouse():
            self._close(line)

    def _arrange(self) -> None:
        while self._box.count():
            self._box.takeAt(0)
        shown = self._lines[: LINES if self._unfolded else 1]
        self._unfolded = self._unfolded and len(self._lines) > 1
        for line in self._lines:
            line.setVisible(line in shown)
        for index, line in enumerate(shown):
            self._box.addWidget(line)
            self._mark(line, first=index == 0)
        self.setFixedHeight(BAR * len(shown))
        self.setVisible(bool(shown))

    def _mark(self, line: Line, *, first: bool) -> None:
        others = len(self._lines) - 1
        line.more.setText(f"{others} more" if others else "")
        line.more.setVisible(first and bool(others) and not self._unfolded)
        line.unfold.setVisible(first and bool(others))
        line.unfold.set_icon("chevron-down" if self._unfolded else "chevron-up")
        line.unfold.set_name("Show the newest alone" if self._unfolded else "Show all messages")
        line.close_button.setVisible(self._unfolded or not others)
