"""All input of the canvas in one place: each kind of event goes to who understands it."""

from __future__ import annotations

from typing import Protocol

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent, QMouseEvent, QNativeGestureEvent, QTabletEvent, QTouchEvent, QWheelEvent
from PySide6.QtWidgets import QWidget

from usfm_studio.ui.canvas.momentary import Momentary
from usfm_studio.ui.canvas.pen import PenWatch
from usfm_studio.ui.canvas.pointer import Pointer, Steered, modifiers_of
from usfm_studio.ui.canvas.touch import Touch
from usfm_studio.ui.tools.tool import Cancel, Key, Modifiers

_GESTURE_KEYS = {Qt.Key.Key_Return: "Enter", Qt.Key.Key_Enter: "Enter", Qt.Key.Key_Backspace: "Backspace"}
_SIZE_KEYS = {
    Qt.Key.Key_Plus: 1,
    Qt.Key.Key_Equal: 1,
    Qt.Key.Key_BracketRight: 1,
    Qt.Key.Key_Minus: -1,
    Qt.Key.Key_BracketLeft: -1,
}
_HELD_KEYS = {Qt.Key.Key_X: "X", Qt.Key.Key_Space: "Space"}
_MODIFIER_KEYS = (Qt.Key.Key_Control, Qt.Key.Key_Shift, Qt.Key.Key_Alt)
_MOUSE = (
    QEvent.Type.MouseButtonPress,
    QEvent.Type.MouseButtonDblClick,
    QEvent.Type.MouseMove,
    QEvent.Type.MouseButtonRelease,
)
_TABLET = (QEvent.Type.TabletPress, QEvent.Type.TabletMove, QEvent.Type.TabletRelease)
_TOUCH = (QEvent.Type.TouchBegin, QEvent.Type.TouchUpdate, QEvent.Type.TouchEnd, QEvent.Type.TouchCancel)


class Keyed(Steered, Protocol):
    """What keys do to the canvas, beside what the pointer does."""

    @property
    def gesture_active(self) -> bool:
        """True in the middle of a stroke or outline."""

    def leave_tool(self) -> None:
        """Escape with nothing to cancel."""

    def set_peek(self, on: bool) -> None:
        """Thin lines instead of overlays, while a key is held."""

    def tapped(self, key: str) -> None:
        """A key that acts while held was only tapped."""

    def hold_hand(self, on: bool) -> None:
        """The key that moves the image is down or up."""

    def modifiers_changed(self, modifiers: Modifiers) -> None:
        """Ctrl, Shift or Alt went down or up."""


