"""What all pressable controls share: how they look at rest, under the mouse, pressed; and where their ring goes."""

from __future__ import annotations

from enum import StrEnum

from PySide6.QtCore import QEvent, QRectF, Qt, QVariantAnimation
from PySide6.QtGui import QEnterEvent, QFocusEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget

from usfm_studio.ui.shell.focus import Shape, note_focus_reason
from usfm_studio.ui.shell.paint import painter_on
from usfm_studio.ui.shell.theme import duration
from usfm_studio.ui.shell.tokens import HOVER_MS, RADIUS


class Pose(StrEnum):
    """States that a picture of a control may hold still."""

    REST = "rest"
    HOVER = "hover"
    PRESSED = "pressed"


class HoverFade:
    """How far the mouse's light has come on, 0 to 1, in 80 ms."""

    def __init__(self, widget: QWidget) -> None:
        self._animation = QVariantAnimation(widget, startValue=0.0, endValue=1.0)
        self._animation.setDuration(duration(HOVER_MS))
        self._animation.valueChanged.connect(lambda _: widget.update())
        self._widget = widget
        self.over = False

    def turn(self, over: bool) -> None:
        """The mouse came or went."""
        self.over = over
        length = duration(HOVER_MS)
        if not length:
            self._widget.update()
            return
        self._animation.setDuration(length)
        forward = QVariantAnimation.Direction.Forward if over else QVariantAnimation.Direction.Backward
        self._animation.setDirection(forward)
        self._animation.start()

    @property
    def value(self) -> float:
        """0 at rest, 1 under the mouse."""
        if self._animation.state() == QVariantAnimation.State.Running:
            return float(self._animation.currentValue())
        return 1.0 if self.over else 0.0


class Pressable(QAbstractButton):
    """Base of the controls that are clicked. Subclasses give `draw` and `sizeHint`.

    The keyboard reaches it by Tab only: a click leaves the focus on the canvas.
    """

    radius: float = RADIUS

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._fade = HoverFade(self)
        self._pose: Pose | None = None
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Fixed)

    def hold(self, pose: Pose | None) -> None:
        """Keep looking like this, whatever the mouse does (for pictures of the controls)."""
        self._pose = pose
        self.update()

    @property
    def lit(self) -> float:
        """How much it shows that the mouse is over it, 0 to 1."""
        if not self.isEnabled():
            return 0.0
        if self._pose is not None:
            return 1.0 if self._pose is Pose.HOVER else 0.0
        return self._fade.value

    @property
    def sunk(self) -> bool:
        """Whether it shows that it is held down."""
        return self.isEnabled() and (self._pose is Pose.PRESSED if self._pose is not None else self.isDown())

    def focus_shape(self) -> Shape:
        """The whole control."""
        return Shape(QRectF(self.rect()), self.radius)

    def draw(self, painter: QPainter) -> None:
        """Paint the control in its present state."""
        raise NotImplementedError

    def paintEvent(self, event: QPaintEvent) -> None:
        """Hand over to `draw`."""
        painter = painter_on(self)
        self.draw(painter)
        painter.end()

    def enterEvent(self, event: QEnterEvent) -> None:
        """Light up."""
        self._fade.turn(True)
        super().enterEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        """Go back to rest."""
        self._fade.turn(False)
        super().leaveEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Remember whether the keyboard brought the focus."""
        note_focus_reason(event)
        super().focusInEvent(event)
