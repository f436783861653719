"""Enhanced frames held against their references. The holdout and `evaluate` both ask here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from usfm_studio.document.errors import NotFound
from usfm_studio.document.snapshot import Sample, Snapshot
from usfm_studio.engine.device import Device
from usfm_studio.engine.learning.enhancement_views import Pairs, as_grey
from usfm_studio.engine.models.checkpoint import load_model
from usfm_studio.engine.models.enhancing import Enhancing
from usfm_studio.engine.scoring.pictures import PictureScore, image_area, likeness, summarise_pictures
from usfm_studio.engine.scoring.summary import Scores


def score_pairs(
    enhancing: Enhancing,
    pairs: Pairs,
    samples: Sequence[Sample],
    check: Callable[[int], None] = lambda _done: None,
) -> list[PictureScore]:
    """Enhance each frame and hold it, and the frame as it is, against its reference, in grey and at native size.

    `check` is called after each frame with their number and may raise.
    """
    found = []
    for done, sample in enumerate(samples, 1):
        low, reference = pairs.tested(sample)
        area = image_area(reference)
        found.append(
            PictureScore(
                image=sample.name,
                subject=sample.subject,
                enhanced=likeness(as_grey(enhancing.enhance(low)), reference, area),
                identity=likeness(as_grey(low), reference, area),
            )
        )
        check(done)
    return found


def evaluate_enhancement(
    model: Path,
    snapshot: Snapshot,
    subjects: Iterable[str] | None = None,
    *,
    device: Device | None = None,
    check: Callable[[int], None] = lambda _done: None,
) -> Scores:
    """Scores of an enhancement model against a snapshot's own targets. Raises BadModel, NotFound where there are none.

    `subjects` limits it to some; None takes all.
    """
    wanted = set(snapshot.subjects if subjects is None else subjects)
    samples = [s for s in snapshot.samples if s.subject in wanted and s.target]
    if not samples:
        raise NotFound("There is nothing to score", "no image has a target that an enhanced one could be held against")
    return summarise_pictures(score_pairs(Enhancing(load_model(model), device), Pairs(snapshot), samples, check))
