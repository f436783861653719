"""Mouse, wheel, pen and touch to what they mean on the canvas: the tool, moving, zooming, window and level."""

from __future__ import annotations

from typing import Protocol

from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent, QNativeGestureEvent, QPointingDevice, QTabletEvent, QWheelEvent

from usfm_studio.document.rasterise import XY
from usfm_studio.ui.tools.tool import Finish, Modifiers, Move, Press, Release, ToolEvent

NOTCH = 120.0  # of a mouse wheel
PAD_STEP = 40.0  # logical pixels of two fingers that are one frame
ZOOM_STEP = 1.2  # a notch
CLICK_REACH = 4.0  # a press that moved less is a click


class Steered(Protocol):
    """What the pointer steers: the canvas."""

    half_pixel: float
    """Half a device pixel in logical ones: a mouse's position is the corner of the pixel that it points at."""
    wheel_steps_frames: bool
    """True on loops; on stills the wheel zooms."""
    hand_held: bool
    """True while the key that moves the image is held."""

    def view_to_image(self, view: QPointF) -> XY:
        """The image point under a view point."""

    def use_tool(self, event: ToolEvent) -> None:
        """The tool gets an event."""

    def point_at(self, view: QPointF | None, modifiers: Modifiers) -> None:
        """The pointer is here (None: it left)."""

    def pan_by(self, offset: QPointF) -> None:
        """Move the image by so many logical pixels."""

    def zoom_by(self, factor: float, about: QPointF) -> None:
        """Scale the image about a view point."""

    def shift_window(self, offset: QPointF) -> None:
        """Window (across) and level (up) by so many logical pixels of a drag."""

    def open_menu(self, global_at: QPoint, view: QPointF) -> None:
        """The context menu was asked for."""

    def step_frames(self, steps: int) -> None:
        """Go on (positive) or back by frames."""

    def step_brush(self, steps: int) -> None:
        """A larger (positive) or smaller brush."""

    def step_opacity(self, steps: int) -> None:
        """Overlays more (positive) or less opaque."""


