"""The comparison of a run: the challenger's answers beside the champion's, or beside the trivial baseline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from usfm_studio.document.errors import BadModel, NotFound
from usfm_studio.document.mask import Ids
from usfm_studio.document.model_card import ModelCard, subject_code
from usfm_studio.document.snapshot import Sample
from usfm_studio.engine.device import Device
from usfm_studio.engine.learning.baseline import by_subject, trivial_labels, trivial_masks
from usfm_studio.engine.learning.compare import Standing, Verdict, compare, first_model
from usfm_studio.engine.learning.deciding import Rules, decided
from usfm_studio.engine.learning.evaluation import Answers, ask
from usfm_studio.engine.learning.holdout import CROSS_FITTED, HELD_OUT, NONE
from usfm_studio.engine.learning.preparing import Material
from usfm_studio.engine.models.checkpoint import load_model
from usfm_studio.engine.models.predictor import Predictor
from usfm_studio.engine.scoring import Interval, Scores, summarise

SHOWN = 3
"""Frames whose masks are kept for the verdict: those where the new model does worst."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The verdict and what it rests on. `challenger` and `champion` are scores by subject, higher is better.

    `scores` are all figures of the challenger; `old_ids` the champion's masks by stem, where it was asked.
    """

    metric: str
    verdict: Verdict
    scores: Scores
    challenger: Mapping[str, float]
    champion: Mapping[str, float]
    champion_metric: float | None = None
    old_ids: Mapping[str, Ids] = field(default_factory=dict)

    @property
    def interval(self) -> Interval | None:
        """The challenger's, of the metric."""
        return self.scores.intervals.get(self.metric)


def judge(
    material: Material,
    answers: Answers,
    champion: Path | None,
    device: Device,
    *,
    note: Callable[[str], None] = lambda _text: None,
    check: Callable[[], None] = lambda: None,
) -> Judgement:
    """Compare on subjects that neither model learned from. A champion that cannot be used is none, with a note."""
    recipe, metric = material.recipe, "dice_all" if material.recipe.masks else "macro_f1"
    scores = summarise(answers.pairs, answers.labelled, recipe.labels, exclusive=recipe.exclusive_labels)
    mine = _by_subject(answers, material, scores)
    judgement = Judgement(
        metric=metric,
        verdict=Verdict(promoted=False, reason="", subjects=0),
        scores=scores,
        challenger=mine,
        champion={},
    )
    predictor = _usable(champion, material, device, note)
    if predictor is None:
        return replace(judgement, verdict=_first(material, mine))
    if material.sides.kind == NONE:
        reason = "The old model stays: a single subject cannot show which is better."
        return replace(judgement, verdict=Verdict(promoted=False, reason=reason, subjects=0))
    return _against(judgement, material, answers, predictor, check)


def _first(material: Material, mine: Mapping[str, float]) -> Verdict:
    if material.recipe.masks:
        trivial = by_subject(trivial_masks(material.snapshot, material.masked, material.sides, material.values))
        return first_model(mine, trivial, what="the average of the drawn masks")
    recipe = material.recipe
    shares = trivial_labels(material.labelled, material.sides, recipe.labels, recipe.exclusive_labels)
    return first_model(mine, shares, what="always guessing the most frequent labels")


def _against(
    judgement: Judgement, material: Material, answers: Answers, predictor: Predictor, check: Callable[[], None]
) -> Judgement:
    card, recipe = predictor.card, material.recipe
    learned = set(card.train_subjects)
    fresh = [s for s in material.tested if subject_code(s.subject) not in learned]
    theirs = _theirs(predictor, material, fresh, check)
    figures = summarise(theirs.pairs, theirs.labelled, recipe.labels, exclusive=recipe.exclusive_labels)
    old = {**_remembered(card, material), **_by_subject(theirs, material, figures)}
    shared = {s for s in judgement.challenger if s in old}
    both_fresh = shared <= {s.subject for s in fresh}
    segments_new = _segment_means(answers, shared) if both_fresh else {}
    segments_old = _segment_means(theirs, shared) if both_fresh else {}
    verdict = compare(
        Standing(by_subject=judgement.challenger, segments=segments_new),
        Standing(by_subject=old, segments=segments_old),
        masks=recipe.masks,
    )
    metric = figures.values.get(judgement.metric) if both_fresh else _remembered_metric(old, shared, answers)
    return replace(
        judgement,
        verdict=_named(verdict, material),
        champion={s: old[s] for s in judgement.challenger if s in old},
        champion_metric=metric,
        old_ids=theirs.ids,
    )


