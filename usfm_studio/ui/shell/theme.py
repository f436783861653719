"""The theme in force: one value for the program, changed by `apply_theme` and read while painting."""

from __future__ import annotations

from functools import lru_cache

from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication

from usfm_studio.ui.shell import fonts, style
from usfm_studio.ui.shell.tokens import READING_ROOM, THEMES, Tokens


class _Held:
    tokens: Tokens = READING_ROOM
    motion: bool = True


def tokens() -> Tokens:
    """The colours in force."""
    return _Held.tokens


@lru_cache(maxsize=256)
def _colour(hexed: str) -> QColor:
    return QColor(hexed)


def colour(name: str) -> QColor:
    """A token by its name (`accent`), or a colour written `#RRGGBB`. Shared: do not change it."""
    return _colour(name if name.startswith("#") else getattr(_Held.tokens, name))


def duration(ms: int) -> int:
    """How long a movement takes: 0 when the person asked for less motion."""
    return ms if _Held.motion else 0


def set_motion(on: bool) -> None:
    """Switch all movement on or off ("reduce motion")."""
    _Held.motion = on


def apply_theme(application: QApplication, name: str = READING_ROOM.name) -> None:
    """Give the whole program a theme; widgets repaint by the palette change. Unknown names mean the first theme."""
    _Held.tokens = THEMES.get(name, READING_ROOM)
    if application.property("usfm_theme") == _Held.tokens.name:
        return
    if application.property("usfm_fonts") is None:
        fonts.load_fonts()
        application.setProperty("usfm_fonts", True)
    fonts.set_dark(colour("text").lightness() > 128)
    application.setFont(fonts.font())
    application.setStyle("Fusion")
    application.setPalette(style.palette(_Held.tokens))
    application.setStyleSheet(style.sheet(_Held.tokens))
    application.setProperty("usfm_theme", _Held.tokens.name)
