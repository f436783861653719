"""Controls that hold a state: segmented, tabs, switch, tick, slider."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, QVariantAnimation, Signal
from PySide6.QtGui import QEnterEvent, QFocusEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QSizePolicy, QSlider, QWidget

from usfm_studio.ui.shell import fonts, paint
from usfm_studio.ui.shell.controls.base import HoverFade, Pose, Pressable
from usfm_studio.ui.shell.focus import Shape, note_focus_reason
from usfm_studio.ui.shell.icons import draw_icon
from usfm_studio.ui.shell.theme import colour, duration
from usfm_studio.ui.shell.tokens import CONTROL, RADIUS, RADIUS_SMALL, SLIDE_MS, TABS


class _Option(Pressable):
    """One of several that exclude each other. Arrow keys go on to the next (Qt's button group does that)."""

    def __init__(self, text: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setText(text)
        self.setAccessibleName(text)
        self.setCheckable(True)

    def text_room(self) -> tuple[float, float]:
        """(width of the words, room for them)."""
        return fonts.text_width(self.text(), fonts.SECONDARY, 500), float(self.width())


class _Options(QWidget):
    """A row of options. `changed` carries the index of the new one when a *person* picks it."""

    changed = Signal(int)
    option: type[_Option] = _Option

    def __init__(self, name: str, options: Sequence[str] = (), parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self._group = QButtonGroup(self)
        self._group.setExclusive(True)
        self._group.idClicked.connect(self.changed)
        self._box = QHBoxLayout(self)
        self.set_options(options)

    def set_options(self, options: Sequence[str]) -> None:
        """Other options; the first is chosen."""
        for button in self._group.buttons():
            self._group.removeButton(button)
            self._box.removeWidget(button)
            button.hide()
            button.deleteLater()
        for index, text in enumerate(options):
            button = self.option(text, self)
            button.setToolTip("")
            self._group.addButton(button, index)
            self._box.addWidget(button)
        if options:
            self.set_current(0)

    @property
    def current(self) -> int:
        """Index of the chosen one, -1 for none."""
        return self._group.checkedId()

    def set_current(self, index: int) -> None:
        """Choose without telling; -1 for none."""
        button = self._group.button(index)
        if button is not None:
            button.setChecked(True)
        else:
            self._group.setExclusive(False)
            for other in self._group.buttons():
                other.setChecked(False)
            self._group.setExclusive(True)

    def button(self, index: int) -> Pressable:
        """One option's own widget (for tips, for switching it off). Raises IndexError."""
        found = self._group.button(index)
        if not isinstance(found, Pressable):
            raise IndexError(index)
        return found


class _Segment(_Option):
    def sizeHint(self) -> QSize:
        return QSize(round(fonts.text_width(self.text(), fonts.SECONDARY, 500) + 20), CONTROL - 4)

    def focus_shape(self) -> Shape:
        return Shape(QRectF(self.rect()), RADIUS - 2, inside=True)

    def draw(self, painter: QPainter) -> None:
        rect = QRectF(self.rect())
        chosen = self.isChecked()
        if chosen and self.isEnabled():
            paint.ground(painter, rect, RADIUS - 2, colour("hover"), colour("line2"))
        elif self.sunk:
            paint.ground(painter, rect, RADIUS - 2, colour("pressed"))
        if not self.isEnabled():
            ink = colour("disabled")
        else:
            ink = colour("text") if chosen else paint.blend("muted", "text", self.lit)
        paint.text(painter, rect.adjusted(4, 0, -4, 0), self.text(), ink, fonts.SECONDARY, 500, paint.CENTRE)


class Segmented(_Options):
    """Two to five words side by side, one of them chosen."""

    option = _Segment

    def __init__(self, name: str, options: Sequence[str] = (), parent: QWidget | None = None) -> None:
        super().__init__(name, options, parent)
        self._box.setContentsMargins(2, 2, 2, 2)
        self._box.setSpacing(0)
        self.setFixedHeight(CONTROL)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_options(self, options: Sequence[str]) -> None:
        """Other options, of equal width; the first is chosen."""
        super().set_options(options)
        for button in self._group.buttons():
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def paintEvent(self, event: QPaintEvent) -> None:
        """The trough."""
        painter = paint.painter_on(self)
        paint.ground(painter, QRectF(self.rect()), RADIUS, colour("field"), colour("line"))
        painter.end()


class _Tab(_Option):
    def sizeHint(self) -> QSize:
        return QSize(round(fonts.text_width(self.text(), fonts.SECONDARY, 500) + 4), TABS)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def focus_shape(self) -> Shape:
        rect = QRectF(self.rect())
        word = fonts.text_width(self.text(), fonts.SECONDARY, 500)
        middle = rect.center()
        return Shape(QRectF(middle.x() - word / 2 - 7, middle.y() - 13, word + 14, 26), RADIUS_SMALL + 1, inside=True)

    def draw(self, painter: QPainter) -> None:
        if not self.isEnabled():
            ink = colour("disabled")
        else:
            ink = colour("text") if self.isChecked() else paint.blend("muted", "text", self.lit)
        paint.text(painter, QRectF(self.rect()), self.text(), ink, fonts.SECONDARY, 500, paint.CENTRE)


class Tabs(_Options):
    """Words over a hairline, one of them underlined in the accent's colour."""

    option = _Tab

    def __init__(self, name: str, options: Sequence[str] = (), parent: QWidget | None = None) -> None:
        self._line = (0.0, 0.0)
        super().__init__(name, options, parent)
        self._box.setContentsMargins(10, 0, 10, 0)
        self._box.setSpacing(6)
        self.setFixedHeight(TABS)
        self._slide = QVariantAnimation(self, duration=SLIDE_MS)
        self._slide.valueChanged.connect(lambda _: self.update())
        self._group.idToggled.connect(self._toggled)

    def set_options(self, options: Sequence[str]) -> None:
        """Other tabs; the first is chosen. They share out what is left of the width."""
        super().set_options(options)
        for button in self._group.buttons():
            button.setSizePolicy(QSizePolicy.Policy.MinimumExpanding, QSizePolicy.Policy.Fixed)

    def _toggled(self, _index: int, on: bool) -> None:
        button = self._group.checkedButton()
        if not on or button is None or not self.isVisible() or not duration(SLIDE_MS):
            self.update()
            return
        self._slide.stop()
        self._slide.setDuration(duration(SLIDE_MS))
        self._slide.setStartValue(QPointF(*self._line))
        self._slide.setEndValue(QPointF(*self._line_of(button)))
        self._slide.start()

    def _line_of(self, button: QWidget) -> tuple[float, float]:
        word = fonts.text_width(button.text(), fonts.SECONDARY, 500)  # type: ignore[attr-defined]
        middle = button.x() + button.width() / 2
        return middle - word / 2 - 2, word + 4

    def paintEvent(self, event: QPaintEvent) -> None:
        """The hairline and the line under the chosen one."""
        painter = paint.painter_on(self)
        bottom = float(self.height())
        painter.fillRect(QRectF(0, bottom - 1, self.width(), 1), colour("line"))
        button = self._group.checkedButton()
        if button is not None:
            if self._slide.state() == QVariantAnimation.State.Running:
                at = self._slide.currentValue()
                self._line = (at.x(), at.y())
            else:
                self._line = self._line_of(button)
            paint.ground(painter, QRectF(self._line[0], bottom - 2, self._line[1], 2), 1, colour("accent"))
        painter.end()


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
            fill, knob = paint.blend("line2", "line_hover", self.lit), colour("text")
        if self.isEnabled() and not on and fill.lightness() > 100 and knob.lightness() < 60:
            knob = colour("#FFFFFF")  # light theme: a pale knob on a grey ground
        rect = QRectF(self.rect())
        paint.ground(painter, rect, 9, fill)
        running = self._knob.state() == QVariantAnimation.State.Running
        part = float(self._knob.currentValue()) if running else float(on)
        paint.dot(painter, QPointF(9 + 14 * part, 9), 6.5, knob)


class Tick(Pressable):
    """A box to tick, 16 px, perhaps with words after it. `partial` shows a dash: some of what it stands for."""

    radius = 4

    def __init__(self, text: str = "", *, name: str = "", on: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setText(text)
        self.setAccessibleName(name or text)
        self.setCheckable(True)
        self.setChecked(on)
        self._partial = False
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def set_partial(self, partial: bool) -> None:
        """Show a dash instead of the check mark."""
        self._partial = partial
        self.update()

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
        marked = self.isChecked() or self._partial
        if not self.isEnabled():
            paint.ground(painter, box, 4, colour("hover") if marked else None, colour("line"))
        elif marked:
            paint.ground(painter, box, 4, paint.blend("accent", "accent_hover", self.lit))
        else:
            border = colour("line2") if self.sunk else paint.blend("line2", "tick_hover", self.lit)
            paint.ground(painter, box, 4, colour("field"), border)
        if marked:
            ink = colour("on_accent" if self.isEnabled() else "disabled")
            draw_icon(painter, "minus" if self._partial else "check", box, 14, ink)
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