def _theirs(predictor: Predictor, material: Material, fresh: Sequence[Sample], check: Callable[[], None]) -> Answers:
    """The champion's answers, decided as the challenger's are: under rules that the other subjects choose now."""
    recipe, work = material.recipe, material
    told = lambda _done: check()  # noqa: E731
    biased = recipe.masks and work.sides.kind == HELD_OUT
    answers = ask(predictor, work.snapshot, fresh, work.values, recipe.labels, told, margins=biased)
    if not recipe.masks:
        return answers
    return decided(work.snapshot, work.masked, answers, work.values, biased=biased)[1]


def _by_subject(answers: Answers, material: Material, scores: Scores) -> dict[str, float]:
    if material.recipe.masks:
        return by_subject(answers.pairs)
    return {s: -m["log_loss"] for s, m in scores.per_subject.items() if "log_loss" in m}


def _remembered(card: ModelCard, material: Material) -> dict[str, float]:
    """The champion's cross-fitted scores, of the subjects that its card knows and that are tested here."""
    stored: Mapping[str, Any] = card.comparison.get("cross_fitted") or {}
    wanted = {subject_code(s): s for s in material.sides.tested}
    return {wanted[code]: float(score) for code, score in stored.items() if code in wanted}


def _usable(champion: Path | None, material: Material, device: Device, note: Callable[[str], None]) -> Predictor | None:
    """The champion, ready; None without one, or where it cannot answer what is asked."""
    if champion is None:
        return None
    try:
        model = load_model(champion)
        model.preparation = Rules().prepared(model.preparation)  # its rules are chosen anew, as the challenger's
        predictor = Predictor(model, device)
    except (BadModel, NotFound) as error:
        note(f"The present model cannot be compared with: {error}")
        return None
    recipe, card = material.recipe, predictor.card
    if recipe.masks and not card.segments:
        return None
    if not recipe.masks and not set(recipe.labels) & set(card.labels):
        return None
    return predictor


def _segment_means(answers: Answers, subjects: set[str]) -> dict[int, float]:
    by_value: dict[int, list[float]] = {}
    for pair in answers.pairs:
        if pair.subject in subjects:
            by_value.setdefault(pair.segment, []).append(pair.dice)
    return {value: float(np.mean(found)) for value, found in by_value.items()}


def _named(verdict: Verdict, material: Material) -> Verdict:
    """The same with segments called by their names."""
    reason = verdict.reason
    for segment in material.snapshot.schema.segments:
        reason = reason.replace(f"segment {segment.value} has", f"{segment.name} has")
    return replace(verdict, reason=reason)


def _remembered_metric(old: Mapping[str, float], shared: set[str], answers: Answers) -> float | None:
    """The champion's `dice_all` where some of its scores are remembered ones, known by subject only.

    Each subject counts as often as it has pairs now, as in the challenger's figure beside it. None for labels: the
    log-loss by subject, which decides there, cannot be made into the F1 that is shown.
    """
    weights = Counter(pair.subject for pair in answers.pairs if pair.subject in shared)
    total = sum(weights.values())
    return sum(old[s] * count for s, count in weights.items()) / total if total else None


def worst_frames(judgement: Judgement, answers: Answers, count: int = SHOWN) -> list[str]:
    """Stems of the frames where the new model does worst (dice_all over the frame's segments)."""
    dices = {stem: float(np.mean([p.dice for p in pairs])) for stem, pairs in answers.by_stem.items() if pairs}
    return sorted(dices, key=lambda stem: dices[stem])[:count]


def holdout_fields(judgement: Judgement, material: Material) -> dict[str, Any]:
    """`holdout` of the contract, with its kind."""
    kind = material.sides.kind if material.sides.kind in (HELD_OUT, CROSS_FITTED) else NONE
    interval = judgement.interval
    return {
        "metric": judgement.metric,
        "champion": judgement.champion_metric,
        "challenger": judgement.scores.values.get(judgement.metric),
        "interval": None if interval is None else interval.pair,
        "interval_kind": None if interval is None else interval.kind,
        "subjects": len(judgement.challenger),
        "kind": kind,
    }
