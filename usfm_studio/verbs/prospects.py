"""How good the models of an exam group are by now, and how many more subjects a score would take: from their cards."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from usfm_studio.document.model_card import ModelCard
from usfm_studio.engine.scoring.learning_curve import More, Point, more_subjects
from usfm_studio.project.project import Project
from usfm_studio.verbs.shelf import read_card, starter_for

GOOD_FROM = 0.6
"""From this score on it is worth asking the model where it is unsure (protocol 2.7)."""
STEP = 0.02
"""The target that is meant where none is given: so much above the present score."""
PER_SUBJECT = ("dice_all", "ssim")
"""Metrics that are the mean of the scores by subject on the card."""
UNKNOWN_ERROR = 0.1
LEAST_ERROR = 0.002
OF_INTERVAL = 2 * 1.96
CROSS_FITTED_SHARE = 2 / 3
"""Of the subjects, each of three members learns from two thirds, and is scored on the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """The present score of what proposes (None: not known), the target, and how many more subjects that takes."""

    present: float | None
    target: float | None
    more: More

    @property
    def good(self) -> bool:
        """True where the model in use is worth asking."""
        return self.present is not None and self.present >= GOOD_FROM

    def fields(self) -> dict[str, Any]:
        """`learning_curve` of the contract; `note` says why it is not known."""
        more = self.more
        body = {"target": self.target, "more_subjects": more.subjects, "low": more.low, "high": more.high}
        return {**body, "note": f"not yet known: {more.why}" if more.why else None}


def prospect(project: Project, exam: str, target: float | None, seed: int = 0) -> Prospect:
    """What the cards of an exam group tell; `target` left out: 0.02 above the present score."""
    cards = [card for card in project.models.cards() if card.exam == exam and _score(card) is not None]
    champion = project.models.champion(exam)
    present = _present(project, exam, cards, champion)
    if target is None and present is not None:
        target = round(min(1.0, present + STEP), 4)
    newest = next((card for card in cards if card.digest == champion), cards[-1] if cards else None)
    if target is None or newest is None:
        return Prospect(present=present, target=target, more=More(why="no run has been compared yet"))
    metric = newest.comparison.get("metric")
    points = [point_of(card) for card in cards if card.comparison.get("metric") == metric]
    return Prospect(present=present, target=target, more=more_subjects(points, target, seed=seed))


def point_of(card: ModelCard) -> Point:
    """What one run says: its score by the subjects that learned."""
    body = card.comparison
    cross_fitted = body.get("kind") == "cross-fitted"
    subjects = len(card.train_subjects)
    scores = body.get("cross_fitted" if cross_fitted else "held_out")
    each = [float(v) for v in scores.values()] if isinstance(scores, Mapping) else []
    return Point(
        subjects=max(1, round(subjects * CROSS_FITTED_SHARE) if cross_fitted else subjects),
        score=_score(card) or 0.0,
        error=_error(body, each),
        tested=int(body.get("subjects") or len(each) or 1),
    )


def _error(body: Mapping[str, Any], each: Sequence[float]) -> float:
    """The standard error of a score over subjects."""
    if body.get("metric") in PER_SUBJECT and len(each) > 1:
        return max(LEAST_ERROR, float(np.std(each, ddof=1)) / math.sqrt(len(each)))
    interval = body.get("interval")
    if interval and body.get("interval_kind") == "interval":
        return max(LEAST_ERROR, (float(interval[1]) - float(interval[0])) / OF_INTERVAL)
    return UNKNOWN_ERROR


def _score(card: ModelCard) -> float | None:
    value = card.comparison.get("challenger")
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _present(project: Project, exam: str, cards: Sequence[ModelCard], champion: str | None) -> float | None:
    """The score of what proposes: of the champion's own comparison, else what a starter's card states."""
    if champion is not None:
        return next((_score(card) for card in cards if card.digest == champion), None)
    instance = next((i for i in project.instances if project.schema.exam_of(i) == exam), None)
    starter = starter_for(instance, exam) if instance is not None else None
    if starter is None:
        return None
    scores = read_card(starter).scores
    return next((float(scores[key]) for key in ("dice_all", "dice", "macro_f1") if key in scores), None)
