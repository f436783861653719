"""Which frames are handed back to the person: where the carried mask cannot be trusted.

Three signals, none of which knows the truth: how sure the mask is (soft Dice), whether it leads back to the key frame
(forward against backward), and whether its area is one that the loop's sure frames have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

LEAST_SCORE = 0.75
"""A mask below this predicted Dice is handed back."""
LEAST_RETURN = 0.5
"""So much of the best way back in the loop must be reached. In a sweep the way back says little of the Dice (0.27 to
0.58 correlation on carotid loops, against 0.75 to 0.81 of how sure the mask is), so it only stops gross drift."""
MOST_GROWTH = 2.0
"""By this factor an area may differ from the nearest key frame's, up or down. In a sweep areas change fast between
frames that were far apart, so this is wide."""


@dataclass(frozen=True, slots=True)
class Signs:
    """What is known of one carried frame. `sure` and `back` are 0 to 1; `area_px` by segment id."""

    sure: float
    back: float
    area_px: Mapping[int, int]


def score(signs: Signs) -> float:
    """Predicted Dice, 0 to 1: how sure the mask is."""
    return float(np.clip(signs.sure, 0.0, 1.0))


def drifted(signs: Sequence[Signs], references: Sequence[Mapping[int, int]]) -> list[bool]:
    """Which frames are not to be trusted. `references`: areas by segment id of each frame's key frame."""
    best = max((one.back for one in signs), default=0.0)
    return [
        score(one) < LEAST_SCORE or one.back < LEAST_RETURN * best or _jumped(one.area_px, reference)
        for one, reference in zip(signs, references, strict=True)
    ]


def _jumped(area_px: Mapping[int, int], reference: Mapping[int, int]) -> bool:
    for value, expected in reference.items():
        found = area_px.get(value, 0)
        if expected and not expected / MOST_GROWTH <= found <= expected * MOST_GROWTH:
            return True
    return False
