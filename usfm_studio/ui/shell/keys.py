"""Keys as text: `Ctrl+Shift+P`, `Right`, `Plus`, `Digit1` (by its place on the keyboard, whatever is printed there)."""

from __future__ import annotations

import sys

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent

_MODIFIERS = (
    (Qt.KeyboardModifier.ControlModifier, "Ctrl"),
    (Qt.KeyboardModifier.AltModifier, "Alt"),
    (Qt.KeyboardModifier.MetaModifier, "Meta"),
    (Qt.KeyboardModifier.ShiftModifier, "Shift"),
)
_ORDER = ("Ctrl", "Alt", "Meta", "Shift")
_NAMED = {
    Qt.Key.Key_Return: "Enter", Qt.Key.Key_Enter: "Enter", Qt.Key.Key_Escape: "Esc", Qt.Key.Key_Delete: "Del",
    Qt.Key.Key_Backspace: "Backspace", Qt.Key.Key_Tab: "Tab", Qt.Key.Key_Backtab: "Tab", Qt.Key.Key_Space: "Space",
    Qt.Key.Key_Left: "Left", Qt.Key.Key_Right: "Right", Qt.Key.Key_Up: "Up", Qt.Key.Key_Down: "Down",
    Qt.Key.Key_Home: "Home", Qt.Key.Key_End: "End", Qt.Key.Key_PageUp: "PgUp", Qt.Key.Key_PageDown: "PgDown",
}  # fmt: skip
_SYMBOLS = {
    Qt.Key.Key_Plus: "Plus", Qt.Key.Key_Equal: "Equal", Qt.Key.Key_Minus: "Minus", Qt.Key.Key_Comma: "Comma",
    Qt.Key.Key_Period: "Period", Qt.Key.Key_Slash: "Slash", Qt.Key.Key_Backslash: "Backslash",
    Qt.Key.Key_BracketLeft: "BracketLeft", Qt.Key.Key_BracketRight: "BracketRight",
}  # fmt: skip
_SHOWN = {
    "Plus": "+", "Equal": "=", "Minus": "−", "Comma": ",", "Period": ".", "Slash": "/", "Backslash": "\\",
    "BracketLeft": "[", "BracketRight": "]", "Right": "→", "Left": "←", "Up": "↑", "Down": "↓",
    **{f"Digit{n}": str(n) for n in range(10)},
}  # fmt: skip
_US_SHIFTED = "!@#$%^&*()"
_MAC_DIGITS = {18: 1, 19: 2, 20: 3, 21: 4, 23: 5, 22: 6, 26: 7, 28: 8, 25: 9, 29: 0}
MODIFIER_KEYS = frozenset(
    {Qt.Key.Key_Shift, Qt.Key.Key_Control, Qt.Key.Key_Alt, Qt.Key.Key_Meta, Qt.Key.Key_AltGr, Qt.Key.Key_CapsLock}
)


def _physical_digit(event: QKeyEvent) -> int | None:
    """The digit that stands on this key on most keyboards: by scan code, so that AZERTY types labels without Shift."""
    if event.modifiers() & Qt.KeyboardModifier.KeypadModifier:
        return None
    code = event.nativeScanCode()
    if sys.platform == "darwin":
        return _MAC_DIGITS.get(event.nativeVirtualKey())
    first = 2 if sys.platform == "win32" else 10
    if first <= code <= first + 9:
        return (code - first + 1) % 10
    if code:
        return None
    key = event.key()
    if Qt.Key.Key_0 <= key <= Qt.Key.Key_9:
        return key - Qt.Key.Key_0
    typed = event.text() or (chr(key) if 32 < key < 127 else "")
    return (_US_SHIFTED.index(typed) + 1) % 10 if typed and typed in _US_SHIFTED else None


def _symbol(event: QKeyEvent) -> str:
    key = Qt.Key(event.key())
    if key in _NAMED:
        return _NAMED[key]
    if key in _SYMBOLS:
        return _SYMBOLS[key]
    if Qt.Key.Key_F1 <= key <= Qt.Key.Key_F24:
        return f"F{key - Qt.Key.Key_F1 + 1}"
    if Qt.Key.Key_A <= key <= Qt.Key.Key_Z:
        return chr(key)
    if Qt.Key.Key_0 <= key <= Qt.Key.Key_9:
        return f"Digit{key - Qt.Key.Key_0}"
    return ""


def names_of(event: QKeyEvent) -> tuple[str, ...]:
    """All names under which an action may be bound to this key press, the best first."""
    held = [name for flag, name in _MODIFIERS if event.modifiers() & flag]
    if event.key() == Qt.Key.Key_Backtab and "Shift" not in held:
        held.append("Shift")
    found = []
    digit = _physical_digit(event)
    if digit is not None:
        found.append("+".join([*held, f"Digit{digit}"]))
    symbol = _symbol(event)
    if symbol:
        if symbol in _SHOWN and symbol in _SYMBOLS.values():
            held = [name for name in held if name != "Shift"]  # how a sign is typed differs by keyboard
        found.append("+".join([*held, symbol]))
    return tuple(dict.fromkeys(found))


def normal(keys: str) -> str:
    """One way of writing a key: modifiers in a fixed order. Raises ValueError on an empty one."""
    parts = keys.replace("++", "+Plus").split("+") if keys != "+" else ["Plus"]
    if not parts[-1]:
        raise ValueError(f"not a key: {keys!r}")
    held = [part for part in _ORDER if part in parts[:-1]]
    return "+".join([*held, parts[-1]])


def caps(keys: str) -> tuple[str, ...]:
    """The key caps to draw: `("Ctrl", "Shift", "P")`."""
    mac = {"Ctrl": "⌘", "Alt": "⌥", "Shift": "⇧", "Meta": "⌃"} if sys.platform == "darwin" else {}
    return tuple(mac.get(part, _SHOWN.get(part, part)) for part in keys.split("+"))


def shown(keys: str) -> str:
    """A key in one piece, for menus and tips: `Ctrl+Shift+P`."""
    parts = caps(keys)
    return "".join(parts) if sys.platform == "darwin" else "+".join(parts)


def short(keys: str) -> str:
    """A key for one narrow cap: `⇧Y`, `Ctrl Enter`."""
    parts = caps(keys)
    if parts[0] == "Shift" and len(parts) == 2:
        return f"⇧{parts[1]}"
    return " ".join(parts)
