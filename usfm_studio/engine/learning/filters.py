"""What can be seen without a network: filter responses and the place in the image. The instant head joins them to an
encoder's features, and the probe asks an encoder to be worth more than they are.

Shapes: H, W an encoder's input; h, w its cells of `CELL` px; the filters run on all pixels and are averaged to cells.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

CELL = 4
FEW_SCALES, ALL_SCALES = (1, 2, 4, 8, 16), (1, 2, 4, 8, 16, 32)
BOXES = (9, 17, 33, 65)
POSITIONS = 5
FEW = 4 * len(FEW_SCALES) + len(BOXES)
ALL = 9 * len(ALL_SCALES)
LEAST_DEVIATION = 0.02


def few_filters(x_HW: Floats) -> Floats:
    """(24, h, w): at five scales (Gaussian, sigma 1 to 16 px) the grey, the length of its gradient, its Laplacian times
    sigma² and its deviation; then means over four boxes. `x_HW` is 0..1."""
    layers = []
    for sigma in FEW_SCALES:
        blurred = _blurred(x_HW, sigma)
        layers += [
            blurred,
            np.hypot(*_slopes(blurred, sigma)),
            cv2.Laplacian(blurred, cv2.CV_32F, ksize=3) * sigma**2,
            _deviation(x_HW, blurred, sigma),
        ]
    layers += [cv2.blur(x_HW, (side, side), borderType=cv2.BORDER_REFLECT_101) for side in BOXES]
    return _in_cells(layers)


def all_filters(x_HW: Floats) -> Floats:
    """(54, h, w): nine responses at six scales (sigma 1 to 32 px): grey, both slopes, length of the gradient, Laplacian
    and both eigenvalues of the Hessian (times sigma²), deviation, and the distance from the mean in deviations."""
    layers = []
    for sigma in ALL_SCALES:
        blurred = _blurred(x_HW, sigma)
        rows, columns = _slopes(blurred, sigma)
        high, low = _curvatures(blurred, sigma)
        deviation = _deviation(x_HW, blurred, sigma)
        contrast = (x_HW - blurred) / np.maximum(deviation, LEAST_DEVIATION)
        layers += [blurred, rows, columns, np.hypot(rows, columns), high + low, high, low, deviation, contrast]
    return _in_cells(layers)


def positions(shape_hw: tuple[int, int]) -> Floats:
    """(5, h, w): row and column from -1 to 1 over the frame, their squares and their product."""
    row, column = np.meshgrid(
        *(np.linspace(-1, 1, n, dtype=np.float32) if n > 1 else np.zeros(1, np.float32) for n in shape_hw),
        indexing="ij",
    )
    return np.stack([row, column, row**2, column**2, row * column])


def with_positions(filters: Callable[[Floats], Floats], frame_HW: Floats) -> Floats:
    """The responses of `few_filters` or `all_filters`, then `positions`, of the frame alone (no rim)."""
    responses = filters(frame_HW)
    return np.concatenate([responses, positions((responses.shape[1], responses.shape[2]))])


def _blurred(x_HW: Floats, sigma: float) -> Floats:
    return cv2.GaussianBlur(x_HW, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101)


def _slopes(blurred: Floats, sigma: float) -> tuple[Floats, Floats]:
    down = cv2.Sobel(blurred, cv2.CV_32F, 0, 1, ksize=3, scale=sigma / 8)
    across = cv2.Sobel(blurred, cv2.CV_32F, 1, 0, ksize=3, scale=sigma / 8)
    return down, across


def _curvatures(blurred: Floats, sigma: float) -> tuple[Floats, Floats]:
    """The larger and the smaller eigenvalue of the Hessian, times sigma²."""
    scale = sigma**2 / 4
    down = cv2.Sobel(blurred, cv2.CV_32F, 0, 2, ksize=3, scale=scale)
    across = cv2.Sobel(blurred, cv2.CV_32F, 2, 0, ksize=3, scale=scale)
    mixed = cv2.Sobel(blurred, cv2.CV_32F, 1, 1, ksize=3, scale=scale)
    half, apart = (down + across) / 2, np.hypot((down - across) / 2, mixed)
    return half + apart, half - apart


def _deviation(x_HW: Floats, blurred: Floats, sigma: float) -> Floats:
    return np.sqrt(np.maximum(_blurred(x_HW * x_HW, sigma) - blurred * blurred, 0))


def _in_cells(layers: list[Floats]) -> Floats:
    rows, columns = layers[0].shape[0] // CELL, layers[0].shape[1] // CELL
    return np.stack([cv2.resize(layer, (columns, rows), interpolation=cv2.INTER_AREA) for layer in layers])
