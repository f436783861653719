"""Outlines of pixel areas as closed polygons, traced along the pixels' borders.

Exact outlines run on the borders themselves. Smooth ones pass through the middles of border edges and are eased by
a short binomial filter, never by more than `MOST_EASED` of a pixel, so that what is drawn stays what is stored.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
MOST_EASED = 0.4
_EASINGS = 3


@dataclass(frozen=True, slots=True)
class Loops:
    """Closed polygons one after another.

    `points` is (n, 2) float32, x and y in array coordinates (pixel centres at integers); loop i is
    `points[starts[i]:starts[i + 1]]`, its last point joined to its first. The area lies to the right of the way.
    """

    points: Floats
    starts: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.starts) - 1

    def loop(self, index: int) -> Floats:
        """(m, 2) points of one loop."""
        return self.points[self.starts[index] : self.starts[index + 1]]

    def mapped(self, scale_xy: tuple[float, float], offset_xy: tuple[float, float]) -> Loops:
        """The loops with each point at `scale * point + offset`."""
        scale, offset = np.asarray(scale_xy, np.float32), np.asarray(offset_xy, np.float32)
        return Loops(self.points * scale + offset, self.starts)

    def thinned(self, every: int, bend: float) -> Loops:
        """Every n-th point of each loop where it bends at all, every 2 n-th where it is straight, all where it turns.

        `bend` is how far a point may lie from the middle of its neighbours two steps away, in units of the points.
        Loops too short to spare any stay whole.
        """
        if every <= 1 or not len(self):
            return self
        lengths = np.diff(self.starts)
        place = np.arange(len(self.points)) - np.repeat(self.starts[:-1], lengths)
        turns, bends = self._bend_over(2) > bend, self._bend_over(every) > bend / 8
        keep = turns | ((place % every == 0) & (bends | (place % (2 * every) == 0)))
        keep |= np.repeat(lengths < 4 * every, lengths)
        kept = np.concatenate([[0], np.cumsum(keep)])
        return Loops(self.points[keep], kept[self.starts])

    def _bend_over(self, steps: int) -> Floats:
        """How far each point lies from the middle of two others, so many steps before and after (across loops too)."""
        others = np.roll(self.points, steps, axis=0) + np.roll(self.points, -steps, axis=0)
        away: Floats = np.abs(self.points - others * np.float32(0.5)).sum(axis=1)
        return away


NO_LOOPS = Loops(np.zeros((0, 2), np.float32), np.zeros(1, np.intp))


def outline(inside: NDArray[np.bool_], smooth: bool = True) -> Loops:
    """The outlines of the True pixels of a (rows, columns) array, holes included.

    Pixels that touch at a corner belong together. The array's border bounds the area.
    """
    edges = _edges(inside)
    if edges is None:
        return NO_LOOPS
    begin, middle, following = edges
    order, starts = _loops(following)
    if not smooth:
        return Loops(begin[order], starts)
    return Loops(_eased(middle[order], starts), starts)


def _edges(inside: NDArray[np.bool_]) -> tuple[Floats, Floats, NDArray[np.intp]] | None:
    """Border edges with the area on their right: where each begins, its middle, and the edge that follows it."""
    rows, columns = inside.shape
    padded = np.zeros((rows + 2, columns + 2), np.bool_)
    padded[1:-1, 1:-1] = inside
    flat, width = padded.ravel(), columns + 2
    below = np.flatnonzero(flat[width:] != flat[:-width])  # between pixel i and the one under it
    beside = np.flatnonzero(flat[1:] != flat[:-1])
    if not below.size:
        return None
    (hr, hc), (vr, vc) = np.divmod(below, width), np.divmod(beside, width)
    east = flat[below + width]  # the area is below: go east
    south = flat[beside]  # the area is on the left: go south
    # corners: (r, c) is the upper left one of padded pixel (r, c)
    row = np.concatenate([hr + 1, np.where(south, vr, vr + 1)])
    column = np.concatenate([np.where(east, hc, hc + 1), vc + 1])
    direction = np.concatenate([np.where(east, 0, 2), np.where(south, 1, 3)])  # east, south, west, north
    end_row = row + _STEP_ROW[direction]
    end_column = column + _STEP_COLUMN[direction]
    stride = columns + 3
    following = _following(row * stride + column, end_row * stride + end_column, direction)
    begin = _points(column, row)
    end = _points(end_column, end_row)
    middle = ((begin + end) / 2).astype(np.float32)
    return begin, middle, following


def _points(columns: NDArray[np.intp], rows: NDArray[np.intp]) -> Floats:
    """Corners of the padded array as (n, 2) points of the unpadded one."""
    points = np.empty((len(columns), 2), np.float32)
    points[:, 0], points[:, 1] = columns - 1.5, rows - 1.5
    return points


_STEP_ROW = np.array([0, 1, 0, -1])
_STEP_COLUMN = np.array([1, 0, -1, 0])


def _following(begin: NDArray[np.intp], end: NDArray[np.intp], direction: NDArray[np.intp]) -> NDArray[np.intp]:
    """For each edge the one that begins where it ends; of two (pixels touching at a corner) the left turn."""
    order = np.argsort(begin, kind="stable")
    ordered = begin[order]
    at = np.searchsorted(ordered, end)
    second = np.minimum(at + 1, len(ordered) - 1)
    two = (ordered[second] == end) & (second != at)
    left = (direction + 3) % 4
    use_second = two & (direction[order[second]] == left)
    chosen: NDArray[np.intp] = order[np.where(use_second, second, at)]
    return chosen


def _loops(following: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Edges in the order of their loops, and where each loop starts."""
    after = following.tolist()
    order: list[int] = []
    starts = [0]
    for first in range(len(after)):
        edge = after[first]
        if edge < 0:
            continue  # of an earlier loop
        after[first] = -1
        order.append(first)
        while edge != first:
            order.append(edge)
            after[edge], edge = -1, after[edge]
        starts.append(len(order))
    return np.array(order, np.intp), np.array(starts, np.intp)


def _eased(points: Floats, starts: NDArray[np.intp]) -> Floats:
    count = len(points)
    before, after = np.arange(-1, count - 1), np.arange(1, count + 1)
    before[starts[:-1]] = starts[1:] - 1
    after[starts[1:] - 1] = starts[:-1]
    eased = points
    for _ in range(_EASINGS):
        eased = (eased[before] + eased[after]) * np.float32(0.25) + eased * np.float32(0.5)
    moved: Floats = points + np.clip(eased - points, -MOST_EASED, MOST_EASED)
    return moved
