"""Small signs: key caps, swatches, dots, pills, chips, progress."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from usfm_studio.ui.shell import fonts, paint
from usfm_studio.ui.shell.controls.base import Pressable
from usfm_studio.ui.shell.icons import draw_icon
from usfm_studio.ui.shell.theme import colour
from usfm_studio.ui.shell.tokens import CONTROL_BAR, RADIUS

_GROUNDS = {"ok": "ok_ground", "warning": "warning_ground", "error": "error_ground", "accent": "info_ground"}


class _Mark(QWidget):
    """A sign of fixed size that cannot be pressed."""

    def __init__(self, name: str, width: int, height: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setFixedSize(width, height)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)

    def draw(self, painter: QPainter) -> None:
        """Paint the sign."""
        raise NotImplementedError

    def paintEvent(self, event: QPaintEvent) -> None:
        """Hand over to `draw`."""
        painter = paint.painter_on(self)
        self.draw(painter)
        painter.end()


class KeyCap(_Mark):
    """A key as it is printed on the keyboard."""

    def __init__(self, keys: str, parent: QWidget | None = None) -> None:
        super().__init__(f"Key {keys}", round(paint.key_cap_width(keys) + 0.5), paint.KEY_CAP, parent)
        self._keys = keys

    def set_keys(self, keys: str) -> None:
        """Another key; an empty one hides the cap."""
        self._keys = keys
        self.setAccessibleName(f"Key {keys}")
        self.setFixedWidth(round(paint.key_cap_width(keys) + 0.5))
        self.setVisible(bool(keys))
        self.update()

    def draw(self, painter: QPainter) -> None:
        """The cap."""
        paint.draw_key_cap(painter, 0, self.height() / 2, self._keys, on_accent=False, faint=not self.isEnabled())


class Swatch(_Mark):
    """A segment's number on its colour; an outline alone where nothing of it is marked yet."""

    def __init__(
        self, number: str, ink: str, *, filled: bool = True, side: int = 18, parent: QWidget | None = None
    ) -> None:
        super().__init__(f"Segment {number}", side, side, parent)
        self._number, self._ink, self._filled = number, ink, filled

    def set_segment(self, number: str, ink: str, *, filled: bool) -> None:
        """Another segment or state."""
        self._number, self._ink, self._filled = number, ink, filled
        self.setAccessibleName(f"Segment {number}")
        self.update()

    def draw(self, painter: QPainter) -> None:
        """The square."""
        ink = self._ink if self.isEnabled() else colour("disabled").name()
        paint.swatch(painter, QRectF(self.rect()), ink, self._number, filled=self._filled)


class IconMark(_Mark):
    """An icon that is only looked at."""

    def __init__(
        self, icon: str, name: str = "", *, size: int = 16, ink: str = "muted", parent: QWidget | None = None
    ) -> None:
        super().__init__(name, size, size, parent)
        self._icon, self._ink = icon, ink

    def set_icon(self, icon: str, ink: str | None = None) -> None:
        """Another icon or colour."""
        self._icon, self._ink = icon, ink or self._ink
        self.update()

    def draw(self, painter: QPainter) -> None:
        """The icon."""
        draw_icon(painter, self._icon, QRectF(self.rect()), self.width(), colour(self._ink))


class StateDot(_Mark):
    """A dot of 8 px in a signal's colour. It stands beside words: colour alone says nothing."""

    def __init__(self, ink: str = "ok", parent: QWidget | None = None) -> None:
        super().__init__("", 8, 8, parent)
        self._ink = ink

    def set_ink(self, ink: str) -> None:
        """Another token."""
        self._ink = ink
        self.update()

    def draw(self, painter: QPainter) -> None:
        """The dot."""
        paint.dot(painter, QPointF(4, 4), 4, colour(self._ink))


