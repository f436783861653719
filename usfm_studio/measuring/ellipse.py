"""The ellipse of a segment, fitted in physical units, and what is measured on it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from usfm_studio.document.frame import Instance
from usfm_studio.document.mask import Ids
from usfm_studio.measuring.scale import Measured, scale_of

Area = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ellipse:
    """An ellipse in the units that its points had. `angle` is that of the long axis, radians from x towards y.

    Pixel (row r, column c) has its centre at x = c, y = r (times the scale).
    """

    centre_xy: tuple[float, float]
    semi_major: float
    semi_minor: float
    angle: float

    @property
    def circumference(self) -> float:
        """Ramanujan's second approximation (1914); off by less than 1e-4 for semi-axes up to 1:5."""
        a, b = self.semi_major, self.semi_minor
        h = ((a - b) / (a + b)) ** 2
        return math.pi * (a + b) * (1 + 3 * h / (10 + math.sqrt(4 - 3 * h)))


def fit_ellipse(area: Area, per_px_xy: tuple[float, float] = (1.0, 1.0)) -> Ellipse | None:
    """The ellipse through the outline of the largest part of `area` (rows, columns), holes filled.

    Direct least squares (Fitzgibbon 1999, in the stable form of Halíř and Flusser 1998) on the middles of the pixel
    edges between inside and outside, which lie on the true outline; the rim of the image is no outline. None where
    fewer than six such points or no ellipse are left.
    """
    points = _outline(_largest(area)) * np.asarray(per_px_xy)
    if len(points) < 6:
        return None
    middle = points.mean(axis=0)
    spread = float(np.abs(points - middle).max())
    conic = _conic((points - middle) / spread)
    return None if conic is None else _ellipse(conic, middle, spread)


def ellipse_of(ids: Ids, value: int, instance: Instance) -> tuple[Ellipse, str, str] | None:
    """(ellipse, unit "mm" or "px", source of the scale) of one segment; None where there is none."""
    area = ids == value
    scale = scale_of(area, instance)
    found = fit_ellipse(area, scale.mm_per_px_xy if scale else (1.0, 1.0))
    return (found, "mm" if scale else "px", scale.source if scale else "") if found else None


def head_circumference(ids: Ids, value: int, instance: Instance) -> Measured | None:
    """Circumference of the ellipse of one segment (LOINC 11984-2, when that segment is a fetal head)."""
    found = ellipse_of(ids, value, instance)
    return Measured(found[0].circumference, found[1], found[2]) if found else None


def _largest(area: Area) -> Area:
    parts, count = ndimage.label(area)
    if count > 1:
        area = parts == 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
    filled: Area = ndimage.binary_fill_holes(area)
    return filled


def _outline(area: Area) -> NDArray[np.float64]:
    """(n, 2) x, y: middles of the edges between a pixel inside and one outside, both in the image."""
    row, column = np.nonzero(area[:, 1:] != area[:, :-1])
    upright = np.column_stack([column + 0.5, row])
    row, column = np.nonzero(area[1:] != area[:-1])
    level = np.column_stack([column, row + 0.5])
    return np.concatenate([upright, level]).astype(np.float64)


def _conic(points_xy: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """(6,) coefficients of x², xy, y², x, y, 1 with 4ac - b² > 0."""
    x, y = points_xy[:, 0], points_xy[:, 1]
    squares, lines = np.column_stack([x * x, x * y, y * y]), np.column_stack([x, y, np.ones_like(x)])
    s1, s2, s3 = squares.T @ squares, squares.T @ lines, lines.T @ lines
    try:
        into = -np.linalg.solve(s3, s2.T)
        m = s1 + s2 @ into
        values, vectors = np.linalg.eig(np.array([m[2] / 2, -m[1], m[0] / 2]))
    except np.linalg.LinAlgError:
        return None
    del values
    vectors = vectors.real
    fit = np.flatnonzero(4 * vectors[0] * vectors[2] - vectors[1] ** 2 > 0)
    if not fit.size:
        return None
    first = vectors[:, fit[0]]
    return np.concatenate([first, into @ first])


def _ellipse(conic: NDArray[np.float64], middle: NDArray[np.float64], spread: float) -> Ellipse | None:
    a, b, c, d, e, f = conic.tolist()
    form = np.array([[a, b / 2], [b / 2, c]])
    centre = np.linalg.solve(2 * form, [-d, -e])
    level = -(f + 0.5 * (d * centre[0] + e * centre[1]))
    values, axes = np.linalg.eigh(form / level)
    if not (np.isfinite(values).all() and (values > 0).all()):
        return None
    long = axes[:, 0]  # the smaller value belongs to the longer axis
    x, y = (centre * spread + middle).tolist()
    return Ellipse(
        centre_xy=(x, y),
        semi_major=float(spread / math.sqrt(values[0])),
        semi_minor=float(spread / math.sqrt(values[1])),
        angle=math.atan2(long[1], long[0]) % math.pi,
    )
