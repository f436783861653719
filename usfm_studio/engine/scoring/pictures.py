"""How near an enhanced image comes to its reference, on the part of the image that shows tissue.

Images are (rows, columns) uint8 on the scale 0 to 255; figures are means over the pixels of `area`, (rows, columns)
bool. Where tools disagree on what a figure means, the docstring says which side we are on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d, uniform_filter

from usfm_studio.engine.corpus.sector import valid_sector
from usfm_studio.engine.scoring.intervals import mean_interval, mean_over_subjects
from usfm_studio.engine.scoring.summary import Scores

Grey = NDArray[np.uint8]
Area = NDArray[np.bool_]
Floats = NDArray[np.float64]

DATA_RANGE = 255.0
MOST_PSNR = 100.0
"""Decibels of equal images, whose PSNR would be infinite."""
SIGMA, RADIUS = 1.5, 5
K1, K2 = 0.01, 0.03
LNCC_PX = 9
FLAT = 1e-6
"""A variance under this (grey levels squared) is that of a constant window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """How like two images are; higher is nearer in all three. `psnr` in dB."""

    psnr: float
    ssim: float
    lncc: float


METRICS = tuple(field.name for field in fields(Likeness))


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureScore:
    """One image of an evaluation: what the model made of it, and `identity`: the image left as it is."""

    image: str
    subject: str
    enhanced: Likeness
    identity: Likeness


def image_area(reference: Grey) -> Area:
    """Where the reference shows tissue: neither the black around it nor text beside it."""
    return valid_sector(reference)


def likeness(picture: Grey, reference: Grey, area: Area | None = None) -> Likeness:
    """All three figures; `area` left out: that of the reference."""
    inside = image_area(reference) if area is None else area
    return Likeness(
        psnr=psnr(picture, reference, inside),
        ssim=ssim(picture, reference, inside),
        lncc=lncc(picture, reference, inside),
    )


def psnr(picture: Grey, reference: Grey, area: Area) -> float:
    """10 log10(255² / mean squared difference) in dB, at most 100."""
    squared = np.square(picture.astype(np.float64) - reference)[area].mean()
    return MOST_PSNR if squared == 0 else min(MOST_PSNR, float(10 * np.log10(DATA_RANGE**2 / squared)))


def ssim(picture: Grey, reference: Grey, area: Area) -> float:
    """Structural similarity (Wang et al. 2004): Gaussian window 11 x 11 with sigma 1.5, population moments.

    Only windows that lie whole in the image count; scikit-image gives the same with `gaussian_weights=True,
    use_sample_covariance=False`, its default (7 x 7, uniform) another number.
    """
    x, y = picture.astype(np.float64), reference.astype(np.float64)
    c1, c2 = (K1 * DATA_RANGE) ** 2, (K2 * DATA_RANGE) ** 2
    mean_x, mean_y, var_x, var_y, both = _moments(x, y, _gaussian)
    map_rc = (2 * mean_x * mean_y + c1) * (2 * both + c2) / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))
    return _mean_inside(map_rc, area, RADIUS)


def lncc(picture: Grey, reference: Grey, area: Area) -> float:
    """Local normalised cross-correlation: Pearson's coefficient (not squared) in 9 x 9 windows, meaned.

    A window where both images are constant is left out; where one is, it counts 0.
    """
    x, y = picture.astype(np.float64), reference.astype(np.float64)
    _, _, var_x, var_y, both = _moments(x, y, lambda z: uniform_filter(z, LNCC_PX, mode="reflect"))
    flat_x, flat_y = var_x < FLAT, var_y < FLAT
    coefficient = np.where(flat_x | flat_y, 0.0, both / np.sqrt(np.maximum(var_x * var_y, FLAT**2)))
    return _mean_inside(np.clip(coefficient, -1, 1), area & ~(flat_x & flat_y), LNCC_PX // 2)


def summarise_pictures(found: Sequence[PictureScore]) -> Scores:
    """`psnr`, `ssim`, `lncc` with intervals over subjects, and each with `_identity` of the images left as they are."""
    rows = {p.image: _row(p) for p in found}
    subjects = [p.subject for p in found]
    names = list(next(iter(rows.values()))) if rows else []
    by_metric = {name: [row[name] for row in rows.values()] for name in names}
    intervals = {name: mean_interval(values, subjects) for name, values in by_metric.items()}
    per_subject: dict[str, dict[str, float]] = {}
    for name, values in by_metric.items():
        for subject, value in mean_over_subjects(values, subjects).items():
            per_subject.setdefault(subject, {})[name] = value
    return Scores(
        values={name: float(np.mean(values)) for name, values in by_metric.items()},
        intervals={name: interval for name, interval in intervals.items() if interval is not None},
        per_image=rows,
        per_subject=per_subject,
    )


def _row(score: PictureScore) -> dict[str, float]:
    enhanced = {name: getattr(score.enhanced, name) for name in METRICS}
    return enhanced | {f"{name}_identity": getattr(score.identity, name) for name in METRICS}


def _moments(x: Floats, y: Floats, local: Callable[[Floats], Floats]) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Local means, variances and the covariance."""
    mean_x, mean_y = local(x), local(y)
    var_x = np.maximum(local(x * x) - mean_x**2, 0)
    var_y = np.maximum(local(y * y) - mean_y**2, 0)
    return mean_x, mean_y, var_x, var_y, local(x * y) - mean_x * mean_y


def _gaussian(x: Floats) -> Floats:
    weights = np.exp(-(np.arange(-RADIUS, RADIUS + 1) ** 2) / (2 * SIGMA**2))
    weights /= weights.sum()
    once: Floats = correlate1d(x, weights, axis=0, mode="reflect")
    twice: Floats = correlate1d(once, weights, axis=1, mode="reflect")
    return twice


def _mean_inside(map_rc: Floats, area: Area, radius: int) -> float:
    """Over the area, windows that reach over the image's edge left out; over all there is where nothing is left."""
    whole = np.zeros_like(area)
    whole[radius:-radius, radius:-radius] = True
    inside = area & whole
    inside = inside if inside.any() else area if area.any() else np.ones_like(area)
    return float(map_rc[inside].mean())