class Input:
    """Knows what a person does to the canvas."""

    def __init__(self, canvas: QWidget, steered: Keyed) -> None:
        self._canvas = steered
        self._pointer = Pointer(steered)
        self._pen = PenWatch(self._pointer.pen_left, canvas)
        self._touch = Touch(steered, canvas)
        self._momentary = Momentary()

    @property
    def held(self) -> str:
        """What the pointer's button that is down does: `tool`, `pan`, `window`, or nothing."""
        return self._pointer.held

    def let_go(self) -> None:
        """Forget what is held: the gesture was ended from elsewhere."""
        self._pointer.let_go()

    def take(self, event: QEvent) -> bool:
        """Act on an event of the canvas. False: the widget goes on with it."""
        kind = event.type()
        if kind in _MOUSE and isinstance(event, QMouseEvent):
            return self._mouse(event)
        if kind in _TABLET and isinstance(event, QTabletEvent):
            self._pen.seen()
            self._pointer.tablet(event)
        elif kind in _TOUCH and isinstance(event, QTouchEvent):
            if not self._pen.near:  # a palm
                self._touch.follow(event)
        elif kind == QEvent.Type.Wheel and isinstance(event, QWheelEvent):
            self._pointer.wheel(event)
        elif kind == QEvent.Type.NativeGesture and isinstance(event, QNativeGestureEvent):
            self._pointer.native_gesture(event)
        elif isinstance(event, QKeyEvent):
            return self._key(event)
        else:
            self._other(kind)
            return False
        event.accept()
        return True

    def _mouse(self, event: QMouseEvent) -> bool:
        match event.type():
            case QEvent.Type.MouseButtonPress:
                self._pointer.press(event)
            case QEvent.Type.MouseButtonDblClick:
                self._pointer.press(event, double=True)
            case QEvent.Type.MouseMove:
                self._pointer.move(event)
            case _:
                self._pointer.release(event)
        self._momentary.used(Qt.Key.Key_Space)
        event.accept()
        return False  # the widget still gets it, so that a click gives it the focus

    def _other(self, kind: QEvent.Type) -> None:
        if kind == QEvent.Type.Leave:
            self._canvas.point_at(None, Modifiers())
        elif kind in (QEvent.Type.FocusOut, QEvent.Type.Hide):
            if self._pointer.held == "tool":
                self._canvas.use_tool(Cancel())
            self._pointer.let_go()
            self._momentary.forget()
            self._canvas.set_peek(False)
            self._canvas.hold_hand(False)

    def _key(self, event: QKeyEvent) -> bool:
        match event.type():
            case QEvent.Type.ShortcutOverride:
                if not self._claims(event):
                    return False
                event.accept()
                return True
            case QEvent.Type.KeyPress:
                return self._key_down(event)
            case QEvent.Type.KeyRelease:
                return self._key_up(event)
        return False

    def _claims(self, event: QKeyEvent) -> bool:
        """Keys that the canvas takes before any shortcut: those of a gesture under way, and those that act held."""
        key, plain = event.key(), _plain(event)
        if self._canvas.gesture_active and (key == Qt.Key.Key_Escape or key in _GESTURE_KEYS):
            return True
        return plain and key in _HELD_KEYS

    def _key_down(self, event: QKeyEvent) -> bool:
        key = Qt.Key(event.key())
        if key in _MODIFIER_KEYS:
            self._canvas.modifiers_changed(_with(event, down=True))
            return False
        if key == Qt.Key.Key_Escape:
            if self._canvas.gesture_active:
                self._pointer.let_go()
                self._canvas.use_tool(Cancel())
            else:
                self._canvas.leave_tool()
            return True
        if key in _GESTURE_KEYS and self._canvas.gesture_active:
            self._canvas.use_tool(Key(name=_GESTURE_KEYS[key], modifiers=modifiers_of(event.modifiers())))
            return True
        if key in _HELD_KEYS and _plain(event):
            if self._momentary.press(key):
                self._hold(key, True)
            return True
        if key in _SIZE_KEYS and not event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self._canvas.step_brush(_SIZE_KEYS[key])
            return True
        return False

    def _key_up(self, event: QKeyEvent) -> bool:
        key = Qt.Key(event.key())
        if key in _MODIFIER_KEYS:
            self._canvas.modifiers_changed(_with(event, down=False))
            return False
        if key not in _HELD_KEYS or event.isAutoRepeat():
            return False
        if self._momentary.held(key):
            tap = self._momentary.release(key)
            self._hold(key, False)
            if tap:
                self._canvas.tapped(_HELD_KEYS[key])
        return True

    def _hold(self, key: Qt.Key, on: bool) -> None:
        if key == Qt.Key.Key_X:
            self._canvas.set_peek(on)
        else:
            self._canvas.hold_hand(on)


def _plain(event: QKeyEvent) -> bool:
    held = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
    return held == Qt.KeyboardModifier.NoModifier


def _with(event: QKeyEvent, down: bool) -> Modifiers:
    """The modifiers as they are after this key: Qt's own list may or may not hold it yet."""
    held = modifiers_of(event.modifiers())
    key = event.key()
    return Modifiers(
        ctrl=down if key == Qt.Key.Key_Control else held.ctrl,
        shift=down if key == Qt.Key.Key_Shift else held.shift,
        alt=down if key == Qt.Key.Key_Alt else held.alt,
    )
