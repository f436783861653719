"""The view's device pixels: where they lie among its logical ones, and what of the image each one shows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRect

from usfm_studio.document.rasterise import XY, Box
from usfm_studio.ui.canvas.coordinates import Placement

Rect = tuple[float, float, float, float]
"""(left, top, right, bottom)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A placement on a screen of `ratio` device pixels per logical pixel.

    `shift` is the view point at which the layers' first device pixel begins: (0, 0), or less than a device pixel
    before it where the widget itself does not begin on one (scaling by 125 or 150 %).
    """

    placement: Placement
    ratio: float
    shift: XY
    size_wh: tuple[int, int]  # of a layer, device pixels

    @property
    def pixels_per_image_pixel(self) -> XY:
        """Device pixels per image pixel along x and y."""
        sx, sy = self.placement.scale_xy
        return sx * self.ratio, sy * self.ratio

    def to_device(self, view_xy: XY) -> XY:
        """Device position in a layer of a view point."""
        return (view_xy[0] - self.shift[0]) * self.ratio, (view_xy[1] - self.shift[1]) * self.ratio

    def to_view(self, device_xy: XY) -> XY:
        """Inverse of `to_device`."""
        return device_xy[0] / self.ratio + self.shift[0], device_xy[1] / self.ratio + self.shift[1]

    def device_rect(self, view_rect: Rect) -> Rect:
        """The same rectangle in device pixels of a layer."""
        x0, y0 = self.to_device((view_rect[0], view_rect[1]))
        x1, y1 = self.to_device((view_rect[2], view_rect[3]))
        return x0, y0, x1, y1

    def view_rect(self, rect: QRect) -> Rect:
        """The view's part that a rectangle of whole device pixels covers."""
        x0, y0 = self.to_view((rect.left(), rect.top()))
        x1, y1 = self.to_view((rect.left() + rect.width(), rect.top() + rect.height()))
        return x0, y0, x1, y1

    def covering(self, view_rect: Rect, margin: float = 0.0) -> QRect:
        """Whole device pixels that cover a part of the view and `margin` logical pixels around it, in the layer."""
        x0, y0, x1, y1 = self.device_rect(view_rect)
        reach = margin * self.ratio
        left, top = math.floor(x0 - reach), math.floor(y0 - reach)
        right, bottom = math.ceil(x1 + reach), math.ceil(y1 + reach)
        return QRect(left, top, right - left, bottom - top).intersected(QRect(0, 0, *self.size_wh))

    def covering_box(self, box: Box, margin: float = 0.0) -> QRect:
        """Whole device pixels that cover a box of image pixels, and a margin."""
        return self.covering(self.placement.box_to_view(box), margin)

    def image_columns(self, first: int, count: int) -> NDArray[np.intp]:
        """The image column under the middle of each of `count` columns of device pixels."""
        return _under(first, count, self.pixels_per_image_pixel[0], self._corner[0])

    def image_rows(self, first: int, count: int) -> NDArray[np.intp]:
        """The image row under the middle of each of `count` rows of device pixels."""
        return _under(first, count, self.pixels_per_image_pixel[1], self._corner[1])

    @property
    def _corner(self) -> XY:
        return self.to_device(self.placement.corner_view)


def grid_shift(corner: XY, ratio: float) -> XY:
    """`Grid.shift` of a widget that begins at this point (logical pixels) of its window."""
    x, y = (-((side * ratio) % 1.0) / ratio for side in corner)
    return x, y


def _under(first: int, count: int, scale: float, corner: float) -> NDArray[np.intp]:
    middles = np.arange(first, first + count) + 0.5
    under: NDArray[np.intp] = np.floor((middles - corner) / scale).astype(np.intp)
    return under
