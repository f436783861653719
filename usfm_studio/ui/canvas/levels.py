"""Window and level of what is in view, and black for white."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QObject, QPointF, Signal

from usfm_studio.document.frame import Pixels
from usfm_studio.ui.canvas.layers import Shown
from usfm_studio.ui.canvas.picture import WindowLevel


class Levels(QObject):
    """How stored values are shown; `shown` is what the picture is drawn with."""

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.shown = Shown()
        self._bits = 8

    @property
    def window(self) -> WindowLevel:
        """What of the stored values is shown."""
        return self.shown.window

    def begin(self, bits: int) -> None:
        """Another file, with so many stored bits a sample: all its values show."""
        self._bits = bits
        self.reset()

    def set_window(self, window: WindowLevel) -> None:
        """Show other stored values."""
        self._show(replace(self.shown, window=window))

    def reset(self) -> None:
        """Show all values."""
        self.set_window(WindowLevel.whole(self._bits))

    def fit(self, pixels: Pixels) -> None:
        """Show the values that occur."""
        self.set_window(WindowLevel.of(pixels))

    def shift(self, offset: QPointF) -> None:
        """After a drag by logical pixels. Across: window; up: level."""
        self.set_window(self.window.dragged((offset.x(), offset.y()), self._bits))

    def set_inverted(self, on: bool) -> None:
        """Show black as white."""
        self._show(replace(self.shown, inverted=on))

    def _show(self, shown: Shown) -> None:
        if shown != self.shown:
            self.shown = shown
            self.changed.emit()
