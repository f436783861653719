"""From a decoded frame to what is packed: grey, 8 bits, at most so large, with its sector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from usfm_studio.document.calibration import Region
from usfm_studio.document.errors import Unreadable
from usfm_studio.engine.corpus.sector import tissue_boxes, valid_sector
from usfm_studio.engine.grey import full_scale, to_grey

FEWEST_SHADES = 5
"""A picture with fewer grey values is a mask, or empty: no scanner makes one."""
DEFAULT_PX = 256


def prepared(
    pixels: NDArray[Any], size_px: int, regions: Sequence[Region] = ()
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """(grey, valid): (rows, columns) uint8 with the long side at most `size_px`, and its sector as bool.

    `pixels` are (rows, columns) or (rows, columns, 3), uint8 or uint16. Averaged where it shrinks, never enlarged.
    Raises Unreadable for what shows fewer than five shades.
    """
    grey_rc = grey_of(pixels)
    if np.count_nonzero(np.bincount(grey_rc.ravel(), minlength=256)) < FEWEST_SHADES:
        why = f"it shows fewer than {FEWEST_SHADES} shades: it is empty or a mask"
        raise Unreadable("An image was left out", why, "Masks are never packed.")
    native_rc = (grey_rc.shape[0], grey_rc.shape[1])
    scale = size_px / max(native_rc)
    if scale < 1:
        packed_rc = max(1, round(native_rc[0] * scale)), max(1, round(native_rc[1] * scale))
        grey_rc = cv2.resize(grey_rc, packed_rc[::-1], interpolation=cv2.INTER_AREA)
    boxes = tissue_boxes(regions, native_rc, (grey_rc.shape[0], grey_rc.shape[1]))
    return grey_rc, valid_sector(grey_rc, boxes)


def grey_of(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """(rows, columns) uint8. Colour by Rec. 601; uint16 scaled by the bit range that the frame uses (12 bits: 4095)."""
    grey_rc = to_grey(pixels)
    if grey_rc.dtype == np.uint8:
        return grey_rc
    return (grey_rc.astype(np.float32) * (255.0 / full_scale(grey_rc)) + 0.5).astype(np.uint8)
