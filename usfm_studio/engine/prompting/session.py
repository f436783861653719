"""One target worked on by the simulated person, and what many such sessions add up to. No torch here.

Target = one segment of one image, all its components together; definitions as in `docs/scores.md` and the protocol of
`clicks`: IoU at native size, `nocT` = interactions until IoU >= T/100 (the cap if never).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from usfm_studio.document.prompts import Prompt
from usfm_studio.engine.prompting.clicker import (
    Marked,
    box_around,
    click_on,
    generator_for,
    largest_error,
    scribble_on,
    settle,
)
from usfm_studio.engine.scoring.intervals import mean_interval

Kind = Literal["click", "box", "scribble"]
LEAST_PX = 64
"""Smaller targets are skipped."""
THRESHOLDS = (80, 85, 90)
STEPS_SHOWN = (1, 3, 5)

Answer = Callable[[Sequence[Prompt], Marked | None], Marked]
"""All prompts so far and the last mask (None: none yet) -> the next mask, all (rows, columns) bool."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What the simulated person wants: `reference` (rows, columns); `start` is a mask to begin from."""

    file: str
    subject: str
    segment: int
    reference: Marked
    start: Marked | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What came of a target: IoU before the first interaction, and after 1, 2, ... of them."""

    file: str
    subject: str
    segment: int
    start_iou: float = 0.0
    ious: tuple[float, ...] = ()

    def clicks_to(self, threshold: int, cap: int) -> int:
        """Interactions until IoU >= threshold / 100; the cap if never."""
        values = (self.start_iou, *self.ious)
        return next((n for n, iou in enumerate(values) if iou >= threshold / 100), cap)

    def reaches(self, threshold: int) -> bool:
        """True where IoU >= threshold / 100 at some time."""
        return max((self.start_iou, *self.ious)) >= threshold / 100

    def iou_after(self, interactions: int) -> float:
        """IoU after so many; the last value is carried on."""
        values = (self.start_iou, *self.ious)
        return values[min(interactions, len(values) - 1)]


def play(
    target: Target, answer: Answer, kind: Kind = "click", cap: int = 20, draws: np.random.Generator | None = None
) -> Session:
    """Prompt until IoU 0.90 is reached or `cap` interactions are made.

    `draws`: clicks fall anywhere within half of the deepest, not at the centre (the robustness run).
    """
    reference, rng = target.reference, generator_for(target.file, target.segment)
    settled = np.zeros_like(reference)
    mask, prompts, ious = target.start, list[Prompt](), list[float]()
    start_iou = 0.0 if mask is None else iou_of(mask, reference)
    while len(ious) < cap and max(start_iou, *ious, 0.0) < THRESHOLDS[-1] / 100:
        if kind == "box" and not prompts:
            prompts.append(box_around(reference, rng))
        else:
            error = largest_error(reference, np.zeros_like(reference) if mask is None else mask, settled)
            if error is None:
                break
            made = scribble_on(error, rng) if kind == "scribble" else click_on(error, draws)
            settle(settled, made)
            prompts.append(made)
        mask = answer(prompts, mask)
        ious.append(iou_of(mask, reference))
    return Session(
        file=target.file, subject=target.subject, segment=target.segment, start_iou=start_iou, ious=tuple(ious)
    )


def iou_of(mask: Marked, reference: Marked) -> float:
    """Intersection over union; 1 where both are empty."""
    union = int((mask | reference).sum())
    return int((mask & reference).sum()) / union if union else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """The fields of `clicks` that come from sessions, and their intervals over subjects."""

    values: Mapping[str, float]
    interval: Mapping[str, list[float]]
    per_image: Mapping[str, Mapping[str, list[float]]] = field(default_factory=dict)


def tally(sessions: Sequence[Session], cap: int) -> Tally:
    """Means over targets; failures are shares that never reach 85 (and 80, 90)."""
    columns: dict[str, list[float]] = {}
    for threshold in THRESHOLDS:
        columns[f"noc{threshold}"] = [float(s.clicks_to(threshold, cap)) for s in sessions]
    for name, threshold in (("failures", 85), ("failures80", 80), ("failures90", 90)):
        columns[name] = [float(not s.reaches(threshold)) for s in sessions]
    for step in STEPS_SHOWN:
        columns[f"iou{step}"] = [s.iou_after(step) for s in sessions]
    per_image: dict[str, dict[str, list[float]]] = {}
    for s in sessions:
        per_image.setdefault(s.file, {})[str(s.segment)] = [round(iou, 4) for iou in s.ious]
    subjects = [s.subject for s in sessions]
    intervals = {name: mean_interval(column, subjects) for name, column in columns.items()}
    return Tally(
        values={name: float(np.mean(column)) for name, column in columns.items()},
        interval={name: one.pair for name, one in intervals.items() if one is not None},
        per_image=per_image,
    )
