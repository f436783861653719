"""Rims: the tint inside an outline, strongest at the edge and gone after a few pixels, as premultiplied ARGB."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

STRENGTH = 0.34
EXPONENT = 1.4
NARROWEST, WIDEST = 14.0, 24.0  # logical pixels
HATCH_PERIOD, HATCH_LINE = 8.0, 1.8  # logical pixels

Argb = NDArray[np.uint32]


def rim(inside: NDArray[np.uint8], width_px: float, rgb: int, hatch: NDArray[np.float32] | None = None) -> Argb:
    """(rows, columns) ARGB, premultiplied, of a rim of `width_px` inside the non-zero pixels.

    `rgb` is 0xRRGGBB. `hatch` (same shape, 0..1) weakens the rim where it is below 1.
    """
    import cv2

    distance = cv2.distanceTransform(inside, cv2.DIST_L2, 3)
    depth = cv2.convertScaleAbs(distance, alpha=255.0 / max(1.0, width_px))
    if hatch is None:
        return _looked_up(_colours_by_depth(rgb), depth)
    alpha = np.take(_alpha_by_depth(), depth) * hatch
    return _looked_up(_colours_by_alpha(rgb), (alpha + 0.5).astype(np.uint8))


def rim_width(area_logical_px: float) -> float:
    """How far a rim reaches into a segment of this area on the screen: narrow in small ones, wide in large ones."""
    return float(np.clip(12 + 0.03 * np.sqrt(area_logical_px), NARROWEST, WIDEST))


def hatch(shape_rc: tuple[int, int], corner_xy: tuple[float, float], ratio: float) -> NDArray[np.float32]:
    """Diagonal stripes, 0..1, that stay with the image: `corner_xy` is the array's corner in logical pixels from it.

    `ratio` is array pixels per logical pixel. Stripes rise to the right.
    """
    rows, columns = shape_rc
    x = (np.arange(columns, dtype=np.float32) + 0.5) / ratio + corner_xy[0]
    y = (np.arange(rows, dtype=np.float32) + 0.5) / ratio + corner_xy[1]
    phase = np.mod(x[None, :] + y[:, None], HATCH_PERIOD)
    away = np.abs(phase - HATCH_PERIOD / 2)  # along x; the line's own width is 1/sqrt(2) of it
    return np.clip((HATCH_LINE / 2 - away) * ratio + 0.5, 0.0, 1.0).astype(np.float32)


def _looked_up(table: Argb, index: NDArray[np.uint8]) -> Argb:
    argb: Argb = np.take(table, index)
    return argb


@lru_cache(maxsize=4)
def _alpha_by_depth() -> NDArray[np.float32]:
    """Alpha 0..255 by depth: 0 is outside, 1 at the edge, 255 the rim's end and all beyond."""
    share = np.arange(256, dtype=np.float64) / 255
    alpha = 255 * STRENGTH * (1 - share) ** EXPONENT
    alpha[0] = 0
    return alpha.astype(np.float32)


@lru_cache(maxsize=64)
def _colours_by_alpha(rgb: int) -> Argb:
    alpha = np.arange(256, dtype=np.float64)
    argb: Argb = np.round(alpha).astype(np.uint32) << np.uint32(24)
    for shift in (16, 8, 0):
        channel = np.round(((rgb >> shift) & 255) * alpha / 255).astype(np.uint32)
        argb = argb | (channel << np.uint32(shift))
    return argb


@lru_cache(maxsize=64)
def _colours_by_depth(rgb: int) -> Argb:
    return _colours_by_alpha(rgb)[np.round(_alpha_by_depth()).astype(np.intp)]
