"""From stored samples to the colours and greys that are shown (PS3.3 C.7.6.3.1.2)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_LEVELS = np.arange(256, dtype=np.float64) - 128
_RED_CR = np.rint(1.402 * _LEVELS).astype(np.int16)
_BLUE_CB = np.rint(1.772 * _LEVELS).astype(np.int16)
_SCALE = 16
_GREEN_CB = np.rint(-0.344136 * _LEVELS * (1 << _SCALE)).astype(np.int32)
_GREEN_CR = np.rint(-0.714136 * _LEVELS * (1 << _SCALE)).astype(np.int32) + (1 << (_SCALE - 1))


def ybr_to_rgb(ybr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(..., 3) uint8 full-range Y, Cb, Cr to R, G, B: R = Y + 1.402 (Cr - 128) and so on, rounded and clipped."""
    y, cb, cr = ybr[..., 0].astype(np.int16), ybr[..., 1], ybr[..., 2]
    rgb = np.empty(ybr.shape, np.uint8)
    np.clip(y + _RED_CR[cr], 0, 255, out=rgb[..., 0], casting="unsafe")
    green = (_GREEN_CB[cb] + _GREEN_CR[cr]) >> _SCALE
    np.clip(y + green, 0, 255, out=rgb[..., 1], casting="unsafe")
    np.clip(y + _BLUE_CB[cb], 0, 255, out=rgb[..., 2], casting="unsafe")
    return rgb


def full_chroma(pairs: NDArray[np.uint8], rows: int, columns: int) -> NDArray[np.uint8]:
    """Native YBR_FULL_422 (Y Y Cb Cr for two pixels) as (rows, columns, 3) Y, Cb, Cr."""
    quads = pairs.reshape(rows, columns // 2, 4)
    ybr = np.empty((rows, columns // 2, 2, 3), np.uint8)
    ybr[..., 0] = quads[..., :2]
    ybr[..., 1] = quads[..., 2:3]
    ybr[..., 2] = quads[..., 3:4]
    return ybr.reshape(rows, columns, 3)


def to_8_bit(samples: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    """The high 8 of `bits` meaningful bits."""
    if samples.dtype == np.uint8:
        return samples
    return (samples >> max(0, bits - 8)).astype(np.uint8)


def inverted(grey: NDArray[Any], bits: int) -> NDArray[Any]:
    """MONOCHROME1 (low is white) as low is black."""
    full = grey.dtype.type((1 << bits) - 1)
    result: NDArray[Any] = full - np.minimum(grey, full)
    return result
