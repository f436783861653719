"""From what the data are to how they will be learned: a recipe that is written down before the first step.

A run uses nothing but its recipe, so that it can be read, repeated and argued with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from usfm_studio.document.errors import NothingToLearn, WrongUsage
from usfm_studio.document.snapshot import Sample, Snapshot
from usfm_studio.engine.learning.augment import Augmentation
from usfm_studio.engine.learning.segmentation import Rates
from usfm_studio.engine.models.vit_plan import plan_of

TASKS = ("auto", "segmentation", "labels")
USUAL_PX, FINE_PX = 256, 384
SMALL_TARGET = 0.03
"""Targets that cover less of the image than this are learned at `FINE_PX`, in windows of `USUAL_PX`: a step costs what
it does there."""
FEW_SUBJECTS = 6
"""Below this many subjects the encoder stays as it is."""
FEW_FOR_VIT = 10
"""The same for a vision transformer."""
VIT_RATE = 1e-4
"""Its rate, where it moves: a fifth of a pyramid's. Published fine-tuning of BEiT goes by 3e-5 to 1e-4 (BEiT, 2021)."""
STILL = Rates(encoder=0.0)
"""The encoder stays as it is."""
BATCH = 4
"""Twice the steps of batches of 8 in the same time: with few frames that is worth more than calmer gradients."""
MEMBERS_SHARE = (0.3, 0.75)
"""Least and most part of the learning that goes to the members of a cross-fitting; their mean has the rest."""
MEMBERS_S = 65.0
"""Members over a frozen encoder learn little more after so many seconds together."""
SIDED = 0.15
"""A segment whose centre lies this far from the middle (half widths), on one side throughout, forbids mirroring."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """What decides the recipe. `median_share`: median part of the image that a marked segment covers."""

    frames: int
    subjects: int
    masked: int
    labelled: int
    segments: tuple[int, ...]
    labels: tuple[str, ...]
    median_share: float
    sided: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a run learns. `segments` are the schema's values of classes 1..n; `budget_s` counts from the request."""

    task: str  # segmentation, labels, both
    encoder: str
    input_px: int
    placement: str
    segments: tuple[int, ...]
    labels: tuple[str, ...]
    exclusive_labels: bool
    label_encoder: str  # digest of the encoder for the label head, where masks bend the model's own; else empty
    start: bool  # the decoder begins with the weights that ship for it
    widths: tuple[int, ...]
    convs: int
    batch: int
    views: int
    rates: Rates
    member_rates: Rates
    members_share: float
    augmentation: Augmentation
    flip_average: bool
    budget_s: float
    seed: int
    max_steps: int | None = None
    views_at_once: int = 8  # through the encoder together, where features are kept
    renew_every: int = 1  # steps for each view that is made anew
    fingerprint: dict[str, Any] = field(default_factory=dict)

    @property
    def masks(self) -> bool:
        """True where masks are learned."""
        return self.task in ("segmentation", "both")

    @property
    def classes(self) -> int:
        """Outputs of the decoder, background included."""
        return len(self.segments) + 1

    def to_json(self) -> dict[str, Any]:
        """Plain values, as the card and the run folder hold them."""
        return asdict(self)


def fingerprint(snapshot: Snapshot, samples: Sequence[Sample]) -> Fingerprint:
    """Look at all frames of a run once."""
    shares: list[float] = []
    centres: dict[int, list[float]] = {}
    found: set[int] = set()
    for sample in samples:
        ids = snapshot.mask(sample)
        if ids is None:
            continue
        ids = np.asarray(ids)
        for value in np.unique(ids[ids > 0]).tolist():
            columns = np.flatnonzero((ids == value).any(0))
            found.add(value)
            shares.append(float((ids == value).mean()))
            centres.setdefault(value, []).append((columns[0] + columns[-1]) / max(1, ids.shape[1] - 1) - 1)
    known = tuple(s.value for s in snapshot.schema.segments if s.value in found)
    given = {name for s in samples for name in s.labels or ()}
    names = [label.name for label in snapshot.schema.labels]
    return Fingerprint(
        frames=len(samples),
        subjects=len({s.subject for s in samples}),
        masked=sum(s.masked for s in samples),
        labelled=sum(s.labels is not None for s in samples),
        segments=known or tuple(sorted(found)),
        labels=tuple(n for n in names if n in given) if names else tuple(sorted(given)),
        median_share=float(np.median(shares)) if shares else 0.0,
        sided=any(_one_sided(places) for places in centres.values()),
    )


