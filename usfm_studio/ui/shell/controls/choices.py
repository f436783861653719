"""One of several, side by side: segmented control and tabs."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, QVariantAnimation, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QSizePolicy, QWidget

from usfm_studio.ui.shell import fonts, paint
from usfm_studio.ui.shell.controls.base import Pressable
from usfm_studio.ui.shell.focus import Shape
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
