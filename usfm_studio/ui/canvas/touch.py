"""Fingers on a touch screen: one moves the image, two pinch, one that rests asks for the menu."""

from __future__ import annotations

import math

from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, QTimer
from PySide6.QtGui import QEventPoint, QTouchEvent

from usfm_studio.ui.canvas.pointer import Steered

LONG_PRESS_MS = 500
_STILL = 10.0  # logical pixels that a resting finger may move


class Touch(QObject):
    """Follows up to two fingers."""

    def __init__(self, canvas: Steered, parent: QObject) -> None:
        super().__init__(parent)
        self._canvas = canvas
        self._middle: QPointF | None = None
        self._apart = 0.0
        self._began = QPointF()
        self._began_global = QPoint()
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(LONG_PRESS_MS)
        self._rest.timeout.connect(self._rested)

    def follow(self, event: QTouchEvent) -> None:
        """Any touch event of the canvas."""
        down = [p for p in event.points() if p.state() != QEventPoint.State.Released]
        if event.type() == QEvent.Type.TouchCancel or not down:
            self._rest.stop()
            self._middle = None
            return
        middle, apart = _spread([p.position() for p in down[:2]])
        if self._middle is None:
            self._began, self._began_global = middle, down[0].globalPosition().toPoint()
            self._rest.start()
        elif (apart > 0) == (self._apart > 0):
            self._canvas.pan_by(middle - self._middle)
            if apart > 0:
                self._canvas.zoom_by(apart / self._apart, middle)
        if len(down) > 1 or (middle - self._began).manhattanLength() > _STILL:
            self._rest.stop()
        self._middle, self._apart = middle, apart

    def _rested(self) -> None:
        self._canvas.open_menu(self._began_global, self._began)


def _spread(points: list[QPointF]) -> tuple[QPointF, float]:
    if len(points) == 1:
        return points[0], 0.0
    a, b = points
    return (a + b) / 2, math.hypot(a.x() - b.x(), a.y() - b.y())
