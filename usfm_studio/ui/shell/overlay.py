"""A plate over the dimmed room: palette, keys, settings. It takes the keyboard and gives it back when it goes."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QRect, Qt, QVariantAnimation, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QApplication, QHBoxLayout, QVBoxLayout, QWidget

from usfm_studio.ui.shell import fonts, paint
from usfm_studio.ui.shell.controls import Heading, IconButton, Plate
from usfm_studio.ui.shell.controls.tips import hide_tips
from usfm_studio.ui.shell.focus import focus_by_keys
from usfm_studio.ui.shell.theme import duration
from usfm_studio.ui.shell.tokens import FADE_MS, PADDING, RADIUS_PALETTE

DIM = 0.5


class Overlay(QWidget):
    """Covers `room`, the part of the window that steps back; header, messages and status line stay as they are."""

    closed = Signal()

    def __init__(self, room: QWidget, name: str, *, width: int, top: int = 52) -> None:
        super().__init__(room)
        self._room, self._wide, self._top = room, width, top
        self._before: QWidget | None = None
        self.setAccessibleName(name)
        self.plate = Plate(self, radius=RADIUS_PALETTE, padding=0)
        self.plate.body.setSpacing(0)
        self._light = QVariantAnimation(self, startValue=0.0, endValue=1.0)
        self._light.valueChanged.connect(lambda _: self.update())
        room.installEventFilter(self)
        self.hide()

    def open(self) -> None:
        """Show it and take the keyboard."""
        hide_tips(self.window())
        self._before = QApplication.focusWidget()
        self._place()
        self.show()
        self.raise_()
        self._place()
        self._light.setDuration(duration(FADE_MS))
        self._light.start()
        focus_by_keys(self.first_focus(), Qt.FocusReason.ShortcutFocusReason)

    def close_it(self) -> None:
        """Hide it and give the keyboard back."""
        if not self.isVisible():
            return
        self.hide()
        before = self._before
        if before is not None and before.isVisible():
            before.setFocus(Qt.FocusReason.OtherFocusReason)
        self.closed.emit()

    def first_focus(self) -> QWidget:
        """What has the keyboard first."""
        return self.plate

    def wanted_height(self) -> int:
        """Height of the plate; by default what lies in it at its width."""
        width = min(self._wide, self._room.width() - 32)
        body = self.plate.body
        return body.totalHeightForWidth(width) if body.hasHeightForWidth() else self.plate.sizeHint().height()

    def default_button(self) -> QAbstractButton | None:
        """What Enter presses, where no control takes it; none by default."""
        return None

    def refresh_size(self) -> None:
        """The contents grew or shrank."""
        self._place()

    def _place(self) -> None:
        self.setGeometry(self._room.rect())
        width = min(self._wide, self.width() - 32)
        top = min(self._top, max(16, (self.height() - self.wanted_height()) // 2))
        height = min(self.wanted_height(), self.height() - top - 16)
        self.plate.setGeometry(QRect((self.width() - width) // 2, top, width, height))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Follow the room's size."""
        if watched is self._room and event.type() == QEvent.Type.Resize and self.isVisible():
            self._place()
        return False

    def focusNextPrevChild(self, forward: bool) -> bool:
        """The keyboard stays in here."""
        stops = [w for w in self.plate.findChildren(QWidget) if _takes_tab(w)]
        if stops:
            now = QApplication.focusWidget()
            at = stops.index(now) if now in stops else (-1 if forward else 0)
            reason = Qt.FocusReason.TabFocusReason if forward else Qt.FocusReason.BacktabFocusReason
            focus_by_keys(stops[(at + (1 if forward else -1)) % len(stops)], reason)
        return True

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape leaves; nothing goes through to the room."""
        button = self.default_button()
        if event.key() == Qt.Key.Key_Escape:
            self.close_it()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and button is not None:
            button.click()
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """A press beside the plate leaves."""
        if not self.plate.geometry().contains(event.position().toPoint()):
            self.close_it()

    def paintEvent(self, event: QPaintEvent) -> None:
        """The dimmed room."""
        painter = QPainter(self)
        running = self._light.state() == QVariantAnimation.State.Running
        part = float(self._light.currentValue()) if running else 1.0
        painter.fillRect(self.rect(), paint.clear("shadow", DIM * part))
        painter.end()


def _takes_tab(widget: QWidget) -> bool:
    return widget.isVisible() and widget.isEnabled() and bool(widget.focusPolicy() & Qt.FocusPolicy.TabFocus)


class TitledOverlay(Overlay):
    """An overlay with a title, a cross and a body."""

    def __init__(self, room: QWidget, title: str, *, width: int, top: int = 40) -> None:
        super().__init__(room, title, width=width, top=top)
        self.cross = IconButton("x", "Close", key="Esc", size=16)
        self.cross.clicked.connect(self.close_it)
        head = QHBoxLayout()
        head.setContentsMargins(16, 12, 8, 8)
        head.addWidget(Heading(title, size=fonts.CARD_TITLE))
        head.addStretch(1)
        head.addWidget(self.cross)
        self.plate.body.addLayout(head)
        self.content = QVBoxLayout()
        self.content.setContentsMargins(16, 0, 16, PADDING + 4)
        self.content.setSpacing(12)
        self.plate.body.addLayout(self.content)

    def first_focus(self) -> QWidget:
        """The first stop after the cross, else the cross."""
        stops = [w for w in self.plate.findChildren(QWidget) if _takes_tab(w) and w is not self.cross]
        return stops[0] if stops else self.cross


def hairline(painter: QPainter, top: float, width: float, *, margin: float = 0) -> None:
    """A line across a plate."""
    ink = paint.blend("line", "line2", 0.6)
    painter.fillRect(round(margin), round(top), round(width - 2 * margin), 1, ink)
