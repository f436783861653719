"""Frames of a clip that show almost what the last kept one shows are left out."""

from __future__ import annotations

from collections import OrderedDict

import cv2
import numpy as np
from numpy.typing import NDArray

BITS = 4
REMEMBERED = 1024
"""Clips whose last kept frame is held; frames of one clip come close together."""


def difference_hash(grey_rc: NDArray[np.uint8]) -> int:
    """64 bits of a (rows, columns) uint8 image: 8 x 9 area means, each compared with its right neighbour.

    The first bit (most significant) is the upper left one. Method: "dHash", N. Krawetz, 2013.
    """
    means = cv2.resize(np.ascontiguousarray(grey_rc), (9, 8), interpolation=cv2.INTER_AREA)
    return int.from_bytes(np.packbits(means[:, 1:] > means[:, :-1]).tobytes(), "big")


class Thinner:
    """Remembers the last kept frame of each clip."""

    def __init__(self, bits: int = BITS) -> None:
        self._bits = bits
        self._last: OrderedDict[str, int] = OrderedDict()

    def keeps(self, sequence: str, grey_rc: NDArray[np.uint8]) -> bool:
        """False where the frame's hash is within `bits` bits of the last one kept in this sequence."""
        seen = difference_hash(grey_rc)
        last = self._last.get(sequence)
        if last is not None and (last ^ seen).bit_count() <= self._bits:
            return False
        self._last[sequence] = seen
        self._last.move_to_end(sequence)
        if len(self._last) > REMEMBERED:
            self._last.popitem(last=False)
        return True
