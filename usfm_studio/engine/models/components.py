"""What is done with a mask after the network: component rules, and how sure the mask is."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from usfm_studio.document.mask import Ids
from usfm_studio.engine.models.blueprint import Preparation


def soft_dice(p_HW: NDArray[np.float32], marked_HW: NDArray[np.bool_]) -> float:
    """Soft Dice confidence 2 Σp·ŷ / (Σp + Σŷ) (arXiv 2402.10665), 0..1; 1 where both are empty."""
    total = float(p_HW.sum(dtype=np.float64)) + int(np.count_nonzero(marked_HW))
    return 1.0 if total == 0 else 2 * float(p_HW[marked_HW].sum(dtype=np.float64)) / total


def biased(p_KHW: NDArray[np.float32], bias: float) -> NDArray[np.float32]:
    """Probabilities (background first) with `bias` added to the logit of every segment."""
    if bias == 0:
        return p_KHW
    raised = p_KHW.copy()
    raised[1:] *= np.float32(np.exp(bias))
    return raised / raised.sum(0, keepdims=True)


def cleaned(ids: Ids, rules: Preparation) -> Ids:
    """The ids after the model's component rules, segment by segment."""
    for value in (v for v in np.unique(ids).tolist() if v) if _has_rules(rules) else ():
        marked = (ids == value).astype(np.uint8)
        kept = _components(marked, rules)
        if rules.fill_holes:
            kept |= _holes(kept) & (ids == 0)
        ids = np.where(kept.astype(bool), np.uint8(value), np.where(marked.astype(bool), np.uint8(0), ids))
    return ids


def _has_rules(rules: Preparation) -> bool:
    return rules.keep_largest or rules.fill_holes or rules.min_area_px > 0


def _components(marked: NDArray[np.uint8], rules: Preparation) -> NDArray[np.uint8]:
    """What is left of a mask (0 or 1) of the components that the rules keep (4 neighbours touch)."""
    count, parts, statistics, _ = cv2.connectedComponentsWithStats(marked, connectivity=4)
    areas = statistics[:, cv2.CC_STAT_AREA]
    keep = np.zeros(count, np.uint8)
    keep[1:] = areas[1:] >= rules.min_area_px
    if rules.keep_largest and count > 1:
        largest = 1 + int(np.argmax(areas[1:]))
        keep[np.arange(count) != largest] = 0
    return keep[parts]


def _holes(marked: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """1 on background that does not reach the frame's edge."""
    around = np.pad(1 - marked, 1, constant_values=1)
    _, parts = cv2.connectedComponents(around, connectivity=4)
    return ((parts != parts[0, 0]) & (around == 1))[1:-1, 1:-1].astype(np.uint8)
