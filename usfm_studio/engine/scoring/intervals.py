"""Uncertainty over subjects: the cluster bootstrap, and the plain range where subjects are too few for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DRAWS = 2000
SEED = 0
FEWEST = 10
"""Below this many subjects a bootstrap interval is too narrow to be honest; the range is given instead."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An interval of one figure. `kind` is "interval" (95 %, bootstrap over subjects) or "range" (over subjects)."""

    low: float
    high: float
    kind: str
    subjects: int

    @property
    def pair(self) -> list[float]:
        """[low, high], as results carry it."""
        return [self.low, self.high]


def subject_draws(subjects: int, draws: int = DRAWS, seed: int = SEED) -> NDArray[np.int64]:
    """(draws, subjects): how often each subject is in each redraw with replacement; rows sum to `subjects`."""
    chosen = np.random.default_rng(seed).integers(0, subjects, (draws, subjects))
    flat = (chosen + np.arange(draws)[:, None] * subjects).ravel()
    return np.bincount(flat, minlength=draws * subjects).reshape(draws, subjects)


def mean_over_subjects(values: Sequence[float], subjects: Sequence[str]) -> dict[str, float]:
    """The mean of a subject's values, by subject, in order of first appearance."""
    grouped: dict[str, list[float]] = {}
    for value, subject in zip(values, subjects, strict=True):
        grouped.setdefault(subject, []).append(value)
    return {subject: float(np.mean(items)) for subject, items in grouped.items()}


def mean_interval(values: Sequence[float], subjects: Sequence[str]) -> Interval | None:
    """The interval of the plain mean of `values`, all of a subject's redrawn together; None without values."""
    if not values:
        return None
    names = list(dict.fromkeys(subjects))
    if len(names) < FEWEST:
        return range_of(mean_over_subjects(values, subjects))
    index = {name: i for i, name in enumerate(names)}
    which = np.array([index[s] for s in subjects])
    sums = np.bincount(which, weights=np.asarray(values, float), minlength=len(names))
    counts = np.bincount(which, minlength=len(names))
    drawn = subject_draws(len(names))
    return percentiles((drawn @ sums) / (drawn @ counts), len(names))


def statistic_interval(
    groups: Sequence[str], statistic: Callable[[Floats], Floats], by_subject: Mapping[str, float]
) -> Interval | None:
    """The interval of any figure that can be computed with weights.

    `statistic` maps weights (draws, images) to the figure of each draw (NaN where it is not defined, which is left
    out); `groups` names each image's subject. Below 10 subjects: the range of `by_subject`.
    """
    names = list(dict.fromkeys(groups))
    if len(names) < FEWEST:
        return range_of(by_subject)
    index = {name: i for i, name in enumerate(names)}
    which = np.array([index[s] for s in groups])
    figures = statistic(subject_draws(len(names))[:, which].astype(float))
    sound = figures[np.isfinite(figures)]
    return percentiles(sound, len(names)) if sound.size else None


def range_of(by_subject: Mapping[str, float]) -> Interval | None:
    """Smallest and largest value over subjects; None without any."""
    if not by_subject:
        return None
    low, high = min(by_subject.values()), max(by_subject.values())
    return Interval(low=low, high=high, kind="range", subjects=len(by_subject))


def percentiles(figures: Floats, subjects: int) -> Interval:
    """The middle 95 % of bootstrap figures."""
    low, high = np.percentile(figures, [2.5, 97.5])
    return Interval(low=float(low), high=float(high), kind="interval", subjects=subjects)
