"""Masks as persistent tiles of segment ids: an edit costs what its stroke covers, not what the frame holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

TILE = 256
Tile = NDArray[np.uint8]
"""(256, 256) segment ids, read-only. Cells beyond the frame's edge are 0."""
TileIndex = tuple[int, int]
"""(tile row, tile column)."""
Ids = NDArray[np.uint8]
"""(rows, columns) segment ids, 0 where nothing is marked."""

_PEELED = 4
_EMPTY = np.zeros((TILE, TILE), np.uint8)
_EMPTY.flags.writeable = False


def frozen(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The same values in C order and read-only; copies only when the array could still be written elsewhere."""
    if not array.flags.writeable and array.flags.c_contiguous and array.base is None:
        return array
    held = np.array(array, dtype=np.uint8, order="C", copy=True)
    held.flags.writeable = False
    return held


@dataclass(frozen=True, slots=True)
class Mask:
    """One layer of one frame. Unchanged tiles are shared between masks; an absent tile is empty."""

    shape_rc: tuple[int, int]
    tiles: Mapping[TileIndex, Tile]

    @classmethod
    def empty(cls, shape_rc: tuple[int, int]) -> Mask:
        """A mask with nothing marked."""
        return cls(shape_rc, MappingProxyType({}))

    @classmethod
    def from_array(cls, ids: Ids) -> Mask:
        """A mask of (rows, columns) uint8 segment ids. Raises ValueError on another shape or dtype."""
        if ids.ndim != 2 or ids.dtype != np.uint8:
            raise ValueError(f"a mask is (rows, columns) uint8, not {ids.shape} {ids.dtype}")
        rows, columns = ids.shape
        tiles: dict[TileIndex, Tile] = {}
        for r in range(0, rows, TILE):
            for c in range(0, columns, TILE):
                part = ids[r : r + TILE, c : c + TILE]
                if part.any():
                    tile = np.zeros((TILE, TILE), np.uint8)
                    tile[: part.shape[0], : part.shape[1]] = part
                    tile.flags.writeable = False
                    tiles[(r // TILE, c // TILE)] = tile
        return cls((rows, columns), MappingProxyType(tiles))

    def to_array(self) -> Ids:
        """All ids as a new, writable (rows, columns) array."""
        rows, columns = self.shape_rc
        ids = np.zeros((rows, columns), np.uint8)
        for (r, c), tile in self.tiles.items():
            part = ids[r * TILE : (r + 1) * TILE, c * TILE : (c + 1) * TILE]
            part[:] = tile[: part.shape[0], : part.shape[1]]
        return ids

    def tile(self, index: TileIndex) -> Tile:
        """One tile, read-only; an empty one where nothing is marked."""
        return self.tiles.get(index, _EMPTY)

    def with_tiles(self, changed: Mapping[TileIndex, Tile]) -> Mask:
        """The mask with these tiles in place; empty ones are dropped."""
        tiles = dict(self.tiles)
        for index, tile in changed.items():
            if tile.any():
                tiles[index] = frozen(tile)
            else:
                tiles.pop(index, None)
        return Mask(self.shape_rc, MappingProxyType(tiles))

    def values(self) -> tuple[int, ...]:
        """Segment ids that occur, ascending, 0 left out."""
        found: set[int] = set()
        for tile in self.tiles.values():
            found |= _values_in(tile)
        return tuple(sorted(found))

    def area_px(self, value: int) -> int:
        """Number of pixels of one segment."""
        return int(sum(np.count_nonzero(tile == value) for tile in self.tiles.values()))

    def same_as(self, other: Mask) -> bool:
        """True when every pixel is equal."""
        return self.shape_rc == other.shape_rc and all(
            np.array_equal(self.tile(i), other.tile(i)) for i in {*self.tiles, *other.tiles}
        )


def _values_in(tile: Tile) -> set[int]:
    """Ids in a tile, 0 left out. Most hold one or two: peeling those off from the top is four times as fast."""
    found: set[int] = set()
    rest = tile
    for _ in range(_PEELED):
        top = int(rest.max())
        if not top:
            return found
        found.add(top)
        rest = rest * (rest != top)
    return found | (set(np.flatnonzero(np.bincount(rest.ravel(), minlength=256)).tolist()) - {0})


def changed_tiles(before: Mask, after: Mask) -> dict[TileIndex, tuple[Tile, Tile]]:
    """Tiles that differ, as (before, after); shared tiles cost nothing."""
    found = {}
    for index in {*before.tiles, *after.tiles}:
        old, new = before.tile(index), after.tile(index)
        if old is not new and not np.array_equal(old, new):
            found[index] = (old, new)
    return found


def tiles_over(box_xyxy: tuple[int, int, int, int], shape_rc: tuple[int, int]) -> Iterable[TileIndex]:
    """Indexes of the tiles that a box (x0, y0, x1, y1; x1 and y1 exclusive) touches inside the frame."""
    rows, columns = shape_rc
    x0, y0, x1, y1 = box_xyxy
    x0, y0, x1, y1 = max(0, x0), max(0, y0), min(columns, x1), min(rows, y1)
    if x0 >= x1 or y0 >= y1:
        return []
    return [(r, c) for r in range(y0 // TILE, (y1 - 1) // TILE + 1) for c in range(x0 // TILE, (x1 - 1) // TILE + 1)]
