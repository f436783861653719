"""The frame's pixels, scaled to the view and put through window and level."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRect
from PySide6.QtGui import QImage, QPainter

from usfm_studio.document.frame import Pixels
from usfm_studio.ui.canvas.grid import Grid

DRAG_PX = 400.0
"""Logical pixels of a drag that are the whole range of values."""
PIXELS_SHOW_FROM = 8.0
"""Logical pixels per image pixel from which pixels are shown as they are, and outlines follow their borders."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowLevel:
    """What of the stored values is shown: from `level - window / 2` (black) to `level + window / 2` (white)."""

    window: float = 255.0
    level: float = 127.5

    @classmethod
    def whole(cls, bits: int) -> WindowLevel:
        """All values of so many bits."""
        return cls(window=2.0**bits - 1, level=(2.0**bits - 1) / 2)

    @classmethod
    def of(cls, pixels: Pixels) -> WindowLevel:
        """From the 1st to the 99.8th percentile of what is not black, for an image that uses few of its values."""
        sample = pixels[:: max(1, pixels.shape[0] // 512), :: max(1, pixels.shape[1] // 512)]
        shown = sample[sample > 0]
        if not shown.size:
            return cls()
        low, high = np.percentile(shown, (1, 99.8))
        return cls(window=max(1.0, float(high - low)), level=float(high + low) / 2)

    def dragged(self, by: tuple[float, float], bits: int) -> WindowLevel:
        """After a drag by logical pixels: across widens the window, up raises the level."""
        unit = (2.0**bits - 1) / DRAG_PX
        window = min(2.0 * 2**bits, max(1.0, self.window + by[0] * unit))
        return WindowLevel(window=window, level=self.level - by[1] * unit)

    def table(self, bits: int, inverted: bool) -> NDArray[np.uint8]:
        """Shown grey (uint8) by stored value."""
        values = np.arange(2**bits, dtype=np.float32)
        grey = (values - (self.level - self.window / 2)) * (255.0 / max(self.window, 1e-6))
        table = np.clip(np.round(grey), 0, 255).astype(np.uint8)
        return 255 - table if inverted else table


class Picture:
    """One frame and its halves, quarters and so on, made when first needed."""

    def __init__(self, pixels: Pixels) -> None:
        self.pixels = pixels
        self._levels: list[Pixels] = [pixels]

    @property
    def shape_rc(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.pixels.shape[0], self.pixels.shape[1]

    def draw(self, painter: QPainter, part: QRect, grid: Grid, shown: WindowLevel, inverted: bool) -> None:
        """Draw what of the image lies in a part (device pixels) of the grid."""
        x0, y0, x1, y1 = grid.device_rect(grid.placement.box_to_view((0, 0, self.shape_rc[1], self.shape_rc[0])))
        target = QRect(round(x0), round(y0), round(x1) - round(x0), round(y1) - round(y0)).intersected(part)
        if target.isEmpty():
            return
        grey = self._windowed(self._scaled(target, grid), shown, inverted)
        rows, columns = grey.shape[:2]
        kind = QImage.Format.Format_Grayscale8 if grey.ndim == 2 else QImage.Format.Format_RGB888
        painter.drawImage(target.topLeft(), QImage(grey.data, columns, rows, grey.strides[0], kind))

    def _scaled(self, target: QRect, grid: Grid) -> Pixels:
        fx, fy = grid.pixels_per_image_pixel
        if min(grid.placement.scale_xy) >= PIXELS_SHOW_FROM:
            return self._nearest(target, grid)
        number = max(0, math.floor(math.log2(1 / max(fx, fy)))) if max(fx, fy) < 1 else 0
        level = self._level(number)
        share_x, share_y = self.shape_rc[1] / level.shape[1], self.shape_rc[0] / level.shape[0]
        corner_x, corner_y = grid.to_device(grid.placement.image_to_view((-0.5, -0.5)))
        scale_x, scale_y = fx * share_x, fy * share_y  # device pixels per pixel of the level
        left, right = _covered(target.left() - corner_x, target.width(), scale_x, level.shape[1])
        top, bottom = _covered(target.top() - corner_y, target.height(), scale_y, level.shape[0])
        to_target = np.array(
            [
                [scale_x, 0, (left + 0.5) * scale_x + corner_x - target.left() - 0.5],
                [0, scale_y, (top + 0.5) * scale_y + corner_y - target.top() - 0.5],
            ]
        )
        scaled: Pixels = _warped(level[top:bottom, left:right], to_target, (target.width(), target.height()))
        return scaled

    def _nearest(self, target: QRect, grid: Grid) -> Pixels:
        xs = grid.image_columns(target.left(), target.width())
        ys = grid.image_rows(target.top(), target.height())
        rows, columns = self.shape_rc
        near: Pixels = self.pixels[np.clip(ys, 0, rows - 1)][:, np.clip(xs, 0, columns - 1)]
        return near

    def _level(self, number: int) -> Pixels:
        import cv2

        while len(self._levels) <= number and min(self._levels[-1].shape[:2]) > 1:
            last = self._levels[-1]
            half = (max(1, last.shape[1] // 2), max(1, last.shape[0] // 2))
            self._levels.append(cv2.resize(last, half, interpolation=cv2.INTER_AREA))
        level: Pixels = self._levels[min(number, len(self._levels) - 1)]
        return level

    def _windowed(self, scaled: Pixels, shown: WindowLevel, inverted: bool) -> NDArray[np.uint8]:
        bits = 8 if scaled.dtype == np.uint8 else 16
        if bits == 8 and not inverted and shown == WindowLevel():
            return np.ascontiguousarray(scaled, np.uint8)
        return np.take(shown.table(bits, inverted), scaled)


def _covered(begin: float, length: float, scale: float, size: int) -> tuple[int, int]:
    """Source pixels (first, stop) that a run of target pixels needs, with one more at each side."""
    first = math.floor(begin / scale) - 2
    stop = math.ceil((begin + length) / scale) + 2
    return max(0, min(first, size - 1)), max(1, min(stop, size))


def _warped(source: Pixels, to_target: NDArray[np.float64], size_wh: tuple[int, int]) -> Any:
    import cv2

    return cv2.warpAffine(source, to_target, size_wh, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
