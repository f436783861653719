"""Figures for labels of whole images: exclusive classes, or several labels each a yes/no question.

All are weighted sums over images, so that the bootstrap needs no loop: `weights` is (draws, images).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BINS = 15
FLOOR_DRAWS = 200
LEAST_PROBABILITY = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledImage:
    """One image: its true labels and the probability of each class, in the order of the classes."""

    image: str
    subject: str
    truth: tuple[str, ...]
    probabilities: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Truth (images, classes) of 0 and 1, and probabilities alike; `exclusive` says that a row has one 1."""

    truth: Floats
    probabilities: Floats
    exclusive: bool

    @classmethod
    def of(cls, images: Sequence[LabelledImage], classes: Sequence[str], exclusive: bool) -> Table:
        """The table of these images; labels that are no class are left out."""
        truth = np.array([[float(name in i.truth) for name in classes] for i in images], float)
        shape = (len(images), len(classes))
        return cls(truth.reshape(shape), np.array([i.probabilities for i in images], float).reshape(shape), exclusive)

    @property
    def decided(self) -> Floats:
        """What the model says, (images, classes) of 0 and 1: the likeliest class, or all at 0.5 and above."""
        if not self.exclusive:
            return (self.probabilities >= 0.5).astype(float)
        said = np.zeros_like(self.probabilities)
        if self.probabilities.size:
            said[np.arange(len(said)), self.probabilities.argmax(axis=1)] = 1.0
        return said


def label_scores(
    images: Sequence[LabelledImage], classes: Sequence[str], *, exclusive: bool = True
) -> dict[str, float | None]:
    """`macro_f1`, `auroc`, `ece`, `ece_floor`, `brier`, `balanced_accuracy`, `accuracy`, `log_loss` of these images.

    None where a figure is not defined (no image; a single class for `auroc`).
    """
    if not images:
        return dict.fromkeys((*STATISTICS, "ece_floor", "log_loss"))
    table = Table.of(images, classes, exclusive)
    once = np.ones((1, len(images)))
    scores = {name: _number(statistic(table, once)[0]) for name, statistic in STATISTICS.items()}
    scores["ece_floor"] = calibration_floor(table)
    scores["log_loss"] = float(np.mean(log_loss(table)))
    return scores


def macro_f1(table: Table, weights: Floats) -> Floats:
    """(draws,): mean F1 over the classes that occur in the reference; a class never predicted scores 0."""
    said, truth = table.decided, table.truth
    hits, positives, claims = weights @ (said * truth), weights @ truth, weights @ said
    occurs = positives > 0
    f1 = np.where(occurs, 2 * hits / np.maximum(positives + claims, 1e-12), 0.0)
    return _ratio(f1.sum(axis=1), occurs.sum(axis=1))


def auroc(table: Table, weights: Floats) -> Floats:
    """(draws,): area under the ROC curve, ties counted half.

    One class against the rest, mean over classes with both answers. Of two exclusive classes, whose probabilities sum
    to one, one is enough: both give the same area.
    """
    total, defined = np.zeros(len(weights)), np.zeros(len(weights))
    columns = range(table.truth.shape[1])
    if table.exclusive and len(columns) == 2:
        columns = range(1, 2)
    for column in columns:
        area = _area(table.truth[:, column], table.probabilities[:, column], weights)
        sound = np.isfinite(area)
        total += np.where(sound, area, 0.0)
        defined += sound
    return _ratio(total, defined)


