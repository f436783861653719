"""The skeleton of a shape and its longest path: along it a simulated person scribbles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

Marked = NDArray[np.bool_]
AROUND = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
"""The eight neighbours (rows, columns), clockwise from above."""


def skeleton(shape: Marked) -> Marked:
    """(rows, columns) thinned to lines one pixel wide (Zhang and Suen, Commun. ACM 27:236, 1984)."""
    rows, columns = np.nonzero(shape)
    if not rows.size:
        return shape.copy()
    box = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
    thin = np.pad(shape[box], 1)
    changed = True
    while changed:
        changed = False
        for odd in (False, True):
            removed = _removable(thin, odd)
            changed |= bool(removed.any())
            thin &= ~removed
    whole = np.zeros_like(shape)
    whole[box] = thin[1:-1, 1:-1]
    return whole


def longest_path(line: Marked) -> NDArray[np.int64]:
    """(points, 2) rows and columns: the longest of the shortest ways between two pixels, by two sweeps.

    Exact on lines without loops. Empty for an empty mask.
    """
    points = np.argwhere(line)
    if len(points) < 2:
        return points
    number = np.full(np.array(line.shape) + 2, -1)
    number[1:-1, 1:-1][line] = np.arange(len(points))
    starts, ends, lengths = [], [], []
    for row, column in AROUND:
        other = number[points[:, 0] + 1 + row, points[:, 1] + 1 + column]
        there = other >= 0
        starts.append(np.nonzero(there)[0])
        ends.append(other[there])
        lengths.append(np.full(int(there.sum()), np.hypot(row, column)))
    edges = np.concatenate(lengths), (np.concatenate(starts), np.concatenate(ends))
    graph = csr_array(edges, shape=(len(points), len(points)))
    first = _farthest(dijkstra(graph, indices=0))
    distances, before = dijkstra(graph, indices=first, return_predecessors=True)
    at, path = _farthest(distances), []
    while at >= 0:
        path.append(at)
        at = int(before[at])
    return points[path]


def _removable(thin: Marked, odd: bool) -> Marked:
    """Border pixels whose removal changes no connection, in one of the two sub-steps."""
    around = [np.roll(thin, (-row, -column), (0, 1)) for row, column in AROUND]
    count = np.sum(around, 0)
    turns = np.sum([~a & b for a, b in zip(around, [*around[1:], around[0]], strict=True)], 0)
    north, east, south, west = around[0], around[2], around[4], around[6]
    keeps = ((north, east, west), (north, south, west)) if odd else ((north, east, south), (east, south, west))
    free = ~np.logical_and.reduce(keeps[0]) & ~np.logical_and.reduce(keeps[1])
    removable: Marked = thin & (count >= 2) & (count <= 6) & (turns == 1) & free
    return removable


def _farthest(distances: NDArray[np.float64]) -> int:
    return int(np.where(np.isfinite(distances), distances, -1).argmax())
