"""Pictures of the window as the tour goes on. Taking one is not the program's work and is not counted as a stall."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSize
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import QApplication

from usfm_studio.ui.shell.watchdog import Watchdog
from usfm_studio.ui.shell.window import Window


class Pictures:
    """Numbered PNGs in a folder."""

    def __init__(self, window: Window, out: Path, watchdog: Watchdog) -> None:
        self._window, self._out, self._watchdog = window, out, watchdog
        self.taken: list[Path] = []

    def take(self, name: str) -> None:
        """A picture of the window as it is."""
        with self._watchdog.paused():
            QApplication.processEvents()
            self._save(self._window.grab(), name)

    def take_at(self, name: str, width: int, height: int, scale: float) -> None:
        """A picture at another size and scale; afterwards the window is as before."""
        with self._watchdog.paused():
            before = self._window.size()
            self._window.resize(QSize(width, height))
            for _ in range(6):
                QApplication.processEvents()
            picture = QPixmap(round(width * scale), round(height * scale))
            picture.setDevicePixelRatio(scale)
            self._window.render(picture)
            mark = f"{width}x{height}" + (f"@{scale:.0f}x" if scale != 1 else "")
            self._save(picture, f"{name}-{mark}")
            self._window.resize(before)
            for _ in range(4):
                QApplication.processEvents()

    def _save(self, picture: QPixmap, name: str) -> None:
        path = self._out / f"{len(self.taken) + 1:02d}-{name}.png"
        picture.save(str(path))
        self.taken.append(path)
