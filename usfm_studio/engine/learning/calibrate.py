"""Predicted Dice, from answers about subjects that the answerer never saw."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from usfm_studio.engine.learning.evaluation import Answers
from usfm_studio.engine.models.blueprint import Line

ENOUGH_FOR_A_LINE = 15
SLOPES = (0.2, 3.0)


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
