"""Whether a pen is near the screen: then fingers are a palm, and a pen that leaves ends its stroke."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QApplication


class PenWatch(QObject):
    """Qt tells only the application that a pen leaves; it is watched from a pen's first event until then."""

    def __init__(self, left: Callable[[], None], parent: QObject) -> None:
        super().__init__(parent)
        self._left = left
        self.near = False

    def seen(self) -> None:
        """A pen's event came."""
        application = QApplication.instance()
        if not self.near and application is not None:
            self.near = True
            application.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Notice that the pen leaves; keep no event from anyone."""
        if event.type() == QEvent.Type.TabletLeaveProximity and self.near:
            self.near = False
            application = QApplication.instance()
            if application is not None:
                application.removeEventFilter(self)
            self._left()
        return False
