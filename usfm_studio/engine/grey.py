"""Grey values of a decoded frame: the one rule for networks and for the corpus. No torch here."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from usfm_studio.document.errors import WrongUsage


def to_grey(pixels: NDArray[Any]) -> NDArray[Any]:
    """(rows, columns) of the same type. Raises WrongUsage for other shapes and types than `place` takes."""
    if pixels.dtype not in (np.uint8, np.uint16) or 0 in pixels.shape:
        raise WrongUsage("The frame cannot be prepared", f"its pixels are {pixels.shape} {pixels.dtype}")
    if pixels.ndim == 2:
        return np.ascontiguousarray(pixels)
    if pixels.ndim != 3 or pixels.shape[2] != 3:
        raise WrongUsage("The frame cannot be prepared", f"its pixels are {pixels.shape}, neither grey nor colour")
    return cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY)


def full_scale(pixels: NDArray[Any]) -> float:
    """The value of white: 255, or for uint16 the end of the bit range that the frame uses (4095 for 12 bits)."""
    if pixels.dtype == np.uint8:
        return 255.0
    return float(max(255, (1 << int(pixels.max()).bit_length()) - 1))
