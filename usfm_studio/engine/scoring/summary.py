"""All figures of one evaluation in the form that results carry: means, intervals, per image and per subject."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from usfm_studio.engine.scoring.intervals import Interval, mean_interval, mean_over_subjects, statistic_interval
from usfm_studio.engine.scoring.labels import STATISTICS, LabelledImage, Table, label_scores, log_loss
from usfm_studio.engine.scoring.masks import SegmentScore, mask_scores

IMAGE_METRICS = ("dice", "dice_all", "hd95", "nsd", "hd95_mm", "nsd_1mm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """`values` metric -> figure (None where not defined); `per_image` and `per_subject` by name, then metric."""

    values: dict[str, float | None]
    intervals: dict[str, Interval]
    per_image: dict[str, dict[str, float]] = field(default_factory=dict)
    per_subject: dict[str, dict[str, float]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The fields of `evaluate`: figures beside `interval`, `interval_kind`, `per_image`, `per_subject`."""
        return {
            **self.values,
            "interval": {name: interval.pair for name, interval in self.intervals.items()},
            "interval_kind": next((i.kind for i in self.intervals.values()), None),
            "subjects": len(self.per_subject),
            "per_image": self.per_image,
            "per_subject": self.per_subject,
        }


def summarise(
    pairs: Sequence[SegmentScore],
    images: Sequence[LabelledImage] = (),
    classes: Sequence[str] = (),
    *,
    exclusive: bool = True,
) -> Scores:
    """Figures of masks and of labels, as far as there are any; `classes` in the order of the probabilities."""
    values: dict[str, float | None] = {}
    intervals: dict[str, Interval] = {}
    per_image: dict[str, dict[str, float]] = {}
    per_subject: dict[str, dict[str, float]] = {}
    if pairs:
        values.update(mask_scores(pairs))
        _add_masks(pairs, intervals, per_image, per_subject)
    if images:
        values.update(label_scores(images, classes, exclusive=exclusive))
        _add_labels(images, Table.of(images, classes, exclusive), intervals, per_image, per_subject)
    return Scores(values=values, intervals=intervals, per_image=per_image, per_subject=per_subject)


def _add_masks(
    pairs: Sequence[SegmentScore],
    intervals: dict[str, Interval],
    per_image: dict[str, dict[str, float]],
    per_subject: dict[str, dict[str, float]],
) -> None:
    subject_of = {p.image: p.subject for p in pairs}
    for metric in IMAGE_METRICS:
        found = [(p, v) for p in pairs if (v := _value(p, metric)) is not None]
        if not found:
            continue
        interval = mean_interval([v for _, v in found], [p.subject for p, _ in found])
        if interval is not None:
            intervals[metric] = interval
        by_image = mean_over_subjects([v for _, v in found], [p.image for p, _ in found])
        _spread(by_image, metric, per_image)
        by_subject = mean_over_subjects(list(by_image.values()), [subject_of[name] for name in by_image])
        _spread(by_subject, metric, per_subject)
    empty = [p for p in pairs if not p.counts]
    wrong = mean_interval([float(p.predicted_px > 0) for p in empty], [p.subject for p in empty])
    if wrong is not None:
        intervals["false_positive"] = wrong


def _value(pair: SegmentScore, metric: str) -> float | None:
    """What one pair adds to a metric: `dice` leaves empty references out, `dice_all` does not."""
    if metric == "dice_all":
        return pair.dice
    if metric == "dice":
        return pair.dice if pair.counts else None
    value: float | None = getattr(pair, metric)
    return value


def _add_labels(
    images: Sequence[LabelledImage],
    table: Table,
    intervals: dict[str, Interval],
    per_image: dict[str, dict[str, float]],
    per_subject: dict[str, dict[str, float]],
) -> None:
    subjects = [i.subject for i in images]
    right = (table.decided == table.truth).mean(axis=1) if not table.exclusive else _right(table)
    for metric, each in (("accuracy", right), ("log_loss", log_loss(table))):
        _spread({i.image: float(v) for i, v in zip(images, each, strict=True)}, metric, per_image)
        _spread(mean_over_subjects([float(v) for v in each], subjects), metric, per_subject)
    _spread(_f1_by_subject(table, subjects), "macro_f1", per_subject)
    for name, statistic in STATISTICS.items():
        known = {s: m[name] for s, m in per_subject.items() if name in m}
        interval = statistic_interval(subjects, partial(statistic, table), known)
        if interval is not None:
            intervals[name] = interval


def _right(table: Table) -> np.ndarray:
    return (table.decided * table.truth).sum(axis=1)


def _f1_by_subject(table: Table, subjects: Sequence[str]) -> dict[str, float]:
    names = list(dict.fromkeys(subjects))
    weights = np.array([[float(s == name) for s in subjects] for name in names])
    figures = STATISTICS["macro_f1"](table, weights)
    return {name: float(v) for name, v in zip(names, figures, strict=True) if np.isfinite(v)}


def _spread(values: dict[str, float], metric: str, into: dict[str, dict[str, float]]) -> None:
    for name, value in values.items():
        into.setdefault(name, {})[metric] = value