def ece(table: Table, weights: Floats) -> Floats:
    """(draws,): expected calibration error: top label, 15 equal-width bins, mean absolute gap weighted by size."""
    confidence, correct = _confidence(table)
    return _ece(confidence, correct, np.repeat(weights, confidence.size // len(table.truth), axis=1))


def brier(table: Table, weights: Floats) -> Floats:
    """(draws,): squared error of the probabilities: summed over exclusive classes, else the mean of the questions."""
    error = (table.probabilities - table.truth) ** 2
    each = error.sum(axis=1) if table.exclusive else error.mean(axis=1)
    return _ratio(weights @ each, weights.sum(axis=1))


def balanced_accuracy(table: Table, weights: Floats) -> Floats:
    """(draws,): mean recall over the classes that occur; for yes/no questions the mean of both recalls first."""
    said, truth = table.decided, table.truth
    recall, occurs = _recall(said, truth, weights)
    if not table.exclusive:
        refusal, refused = _recall(1 - said, 1 - truth, weights)
        both = occurs & refused
        recall, occurs = np.where(both, (recall + refusal) / 2, 0.0), both
    return _ratio(recall.sum(axis=1), occurs.sum(axis=1))


def accuracy(table: Table, weights: Floats) -> Floats:
    """(draws,): share of right answers (images, or questions)."""
    right = (table.decided == table.truth).astype(float)
    each = right.min(axis=1, initial=1.0) if table.exclusive else right.mean(axis=1)
    return _ratio(weights @ each, weights.sum(axis=1))


def log_loss(table: Table) -> Floats:
    """(images,): minus the log of the probability of the truth (mean over questions), probabilities kept from 0."""
    p = np.clip(table.probabilities, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    if table.exclusive:
        return -(table.truth * np.log(p)).sum(axis=1)
    losses: Floats = -(table.truth * np.log(p) + (1 - table.truth) * np.log1p(-p)).mean(axis=1)
    return losses


def calibration_floor(table: Table, draws: int = FLOOR_DRAWS, seed: int = 0) -> float:
    """Mean ECE of label sets drawn from the model's own probabilities: what perfect calibration would show."""
    rng = np.random.default_rng(seed)
    confidence, _ = _confidence(table)
    drawn = rng.random((draws, confidence.size)) < confidence
    ones = np.ones((1, confidence.size))
    return float(np.mean([_ece(confidence, row.astype(float), ones)[0] for row in drawn]))


STATISTICS = {
    "macro_f1": macro_f1,
    "auroc": auroc,
    "ece": ece,
    "brier": brier,
    "balanced_accuracy": balanced_accuracy,
    "accuracy": accuracy,
}
"""Figures by name, each (table, weights (draws, images)) -> (draws,)."""


def _confidence(table: Table) -> tuple[Floats, Floats]:
    """Confidence in what is said, and whether it is right, of each image (or of each question, image by image)."""
    if table.exclusive:
        right = (table.decided * table.truth).sum(axis=1)
        return table.probabilities.max(axis=1), right
    p = table.probabilities.ravel()
    return np.maximum(p, 1 - p), (table.decided == table.truth).astype(float).ravel()


def _ece(confidence: Floats, correct: Floats, weights: Floats) -> Floats:
    edges = np.linspace(0, 1, BINS + 1)[1:-1]
    inside = np.eye(BINS)[np.searchsorted(edges, confidence, side="right")]  # bins are [low, high)
    gaps = weights @ (inside * (correct - confidence)[:, None])
    return _ratio(np.abs(gaps).sum(axis=1), weights.sum(axis=1))


def _area(truth: Floats, score: Floats, weights: Floats) -> Floats:
    """Weighted Mann-Whitney statistic over thresholds, ties half; NaN where one side has no weight."""
    levels, place = np.unique(score, return_inverse=True)
    at = np.eye(len(levels))[place]
    positives, negatives = weights @ (at * truth[:, None]), weights @ (at * (1 - truth)[:, None])
    below = np.cumsum(negatives, axis=1) - negatives
    wins = (positives * (below + negatives / 2)).sum(axis=1)
    return _ratio(wins, positives.sum(axis=1) * negatives.sum(axis=1))


def _recall(said: Floats, truth: Floats, weights: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    hits, positives = weights @ (said * truth), weights @ truth
    occurs = positives > 0
    return np.where(occurs, hits / np.maximum(positives, 1e-12), 0.0), occurs


def _ratio(over: Floats, under: Floats) -> Floats:
    return np.divide(over, under, out=np.full(len(over), np.nan), where=np.asarray(under) > 0)


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
