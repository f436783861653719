"""Tips with a key cap: what a button is called, its key, and why it is off."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from PySide6.QtCore import QPoint, QRectF, QSize, Qt
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QWidget
from shiboken6 import isValid

from usfm_studio.ui.shell import fonts, paint
from usfm_studio.ui.shell.theme import colour
from usfm_studio.ui.shell.tokens import RADIUS

_SIDE, _GAP, _HIGH, _LINE, _AWAY = 12, 8, 32, 18, 12


class Tip(QWidget):
    """One for a window; it lies in the window, so that it moves and is pictured with it."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.words = self.key = self.reason = ""
        self.owner: QWidget | None = None
        self.hide()

    def show_for(self, owner: QWidget, words: str, key: str, reason: str, *, beside: bool) -> None:
        """Show it at the right of its owner, or below; it stays inside the window."""
        self.words, self.key, self.reason, self.owner = words, key, reason, owner
        self.resize(self.sizeHint())
        window = owner.window()
        corner = owner.mapTo(window, QPoint(0, 0))
        if beside:
            at = corner + QPoint(owner.width() + _AWAY, (owner.height() - _HIGH) // 2)
        else:
            at = corner + QPoint((owner.width() - self.width()) // 2, owner.height() + 4)
            if at.y() + self.height() > window.height():
                at.setY(corner.y() - self.height() - 4)
        x = min(max(4, at.x()), window.width() - self.width() - 4)
        y = min(max(4, at.y()), window.height() - self.height() - 4)
        self.move(x, y)
        self.show()
        self.raise_()

    def sizeHint(self) -> QSize:
        """The words, the key, and a second line for the reason."""
        width = fonts.text_width(self.words, fonts.SECONDARY, 500) + 2 * _SIDE
        if self.key:
            width += _GAP + paint.key_cap_width(self.key) - 4
        if self.reason:
            width = max(width, fonts.text_width(self.reason, fonts.SMALL) + 2 * _SIDE)
        return QSize(round(width + 1), _HIGH + (_LINE if self.reason else 0))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Ground, words, key, reason."""
        painter = paint.painter_on(self)
        rect = QRectF(self.rect())
        paint.ground(painter, rect, RADIUS, colour("raised"), colour("line2"))
        line = QRectF(_SIDE, 0, rect.width() - 2 * _SIDE + 4, _HIGH)
        paint.text(painter, line, self.words, colour("text"), fonts.SECONDARY, 500)
        if self.key:
            left = _SIDE + fonts.text_width(self.words, fonts.SECONDARY, 500) + _GAP
            paint.draw_key_cap(painter, left, _HIGH / 2, self.key, on_accent=False, faint=False)
        if self.reason:
            below = QRectF(_SIDE, _HIGH - 6, rect.width() - 2 * _SIDE + 4, _LINE)
            paint.text(painter, below, self.reason, colour("warning"), fonts.SMALL)
        painter.end()


_tips: WeakKeyDictionary[QWidget, Tip] = WeakKeyDictionary()


def show_tip(owner: QWidget, words: str, key: str = "", reason: str = "", *, beside: bool = False) -> Tip:
    """The tip of a control, in its window."""
    window = owner.window()
    tip = _tips.get(window)
    if tip is None or not isValid(tip):
        tip = _tips[window] = Tip(window)
    tip.show_for(owner, words, key, reason, beside=beside)
    return tip


def hide_tips(window: QWidget) -> None:
    """Take the window's tip away, whoever's it is."""
    tip = _tips.get(window)
    if tip is not None and isValid(tip):
        tip.hide()


def hide_tip(owner: QWidget) -> None:
    """Take the tip away if it is this control's."""
    tip = _tips.get(owner.window())
    if tip is not None and isValid(tip) and tip.owner is owner:
        tip.hide()
