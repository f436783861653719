"""Buttons: with words, with an icon, and those of the tool strip."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import QSizePolicy, QWidget

from usfm_studio.ui.shell import fonts, paint
from usfm_studio.ui.shell.controls.base import Pressable
from usfm_studio.ui.shell.controls.tips import hide_tip, show_tip
from usfm_studio.ui.shell.icons import draw_icon
from usfm_studio.ui.shell.theme import colour
from usfm_studio.ui.shell.tokens import CONTROL, RADIUS_TOOL

_GAP = 8
_ENDS_TIP = (QEvent.Type.Leave, QEvent.Type.MouseButtonPress, QEvent.Type.Hide, QEvent.Type.KeyPress)
_SIDE = 12


class Kind(StrEnum):
    """How much a button asks for attention. The last four belong into the one-line bars."""

    PRIMARY = "primary"
    NORMAL = "normal"
    QUIET = "quiet"
    ERROR = "error"
    WARNING = "warning"
    OK = "ok"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class _Coat:
    fill: QColor | None
    border: QColor | None
    ink: QColor


_BAR_INK = {Kind.WARNING: "warning", Kind.OK: "ok", Kind.INFO: "accent"}


def _coat(kind: Kind, lit: float, sunk: bool, enabled: bool) -> _Coat:
    if not enabled:
        if kind is Kind.QUIET:
            return _Coat(None, None, colour("disabled"))
        return _Coat(colour("raised"), colour("line"), colour("disabled"))
    if kind is Kind.PRIMARY:
        fill = colour("accent_pressed") if sunk else paint.blend("accent", "accent_hover", lit)
        return _Coat(fill, None, colour("on_accent"))
    if kind is Kind.ERROR:
        return _Coat(paint.blend("error", "text", 0.25 * lit), None, colour("on_signal"))
    if kind in _BAR_INK:
        ink = colour(_BAR_INK[kind])
        fill = paint.clear(_BAR_INK[kind], 0.24 if sunk else 0.14 * lit)
        return _Coat(fill, ink, ink)
    if kind is Kind.QUIET:
        fill = colour("pressed") if sunk else paint.blend(paint.clear("hover", 0), "hover", lit)
        return _Coat(fill, None, colour("text"))
    fill = colour("pressed") if sunk else paint.blend("raised", "hover", lit)
    return _Coat(fill, paint.blend("line2", "line_hover", 0 if sunk else lit), colour("text"))


class Button(Pressable):
    """A button with words, perhaps an icon before and a key cap after them. `height` is 28, 32, 36 or 44."""

    def __init__(
        self,
        text: str,
        kind: Kind = Kind.NORMAL,
        *,
        icon: str = "",
        key: str = "",
        height: int = CONTROL,
        stretch: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._kind, self._icon, self._key, self._height = kind, icon, key, height
        self.setText(text)
        self.setAccessibleName(text)
        across = QSizePolicy.Policy.Expanding if stretch else QSizePolicy.Policy.Fixed
        self.setSizePolicy(across, QSizePolicy.Policy.Fixed)

    def set_words(self, text: str, *, icon: str | None = None, key: str | None = None) -> None:
        """Other words, icon or key; None leaves it as it is."""
        self.setText(text)
        self.setAccessibleName(text)
        self._icon = self._icon if icon is None else icon
        self._key = self._key if key is None else key
        self.updateGeometry()
        self.update()

    def text_room(self) -> tuple[float, float]:
        """(width of the words, room for them) in logical pixels."""
        extra = self._content_width() - self._text_width()
        return self._text_width(), self.width() - extra - 2 * 4

    def _text_width(self) -> float:
        return fonts.text_width(self.text(), fonts.BASE, 500)

    def _content_width(self) -> float:
        width = self._text_width()
        if self._icon:
            width += 16 + _GAP
        if self._key:
            width += _GAP + paint.key_cap_width(self._key)
        return width

    def sizeHint(self) -> QSize:
        """Words and 12 px on both sides; less beside a key cap."""
        right = _SIDE - 4 if self._key else _SIDE
        return QSize(round(self._content_width() + _SIDE + right + 0.5), self._height)

    def minimumSizeHint(self) -> QSize:
        """The same: words are never cut."""
        return self.sizeHint()

    def draw(self, painter: QPainter) -> None:
        """Ground, icon, words, key cap, together in the middle."""
        coat = _coat(self._kind, self.lit, self.sunk, self.isEnabled())
        rect = QRectF(self.rect())
        paint.ground(painter, rect, self.radius, coat.fill, coat.border)
        left = max(4.0, (rect.width() - self._content_width()) / 2)
        if self._icon:
            quiet = self._kind in (Kind.NORMAL, Kind.QUIET) and self.isEnabled()
            draw_icon(
                painter, self._icon, QRectF(left, 0, 16, rect.height()), 16, colour("muted") if quiet else coat.ink
            )
            left += 16 + _GAP
        room = QRectF(left, 0, self._text_width() + 1, rect.height())
        paint.text(painter, room, self.text(), coat.ink, fonts.BASE, 500)
        if self._key:
            cap = left + self._text_width() + _GAP
            filled = self._kind is Kind.PRIMARY and self.isEnabled()
            faint = not self.isEnabled()
            paint.draw_key_cap(painter, cap, rect.height() / 2, self._key, on_accent=filled, faint=faint)


class IconButton(Pressable):
    """An icon on a 32 px target. `name` is what a screen reader says and, with the key, what the tip shows."""

    tip_beside = False

    def __init__(
        self,
        icon: str,
        name: str,
        *,
        key: str = "",
        size: int = 18,
        side: int = CONTROL,
        ink: str = "muted",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._icon, self._size, self._side, self._ink = icon, size, side, ink
        self._reason = ""
        self.setFixedSize(side, side)
        self.set_name(name, key)

    def set_name(self, name: str, key: str = "") -> None:
        """Other words for the reader and the tip."""
        self._name, self._key = name, key
        self.setAccessibleName(name)
        self.setAccessibleDescription(f"Key {key}" if key else "")

    def set_reason(self, reason: str) -> None:
        """Why it is off; shown in the tip."""
        self._reason = reason

    def event(self, event: QEvent) -> bool:
        """The tip comes when Qt would show its own, and goes with the mouse or a press."""
        if event.type() == QEvent.Type.ToolTip:
            show_tip(self, self._name, self._key, self._reason, beside=self.tip_beside)
            return True
        if event.type() in _ENDS_TIP:
            hide_tip(self)
        return super().event(event)

    def set_icon(self, icon: str) -> None:
        """Another icon."""
        self._icon = icon
        self.update()

    def sizeHint(self) -> QSize:
        """The target."""
        return QSize(self._side, self._side)

    def draw(self, painter: QPainter) -> None:
        """Ground and icon."""
        rect = QRectF(self.rect())
        chosen = self.isChecked() and self.isEnabled()
        if self.sunk:
            paint.ground(painter, rect, self.radius, colour("pressed"))
        elif chosen:
            paint.ground(painter, rect, self.radius, colour("selected"))
        elif self.lit:
            paint.ground(painter, rect, self.radius, paint.blend(paint.clear("hover", 0), "hover", self.lit))
        if not self.isEnabled():
            ink = colour("disabled")
        elif chosen:
            ink = colour("accent")
        else:
            ink = paint.blend(self._ink, "text", self.lit)
        draw_icon(painter, self._icon, rect, self._size, ink.name())


class ToolButton(IconButton):
    """One place of the tool strip: 36 px, icon 20, radius 8. Checkable for tools, plain for switches of the view."""

    radius = RADIUS_TOOL
    tip_beside = True

    def __init__(
        self, icon: str, name: str, *, key: str = "", checkable: bool = True, parent: QWidget | None = None
    ) -> None:
        super().__init__(icon, name, key=key, size=20, side=36, parent=parent)
        self.setCheckable(checkable)


class LinkButton(Pressable):
    """Words in the accent's colour, without a ground."""

    radius = 4

    def __init__(self, text: str, *, size: int = fonts.SECONDARY, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._size = size
        self.setText(text)
        self.setAccessibleName(text)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def text_room(self) -> tuple[float, float]:
        """(width of the words, room for them) in logical pixels."""
        return fonts.text_width(self.text(), self._size, 500), float(self.width())

    def sizeHint(self) -> QSize:
        """The words, 24 px high."""
        return QSize(round(fonts.text_width(self.text(), self._size, 500) + 1), 24)

    def draw(self, painter: QPainter) -> None:
        """The words."""
        ink = paint.blend("accent", "accent_hover", self.lit) if self.isEnabled() else colour("disabled")
        paint.text(painter, QRectF(self.rect()), self.text(), ink, self._size, 500)
