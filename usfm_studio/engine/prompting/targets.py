"""What a prompt decoder learns to segment beside real masks: regions that need no person. No torch here."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Marked = NDArray[np.bool_]
LEAST_PART_PX = 64
SHARES = (0.004, 0.4)
"""Of the image: smaller and larger regions are not taken."""
TRIES = 6
BLACK, SHOWN = 0.02, 0.4
"""A region must not be black for the most part: around the frame there is nothing to find."""


def targets_in(ids: NDArray[np.uint8]) -> list[Marked]:
    """Each segment of a mask; and each of its connected parts, where there are several."""
    found: list[Marked] = []
    for value in np.unique(ids):
        if not value:
            continue
        segment = ids == value
        count, parts, stats, _ = cv2.connectedComponentsWithStats(segment.astype(np.uint8), connectivity=8)
        large = [i for i in range(1, count) if stats[i, cv2.CC_STAT_AREA] >= LEAST_PART_PX]
        if segment.sum() >= LEAST_PART_PX:
            found.append(segment)
        if len(large) > 1:
            found += [parts == i for i in large]
    return found


def region(image: NDArray[np.float32], map_chw: NDArray[np.float32], rng: np.random.Generator) -> Marked | None:
    """A connected region of an image (rows, columns) 0..1 by grey, superpixels or an encoder's map; None for none."""
    kinds = (lambda: _flooded(image, rng), lambda: _superpixel(image, rng), lambda: _cluster(map_chw, image.shape, rng))
    low, high = (share * image.size for share in SHARES)
    for _ in range(TRIES):
        made = _smooth(kinds[rng.integers(len(kinds))](), rng)
        if low <= made.sum() <= high and (image[made] > BLACK).mean() > SHOWN:
            return made
    return None


def perturbed(target: Marked, rng: np.random.Generator) -> Marked:
    """The target as a poor first guess: shifted, grown or shrunk, its outline wavy, a part lost or one too many."""
    rows, columns = target.shape
    size = np.sqrt(max(1, target.sum()))
    field = cv2.resize(rng.normal(0, 1, (5, 5)).astype(np.float32), (columns, rows), interpolation=cv2.INTER_CUBIC)
    depth = _signed_depth(target) + field * size * rng.uniform(0.02, 0.2) + size * rng.uniform(-0.12, 0.12)
    shift = rng.normal(0, 0.06 * size, 2)
    moved = cv2.warpAffine(
        depth.astype(np.float32), np.array([[1, 0, shift[0]], [0, 1, shift[1]]]), (columns, rows), borderValue=-size
    )
    guess = moved > 0
    if rng.random() < 0.3:
        spot = np.zeros(target.shape, np.uint8)
        around = np.argwhere(target)[rng.integers(int(target.sum()))] + rng.normal(0, size / 2, 2)
        cv2.circle(spot, (round(around[1]), round(around[0])), max(1, round(size * rng.uniform(0.1, 0.4))), 1, -1)
        guess = guess | (spot > 0) if rng.random() < 0.5 else guess & (spot == 0)
    return guess


def scrawl(target: Marked, rng: np.random.Generator) -> list[tuple[float, float]]:
    """Points (x, y) of a stroke through the inner part of a target: quicker than the protocol's skeleton."""
    depth = _signed_depth(target)
    _, parts = cv2.connectedComponents(target.astype(np.uint8))
    depth[parts != parts.flat[depth.argmax()]] = 0
    rows, columns = np.nonzero(depth >= 0.4 * depth.max())
    chosen = rng.integers(len(rows), size=int(rng.integers(2, 5)))
    order = np.argsort((rows if np.ptp(rows) > np.ptp(columns) else columns)[chosen])
    return [(float(columns[i]), float(rows[i])) for i in chosen[order]]


def _flooded(image: NDArray[np.float32], rng: np.random.Generator) -> Marked:
    """What is connected to a spot through similar grey."""
    grey = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(1.5, 5)))
    row, column = (int(rng.integers(size)) for size in image.shape)
    within = float(rng.uniform(0.03, 0.12))
    mask = np.zeros((image.shape[0] + 2, image.shape[1] + 2), np.uint8)
    cv2.floodFill(grey, mask, (column, row), 0, within, within, 8 | cv2.FLOODFILL_MASK_ONLY | cv2.FLOODFILL_FIXED_RANGE)
    return mask[1:-1, 1:-1] > 0


def _superpixel(image: NDArray[np.float32], rng: np.random.Generator) -> Marked:
    """One cell of a watershed from spots on a jittered grid (superpixels as SLIC makes them, and quicker)."""
    cells = int(rng.integers(3, 9))
    step = image.shape[0] / cells
    corners = np.indices((cells, cells)).reshape(2, -1).T
    centres = (corners + rng.uniform(0.1, 0.9, (cells * cells, 2))) * step
    markers = np.zeros(image.shape, np.int32)
    for i, (row, column) in enumerate(centres, 1):
        cv2.circle(markers, (int(column), int(row)), 2, i, -1)
    grey = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(1.0, 3)))
    colour = cv2.cvtColor(np.rint(grey * 255).astype(np.uint8), cv2.COLOR_GRAY2BGR)
    cells_found: NDArray[np.int32] = cv2.watershed(colour, markers)
    return cells_found == rng.integers(1, len(centres) + 1)


def _cluster(map_chw: NDArray[np.float32], shape: Sequence[int], rng: np.random.Generator) -> Marked:
    """One connected part of one cluster of an encoder's features."""
    channels, rows, columns = map_chw.shape
    points = np.ascontiguousarray(map_chw.reshape(channels, -1).T, np.float32)
    points = (points - points.mean(0)) / (points.std(0) + 1e-6)
    cv2.setRNGSeed(int(rng.integers(2**31)))
    stop = (cv2.TERM_CRITERIA_MAX_ITER, 4, 0.0)
    _, which, _ = cv2.kmeans(points, int(rng.integers(3, 9)), None, stop, 1, cv2.KMEANS_RANDOM_CENTERS)
    names = which.reshape(rows, columns)
    at = int(rng.integers(rows)), int(rng.integers(columns))
    share = cv2.resize((names == names[at]).astype(np.float32), (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    _, parts = cv2.connectedComponents((share > 0.5).astype(np.uint8))
    part = parts[at[0] * shape[0] // rows, at[1] * shape[1] // columns]
    return parts == part if part else np.zeros(tuple(shape), bool)


def _smooth(made: Marked, rng: np.random.Generator) -> Marked:
    """Without holes and frayed edges, the largest part alone."""
    soft = cv2.GaussianBlur(made.astype(np.float32), (0, 0), float(rng.uniform(1.0, 3.0))) > 0.5
    contours, _ = cv2.findContours(soft.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(made.shape, np.uint8)
    if contours:
        cv2.drawContours(filled, [max(contours, key=cv2.contourArea)], -1, 1, -1)
    return filled > 0


def _signed_depth(target: Marked) -> NDArray[np.float32]:
    inside = cv2.distanceTransform(np.pad(target.astype(np.uint8), 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
    outside = cv2.distanceTransform((~target).astype(np.uint8), cv2.DIST_L2, 3)
    signed: NDArray[np.float32] = np.where(target, inside, -outside).astype(np.float32)
    return signed
