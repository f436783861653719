"""Controls that hold one value: switch, tick, slider."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, QVariantAnimation
from PySide6.QtGui import QEnterEvent, QFocusEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QSlider, QWidget

from usfm_studio.ui.shell import fonts, paint
from usfm_studio.ui.shell.controls.base import HoverFade, Pose, Pressable
from usfm_studio.ui.shell.focus import Shape, note_focus_reason
from usfm_studio.ui.shell.icons import draw_icon
from usfm_studio.ui.shell.theme import colour, duration
from usfm_studio.ui.shell.tokens import SLIDE_MS


class Switch(Pressable):
    """On or off, 32 x 18. `toggled` is Qt's own signal."""

    radius = 9

    def __init__(self, name: str, *, on: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setCheckable(True)
        self.setChecked(on)
        self.setFixedSize(32, 18)
        self._knob = QVariantAnimation(self, startValue=0.0, endValue=1.0)
        self._knob.valueChanged.connect(lambda _: self.update())
        self.toggled.connect(self._slide)

    def _slide(self, on: bool) -> None:
        length = duration(SLIDE_MS) if self.isVisible() else 0
        if not length:
            self._knob.stop()
            self.update()
            return
        self._knob.setDuration(length)
        self._knob.setDirection(QVariantAnimation.Direction.Forward if on else QVariantAnimation.Direction.Backward)
        self._knob.start()

    def draw(self, painter: QPainter) -> None:
        """Ground and knob."""
        on = self.isChecked()
        if not self.isEnabled():
            fill, knob = colour("hover"), colour("disabled")
        elif on:
            fill, knob = paint.blend("accent", "accent_hover", self.lit), colour("on_accent")
        else:
            fill, knob = paint.blend("line2", "line_hover", self.lit), colour("knob")
        rect = QRectF(self.rect())
        paint.ground(painter, rect, 9, fill)
        running = self._knob.state() == QVariantAnimation.State.Running
        part = float(self._knob.currentValue()) if running else float(on)
        paint.dot(painter, QPointF(9 + 14 * part, 9), 6.5, knob)


class Tick(Pressable):
    """A box to tick, 16 px, perhaps with words after it."""

    radius = 4

    def __init__(self, text: str = "", *, name: str = "", on: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setText(text)
        self.setAccessibleName(name or text)
        self.setCheckable(True)
        self.setChecked(on)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def text_room(self) -> tuple[float, float]:
        """(width of the words, room for them)."""
        return fonts.text_width(self.text()), self.width() - 24.0

    def sizeHint(self) -> QSize:
        """The box, or box and words 24 px high."""
        if not self.text():
            return QSize(16, 16)
        return QSize(round(24 + fonts.text_width(self.text()) + 1), 24)

    def focus_shape(self) -> Shape:
        """The box."""
        return Shape(self._box(), 4)

    def _box(self) -> QRectF:
        return QRectF(0, (self.height() - 16) // 2, 16, 16)

    def draw(self, painter: QPainter) -> None:
        """Box, mark, words."""
        box = self._box()
        marked = self.isChecked()
        if not self.isEnabled():
            paint.ground(painter, box, 4, colour("hover") if marked else None, colour("line"))
        elif marked:
            paint.ground(painter, box, 4, paint.blend("accent", "accent_hover", self.lit))
        else:
            border = colour("line2") if self.sunk else paint.blend("line2", "tick_hover", self.lit)
            paint.ground(painter, box, 4, colour("field"), border)
        if marked:
            ink = colour("on_accent" if self.isEnabled() else "disabled")
            draw_icon(painter, "check", box, 14, ink)
        if self.text():
            ink = colour("text" if self.isEnabled() else "disabled")
            paint.text(painter, QRectF(24, 0, self.width() - 24, self.height()), self.text(), ink)


class Slider(QSlider):
    """A number on a line. Click or drag anywhere; arrows step."""

    def __init__(self, name: str, low: int = 0, high: int = 100, value: int = 0, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self._fade = HoverFade(self)
        self._pose: Pose | None = None
        self.setAccessibleName(name)
        self.setRange(low, high)
        self.setValue(value)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setFixedHeight(24)

    def hold(self, pose: Pose | None) -> None:
        """Keep looking like this (for pictures)."""
        self._pose = pose
        self.update()

    def _knob(self) -> QPointF:
        span = max(self.maximum() - self.minimum(), 1)
        part = (self.sliderPosition() - self.minimum()) / span
        return QPointF(8 + part * (self.width() - 16), self.height() / 2)

    def focus_shape(self) -> Shape:
        """The knob."""
        knob = self._knob()
        return Shape(QRectF(knob.x() - 9, knob.y() - 9, 18, 18), 9)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Track, filled part, a gap, the knob."""
        painter = paint.painter_on(self)
        knob, width, enabled = self._knob(), float(self.width()), self.isEnabled()
        over = self._pose is Pose.HOVER if self._pose is not None else (self._fade.over or self.isSliderDown())
        radius = 8.0 if over and enabled else 7.0
        top = knob.y() - 2
        paint.ground(
            painter, QRectF(0, top, max(knob.x() - radius - 2, 0), 4), 2, colour("accent" if enabled else "disabled")
        )
        left = knob.x() + radius + 2
        paint.ground(painter, QRectF(left, top, max(width - left, 0), 4), 2, colour("track"))
        paint.dot(painter, knob, radius, colour("text" if enabled else "disabled"))
        painter.end()

    def _value_at(self, x: float) -> int:
        part = min(max((x - 8) / max(self.width() - 16, 1), 0.0), 1.0)
        return round(self.minimum() + part * (self.maximum() - self.minimum()))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Jump to the place."""
        if event.button() == Qt.MouseButton.LeftButton:
            self.setSliderDown(True)
            self.setSliderPosition(self._value_at(event.position().x()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Follow the mouse while it is held."""
        if self.isSliderDown():
            self.setSliderPosition(self._value_at(event.position().x()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let go."""
        self.setSliderDown(False)
        self.update()

    def enterEvent(self, event: QEnterEvent) -> None:
        """Grow the knob."""
        self._fade.turn(True)

    def leaveEvent(self, event: QEvent) -> None:
        """Shrink it."""
        self._fade.turn(False)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Remember whether the keyboard brought the focus."""
        note_focus_reason(event)
        super().focusInEvent(event)
