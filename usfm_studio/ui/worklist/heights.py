"""Strips under the image are lower in low windows: this tells them when the window's height has changed."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QWidget

LOW_WINDOW = 760
TALL_WINDOW = 1000


class WindowHeight(QObject):
    """Calls `changed` with the window's height, at once and whenever it changes, from `follow` on."""

    def __init__(self, strip: QWidget, changed: Callable[[int], None]) -> None:
        super().__init__(strip)
        self._strip, self._changed = strip, changed
        self._window: QWidget | None = None

    def follow(self) -> None:
        """To be called when the strip is shown: it may have come into another window."""
        window = self._strip.window()
        if window is not self._window:
            if self._window is not None:
                self._window.removeEventFilter(self)
            self._window = window
            window.installEventFilter(self)
        self._changed(window.height())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Hear of the window's size."""
        if watched is self._window and event.type() is QEvent.Type.Resize:
            self._changed(self._window.height())
        return False
