"""Python's cyclic garbage is collected in the window's thread alone, between two events, and what lives on is skipped.

By itself the collector runs in whatever thread happens to allocate, and a Qt object that dies outside of its own thread
may take the program along: its timers cannot be stopped from there. A full collection after the start would take 60 ms
(50,000 objects), in the middle of a stroke perhaps; so what the start and the opening of a project make is left out.
"""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, Qt, QTimer
from PySide6.QtWidgets import QApplication

EVERY_MS = 1000
YOUNG, OLDER, OLD = 700, 10, 10
"""Python's own thresholds: allocations, and collections of the generation before."""


class Sweeper(QObject):
    """Switches the automatic collector off until `stop`; collects as far as Python would, while no button is held."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._timer = QTimer(self)
        self._timer.setInterval(EVERY_MS)
        self._timer.timeout.connect(self.sweep)
        self._timer.start()
        gc.disable()
        self.leave_out()

    def leave_out(self) -> None:
        """What is alive now stays: later collections need not look at it."""
        gc.freeze()

    def stop(self) -> None:
        """Give the collector back to Python."""
        self._timer.stop()
        gc.unfreeze()
        gc.enable()

    def sweep(self) -> None:
        """Collect as far as Python would have."""
        if QApplication.mouseButtons() != Qt.MouseButton.NoButton:
            return
        young, older, old = gc.get_count()
        if old > OLD:
            gc.collect()
        elif older > OLDER:
            gc.collect(1)
        elif young > YOUNG:
            gc.collect(0)
