"""Areas as outlines along pixel edges and as run lengths (COCO), there and back without losing a pixel.

Coordinates are those of COCO: a pixel (row r, column c) covers x from c to c + 1 and y from r to r + 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Area = NDArray[np.bool_]
"""(rows, columns)"""

_TURNS = {(1, 0): ((0, 1), (1, 0), (0, -1)), (0, 1): ((-1, 0), (0, 1), (1, 0)),
          (-1, 0): ((0, -1), (-1, 0), (0, 1)), (0, -1): ((1, 0), (0, -1), (-1, 0))}  # fmt: skip
"""Heading -> headings to try, right turn first, so that pixels which touch at a corner stay apart (y points down)."""


def run_lengths(area: Area) -> list[int]:
    """Lengths of runs down the columns, beginning with the outside (COCO's uncompressed form)."""
    flat = area.ravel(order="F")
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    lengths = np.diff(np.concatenate([[0], changes, [flat.size]])).tolist()
    return [0, *lengths] if flat.size and flat[0] else lengths


def from_run_lengths(counts: Sequence[int], shape_rc: tuple[int, int]) -> Area:
    """Inverse of `run_lengths`. Raises ValueError where the runs do not fill the image."""
    lengths = np.asarray(counts, np.int64)
    if lengths.ndim != 1 or (lengths < 0).any() or int(lengths.sum()) != shape_rc[0] * shape_rc[1]:
        raise ValueError("its run lengths do not fill the image")
    inside = np.arange(lengths.size) % 2 == 1
    return np.repeat(inside, lengths).reshape(shape_rc, order="F")


def packed_counts(text: str) -> list[int]:
    """Run lengths from COCO's compressed string (five bits a character, each run from the fourth on as a difference).

    Raises ValueError.
    """
    counts: list[int] = []
    value, shift = 0, 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or shift > 60:
            raise ValueError("its compressed run lengths cannot be read")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value, shift = 0, 0
    return counts


def outlines(area: Area) -> list[NDArray[np.int64]] | None:
    """One closed outline (n, 2) of (x, y) corners for each 4-connected part; None where a part has a hole.

    The shoelace area of an outline is its number of pixels.
    """
    following = _edges(area)
    found = []
    while following:
        loop = _loop(following)
        if _twice_area(loop) < 0:
            return None
        found.append(loop)
    return found


def filled(polygons: Sequence[Sequence[float]], shape_rc: tuple[int, int]) -> Area:
    """Pixels whose centre lies in any of the polygons, each a flat list x, y, x, y …  Raises ValueError."""
    area = np.zeros(shape_rc, bool)
    for flat in polygons:
        points = np.asarray(flat, np.float64)
        if points.ndim != 1 or points.size < 6 or points.size % 2 or not np.isfinite(points).all():
            raise ValueError("one of its outlines is none")
        area |= _filled(points.reshape(-1, 2), shape_rc)
    return area


def _filled(points_xy: NDArray[np.float64], shape_rc: tuple[int, int]) -> Area:
    """Even-odd rule: each edge toggles what lies to the right of it in the rows whose centres it crosses."""
    rows, columns = shape_rc
    toggles = np.zeros((rows, columns + 1), np.int64)
    for (x0, y0), (x1, y1) in zip(points_xy, np.roll(points_xy, -1, axis=0), strict=True):
        if y0 == y1:
            continue
        low, high = (y0, y1) if y0 < y1 else (y1, y0)
        first, end = max(0, int(np.ceil(low - 0.5))), min(rows, int(np.ceil(high - 0.5)))
        if first >= end:
            continue
        at = np.arange(first, end)
        x = x0 + (at + 0.5 - y0) * (x1 - x0) / (y1 - y0)
        np.add.at(toggles, (at, np.clip(np.ceil(x - 0.5), 0, columns).astype(np.int64)), 1)
    return (np.cumsum(toggles, axis=1)[:, :columns] % 2).astype(bool)


def _edges(area: Area) -> dict[tuple[int, int], list[tuple[int, int]]]:
    """Corner -> headings of the edges that leave it, with the area on their right-hand side."""
    padded = np.pad(area, 1)
    core = padded[1:-1, 1:-1]
    following: dict[tuple[int, int], list[tuple[int, int]]] = {}
    sides = (
        (core & ~padded[:-2, 1:-1], (0, 0), (1, 0)),  # above is outside: along the top, to the right
        (core & ~padded[1:-1, 2:], (1, 0), (0, 1)),
        (core & ~padded[2:, 1:-1], (1, 1), (-1, 0)),
        (core & ~padded[1:-1, :-2], (0, 1), (0, -1)),
    )
    for side, (dx, dy), heading in sides:
        for row, column in zip(*(axis.tolist() for axis in np.nonzero(side)), strict=True):
            following.setdefault((column + dx, row + dy), []).append(heading)
    return following


def _loop(following: dict[tuple[int, int], list[tuple[int, int]]]) -> NDArray[np.int64]:
    """Take one closed loop of edges out; its corners in order, none between two edges of one heading."""
    start = min(following)
    heading = _take(following, start, following[start])
    first, at, corners = heading, start, [start]
    while True:
        at = (at[0] + heading[0], at[1] + heading[1])
        if at == start:
            break
        turned = _take(following, at, _TURNS[heading])
        if turned != heading:
            corners.append(at)
        heading = turned
    if heading == first:
        corners.pop(0)
    return np.asarray(corners, np.int64)


def _take(
    following: dict[tuple[int, int], list[tuple[int, int]]],
    at: tuple[int, int],
    wanted: Sequence[tuple[int, int]],
) -> tuple[int, int]:
    leaving = following[at]
    heading = next(h for h in wanted if h in leaving)
    leaving.remove(heading)
    if not leaving:
        del following[at]
    return heading


def _twice_area(points_xy: NDArray[np.int64]) -> int:
    x, y = points_xy[:, 0], points_xy[:, 1]
    return int((x * np.roll(y, -1) - np.roll(x, -1) * y).sum())
