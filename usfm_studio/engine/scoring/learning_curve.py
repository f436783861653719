"""How many more subjects? A power law through scores at several sizes, and how far it may be trusted (protocol 2.5).

    s(n) = a - b n^-c,   0 < b,   0.1 <= c <= 1.5,   a <= ceiling

Fitted by least squares, each point weighted by the subjects that tested it. For a given c it is linear in a and b, so c
is looked for on a grid; every redraw of the points is fitted at once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

EXPONENTS = np.arange(0.1, 1.5001, 0.02)
FEWEST_SIZES = 3
REDRAWS = 500
FARTHEST = 4
"""So many times the largest size is looked ahead, no further."""
WIDEST = 10
"""An interval whose ends are further apart than this factor says nothing."""
LEAST_B = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A score with so many training `subjects`, tested on `tested` others; `error` is its standard error."""

    subjects: int
    score: float
    error: float
    tested: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """The fitted law. Arrays of one length, one entry a fit."""

    a: Floats
    b: Floats
    c: Floats

    def at(self, subjects: float) -> Floats:
        """The scores at a size."""
        return self.a - self.b * subjects**-self.c

    def needed(self, target: float) -> Floats:
        """Subjects at which the score is reached; inf where it never is."""
        above = self.a - target
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            found = (self.b / above) ** (1 / self.c)
        return np.where(above > 0, found, np.inf)


@dataclass(frozen=True, slots=True, kw_only=True)
class More:
    """How many more subjects: the estimate and the ends of its 95 % interval; None with `why` where it is not known."""

    subjects: int | None = None
    low: int | None = None
    high: int | None = None
    why: str = ""


def fitted(sizes: Sequence[int], scores_FP: Floats, weights: Sequence[float], ceiling: float = 1.0) -> Curve:
    """One fit for each row of `scores_FP` (fits, points)."""
    n_P, w_P = np.asarray(sizes, float), np.asarray(weights, float)
    best = np.full(len(scores_FP), np.inf)
    found = np.zeros((3, len(scores_FP)))
    for c in EXPONENTS:
        x_P = n_P**-c
        a_F, b_F = _line(x_P, scores_FP, w_P, ceiling)
        loss = ((a_F[:, None] - b_F[:, None] * x_P - scores_FP) ** 2) @ w_P
        better = loss < best
        best[better] = loss[better]
        found[:, better] = np.stack([a_F, b_F, np.full_like(a_F, c)])[:, better]
    return Curve(a=found[0], b=found[1], c=found[2])


def _line(x_P: Floats, scores_FP: Floats, w_P: Floats, ceiling: float) -> tuple[Floats, Floats]:
    """a and b of a - b x, within their bounds."""
    share = w_P / w_P.sum()
    x_mean, s_mean_F = float(x_P @ share), scores_FP @ share
    spread = float((x_P - x_mean) ** 2 @ share)
    b_F = -((scores_FP - s_mean_F[:, None]) @ ((x_P - x_mean) * share)) / max(spread, 1e-12)
    b_F = np.maximum(b_F, LEAST_B)
    a_F = s_mean_F + b_F * x_mean
    held = a_F > ceiling
    b_held = ((ceiling - scores_FP) @ (x_P * share)) / float(x_P**2 @ share)
    return np.where(held, ceiling, a_F), np.where(held, np.maximum(b_held, LEAST_B), b_F)


def more_subjects(points: Sequence[Point], target: float, *, ceiling: float = 1.0, seed: int = 0) -> More:
    """How many more subjects than the largest size reach the target.

    Not known: from fewer than three sizes, where more than four times the largest size would be needed, and where the
    interval (500 redraws of the points within their errors) is too wide to be of use.
    """
    sizes = {point.subjects for point in points}
    if len(sizes) < FEWEST_SIZES:
        return More(why=f"it takes runs with {FEWEST_SIZES} different numbers of subjects, there are {len(sizes)}")
    most, ordered = max(sizes), [point.subjects for point in points]
    weights = [max(1, point.tested) for point in points]
    scores_P = np.array([point.score for point in points])
    found = fitted(ordered, scores_P[None], weights, ceiling).needed(target)[0]
    if not found <= FARTHEST * most:
        return More(why=f"more than {FARTHEST} times the subjects of the largest run would be needed, if it is reached")
    errors_P = np.array([point.error for point in points])
    drawn_FP = np.random.default_rng(seed).normal(scores_P, errors_P, (REDRAWS, len(points))).clip(0, ceiling)
    needed = fitted(ordered, drawn_FP, weights, ceiling).needed(target)
    low, high = np.quantile(needed, [0.025, 0.975], method="inverted_cdf")
    estimate, low_more, high_more = (_beyond(value, most) for value in (float(found), float(low), float(high)))
    if high_more is None or high_more > WIDEST * max(low_more or 0, 1):
        return More(why="the scores scatter too much to tell")
    return More(subjects=estimate, low=low_more, high=high_more)


def _beyond(needed: float, most: int) -> int | None:
    """How many more than `most`; None where it is never reached."""
    return max(0, math.ceil(round(needed - most, 6))) if math.isfinite(needed) and needed <= 1e9 else None