class Pointer:
    """Keeps which button does what until it comes up; everything else is told to the canvas."""

    def __init__(self, canvas: Steered) -> None:
        self._canvas = canvas
        self._held = ""  # "tool", "pan", "window": what the button that is down does
        self._button = Qt.MouseButton.NoButton
        self._last = QPointF()
        self._pressed_at = QPointF()
        self._clicked = True
        self._turned = 0.0

    @property
    def held(self) -> str:
        """What the button that is down does; empty when none is."""
        return self._held

    def press(self, event: QMouseEvent, double: bool = False) -> None:
        """A mouse button goes down."""
        does = {Qt.MouseButton.MiddleButton: "pan", Qt.MouseButton.RightButton: "window"}.get(event.button(), "tool")
        if does == "tool" and self._canvas.hand_held:
            does = "pan"
        at = self._pointed(event)
        self._begin(does, event.button(), at)
        if self._held == "tool" and self._button == event.button():
            xy = self._canvas.view_to_image(at)
            self._canvas.use_tool(Press(xy=xy, modifiers=modifiers_of(event.modifiers()), double=double))

    def move(self, event: QMouseEvent) -> None:
        """The mouse moves, with a button down or without."""
        self._moved(self._pointed(event), modifiers_of(event.modifiers()), 1.0)

    def release(self, event: QMouseEvent) -> None:
        """A mouse button comes up."""
        if event.button() == self._button:
            self._end(self._pointed(event), event.globalPosition().toPoint(), modifiers_of(event.modifiers()))

    def let_go(self) -> None:
        """Whatever is held is no longer (the focus went, the window closed); the tool is told elsewhere."""
        self._held, self._button = "", Qt.MouseButton.NoButton

    def tablet(self, event: QTabletEvent) -> None:
        """A pen: the tip is the tool, the lower button moves the image, the upper one sets window and level."""
        modifiers = modifiers_of(event.modifiers())
        if event.type() == event.Type.TabletPress:
            does = {Qt.MouseButton.RightButton: "pan", Qt.MouseButton.MiddleButton: "window"}
            self._begin(does.get(event.button(), "tool"), event.button(), event.position())
            if self._held == "tool" and self._button == event.button():
                eraser = event.pointerType() == QPointingDevice.PointerType.Eraser
                xy = self._canvas.view_to_image(event.position())
                self._canvas.use_tool(Press(xy=xy, modifiers=modifiers, pressure=event.pressure(), eraser_end=eraser))
        elif event.type() == event.Type.TabletMove:
            self._moved(event.position(), modifiers, event.pressure())
        elif event.type() == event.Type.TabletRelease and event.button() == self._button:
            self._end(event.position(), event.globalPosition().toPoint(), modifiers)

    def pen_left(self) -> None:
        """The pen is out of reach: a stroke under way ends and is kept."""
        if self._held == "tool":
            self.let_go()
            self._canvas.use_tool(Finish())
        self._canvas.point_at(None, Modifiers())

    def wheel(self, event: QWheelEvent) -> None:
        """Ctrl zooms, Shift sizes the brush, Alt sets opacity; alone it steps frames on loops and zooms on stills."""
        held = modifiers_of(event.modifiers())
        pixels, angle = event.pixelDelta(), event.angleDelta()
        turned = float(angle.y() or angle.x())  # Alt, and on macOS Shift, turn the axis
        if held.ctrl or (not held.shift and not held.alt and not self._canvas.wheel_steps_frames):
            self._canvas.zoom_by(ZOOM_STEP ** (turned / NOTCH), event.position())
            return
        smooth = not pixels.isNull() and event.phase() != Qt.ScrollPhase.NoScrollPhase
        if smooth and event.phase() == Qt.ScrollPhase.ScrollMomentum:
            return
        steps = self._steps(float(pixels.y() or pixels.x()) / PAD_STEP if smooth else turned / NOTCH)
        if not steps:
            return
        if held.shift:
            self._canvas.step_brush(steps)
        elif held.alt:
            self._canvas.step_opacity(steps)
        else:
            self._canvas.step_frames(-steps)

    def native_gesture(self, event: QNativeGestureEvent) -> None:
        """Two fingers on a touchpad pinch."""
        if event.gestureType() == Qt.NativeGestureType.ZoomNativeGesture:
            self._canvas.zoom_by(1.0 + event.value(), event.position())

    def _pointed(self, event: QMouseEvent) -> QPointF:
        return event.position() + QPointF(self._canvas.half_pixel, self._canvas.half_pixel)

    def _begin(self, does: str, button: Qt.MouseButton, at: QPointF) -> None:
        if self._held:
            return  # the first button goes on
        self._held, self._button, self._last, self._pressed_at, self._clicked = does, button, at, at, True

    def _moved(self, at: QPointF, modifiers: Modifiers, pressure: float) -> None:
        if self._clicked and (at - self._pressed_at).manhattanLength() >= CLICK_REACH:
            self._clicked = False
        offset, self._last = at - self._last, at
        self._canvas.point_at(at, modifiers)
        if self._held == "pan":
            self._canvas.pan_by(offset)
        elif self._held == "window" and not self._clicked:
            self._canvas.shift_window(offset)
        elif self._held in ("tool", ""):
            self._canvas.use_tool(Move(xy=self._canvas.view_to_image(at), modifiers=modifiers, pressure=pressure))

    def _end(self, at: QPointF, global_at: QPoint, modifiers: Modifiers) -> None:
        does = self._held
        self.let_go()
        if does == "tool":
            self._canvas.use_tool(Release(xy=self._canvas.view_to_image(at), modifiers=modifiers))
        elif does == "window" and self._clicked:
            self._canvas.open_menu(global_at, at)
        self._canvas.point_at(at, modifiers)

    def _steps(self, turned: float) -> int:
        if self._turned * turned < 0:
            self._turned = 0.0
        self._turned += turned
        whole = int(self._turned)
        self._turned -= whole
        return whole


def modifiers_of(held: Qt.KeyboardModifier) -> Modifiers:
    """Qt's keys as the tools know them (on macOS Qt already calls Cmd Control)."""
    return Modifiers(
        ctrl=bool(held & Qt.KeyboardModifier.ControlModifier),
        shift=bool(held & Qt.KeyboardModifier.ShiftModifier),
        alt=bool(held & Qt.KeyboardModifier.AltModifier),
    )
