"""From a key press to an action. Letters work wherever the focus is, except in a text field; taps differ from holds."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QTextEdit,
    QWidget,
)

from usfm_studio.ui.shell.action import Action, Context, Desk, Situation
from usfm_studio.ui.shell.actions import BY_ID
from usfm_studio.ui.shell.focus import mark_keyboard
from usfm_studio.ui.shell.keymap import Keymap
from usfm_studio.ui.shell.keys import MODIFIER_KEYS, names_of

HOLD_MS = 250
REPEAT_S = 1 / 60
_OWN_KEYS = frozenset(
    {"Space", "Enter", "Tab", "Shift+Tab", "Left", "Right", "Up", "Down", "Home", "End", "PgUp", "PgDown"}
)
_EDITING = frozenset(
    {f"Ctrl+{key}" for key in ("Z", "Y", "A", "C", "V", "X", "Left", "Right", "Up", "Down", "Backspace", "Del", "Home")}
    | {"Ctrl+Shift+Z", "Ctrl+Shift+Left", "Ctrl+Shift+Right", "Ctrl+End", "Shift+Del", "Ctrl+Insert"}
)
_COMMAND = re.compile(r"Ctrl\+.+|(Shift\+)?F\d+")
"""Keys that are commands in a text field, too: they write nothing."""


@dataclass(slots=True)
class _Hold:
    action: Action
    timer: QTimer
    on: bool = False


def is_text_field(widget: QWidget | None) -> bool:
    """Whether letters belong to this widget."""
    if isinstance(widget, QComboBox):
        return widget.isEditable()
    return isinstance(widget, QLineEdit | QPlainTextEdit | QTextEdit | QAbstractSpinBox)


class Dispatcher(QObject):
    """Give it the key events of the window (`watch`). `ran` and `refused` tell what came of them."""

    ran = Signal(str)  # action id
    refused = Signal(str, str)  # words of the action, reason

    def __init__(self, desk: Desk, situation: Callable[[], Situation], keymap: Keymap, parent: QObject) -> None:
        super().__init__(parent)
        self.keymap = keymap
        self._desk, self._situation = desk, situation
        self._holds: dict[int, _Hold] = {}
        self._last_repeat = 0.0
        self.canvas: QWidget | None = None
        self.above: Callable[[], QWidget | None] = lambda: None

    # --- acts --------------------------------------------------------------------------------------------------

    def run(self, action: Action | str) -> bool:
        """Do it if the situation allows; else say why not. True when it was done."""
        wanted = BY_ID[action] if isinstance(action, str) else action
        situation = self._situation()
        reason = wanted.enabled(situation)
        if reason is not None:
            self.refused.emit(wanted.words(situation), reason)
            return False
        wanted.does(self._desk)
        self.ran.emit(wanted.id)
        return True

    # --- keys --------------------------------------------------------------------------------------------------

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Keys of the window, before its widgets see them."""
        kind = event.type()
        if kind == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            return self.press(event)
        if kind == QEvent.Type.KeyRelease and isinstance(event, QKeyEvent):
            return self.release(event)
        if kind in (QEvent.Type.WindowDeactivate, QEvent.Type.FocusOut):
            self.let_go()
        return False

    def press(self, event: QKeyEvent) -> bool:
        """A key went down. True when it is used up."""
        if event.key() in MODIFIER_KEYS or QApplication.activePopupWidget() is not None or self.above() is not None:
            return False
        focus = QApplication.focusWidget()
        names = names_of(event)
        used = self._press_with(focus, names, event)
        if not used and {"Tab", "Shift+Tab"} & set(names):
            mark_keyboard()
        return used

    def _press_with(self, focus: QWidget | None, names: tuple[str, ...], event: QKeyEvent) -> bool:
        if is_text_field(focus):
            return self._press_in_text(focus, names)
        if self._belongs_to_control(focus, names):
            return False
        return self._press(event, names)

    def _press(self, event: QKeyEvent, names: tuple[str, ...]) -> bool:
        context = Context.WORK if self._situation().page == "work" else Context.PAGE
        gesture_key = context is Context.WORK and names and names[-1] in ("Enter", "Backspace")
        if gesture_key and not event.isAutoRepeat() and self._desk.canvas.take_key(names[-1]):
            return True
        for name in names:
            action = self.keymap.find(name, context)
            if action is not None:
                return self._start(action, event)
        return False

    def _start(self, action: Action, event: QKeyEvent) -> bool:
        if action.held is not None:
            if not event.isAutoRepeat() and event.key() not in self._holds:
                self._hold(action, event.key())
            return True
        if event.isAutoRepeat():
            now = perf_counter()
            if not action.repeats or now - self._last_repeat < REPEAT_S:
                return True
            self._last_repeat = now
        self.run(action)
        return True

    def _press_in_text(self, field: QWidget | None, names: tuple[str, ...]) -> bool:
        if "Esc" in names:
            self._to_canvas()
            return True
        if "Enter" in names and isinstance(field, QLineEdit):
            QTimer.singleShot(0, self._to_canvas)
            return False
        for name in names:
            if name in _EDITING or not _COMMAND.fullmatch(name):
                continue
            context = Context.WORK if self._situation().page == "work" else Context.PAGE
            action = self.keymap.find(name, context)
            if action is not None:
                self.run(action)
                return True
        return False

    def _belongs_to_control(self, focus: QWidget | None, names: tuple[str, ...]) -> bool:
        if focus is None or focus is self.canvas or focus.isWindow():
            return False
        return focus.focusPolicy() != Qt.FocusPolicy.NoFocus and any(name in _OWN_KEYS for name in names)

    def _to_canvas(self) -> None:
        if self.canvas is not None and self.above() is None:
            self.canvas.setFocus(Qt.FocusReason.OtherFocusReason)

    # --- taps and holds ----------------------------------------------------------------------------------------

    def _hold(self, action: Action, key: int) -> None:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.timeout.connect(lambda: self._held_long(key))
        self._holds[key] = _Hold(action, timer)
        timer.start(HOLD_MS)

    def _held_long(self, key: int) -> None:
        hold = self._holds.get(key)
        if hold is None or hold.action.held is None:
            return
        if self._situation().has_frame:
            hold.on = True
            hold.action.held(self._desk, True)

    def release(self, event: QKeyEvent) -> bool:
        """A key came up."""
        if event.isAutoRepeat() or event.key() not in self._holds:
            return False
        self._end(event.key(), tap=True)
        return True

    def let_go(self) -> None:
        """The window lost the keyboard: whatever is held ends, and nothing counts as a tap."""
        for key in tuple(self._holds):
            self._end(key, tap=False)

    def _end(self, key: int, *, tap: bool) -> None:
        hold = self._holds.pop(key)
        hold.timer.stop()
        hold.timer.deleteLater()
        if hold.on and hold.action.held is not None:
            hold.action.held(self._desk, False)
        elif tap:
            self.run(hold.action)
