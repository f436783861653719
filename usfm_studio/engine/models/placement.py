"""How a frame of any size comes into the network, and how the network's answer comes back. The only resize there is.

Training and prediction both pass here, so that a model sees in use what it saw in training. The sizes chosen are
multiples of 4 inside the input, so maps at strides 1, 2 and 4 can be cut out exactly on the way back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from usfm_studio.document.errors import WrongUsage
from usfm_studio.document.mask import Ids
from usfm_studio.engine.grey import full_scale, to_grey
from usfm_studio.engine.models.encoder import MULTIPLE

KEEP, BOX, SQUEEZE = "keep", "box", "squeeze"
MODES = (KEEP, BOX, SQUEEZE)
"""keep: aspect kept, black rim up to the next multiple of 32 (least work). box: aspect kept, black rim up to a
square (one size for all frames). squeeze: stretched to a square."""
GRID = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where a frame of `native_rc` lies in a network input of `size_rc`: `content_rc` cells from `offset_rc` on."""

    native_rc: tuple[int, int]
    size_rc: tuple[int, int]
    content_rc: tuple[int, int]
    offset_rc: tuple[int, int]

    def inside(self, stride: int = 1) -> tuple[slice, slice]:
        """Rows and columns of a map at `stride` (1, 2 or 4) that show the frame; around it is the rim."""
        (top, left), (rows, columns) = self.offset_rc, self.content_rc
        return (
            slice(top // stride, (top + rows) // stride),
            slice(left // stride, (left + columns) // stride),
        )

    def back(self, map_KHW: NDArray[np.float32]) -> NDArray[np.float32]:
        """(K, rows, columns) float32 at native size from probabilities or logits at stride 1, 2 or 4."""
        stride = self.size_rc[0] // map_KHW.shape[1]
        rows, columns = self.inside(stride)
        return np.stack([resized(layer[rows, columns].astype(np.float32), self.native_rc) for layer in map_KHW])

    def mask(self, ids: Ids, stride: int = 2) -> Ids:
        """(H / stride, W / stride) ids for training: each cell gets the segment that covers most of it."""
        rows, columns = self.content_rc
        values = [0, *(int(v) for v in np.unique(ids) if v)]
        shape_rc = rows // stride, columns // stride
        shares = [resized((ids == value).astype(np.float32), shape_rc) for value in values]
        placed = np.zeros((self.size_rc[0] // stride, self.size_rc[1] // stride), np.uint8)
        placed[self.inside(stride)] = np.array(values, np.uint8)[np.argmax(shares, 0)]
        return placed


def placement_for(native_rc: tuple[int, int], input_px: int, mode: str = KEEP) -> Placement:
    """The placement of a frame of this size; its long side becomes `input_px`. Raises WrongUsage for a foreign mode."""
    if mode not in MODES:
        raise WrongUsage(
            "The frame cannot be prepared", f'"{mode}" is not a way to place it', "Use " + ", ".join(MODES)
        )
    rows, columns = native_rc
    square = _up(input_px, MULTIPLE)
    if mode == SQUEEZE:
        return Placement(native_rc=native_rc, size_rc=(square, square), content_rc=(square, square), offset_rc=(0, 0))
    scale = input_px / max(rows, columns)
    content_rc = _on_grid(rows * scale), _on_grid(columns * scale)
    size_rc = (square, square) if mode == BOX else (_up(content_rc[0], MULTIPLE), _up(content_rc[1], MULTIPLE))
    offset_rc = _half(size_rc[0] - content_rc[0]), _half(size_rc[1] - content_rc[1])
    return Placement(native_rc=native_rc, size_rc=size_rc, content_rc=content_rc, offset_rc=offset_rc)


def place(pixels: NDArray[Any], input_px: int, mode: str = KEEP) -> tuple[NDArray[np.float32], Placement]:
    """(1, H, W) float32 0..1 for the encoder, and where the frame lies in it.

    `pixels` are (rows, columns) or (rows, columns, 3), uint8 or uint16; colour becomes grey (Rec. 601).
    """
    grey = to_grey(pixels)
    placement = placement_for((grey.shape[0], grey.shape[1]), input_px, mode)
    x_CHW = np.zeros((1, *placement.size_rc), np.float32)
    x_CHW[0][placement.inside()] = resized(grey, placement.content_rc).astype(np.float32) / full_scale(grey)
    return x_CHW, placement


def place_mask(ids: Ids, input_px: int, mode: str = KEEP, stride: int = 2) -> Ids:
    """The mask that goes with `place` of the same frame, at the decoder's stride."""
    return placement_for((ids.shape[0], ids.shape[1]), input_px, mode).mask(ids, stride)


def resized(array: NDArray[Any], shape_rc: tuple[int, int]) -> NDArray[Any]:
    """A (rows, columns) array brought to another size: averaged where it shrinks, linear where it grows."""
    rows, columns = min(array.shape[0], shape_rc[0]), min(array.shape[1], shape_rc[1])
    array = np.ascontiguousarray(array)
    if (rows, columns) != array.shape:
        array = cv2.resize(array, (columns, rows), interpolation=cv2.INTER_AREA)
    if array.shape != shape_rc:
        array = cv2.resize(array, (shape_rc[1], shape_rc[0]), interpolation=cv2.INTER_LINEAR)
    return array


def _up(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple


def _on_grid(size: float) -> int:
    return max(GRID, round(size / GRID) * GRID)


def _half(rim: int) -> int:
    return rim // 2 // GRID * GRID
