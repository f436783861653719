"""What is learned from answers about subjects that the answerer never saw: rules of cleaning, and predicted Dice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from usfm_studio.document.mask import Ids
from usfm_studio.document.snapshot import Sample, Snapshot
from usfm_studio.engine.learning.evaluation import Answers, pairs_of
from usfm_studio.engine.models.blueprint import Line, Preparation
from usfm_studio.engine.models.components import cleaned
from usfm_studio.engine.scoring import dice

ENOUGH_FOR_A_LINE = 15
SLOPES = (0.2, 3.0)
LEAST_GAIN = 0.002
FEWEST_FRAMES = 3


@dataclass(frozen=True, slots=True)
class Rules:
    """How masks are cleaned; see `Preparation`."""

    keep_largest: bool = False
    fill_holes: bool = False


def rules_from(snapshot: Snapshot, samples: Sequence[Sample], answers: Answers, values: Sequence[int]) -> Rules:
    """A rule is kept only where every training mask obeys it and the left-out answers gain by it."""
    frames = [(np.asarray(snapshot.mask(s)), answers.ids[s.stem]) for s in samples if s.stem in answers.ids]
    kept = Rules()
    if len(frames) < FEWEST_FRAMES:
        return kept
    for wanted in (Rules(keep_largest=True), Rules(fill_holes=True)):
        both = Rules(kept.keep_largest or wanted.keep_largest, kept.fill_holes or wanted.fill_holes)
        if all(_obeys(reference, both) for reference, _ in frames) and _gain(frames, values, kept, both) > LEAST_GAIN:
            kept = both
    return kept


def after_rules(snapshot: Snapshot, samples: Sequence[Sample], answers: Answers, rules: Rules) -> Answers:
    """The same answers, cleaned by the rules and scored again."""
    if rules == Rules():
        return answers
    changed = replace(answers, by_stem=dict(answers.by_stem), ids=dict(answers.ids))
    for sample in samples:
        if sample.stem in answers.ids:
            ids = changed.ids[sample.stem] = _applied(answers.ids[sample.stem], rules)
            values = [pair.segment for pair in answers.by_stem[sample.stem]]
            changed.by_stem[sample.stem] = pairs_of(ids, np.asarray(snapshot.mask(sample)), sample, values)
    return changed


def predicted_dice(answers: Answers, outputs: Mapping[int, int]) -> dict[str, Line]:
    """A line from confidence to Dice for each segment, keyed by the model's output value.

    `outputs` maps schema values to outputs. Fewer than 15 answers: the confidence less its mean bias.
    """
    lines: dict[str, Line] = {}
    for value, output in outputs.items():
        points = [
            (answers.confidences[stem][value], found)
            for stem, found in _dice_by_stem(answers, value).items()
            if value in answers.confidences.get(stem, {})
        ]
        if points:
            lines[str(output)] = _line(np.array(points))
    return lines


def _dice_by_stem(answers: Answers, value: int) -> dict[str, float]:
    return {stem: p.dice for stem, pairs in answers.by_stem.items() for p in pairs if p.segment == value}


def _line(points: NDArray[np.float64]) -> Line:
    confidence: NDArray[np.float64] = points[:, 0]
    found: NDArray[np.float64] = points[:, 1]
    slope = 1.0
    if len(points) >= ENOUGH_FOR_A_LINE and confidence.std() > 1e-3:
        slope = min(max(float(np.polyfit(confidence, found, 1)[0]), SLOPES[0]), SLOPES[1])
    return Line(slope=slope, offset=float(found.mean() - slope * confidence.mean()))


def _obeys(reference: Ids, rule: Rules) -> bool:
    """True where the rule changes at most a hundredth of what is marked."""
    changed = int(np.count_nonzero(_applied(reference, rule) != reference))
    marked = int(np.count_nonzero(reference))
    return changed <= 0.01 * max(1, marked)


def _gain(frames: Sequence[tuple[Ids, Ids]], values: Sequence[int], before: Rules, after: Rules) -> float:
    gains = [
        dice(_applied(ids, after) == v, reference == v) - dice(_applied(ids, before) == v, reference == v)
        for reference, ids in frames
        for v in values
    ]
    return float(np.mean(gains))


def _applied(ids: Ids, rule: Rules) -> Ids:
    return cleaned(ids, Preparation(keep_largest=rule.keep_largest, fill_holes=rule.fill_holes))
