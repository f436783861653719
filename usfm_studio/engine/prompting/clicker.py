"""The simulated person of the `clicks` protocol: where it clicks, draws a box or scribbles. No torch here.

The click rule is that of RITM (arXiv 2102.06583) and its followers: the centre of the largest circle inscribed in the
error, not the centroid of the largest component.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from usfm_studio.document.prompts import Box, Click, Scribble
from usfm_studio.engine.prompting.skeleton import longest_path, skeleton

BOX_SHARE = 0.05
"""Each side of a box is moved by up to this share of the box's own size."""
SCRIBBLE_SIDE = 256
"""Widths and jitter of scribbles are in pixels of a frame whose long side has so many."""
SCRIBBLE_SIGMA, SCRIBBLE_WIDTH = 3.0, 3.0
SCRIBBLE_KEPT = 0.8
FIELD_KNOTS = 5

Marked = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Error:
    """Where prediction and reference differ most: `depth` (rows, columns) float32, exact distance to what is right.

    `positive`: the error is something missed; else something surplus.
    """

    depth: NDArray[np.float32]
    positive: bool

    @property
    def centre_rc(self) -> tuple[int, int]:
        """The first deepest pixel in row-major order."""
        row, column = np.unravel_index(int(self.depth.argmax()), self.depth.shape)
        return int(row), int(column)


def generator_for(file: str, segment: int) -> np.random.Generator:
    """The draws of one target: its box, its scribbles."""
    digest = hashlib.sha1(f"{file}:{segment}".encode(), usedforsecurity=False).hexdigest()
    return np.random.default_rng(int(digest, 16) % 2**32)


def largest_error(reference: Marked, prediction: Marked, settled: Marked | None = None) -> Error | None:
    """The kind of error that holds the larger circle; a tie goes to what is missed. None where nothing is wrong.

    All (rows, columns); pixels that are `settled` (once clicked) count as right. The frame's border bounds a circle.
    """
    wrong = reference != prediction
    if settled is not None:
        wrong &= ~settled
    missed, surplus = _depth(wrong & reference), _depth(wrong & prediction)
    if max(missed.max(), surplus.max()) == 0:
        return None
    return Error(missed, True) if missed.max() >= surplus.max() else Error(surplus, False)


def click_on(error: Error, rng: np.random.Generator | None = None) -> Click:
    """A click at the error's centre; with `rng` on any pixel at least half as deep as that, each as likely."""
    row, column = error.centre_rc
    if rng is not None:
        rows, columns = np.nonzero(error.depth >= error.depth.max() / 2)
        chosen = int(rng.integers(len(rows)))
        row, column = int(rows[chosen]), int(columns[chosen])
    return Click((float(column), float(row)), error.positive)


def box_around(reference: Marked, rng: np.random.Generator) -> Box:
    """The tight box, its left, right, top and bottom moved by up to 5 % of its size, clipped to the frame.

    A pixel reaches half a pixel around its centre, so a tight box of one pixel has the size 1.
    """
    columns, rows = np.nonzero(reference.any(0))[0], np.nonzero(reference.any(1))[0]
    left, right, top, bottom = columns[0] - 0.5, columns[-1] + 0.5, rows[0] - 0.5, rows[-1] + 0.5
    width, height = right - left, bottom - top
    moved = rng.uniform(-BOX_SHARE, BOX_SHARE, 4)
    xs = np.clip([left + moved[0] * width, right + moved[1] * width], -0.5, reference.shape[1] - 0.5)
    ys = np.clip([top + moved[2] * height, bottom + moved[3] * height], -0.5, reference.shape[0] - 0.5)
    return Box((float(xs[0]), float(ys[0])), (float(xs[1]), float(ys[1])))


def scribble_on(error: Error, rng: np.random.Generator) -> Scribble:
    """A stroke along the middle 80 % of the skeleton of the component with the largest circle, jittered smoothly."""
    row, column = error.centre_rc
    _, components = cv2.connectedComponents((error.depth > 0).astype(np.uint8), connectivity=8)
    path_rc = longest_path(skeleton(components == components[row, column]))
    if not len(path_rc):
        path_rc = np.array([[row, column]])  # thinning may leave nothing of a round shape
    cut = round(len(path_rc) * (1 - SCRIBBLE_KEPT) / 2)
    kept = path_rc[cut : len(path_rc) - cut]
    moved = kept[:, ::-1] + _smooth_field(kept, error.depth.shape, rng)
    most = np.array(error.depth.shape[::-1]) - 1
    points = np.clip(moved, 0, most)
    return Scribble(tuple((float(x), float(y)) for x, y in points), error.positive)


def stroke_px(shape_rc: tuple[int, int]) -> int:
    """How wide a scribble is on a frame of this size."""
    return max(1, round(SCRIBBLE_WIDTH * max(shape_rc) / SCRIBBLE_SIDE))


def settle(settled: Marked, prompt: Click | Scribble) -> None:
    """Mark the pixels under a click or stroke as right from now on."""
    if isinstance(prompt, Click):
        x, y = prompt.at_xy
        settled[round(y), round(x)] = True
        return
    drawn = settled.astype(np.uint8)
    points = [*prompt.points_xy, prompt.points_xy[-1]]  # a line of one point would not be drawn
    line = np.rint(np.array(points)).astype(np.int32).reshape(-1, 1, 2)
    cv2.polylines(drawn, [line], False, 1, stroke_px(settled.shape))
    settled[:] = drawn > 0


def _depth(wrong: Marked) -> NDArray[np.float32]:
    """Exact distance of each wrong pixel to the nearest that is not; what lies outside the frame is not wrong."""
    padded = np.pad(wrong.astype(np.uint8), 1)
    depth: NDArray[np.float32] = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    return depth


def _smooth_field(path_rc: NDArray[np.int64], shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
    """(points, xy): a field drawn on a few knots over the frame, read between them."""
    sigma = SCRIBBLE_SIGMA * max(shape) / SCRIBBLE_SIDE
    knots = rng.normal(0, sigma, (FIELD_KNOTS, FIELD_KNOTS, 2)).astype(np.float32)
    places = path_rc / np.maximum(1, np.array(shape) - 1) * (FIELD_KNOTS - 1)
    x, y = places[:, 1].astype(np.float32), places[:, 0].astype(np.float32)
    field = [cv2.remap(knots[..., axis], x, y, cv2.INTER_LINEAR)[:, 0] for axis in (0, 1)]
    return np.stack(field, 1).astype(np.float64)