def plan(
    marks: Fingerprint,
    *,
    task: str = "auto",
    budget_s: float,
    seed: int = 0,
    encoder: str = "usfm_lite0",
    label_encoder: str = "",
    exclusive_labels: bool = True,
    max_steps: int | None = None,
    options: dict[str, Any] | None = None,
) -> Recipe:
    """The recipe for these data. Raises NothingToLearn with what is missing, WrongUsage for a foreign task or option.

    `options` may replace `input_px`, `batch`, `views`, `tune` ("all", "upper", "none"), `flip`, `window`, `start`,
    `placement`. `label_encoder`: digest of the encoder, where a model can find it without carrying it; labels beside
    masks are then told from what it saw before masks bent it.
    """
    chosen = _task(marks, task)
    given = dict(options or {})
    input_px = int(given.pop("input_px", FINE_PX if 0 < marks.median_share < SMALL_TARGET else USUAL_PX))
    window_px = int(given.pop("window", USUAL_PX if input_px > USUAL_PX else 0))
    flip = bool(given.pop("flip", not marks.sided))
    apart = chosen == "both" and bool(label_encoder)
    tunes = marks.subjects >= _few(encoder) and (chosen == "segmentation" or apart)
    tune = given.pop("tune", "upper" if tunes else "none")
    recipe = Recipe(
        task=chosen,
        encoder=encoder,
        input_px=input_px,
        placement=str(given.pop("placement", "keep")),
        segments=marks.segments if chosen != "labels" else (),
        labels=marks.labels if chosen != "segmentation" else (),
        exclusive_labels=exclusive_labels,
        label_encoder=label_encoder if apart and tune != "none" else "",
        start=bool(given.pop("start", True)),
        widths=(64, 48, 32, 16),
        convs=1,
        batch=int(given.pop("batch", BATCH)),
        views=int(given.pop("views", 160)),
        rates=_rates(str(tune), encoder),
        member_rates=STILL,
        members_share=members_share(budget_s),
        augmentation=Augmentation(flip=0.5 if flip else 0.0, window_px=window_px),
        flip_average=flip and chosen != "labels",
        budget_s=budget_s,
        seed=seed,
        max_steps=max_steps,
        fingerprint=asdict(marks),
    )
    if given:
        raise WrongUsage("The fine-tuning cannot start", f'the option "{sorted(given)[0]}" is not known')
    return recipe


def members_share(budget_s: float) -> float:
    """The part of a budget that goes to the members of a cross-fitting: all that they can use, within limits."""
    return min(max(MEMBERS_S / budget_s, MEMBERS_SHARE[0]), MEMBERS_SHARE[1])


def _task(marks: Fingerprint, task: str) -> str:
    if task not in TASKS:
        raise WrongUsage(f'The task "{task}" is not known', "or not there yet", "Use " + ", ".join(TASKS) + ".")
    masks, labels = bool(marks.segments), len(marks.labels) > 1
    if task == "auto":
        task = "both" if masks and labels else "segmentation" if masks else "labels"
    if task == "labels" and not labels:
        raise NothingToLearn("There is nothing to learn from yet", *_lacking_labels(marks))
    if task == "segmentation" and not masks:
        raise NothingToLearn("There is nothing to learn from yet", *_lacking_masks(marks))
    return task


def _lacking_masks(marks: Fingerprint) -> tuple[str, str]:
    if marks.masked:
        return "no frame has anything marked in it", "Mark the segment on frames of two subjects, then try again."
    return "no frame is done", "Mark and finish frames of two subjects, then try again."


def _lacking_labels(marks: Fingerprint) -> tuple[str, str]:
    if len(marks.labels) == 1:
        return f'every labelled frame is "{marks.labels[0]}"', "Label frames of a second kind, then try again."
    return "no frame has a mask or a label", "Finish frames of two subjects, then try again."


def _few(encoder: str) -> int:
    return FEW_SUBJECTS if plan_of(encoder) is None else FEW_FOR_VIT


def _rates(tune: str, encoder: str) -> Rates:
    """How the encoder moves. "upper": a pyramid from stride 4 on, a vision transformer's last third of blocks."""
    vit = plan_of(encoder)
    if tune == "none":
        return STILL
    if tune == "upper":
        if vit is not None:
            return Rates(encoder=VIT_RATE, frozen_stages=vit.depth - max(1, vit.depth // 3))
        return Rates(frozen_stages=2, depthwise=False)
    if tune == "all":
        return Rates() if vit is None else Rates(encoder=VIT_RATE)
    raise WrongUsage("The fine-tuning cannot start", f'"{tune}" is no way to tune', "Use all, upper or none.")


def _one_sided(places: Sequence[float]) -> bool:
    """True where a segment keeps to one side: all its centres do, and their mean is clearly off the middle."""
    offsets = np.asarray(places)
    same = bool((offsets > 0).all() or (offsets < 0).all())
    return len(offsets) >= 4 and same and abs(float(offsets.mean())) > SIDED
