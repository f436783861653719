"""How a run ended, ready to be shown: the comparison of old and new model, in numbers, words and pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from usfm_studio.document.errors import StudioError
from usfm_studio.document.frame import FrameId
from usfm_studio.document.model_card import ModelCard
from usfm_studio.document.schema import Schema
from usfm_studio.project.project import Project
from usfm_studio.ui.state import Verdict, WorstFrame
from usfm_studio.verbs.finetune import FinetuneResult
from usfm_studio.verbs.propose import matched

WORST = 3


def verdict_of(project: Project, result: FinetuneResult, place_of: Callable[[FrameId], str]) -> Verdict:
    """The whole comparison. Reads a few files: not for the window's thread. Raises NotFound."""
    card = project.models.card(result.model)
    before = _parent(project, card)
    holdout = result.holdout
    interval = holdout.get("interval")
    return Verdict(
        title=verdict_title(card.name, before.name if before else "", result),
        sentence=result.reason,
        rule=str(holdout.get("rule", "")),
        promoted=result.promoted,
        champion=before,
        challenger=card,
        metric=str(holdout.get("metric", "dice_all")),
        per_subject=tuple(
            (str(subject), pair.get("champion"), float(pair["challenger"]))
            for subject, pair in result.comparison.get("per_subject", {}).items()
        ),
        interval=(float(interval[0]), float(interval[1])) if interval else None,
        champion_score=holdout.get("champion"),
        challenger_score=holdout.get("challenger"),
        kind=str(holdout.get("kind", "held-out")),
        worst=tuple(_worst(project, result, card, before, place_of)),
        seconds=result.seconds,
    )


def verdict_title(name: str, before: str, result: FinetuneResult) -> str:
    """One line: better, taken over as no worse, first, or kept the old one. Scores that look equal are not "better"."""
    old, new = result.holdout.get("champion"), result.holdout.get("challenger")
    scores = f": {old:.2f} to {new:.2f}" if old is not None and new is not None else ""
    if result.promoted and before:
        better = old is None or new is None or round(new, 2) > round(old, 2)
        return f"{name} {'is better' if better else 'takes over'}{scores}"
    if result.promoted:
        return f"{name} proposes from now on" + (f": {new:.2f}" if new is not None else "")
    return f"Kept {before}{scores}" if before else f"{name} is not used yet{scores}"


def mean_dice(ids: NDArray[np.uint8], reference: NDArray[np.uint8]) -> float:
    """Mean Dice over the segments of the reference; 1 where neither marks anything."""
    values = [v for v in np.unique(reference).tolist() if v]
    if not values:
        return float(not ids.any())
    both = [(ids == v, reference == v) for v in values]
    return float(np.mean([2 * (a & b).sum() / (a.sum() + b.sum()) for a, b in both]))


def _parent(project: Project, card: ModelCard) -> ModelCard | None:
    known = {c.digest: c for c in project.models.cards()}
    return next((known[digest] for digest in card.parents if digest in known), None)


def _worst(
    project: Project,
    result: FinetuneResult,
    card: ModelCard,
    before: ModelCard | None,
    place_of: Callable[[FrameId], str],
) -> list[WorstFrame]:
    found = []
    for row in result.comparison.get("worst", ())[:WORST]:
        try:
            frame = FrameId.parse(row["frame"])
            reference = project.mask(frame).to_array()
            new = _ids(row["new"], card, project.schema)
            old = _ids(row["old"], before, project.schema) if row.get("old") and before is not None else None
        except (KeyError, ValueError, OSError, StudioError):
            continue  # a picture that is gone is left out; the numbers stand
        found.append(
            WorstFrame(
                frame=frame,
                subject=str(row["subject"]),
                title=place_of(frame).capitalize(),
                old_dice=None if old is None else mean_dice(old, reference),
                new_dice=float(row["dice"]),
                old_ids=old,
                new_ids=new,
                reference_ids=reference,
            )
        )
    return found


def _ids(path: str, card: ModelCard, schema: Schema) -> NDArray[np.uint8]:
    """A model's label map in the project's own segment values."""
    _, value_of = matched(schema, card, card.exam)
    lut = np.zeros(256, np.uint8)
    for output, value in value_of.items():
        lut[output] = value
    ids: NDArray[np.uint8] = np.load(Path(path))
    return lut[ids]
