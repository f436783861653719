"""Zooming by dragging up and down while a key is held."""

from __future__ import annotations

from collections.abc import Callable
from math import exp

from PySide6.QtCore import QEvent, QObject, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QWidget

PIXELS_FOR_E = 160.0
"""How far a drag goes that makes the image e times larger."""


class ZoomDrag(QObject):
    """While on, it takes the left button of `view` for itself and calls `zoom_by(factor, about)`."""

    def __init__(self, view: QWidget, zoom_by: Callable[[float, QPointF], None]) -> None:
        super().__init__(view)
        self._view, self._zoom_by = view, zoom_by
        self._on = False
        self._about: QPointF | None = None
        self._last = 0.0

    def set_on(self, on: bool) -> None:
        """Take or give back the button."""
        if on == self._on:
            return
        self._on, self._about = on, None
        if on:
            self._view.installEventFilter(self)
            self._view.setCursor(Qt.CursorShape.SizeVerCursor)
        else:
            self._view.removeEventFilter(self)
            self._view.unsetCursor()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Presses, moves and releases of the left button."""
        kind = event.type()
        if not isinstance(event, QMouseEvent):
            return False
        if kind == QEvent.Type.MouseButtonPress and event.button() == Qt.MouseButton.LeftButton:
            self._about, self._last = event.position(), event.position().y()
            return True
        if kind == QEvent.Type.MouseMove and self._about is not None:
            up = self._last - event.position().y()
            self._last = event.position().y()
            self._zoom_by(exp(up / PIXELS_FOR_E), self._about)
            return True
        if kind == QEvent.Type.MouseButtonRelease and self._about is not None:
            self._about = None
            return True
        return False
