"""Agreement of a predicted mask with a reference, at the image's native size.

Surface distances are taken between the centres of boundary pixels, as MONAI does. The 95th percentile is the larger of
the two directed ones; MedPy pools both directions (lower), surface-distance puts the surface between pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from usfm_studio.document.mask import Ids

Bools = NDArray[np.bool_]

NSD_SHARE = 0.01
"""Tolerance of `nsd`: this share of the square root of the image's area, in pixels."""
NSD_MM = 1.0
PERCENTILE = 95.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentScore:
    """One (image, segment) pair.

    `dice` is 1 where both masks are empty. Distances are None where the reference is empty: `hd95` in px, `hd95_mm`
    and `nsd_1mm` only where the image has a scale.
    """

    image: str
    subject: str
    segment: int
    reference_px: int
    predicted_px: int
    dice: float
    hd95: float | None = None
    nsd: float | None = None
    hd95_mm: float | None = None
    nsd_1mm: float | None = None

    @property
    def counts(self) -> bool:
        """True where the reference marks the segment: the pairs of `dice`, `hd95` and `nsd`."""
        return self.reference_px > 0


def dice(predicted: Bools, reference: Bools) -> float:
    """2|A∩B| / (|A|+|B|); 1 where both are empty."""
    total = int(np.count_nonzero(predicted)) + int(np.count_nonzero(reference))
    return 1.0 if total == 0 else 2.0 * int(np.count_nonzero(predicted & reference)) / total


def boundary(mask: Bools) -> Bools:
    """Pixels of the mask that have a 4-neighbour outside it; beyond the image is outside."""
    padded = np.pad(mask, 1)
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    edge: Bools = mask & ~inner
    return edge


def hd95(predicted: Bools, reference: Bools, mm_per_px_xy: tuple[float, float] | None = None) -> float:
    """The larger of the two directed 95th percentiles of boundary distances (linear interpolation), in px or mm.

    Both masks empty: 0. One empty: the image's diagonal.
    """
    there, back = _distances(predicted, reference, mm_per_px_xy)
    return _hd95(there, back, predicted.shape, mm_per_px_xy)


def nsd(
    predicted: Bools, reference: Bools, tolerance: float | None = None, mm_per_px_xy: tuple[float, float] | None = None
) -> float:
    """Share of the boundary pixels of both masks within `tolerance` of the other boundary (normalised surface Dice).

    `tolerance` is in px (mm with a scale) and 1 % of √(rows·columns) px where left out. Both empty: 1. One empty: 0.
    """
    there, back = _distances(predicted, reference, mm_per_px_xy)
    return _nsd(there, back, _tolerance(predicted.shape) if tolerance is None else tolerance)


def score_image(
    predicted: Ids,
    reference: Ids,
    values: Iterable[int],
    *,
    image: str,
    subject: str,
    mm_per_px_xy: tuple[float, float] | None = None,
) -> list[SegmentScore]:
    """All pairs of one image. Raises ValueError where the masks differ in size."""
    if predicted.shape != reference.shape:
        raise ValueError(f"masks of {predicted.shape} and {reference.shape} cannot be compared")
    return [
        _score_pair(predicted == value, reference == value, value, image, subject, mm_per_px_xy) for value in values
    ]


def mask_scores(pairs: Sequence[SegmentScore]) -> dict[str, float | None]:
    """`dice`, `dice_all`, `false_positive`, `dice_median`, `dice_below_half`, `hd95`, `nsd` (and mm) over pairs.

    None where nothing can be said. `dice_all` counts empty references too: 1 if the prediction is empty, else 0.
    `hd95_mm` and `nsd_1mm` are means over the calibrated pairs alone, and absent where there are none.
    """
    counted = [p for p in pairs if p.counts]
    empty = [p for p in pairs if not p.counts]
    dices = [p.dice for p in counted]
    scores = {
        "dice": _mean(dices),
        "dice_all": _mean([p.dice for p in pairs]),
        "false_positive": _mean([float(p.predicted_px > 0) for p in empty]),
        "hd95": _mean([p.hd95 for p in counted if p.hd95 is not None]),
        "nsd": _mean([p.nsd for p in counted if p.nsd is not None]),
        "dice_median": float(np.median(dices)) if dices else None,
        "dice_below_half": _mean([float(d < 0.5) for d in dices]),
    }
    in_mm = [p for p in counted if p.hd95_mm is not None and p.nsd_1mm is not None]
    if in_mm:
        scores["hd95_mm"] = _mean([p.hd95_mm for p in in_mm if p.hd95_mm is not None])
        scores["nsd_1mm"] = _mean([p.nsd_1mm for p in in_mm if p.nsd_1mm is not None])
    return scores


def _score_pair(
    predicted: Bools, reference: Bools, value: int, image: str, subject: str, scale: tuple[float, float] | None
) -> SegmentScore:
    reference_px = int(np.count_nonzero(reference))
    found: dict[str, float] = {}
    if reference_px:
        there, back = _distances(predicted, reference, None)
        found["hd95"] = _hd95(there, back, predicted.shape, None)
        found["nsd"] = _nsd(there, back, _tolerance(predicted.shape))
        if scale is not None:
            there, back = _distances(predicted, reference, scale)
            found["hd95_mm"] = _hd95(there, back, predicted.shape, scale)
            found["nsd_1mm"] = _nsd(there, back, NSD_MM)
    return SegmentScore(
        image=image,
        subject=subject,
        segment=value,
        reference_px=reference_px,
        predicted_px=int(np.count_nonzero(predicted)),
        dice=dice(predicted, reference),
        **found,
    )


def _distances(
    predicted: Bools, reference: Bools, scale: tuple[float, float] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distance of each boundary pixel to the other boundary, both ways; infinite where the other mask is empty."""
    step = np.array([1.0, 1.0] if scale is None else [scale[1], scale[0]])
    points = [np.argwhere(boundary(mask)) * step for mask in (predicted, reference)]
    if not len(points[0]) or not len(points[1]):
        return np.full(len(points[0]), np.inf), np.full(len(points[1]), np.inf)
    there, _ = cKDTree(points[1]).query(points[0])
    back, _ = cKDTree(points[0]).query(points[1])
    return there, back


def _hd95(
    there: NDArray[np.float64],
    back: NDArray[np.float64],
    shape_rc: tuple[int, ...],
    scale: tuple[float, float] | None,
) -> float:
    if not len(there) and not len(back):
        return 0.0
    if not len(there) or not len(back):
        sx, sy = scale or (1.0, 1.0)
        return float(np.hypot(shape_rc[0] * sy, shape_rc[1] * sx))
    return float(max(np.percentile(there, PERCENTILE), np.percentile(back, PERCENTILE)))


def _nsd(there: NDArray[np.float64], back: NDArray[np.float64], tolerance: float) -> float:
    total = len(there) + len(back)
    if total == 0:
        return 1.0
    return float(np.count_nonzero(there <= tolerance) + np.count_nonzero(back <= tolerance)) / total


def _tolerance(shape_rc: tuple[int, ...]) -> float:
    return NSD_SHARE * float(np.sqrt(shape_rc[0] * shape_rc[1]))


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None
