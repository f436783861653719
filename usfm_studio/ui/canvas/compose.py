"""Rims: the tint inside an outline, strongest at the edge and gone after a few pixels, as premultiplied ARGB."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

STRENGTH = 0.34
EXPONENT = 1.4
NARROWEST, WIDEST = 14.0, 24.0  # logical pixels
RIM_STEP = 2.0
HATCH_PERIOD, HATCH_LINE = 8.0, 1.8  # logical pixels

Argb = NDArray[np.uint32]


def rim(inside: NDArray[np.uint8], width_px: float, rgb: int, hatch: NDArray[np.float32] | None = None) -> Argb:
    """(rows, columns) ARGB, premultiplied, of a rim of `width_px` inside the pixels that are 255 (the others 0).

    How deep a pixel lies is told by how full its neighbourhood is: two box filters of the rim's width make, along a
    straight edge, exactly `1 - (1 - depth / width)^2 / 2` (a distance transform takes three times as long and shows
    the same). `rgb` is 0xRRGGBB. `hatch` (same shape, 0..1) weakens the rim where it is below 1.
    """
    import cv2

    side = max(3, round(width_px) | 1)
    full = inside
    for _ in range(2):
        full = cv2.blur(full, (side, side), borderType=cv2.BORDER_REPLICATE)
    full = cv2.bitwise_and(full, inside)
    if hatch is None:
        argb: Argb = cv2.LUT(full, _colours_by_fullness(rgb)).view(np.uint32)
        return argb
    alpha = cv2.LUT(full, _alpha_by_fullness()) * hatch
    striped: Argb = cv2.LUT((alpha + 0.5).astype(np.uint8), _colours_by_alpha(rgb)).view(np.uint32)
    return striped


def rim_width(area_logical_px: float) -> float:
    """How far a rim reaches into a segment of this area on the screen: narrow in small ones, wide in large ones.

    In steps, so that a segment that grows stroke by stroke need not be drawn anew after each.
    """
    wanted = 12 + 0.03 * np.sqrt(area_logical_px)
    return float(np.clip(RIM_STEP * np.round(wanted / RIM_STEP), NARROWEST, WIDEST))


def hatch(shape_rc: tuple[int, int], corner_xy: tuple[float, float], ratio: float) -> NDArray[np.float32]:
    """Diagonal stripes, 0..1, that stay with the image: `corner_xy` is the array's corner in logical pixels from it.

    `ratio` is array pixels per logical pixel. Stripes rise to the right.
    """
    rows, columns = shape_rc
    along = (np.arange(rows + columns - 1, dtype=np.float32) + 1) / ratio + (corner_xy[0] + corner_xy[1])  # x + y
    away = np.abs(np.mod(along, HATCH_PERIOD) - HATCH_PERIOD / 2)  # along x; the line's own width is 1/sqrt(2) of it
    line = np.clip((HATCH_LINE / 2 - away) * ratio + 0.5, 0.0, 1.0).astype(np.float32)
    return sliding_window_view(line, columns)[:rows]


@lru_cache(maxsize=4)
def _alpha_by_fullness() -> NDArray[np.float32]:
    """Alpha 0..255 by fullness: 0 is outside, half full (128) the edge and the strongest, 255 beyond the rim."""
    shallow = np.clip((255 - np.arange(256, dtype=np.float64)) / 127.5, 0.0, 1.0)  # (1 - depth / width)^2
    alpha = 255 * STRENGTH * shallow ** (EXPONENT / 2)
    alpha[0] = 0
    return alpha.astype(np.float32)


@lru_cache(maxsize=64)
def _colours_by_alpha(rgb: int) -> NDArray[np.int32]:
    """Premultiplied ARGB by alpha; signed, as tables of OpenCV are."""
    alpha = np.arange(256, dtype=np.float64)
    argb: Argb = np.round(alpha).astype(np.uint32) << np.uint32(24)
    for shift in (16, 8, 0):
        channel = np.round(((rgb >> shift) & 255) * alpha / 255).astype(np.uint32)
        argb = argb | (channel << np.uint32(shift))
    return argb.view(np.int32)


@lru_cache(maxsize=64)
def _colours_by_fullness(rgb: int) -> NDArray[np.int32]:
    colours: NDArray[np.int32] = _colours_by_alpha(rgb)[np.round(_alpha_by_fullness()).astype(np.intp)]
    return colours