class Pill(QWidget):
    """A word on a ground in a signal's colour, 20 px: `In use`. `ink` is ok, warning, error or accent."""

    def __init__(self, text: str, ink: str = "ok", *, solid: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text, self._ink, self._solid = text, ink, solid
        self.setAccessibleName(text)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def text_room(self) -> tuple[float, float]:
        """(width of the word, room for it)."""
        return fonts.text_width(self._text, fonts.SECONDARY, 500), self.width() - 12.0

    def sizeHint(self) -> QSize:
        """The word and 8 px on both sides."""
        return QSize(round(fonts.text_width(self._text, fonts.SECONDARY, 500) + 16.5), 20)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Ground and word."""
        painter = paint.painter_on(self)
        rect = QRectF(self.rect())
        fill = colour(self._ink) if self._solid else colour(_GROUNDS.get(self._ink, "hover"))
        paint.ground(painter, rect, 10 if self._solid else RADIUS, fill)
        ink = colour("on_signal") if self._solid else colour(self._ink)
        paint.text(painter, rect, self._text, ink, fonts.SECONDARY, 500, paint.CENTRE)
        painter.end()


class Chip(Pressable):
    """A filter: words and a count, on or off. 28 px high."""

    def __init__(self, text: str, count: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setText(text)
        self._count = count
        self.setCheckable(True)
        self.setAccessibleName(f"{text} {count}".strip())
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def set_count(self, count: str) -> None:
        """Another count."""
        self._count = count
        self.setAccessibleName(f"{self.text()} {count}".strip())
        self.updateGeometry()
        self.update()

    def text_room(self) -> tuple[float, float]:
        """(width of the words, room for them)."""
        return self._width(), self.width() - 8.0

    def _width(self) -> float:
        width = fonts.text_width(self.text(), fonts.SECONDARY, 500)
        return width + (6 + fonts.text_width(self._count, fonts.SECONDARY) if self._count else 0)

    def sizeHint(self) -> QSize:
        """The words and 10 px on both sides."""
        return QSize(round(self._width() + 20.5), CONTROL_BAR)

    def draw(self, painter: QPainter) -> None:
        """Ground, words, count."""
        rect = QRectF(self.rect())
        if self.isChecked():
            paint.ground(painter, rect, RADIUS, colour("selected"))
        else:
            border = paint.blend("line2", "line_hover", self.lit)
            fill = colour("pressed") if self.sunk else paint.blend(paint.clear("hover", 0), "hover", self.lit)
            paint.ground(painter, rect, RADIUS, fill, border)
        left = (rect.width() - self._width()) / 2
        ink = colour("text" if self.isEnabled() else "disabled")
        paint.text(painter, rect.adjusted(left, 0, 0, 0), self.text(), ink, fonts.SECONDARY, 500)
        if self._count:
            left += fonts.text_width(self.text(), fonts.SECONDARY, 500) + 6
            ink = colour("muted" if self.isEnabled() else "disabled")
            paint.text(painter, rect.adjusted(left, 0, 0, 0), self._count, ink, fonts.SECONDARY)


class ProgressBar(QWidget):
    """How far something has come, 0 to 1; None while nobody knows (then the track alone)."""

    def __init__(self, name: str, *, height: int = 4, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name, self._part = name, 0.0
        self.setFixedHeight(height)
        self.setMinimumWidth(40)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.set_part(0.0)

    def set_part(self, part: float | None) -> None:
        """How far, 0 to 1."""
        self._part = 0.0 if part is None else min(max(part, 0.0), 1.0)
        self.setAccessibleName(self._name if part is None else f"{self._name}: {round(100 * self._part)} %")
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Track and filled part."""
        painter = paint.painter_on(self)
        rect = QRectF(self.rect())
        half = rect.height() / 2
        paint.ground(painter, rect, half, colour("track"))
        if self._part:
            rect.setWidth(max(rect.height(), rect.width() * self._part))
            paint.ground(painter, rect, half, colour("accent"))
        painter.end()


class ProgressRing(_Mark):
    """The same as a ring of 16 px. It moves only when it is told to."""

    def __init__(self, name: str = "Progress", *, side: int = 16, parent: QWidget | None = None) -> None:
        super().__init__(name, side, side, parent)
        self._part = 0.0

    def set_part(self, part: float) -> None:
        """How far, 0 to 1."""
        self._part = min(max(part, 0.0), 1.0)
        self.update()

    def draw(self, painter: QPainter) -> None:
        """Track and arc, from the top, clockwise."""
        rect = QRectF(self.rect()).adjusted(2, 2, -2, -2)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(colour("track"), 2.5))
        painter.drawEllipse(rect)
        pen = QPen(colour("accent"), 2.5)
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
        painter.setPen(pen)
        painter.drawArc(rect, 90 * 16, -round(self._part * 360 * 16))
