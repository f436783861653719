"""All input of the canvas in one place: each kind of event goes to who understands it."""

from __future__ import annotations

from typing import Protocol

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent, QMouseEvent, QNativeGestureEvent, QTabletEvent, QTouchEvent, QWheelEvent
from PySide6.QtWidgets import QWidget

from usfm_studio.ui.canvas.pen import PenWatch
from usfm_studio.ui.canvas.pointer import Pointer, Steered, modifiers_of
from usfm_studio.ui.canvas.touch import Touch
from usfm_studio.ui.tools.tool import Cancel, Key, Modifiers

_GESTURE_KEYS = {Qt.Key.Key_Return: "Enter", Qt.Key.Key_Enter: "Enter", Qt.Key.Key_Backspace: "Backspace"}
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

    def modifiers_changed(self, modifiers: Modifiers) -> None:
        """Ctrl, Shift or Alt went down or up."""


class Input:
    """Knows what a person does to the canvas."""

    def __init__(self, canvas: QWidget, steered: Keyed) -> None:
        self._canvas = steered
        self._pointer = Pointer(steered)
        self._pen = PenWatch(self._pointer.pen_left, canvas)
        self._touch = Touch(steered, canvas)

    @property
    def held(self) -> str:
        """What the pointer's button that is down does: `tool`, `pan`, `window`, or nothing."""
        return self._pointer.held

    @property
    def stroking(self) -> bool:
        """True while the tool's button is down: then nothing reflows."""
        return self._pointer.held == "tool"

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
        event.accept()
        return False  # the widget still gets it, so that a click gives it the focus

    def _other(self, kind: QEvent.Type) -> None:
        if kind == QEvent.Type.Leave:
            self._canvas.point_at(None, Modifiers())
        elif kind in (QEvent.Type.FocusOut, QEvent.Type.Hide):
            if self.stroking:
                self._canvas.use_tool(Cancel())
            self._pointer.let_go()

    def _key(self, event: QKeyEvent) -> bool:
        """Keys of a gesture under way; all others are actions, and the window's."""
        key, down = Qt.Key(event.key()), event.type() == QEvent.Type.KeyPress
        if event.type() == QEvent.Type.ShortcutOverride:
            if self._canvas.gesture_active and (key == Qt.Key.Key_Escape or key in _GESTURE_KEYS):
                event.accept()
                return True
            return False
        if key in _MODIFIER_KEYS:
            self._canvas.modifiers_changed(_with(event, down))
        elif down and key == Qt.Key.Key_Escape:
            self._escape()
            return True
        elif down and key in _GESTURE_KEYS and self._canvas.gesture_active:
            self._canvas.use_tool(Key(name=_GESTURE_KEYS[key], modifiers=modifiers_of(event.modifiers())))
            return True
        return False

    def _escape(self) -> None:
        if self._canvas.gesture_active:
            self._pointer.let_go()
            self._canvas.use_tool(Cancel())
        else:
            self._canvas.leave_tool()


def _with(event: QKeyEvent, down: bool) -> Modifiers:
    """The modifiers as they are after this key: Qt's own list may or may not hold it yet."""
    held = modifiers_of(event.modifiers())
    key = event.key()
    return Modifiers(
        ctrl=down if key == Qt.Key.Key_Control else held.ctrl,
        shift=down if key == Qt.Key.Key_Shift else held.shift,
        alt=down if key == Qt.Key.Key_Alt else held.alt,
    )
