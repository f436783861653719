"""Segment ids of a part of a frame, at the resolution that the view can show."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from usfm_studio.document.mask import TILE, Ids, Mask, Tile, TileIndex, tiles_over
from usfm_studio.document.rasterise import Box

COARSEST = TILE


class Sampler:
    """Reads masks by tile, and remembers reduced tiles for as long as the mask still holds the same tile."""

    def __init__(self) -> None:
        self._reduced: dict[tuple[TileIndex, int], tuple[Tile, Ids]] = {}
        self._counts: dict[TileIndex, tuple[Tile, dict[int, int]]] = {}

    def part(self, mask: Mask, box: Box, step: int) -> tuple[Ids, tuple[int, int]]:
        """Ids of a box clipped to the frame, one for each `step` x `step` pixels, and the (x, y) it begins at.

        `step` is a power of two up to TILE; of the ids under one sample the largest counts, so that no thin
        structure gets lost. The result may be a view of the mask: do not write to it.
        """
        rows, columns = mask.shape_rc
        x0, y0 = max(0, box[0]) // step, max(0, box[1]) // step
        x1, y1 = -(-min(columns, box[2]) // step), -(-min(rows, box[3]) // step)
        if x1 <= x0 or y1 <= y0:
            return np.zeros((0, 0), np.uint8), (0, 0)
        side = TILE // step
        indexes = list(tiles_over((x0 * step, y0 * step, x1 * step, y1 * step), mask.shape_rc))
        if len(indexes) == 1:
            (r, c), tile = indexes[0], self._at(mask, indexes[0], step)
            return tile[y0 - r * side : y1 - r * side, x0 - c * side : x1 - c * side], (x0 * step, y0 * step)
        ids = np.zeros((y1 - y0, x1 - x0), np.uint8)
        for r, c in indexes:
            if (r, c) in mask.tiles:
                top, left = max(y0, r * side), max(x0, c * side)
                bottom, right = min(y1, (r + 1) * side), min(x1, (c + 1) * side)
                tile = self._at(mask, (r, c), step)
                ids[top - y0 : bottom - y0, left - x0 : right - x0] = tile[
                    top - r * side : bottom - r * side, left - c * side : right - c * side
                ]
        return ids, (x0 * step, y0 * step)

    def areas(self, mask: Mask) -> dict[int, int]:
        """Pixels of each segment that occurs; only tiles that changed are counted again."""
        total: dict[int, int] = {}
        for index, tile in mask.tiles.items():
            known = self._counts.get(index)
            if known is None or known[0] is not tile:
                known = (tile, counts_of(tile, total))
                self._counts[index] = known
            for value, count in known[1].items():
                total[value] = total.get(value, 0) + count
        return total

    def forget(self) -> None:
        """Let go of all tiles: another frame comes."""
        self._reduced.clear()
        self._counts.clear()

    def _at(self, mask: Mask, index: TileIndex, step: int) -> Ids:
        tile = mask.tile(index)
        if step == 1:
            return tile
        known = self._reduced.get((index, step))
        if known is not None and known[0] is tile:
            return known[1]
        reduced = reduce(tile, step)
        self._reduced[(index, step)] = (tile, reduced)
        return reduced


def counts_of(tile: Tile, likely: Iterable[int]) -> dict[int, int]:
    """Pixels of each segment in a tile; fast when only `likely` ones occur."""
    left = int(np.count_nonzero(tile))
    counts: dict[int, int] = {}
    for value in likely:
        count = int(np.count_nonzero(tile == value)) if left else 0
        if count:
            counts[value] = count
            left -= count
    if left:
        every = np.bincount(tile.ravel(), minlength=256)
        return {int(value): int(every[value]) for value in np.flatnonzero(every) if value}
    return counts


def reduce(ids: Ids, step: int) -> Ids:
    """The largest id of each `step` x `step` block; `step` a power of two that divides both sides."""
    while step > 1:
        tall = np.maximum(ids[::2], ids[1::2])
        ids = np.maximum(tall[:, ::2], tall[:, 1::2])
        step //= 2
    return ids


def step_for(pixels_per_image_pixel: float) -> int:
    """The largest step whose samples are no larger than a device pixel."""
    step = 1
    while step < COARSEST and 2 * step * pixels_per_image_pixel <= 1:
        step *= 2
    return step
