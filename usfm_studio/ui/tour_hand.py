"""The tour's hand: real mouse events on the real canvas, guided by the reference masks of the sample."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from usfm_studio.document.errors import NotFound
from usfm_studio.document.resources import resource
from usfm_studio.ui.canvas.view import CanvasView
from usfm_studio.ui.shell.window import Window

CORNERS = 48
LEFT = Qt.MouseButton.LeftButton
PLAIN = Qt.KeyboardModifier.NoModifier


def reference_ids(name: str) -> NDArray[np.uint8]:
    """The reference mask of a sample image, (rows, columns) with 1 where its segment is. Raises NotFound."""
    path = resource("sample", "reference", f"{Path(name).stem}.png")
    image = QImage(str(path)).convertToFormat(QImage.Format.Format_Grayscale8)
    if image.isNull():
        raise NotFound("The tour stopped", f"the reference mask of {name} is missing", "Install the program again.")
    buffer = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return (buffer[:, : image.width()] > 0).astype(np.uint8)


def dice(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """2|A∩B| / (|A|+|B|); 1 where both are empty."""
    total = int(first.sum()) + int(second.sum())
    return 1.0 if total == 0 else 2.0 * int((first & second).sum()) / total


def outline(ids: NDArray[np.uint8], corners: int = CORNERS) -> NDArray[np.float64]:
    """Corner points (x, y) around a roundish area, from its centre outwards, in order of the angle."""
    rows, columns = np.nonzero(ids)
    centre = np.array([columns.mean(), rows.mean()])
    reach = float(np.hypot(*ids.shape))
    radii = np.arange(0.0, reach, 0.5)
    points = []
    for angle in np.linspace(0, 2 * np.pi, corners, endpoint=False):
        xs = centre[0] + np.cos(angle) * radii
        ys = centre[1] + np.sin(angle) * radii
        inside = (xs >= 0) & (ys >= 0) & (xs <= ids.shape[1] - 1) & (ys <= ids.shape[0] - 1)
        on = ids[ys[inside].round().astype(int), xs[inside].round().astype(int)] > 0
        last = radii[inside][np.flatnonzero(on)[-1]] if on.any() else 1.0
        points.append(centre + last * np.array([np.cos(angle), np.sin(angle)]))
    return np.array(points)


class Hand:
    """Takes up tools by their actions and works with the mouse where a person would."""

    def __init__(self, window: Window) -> None:
        self._window = window

    @property
    def _view(self) -> CanvasView:
        widget = self._window.work().link.widget
        assert isinstance(widget, CanvasView)
        return widget

    def polygon(self, ids: NDArray[np.uint8], pause: Callable[[], None] | None = None) -> None:
        """Draw the outline of an area corner by corner and close it with Enter."""
        self._window.run("view.fit")
        self._window.run("tool.polygon")
        corners = outline(ids)
        for number, corner in enumerate(corners):
            self._click(corner)
            if pause is not None and number == len(corners) * 2 // 3:
                pause()
        QTest.keyClick(self._view, Qt.Key.Key_Return)
        QApplication.processEvents()

    def brush_along(self, ids: NDArray[np.uint8]) -> None:
        """A brush stroke along part of the rim, a pixel wider, as one smooths a drawn edge."""
        self._window.run("tool.brush")
        corners = outline(ids, 24)
        centre = corners.mean(axis=0)
        radius = self._view.brush_size / 2
        inner = [c + (centre - c) / max(1.0, float(np.hypot(*(centre - c)))) * (radius - 1.0) for c in corners[:6]]
        self._drag(inner)
        self._window.run("tool.select")

    def scribble(self) -> None:
        """A stroke across the middle of whatever is in view."""
        self._window.run("tool.brush")
        rows, columns = self._window.session.mask().shape_rc
        points = [np.array([columns * (0.35 + 0.03 * i), rows * (0.5 + 0.05 * (i % 2))]) for i in range(10)]
        self._drag(points)
        self._window.run("tool.select")

    def _at(self, xy: NDArray[np.float64]) -> QPoint:
        return self._view.image_to_view((float(xy[0]), float(xy[1]))).toPoint()

    def _click(self, xy: NDArray[np.float64]) -> None:
        QTest.mouseMove(self._view, self._at(xy))
        QTest.mouseClick(self._view, LEFT, PLAIN, self._at(xy))
        QApplication.processEvents()

    def _drag(self, points: list[NDArray[np.float64]]) -> None:
        QTest.mousePress(self._view, LEFT, PLAIN, self._at(points[0]))
        for point in points[1:]:
            QTest.mouseMove(self._view, self._at(point))
            QApplication.processEvents()
        QTest.mouseRelease(self._view, LEFT, PLAIN, self._at(points[-1]))
        QApplication.processEvents()
