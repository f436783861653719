"""What a frame may look like another time: moved, turned, scaled, mirrored, brighter, blurred, shadowed.

One affine map for image and mask. Geometry carries over to other scanners, hard changes of intensity can hurt, so
those are mild. Never upside down: depth runs downwards in every scan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from usfm_studio.document.mask import Ids

Grey = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """Ranges of the draws; `flip`, `blur`, `speckle` and `shadow` are probabilities."""

    degrees: float = 15.0
    scale: tuple[float, float] = (0.8, 1.25)
    shift: float = 0.15
    stretch: float = 0.1
    flip: float = 0.5
    gamma: tuple[float, float] = (0.6, 1.6)
    depth_gain: float = 0.3
    blur: float = 0.2
    speckle: float = 0.2
    shadow: float = 0.15
    window_px: int = 0
    """Side of a window into larger images, half of the time about something marked; 0 shows images whole."""


NO_AUGMENTATION = Augmentation(
    degrees=0, scale=(1, 1), shift=0, stretch=0, flip=0, gamma=(1, 1), depth_gain=0, blur=0, speckle=0, shadow=0
)
AT_TARGET = 0.5
"""Windows so often show something marked, where the image has it."""


def augmented(
    image: Grey, ids: Ids, draws: Augmentation, rng: np.random.Generator, canvas_rc: tuple[int, int]
) -> tuple[Grey, Ids]:
    """One draw of (H, W) uint8 pixels and ids, on a canvas of `canvas_rc`."""
    focus_xy = window_centre(ids, rng, canvas_rc) if draws.window_px else middle(image.shape)
    matrix = affine(image.shape, draws, rng, canvas_rc, focus_xy)
    size_xy = canvas_rc[1], canvas_rc[0]
    moved = cv2.warpAffine(image, matrix, size_xy, flags=cv2.INTER_LINEAR)
    marked = cv2.warpAffine(ids, matrix, size_xy, flags=cv2.INTER_NEAREST)
    return shaded(moved, draws, rng), marked


def middle(shape_rc: Sequence[int]) -> NDArray[np.float64]:
    """The centre (x, y) of an image."""
    return (np.array([shape_rc[1], shape_rc[0]]) - 1) / 2


def window_centre(ids: Ids, rng: np.random.Generator, canvas_rc: tuple[int, int]) -> NDArray[np.float64]:
    """Where a window of `canvas_rc` looks, (x, y): at something marked or anywhere, without leaving the image."""
    size_xy, canvas_xy = np.array(ids.shape[::-1]), np.array(canvas_rc[::-1])
    low, high = (canvas_xy - 1) / 2, size_xy - 1 - (canvas_xy - 1) / 2
    marked = np.flatnonzero(ids) if rng.random() < AT_TARGET else np.empty(0, int)
    if len(marked):
        row, column = divmod(int(rng.choice(marked)), ids.shape[1])
        wanted = np.array([column, row]) + rng.uniform(-0.25, 0.25, 2) * canvas_xy
    else:
        wanted = rng.uniform(low, np.maximum(low, high))
    return np.where(high > low, np.clip(wanted, low, high), middle(ids.shape))


def affine(
    shape_rc: Sequence[int],
    draws: Augmentation,
    rng: np.random.Generator,
    canvas_rc: tuple[int, int],
    focus_xy: NDArray[np.float64],
) -> NDArray[np.float64]:
    """(2, 3) map from image to canvas coordinates (x, y): `focus_xy` comes to the middle, moved by a share of the
    smaller of image and canvas; scale drawn on a log axis."""
    angle = np.deg2rad(rng.uniform(-draws.degrees, draws.degrees))
    scale = np.exp(rng.uniform(*np.log(draws.scale)))
    stretch = np.exp(rng.uniform(-draws.stretch, draws.stretch))
    mirror = -1.0 if rng.random() < draws.flip else 1.0
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = turn @ np.diag([mirror * scale * stretch, scale / stretch])
    shift = rng.uniform(-draws.shift, draws.shift, 2) * np.minimum(shape_rc[::-1], canvas_rc[::-1])
    return np.hstack([linear, (middle(canvas_rc) + shift - linear @ focus_xy)[:, None]])


def shaded(image: Grey, draws: Augmentation, rng: np.random.Generator) -> Grey:
    """The image under other gain, gamma, focus, speckle and shadow; a black rim stays black."""
    gamma = np.exp(rng.uniform(*np.log(draws.gamma)))
    table = np.rint(255 * (np.arange(256) / 255) ** gamma).astype(np.uint8)
    image = table[image]
    if rng.random() < draws.blur:
        image = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.4, 1.2)))
    gain = np.ones(image.shape, np.float32)
    if draws.depth_gain:
        gain *= _depth_curve(image.shape[0], draws.depth_gain, rng)[:, None]
    if rng.random() < draws.speckle:
        gain *= _speckle(image.shape, rng)
    if rng.random() < draws.shadow:
        gain *= _shadow(image.shape, rng)
    return np.clip(image * gain, 0, 255).astype(np.uint8)


def _depth_curve(rows: int, most: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Gain along depth through four random knots, as a person's time-gain sliders make."""
    knots = rng.uniform(1 - most, 1 + most, 4)
    return np.interp(np.linspace(0, 3, rows), range(4), knots).astype(np.float32)


def _speckle(shape_rc: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    """Multiplicative noise that is correlated over a few pixels, as speckle is."""
    coarse = rng.normal(1.0, 0.15, (shape_rc[0] // 2, shape_rc[1] // 2)).astype(np.float32)
    return cv2.resize(coarse, (shape_rc[1], shape_rc[0]), interpolation=cv2.INTER_LINEAR)


def _shadow(shape_rc: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    """A dark sector below a random place, with soft edges."""
    rows, columns = shape_rc
    x0, width, lean = rng.uniform(0, columns), rng.uniform(0.03, 0.12) * columns, rng.uniform(-0.3, 0.3)
    start, depth = rng.uniform(0, 0.5) * rows, rng.uniform(0.3, 0.7)
    y, x = np.arange(rows, dtype=np.float32)[:, None], np.arange(columns, dtype=np.float32)[None]
    inside = np.exp(-(((x - x0 - lean * y) / width) ** 2)) * (y > start)
    return (1 - depth * inside).astype(np.float32)
