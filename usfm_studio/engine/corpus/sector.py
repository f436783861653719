"""The valid region V of an ultrasound image: where tissue is shown, without the black around and the text beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from usfm_studio.document.calibration import Region

Box = tuple[int, int, int, int]
"""(x0, y0, x1, y1) in pixels, 0-based, inclusive."""

BRIGHTER_THAN = 8
CLOSING_PX = 5
LEAST_SHARE = 0.2
BEYOND_PX = 2
"""A box may end so far outside the image: many scanners write the end one too far."""


def valid_sector(grey_rc: NDArray[np.uint8], boxes: Sequence[Box] = ()) -> NDArray[np.bool_]:
    """(rows, columns) bool, True inside V, for a (rows, columns) uint8 image.

    The union of `boxes` where any of them meets the image; else the largest component (8-neighbours) of grey > 8
    after a closing of 5 px, its holes filled; else, where that is under 20 % of the image, all of it.
    """
    valid_rc = np.zeros(grey_rc.shape, np.bool_)
    for x0, y0, x1, y1 in boxes:
        valid_rc[max(0, y0) : max(0, y1 + 1), max(0, x0) : max(0, x1 + 1)] = True
    if valid_rc.any():
        return valid_rc
    valid_rc = _largest_component(grey_rc)
    if np.count_nonzero(valid_rc) < LEAST_SHARE * valid_rc.size:
        valid_rc[:] = True
    return valid_rc


def tissue_boxes(regions: Iterable[Region], native_rc: tuple[int, int], packed_rc: tuple[int, int]) -> list[Box]:
    """Boxes of the calibrated 2D regions, in pixels of the image after resizing from `native_rc` to `packed_rc`.

    None of them counts where one lies outside the image: the picture was cropped or resized after the boxes were
    written, and nothing in a file tells which.
    """
    rows, columns = native_rc
    boxes = [region.box for region in regions if region.measures_tissue]
    if any(x0 < 0 or y0 < 0 or x1 > columns + BEYOND_PX or y1 > rows + BEYOND_PX for x0, y0, x1, y1 in boxes):
        return []
    down, across = packed_rc[0] / rows, packed_rc[1] / columns
    return [
        (int(x0 * across), int(y0 * down), round((x1 + 1) * across) - 1, round((y1 + 1) * down) - 1)
        for x0, y0, x1, y1 in boxes
    ]


def _largest_component(grey_rc: NDArray[np.uint8]) -> NDArray[np.bool_]:
    rows, columns = grey_rc.shape
    rim = CLOSING_PX  # so that the closing meets no border, and what lies around is one piece
    bright = np.zeros((rows + 2 * rim, columns + 2 * rim), np.uint8)
    bright[rim:-rim, rim:-rim] = grey_rc > BRIGHTER_THAN
    closed = cv2.morphologyEx(bright, cv2.MORPH_CLOSE, np.ones((CLOSING_PX, CLOSING_PX), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(closed, connectivity=8)
    if count < 2:
        return np.zeros(grey_rc.shape, np.bool_)
    largest = (labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))).astype(np.uint8)
    outlines, _ = cv2.findContours(largest, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(largest, outlines, -1, 1, cv2.FILLED)
    valid_rc: NDArray[np.bool_] = largest[rim:-rim, rim:-rim] > 0
    return valid_rc
