"""What a model must beat at the least: the mean training mask, and the shares of the training labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from usfm_studio.document.snapshot import Sample, Snapshot
from usfm_studio.engine.learning.holdout import Sides
from usfm_studio.engine.learning.labels import prior_loss
from usfm_studio.engine.scoring import SegmentScore, mean_over_subjects, score_image

GRID = 96
"""The mean mask is kept on a grid of this many cells a side, stretched to each image."""


def trivial_masks(
    snapshot: Snapshot, samples: Sequence[Sample], sides: Sides, values: Sequence[int]
) -> list[SegmentScore]:
    """Pairs of the mean training mask (at 0.5) with each tested frame; it never saw the frame's subject."""
    placed = {s.stem: _gridded(np.asarray(snapshot.mask(s)), values) for s in samples if s.masked}
    pairs: list[SegmentScore] = []
    for sample in samples:
        if not sample.masked or sample.subject not in sides.tested:
            continue
        seen = [placed[s.stem] for s in samples if s.stem in placed and trains_for(s.subject, sample.subject, sides)]
        reference = np.asarray(snapshot.mask(sample))
        guess = _guess(seen, values, reference.shape) if seen else np.zeros_like(reference)
        pairs += score_image(guess, reference, values, image=sample.name, subject=sample.subject)
    return pairs


def trivial_labels(samples: Iterable[Sample], sides: Sides, labels: Sequence[str], exclusive: bool) -> dict[str, float]:
    """Minus the log-loss by tested subject of always answering with the shares of the training labels."""
    given = [s for s in samples if s.labels is not None]
    scores: dict[str, list[float]] = {}
    for sample in given:
        if sample.subject not in sides.tested:
            continue
        seen = [s for s in given if trains_for(s.subject, sample.subject, sides)]
        if seen:
            loss = prior_loss(truth_of(seen, labels), truth_of([sample], labels), exclusive=exclusive)
            scores.setdefault(sample.subject, []).append(-float(loss[0]))
    return {subject: float(np.mean(values)) for subject, values in scores.items()}


def trains_for(subject: str, tested: str, sides: Sides) -> bool:
    """True where `subject` is in the training of what scores `tested`."""
    if sides.folds:
        return sides.folds.get(subject) != sides.folds.get(tested)
    return subject in sides.train


def truth_of(samples: Sequence[Sample], labels: Sequence[str]) -> NDArray[np.float64]:
    """(N, C) of 0 and 1."""
    return np.array([[float(name in (s.labels or ())) for name in labels] for s in samples]).reshape(-1, len(labels))


def by_subject(pairs: Sequence[SegmentScore]) -> dict[str, float]:
    """The mean of `dice_all` over a subject's images, each the mean of its segments."""
    by_image = mean_over_subjects([p.dice for p in pairs], [p.image for p in pairs])
    subject_of: Mapping[str, str] = {p.image: p.subject for p in pairs}
    return mean_over_subjects(list(by_image.values()), [subject_of[name] for name in by_image])


def _gridded(ids: NDArray[np.uint8], values: Sequence[int]) -> NDArray[np.float32]:
    layers = [cv2.resize((ids == v).astype(np.float32), (GRID, GRID), interpolation=cv2.INTER_AREA) for v in values]
    return np.stack(layers)


def _guess(seen: Sequence[NDArray[np.float32]], values: Sequence[int], shape_rc: tuple[int, ...]) -> NDArray[np.uint8]:
    mean = np.mean(seen, 0)
    native = np.stack([cv2.resize(m, (shape_rc[1], shape_rc[0]), interpolation=cv2.INTER_LINEAR) for m in mean])
    best = native.argmax(0)
    return np.where(native.max(0) >= 0.5, np.asarray(values, np.uint8)[best], 0).astype(np.uint8)
