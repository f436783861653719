"""One run of learning to enhance, from a snapshot to a model and a verdict: read `EnhancementRun.result` first.

The same four stages, the same clock and the same rule as a run that learns masks (`run.py`), with SSIM for Dice.
Without pairs, good frames are degraded, and each tested frame always in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from usfm_studio.document.errors import BadModel, NotFound, StudioError, WrongUsage
from usfm_studio.document.model_card import ModelCard, subject_code
from usfm_studio.document.snapshot import Sample, Snapshot
from usfm_studio.engine.device import choose_device
from usfm_studio.engine.learning.compare import Standing, Verdict, compare, first_model
from usfm_studio.engine.learning.enhancement import TASK, EnhancementRecipe, plan_enhancement
from usfm_studio.engine.learning.enhancement_fitting import EnhancementFitter, Told
from usfm_studio.engine.learning.enhancement_scoring import score_pairs
from usfm_studio.engine.learning.enhancement_views import Pairs
from usfm_studio.engine.learning.holdout import CROSS_FITTED, HELD_OUT, NONE, Sides, chosen_subjects, sides_of
from usfm_studio.engine.learning.origin import Origin, origin_of
from usfm_studio.engine.learning.run_folder import RunFolder
from usfm_studio.engine.learning.talk import Talk
from usfm_studio.engine.models.catalogue import read_card
from usfm_studio.engine.models.checkpoint import load_model
from usfm_studio.engine.models.enhancing import Enhancing
from usfm_studio.engine.scoring.pictures import PictureScore, summarise_pictures
from usfm_studio.engine.scoring.summary import Scores
from usfm_studio.engine.training_order import TrainingOrder

METRIC = "ssim"
IDENTITY = "ssim_identity"
BEFORE_HOLDOUT = 0.75
"""A standalone run scores its model at this part of the learning and then learns on, from the holdout too."""
RESERVE, CAUTION, MOST_RESERVED, WRITING_S = 0.05, 1.5, 0.4, 1.0


def enhances(order: TrainingOrder, snapshot: Snapshot) -> bool:
    """True where an order means enhancement: it says so, or leaves it open over targets without a mask."""
    if order.task != "auto":
        return order.task == TASK
    return any(s.target for s in snapshot.samples) and not any(s.masked for s in snapshot.samples)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a run has before its first step."""

    snapshot: Snapshot
    samples: tuple[Sample, ...]
    sides: Sides
    recipe: EnhancementRecipe
    origin: Origin
    pairs: Pairs
    refits: bool

    def of(self, subjects: Sequence[str]) -> tuple[Sample, ...]:
        """The samples of these subjects."""
        wanted = set(subjects)
        return tuple(s for s in self.samples if s.subject in wanted)

    @property
    def tested(self) -> tuple[Sample, ...]:
        """Frames of the tested subjects."""
        return self.of(self.sides.tested)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The verdict and what it rests on: scores of the new model, and SSIM by subject of both."""

    verdict: Verdict
    scores: Scores
    challenger: Mapping[str, float]
    champion: Mapping[str, float]
    champion_metric: float | None = None


class EnhancementRun:
    """The four stages of one run."""

    def __init__(self, order: TrainingOrder, talk: Talk, folder: RunFolder) -> None:
        self.order, self.talk, self.folder, self.clock = order, talk, folder, talk.clock
        self.device = choose_device(order.device, order.threads)

    def result(self) -> dict[str, Any]:
        """Prepare, learn, compare, write."""
        self.talk.stage("preparing")
        work = work_of(self.order)
        self.folder.plan(work.recipe.to_json())
        self.talk.note(_described(work))
        fitter = EnhancementFitter(work.recipe, work.origin, work.pairs, self.device, self.talk, self.folder)
        frame_s = fitter.seconds_a_frame(work.tested[0]) if work.tested else 0.0
        end_s = self.clock.seconds - self._reserve_s(work, frame_s)
        kept = list(work.sides.tested) if work.sides.kind == HELD_OUT else []
        self.talk.stage("learning", train_subjects=list(work.sides.train), holdout_subjects=kept)
        found = self._learn(work, fitter, end_s, frame_s)
        self.talk.check_end()
        self.talk.stage("comparing")
        judgement = self._judge(work, found)
        everyone = tuple(dict.fromkeys((*work.sides.train, *work.sides.tested)))
        if work.refits and not self.talk.stopped():
            until_s = self.clock.seconds - CAUTION * WRITING_S
            fitter.look_at(work.samples, until_s)
            fitter.fit(everyone, self._told(work, everyone), until_s, seed=len(everyone), keeps=False)
        self.talk.check_end()
        self.talk.stage("writing")
        learned_from = everyone if work.refits else work.sides.train
        card = fitter.keep(self._told(work, learned_from, judgement))
        return self._body(work, judgement, card)

    # ---- learning ----

    def _learn(self, work: Work, fitter: EnhancementFitter, end_s: float, frame_s: float) -> list[PictureScore]:
        """Learn, and answer for the tested subjects with networks that never saw them."""
        if work.sides.kind == CROSS_FITTED:
            return self._crosswise(work, fitter, end_s, frame_s)
        until_s = end_s
        if work.refits:
            until_s = self.clock.gone_s + BEFORE_HOLDOUT * (end_s - self.clock.gone_s)
        told = self._told(work, work.sides.train)
        fitter.look_at(work.of(work.sides.train), until_s)
        fitter.fit(work.sides.train, told, until_s, seed=0)
        fitter.keep(told)
        return fitter.score(work.tested)

    def _crosswise(self, work: Work, fitter: EnhancementFitter, end_s: float, frame_s: float) -> list[PictureScore]:
        """A member a fold answers for the subjects that it did not see; the last one then learns on from all."""
        sides, found = work.sides, list[PictureScore]()
        fitter.look_at(work.samples, end_s)
        begin_s, folds = self.clock.gone_s, sorted(set(sides.folds.values()))
        for number, fold in enumerate(folds, 1):
            unseen = [s for s in sides.train if sides.folds[s] == fold]
            others = [s for s in sides.train if sides.folds[s] != fold]
            until_s = begin_s + work.recipe.members_share * (end_s - begin_s) * number / len(folds)
            if found and self.clock.gone_s >= until_s:
                break  # too late for another: who is left has no score
            fitter.begin_anew()
            told = self._told(work, others)
            if not fitter.fit(others, told, until_s - frame_s * len(work.of(unseen)), seed=number, keeps=number == 1):
                break  # stopped: what has not learned answers for nobody
            if number == 1:
                fitter.keep(told)
            found += fitter.score(work.of(unseen))
            self.talk.holdout(round(summarise_pictures(found).values[METRIC] or 0.0, 4), fitter.whole.steps)
        if not self.talk.stopped() and self.clock.gone_s < end_s:
            fitter.fit(sides.train, self._told(work, sides.train), end_s, seed=0)
        return found

    def _reserve_s(self, work: Work, frame_s: float) -> float:
        """Seconds that the comparison and the writing will take."""
        frames = 0 if work.sides.kind == CROSS_FITTED else len(work.tested)
        if self.order.champion is not None:
            frames += len(work.tested)
        needed = CAUTION * (frames * frame_s + WRITING_S)
        return min(max(needed, RESERVE * self.clock.seconds), MOST_RESERVED * max(0.0, self.clock.left_s))

    # ---- judging ----

    def _judge(self, work: Work, found: Sequence[PictureScore]) -> Judgement:
        """Compare on subjects that neither model learned from; without a champion, with leaving the frames alone."""
        scores = summarise_pictures(found)
        mine = {s: m[METRIC] for s, m in scores.per_subject.items()}
        champion = self._champion()
        if champion is None:
            alone = {s: m[IDENTITY] for s, m in scores.per_subject.items()}
            verdict = first_model(mine, alone, what="leaving the images as they are")
            return Judgement(verdict=verdict, scores=scores, challenger=mine, champion={})
        if work.sides.kind == NONE:
            reason = "The old model stays: a single subject cannot show which is better."
            verdict = Verdict(promoted=False, reason=reason, subjects=0)
            return Judgement(verdict=verdict, scores=scores, challenger=mine, champion={})
        return self._against(work, champion, scores, mine)

    def _against(self, work: Work, champion: Enhancing, scores: Scores, mine: Mapping[str, float]) -> Judgement:
        learned = set(champion.card.train_subjects)
        fresh = [s for s in work.tested if subject_code(s.subject) not in learned]
        check = lambda _done: self.talk.check_end()  # noqa: E731
        theirs = summarise_pictures(score_pairs(champion, work.pairs, fresh, check))
        old = {**_remembered(champion.card, work), **{s: m[METRIC] for s, m in theirs.per_subject.items()}}
        verdict = compare(Standing(by_subject=mine), Standing(by_subject=old), masks=False)
        verdict = replace(verdict, reason=verdict.reason.replace("log-likelihood", "SSIM"))
        shared = {s: old[s] for s in mine if s in old}
        metric = sum(shared.values()) / len(shared) if shared else None
        return Judgement(verdict=verdict, scores=scores, challenger=mine, champion=shared, champion_metric=metric)

    def _champion(self) -> Enhancing | None:
        """The present model, ready; None without one, or where it cannot be compared with, which is noted."""
        if self.order.champion is None:
            return None
        try:
            return Enhancing(load_model(self.order.champion), self.device)
        except (BadModel, NotFound, WrongUsage) as error:
            self.talk.note(f"The present model cannot be compared with: {error}")
            return None

    # ---- telling ----

    def _told(self, work: Work, subjects: Sequence[str], judgement: Judgement | None = None) -> Told:
        return Told(
            name=self.order.name,
            exam=self.order.exam,
            data_digest=work.snapshot.digest,
            train_subjects=subjects,
            holdout_subjects=work.sides.tested if work.sides.kind == HELD_OUT else (),
            parents=self._parents(),
            scores={} if judgement is None else {n: v for n, v in judgement.scores.values.items() if v is not None},
            comparison={} if judgement is None else _comparison(work, judgement),
        )

    def _parents(self) -> tuple[str, ...]:
        if self.order.champion is None:
            return ()
        try:
            return (read_card(self.order.champion).digest,)
        except StudioError:
            return ()

    def _body(self, work: Work, judgement: Judgement, card: ModelCard) -> dict[str, Any]:
        verdict = judgement.verdict
        return {
            "model": card.digest,
            "model_folder": str(self.folder.model),
            "promoted": verdict.promoted,
            "reason": verdict.reason,
            "holdout": _holdout(work, judgement),
            "train_subjects": len(work.sides.train),
            "seconds": round(self.clock.gone_s, 2),
            "settings": work.recipe.to_json(),
            "data_digest": work.snapshot.digest,
            "seed": self.order.seed,
            "task": TASK,
            "refitted_on_all": work.refits,
            "scores": judgement.scores.values,
            "p": verdict.p,
            "share_above": verdict.share_above,
            "per_subject": {
                s: {"challenger": score, "champion": judgement.champion.get(s)}
                for s, score in judgement.challenger.items()
            },
            "worst": [],
        }


def work_of(order: TrainingOrder) -> Work:
    """Read the snapshot and decide everything. Raises NothingToLearn, Damaged, BadModel, WrongUsage."""
    options = dict(order.options)
    standalone = bool(options.pop("standalone", False))
    snapshot = Snapshot.load(order.snapshot)
    paired = any(s.target for s in snapshot.samples)
    able = [s for s in snapshot.samples if s.target or not paired]
    subjects = set(chosen_subjects(able, fraction=order.fraction, folds=order.folds, fold=order.fold, seed=order.seed))
    samples = tuple(s for s in able if s.subject in subjects)
    origin = origin_of(order.encoder)
    sides = sides_of(samples, order.trained_before)
    recipe = plan_enhancement(
        frames=len(samples),
        subjects=len(subjects),
        paired=paired,
        encoder=origin.encoder.name,
        budget_s=order.budget_s,
        seed=order.seed,
        options=options,
    )
    return Work(
        snapshot=snapshot,
        samples=samples,
        sides=sides,
        recipe=recipe,
        origin=origin,
        pairs=Pairs(snapshot, recipe.degradation, order.seed),
        refits=standalone and sides.kind == HELD_OUT,
    )


def _described(work: Work) -> str:
    """One sentence on what is learned from, and who tests."""
    pairs = "pairs" if work.recipe.degradation is None else "frames, each degraded on purpose"
    frames, sides = len(work.samples), work.sides
    if sides.kind == HELD_OUT:
        return f"{frames} {pairs}; {len(sides.train)} subjects teach, {len(sides.tested)} are kept apart as a test."
    if sides.tested:
        return f"{frames} {pairs}; each subject is tested by a model that has not seen it."
    return f"{frames} {pairs} of a single subject; nothing is left to test on."


def _remembered(card: ModelCard, work: Work) -> dict[str, float]:
    """The champion's cross-fitted scores of subjects that are tested here, if it learned from the like of these."""
    if card.comparison.get("paired") != (work.recipe.degradation is None):
        return {}
    stored: Mapping[str, Any] = card.comparison.get("cross_fitted") or {}
    wanted = {subject_code(s): s for s in work.sides.tested}
    return {wanted[code]: float(score) for code, score in stored.items() if code in wanted}


def _holdout(work: Work, judgement: Judgement) -> dict[str, Any]:
    """`holdout` of the contract, with its kind, and SSIM of the frames as they are beside."""
    interval = judgement.scores.intervals.get(METRIC)
    return {
        "metric": METRIC,
        "champion": judgement.champion_metric,
        "challenger": judgement.scores.values.get(METRIC),
        "interval": None if interval is None else interval.pair,
        "interval_kind": None if interval is None else interval.kind,
        "subjects": len(judgement.challenger),
        "kind": work.sides.kind,
        "identity": judgement.scores.values.get(IDENTITY),
    }


def _comparison(work: Work, judgement: Judgement) -> dict[str, Any]:
    """What the card keeps: the verdict, and scores by subject code, from which a later challenger is judged."""
    scores = {subject_code(s): round(score, 6) for s, score in judgement.challenger.items()}
    key = "cross_fitted" if work.sides.kind == CROSS_FITTED else "held_out"
    return {
        **_holdout(work, judgement),
        "promoted": judgement.verdict.promoted,
        "reason": judgement.verdict.reason,
        "paired": work.recipe.degradation is None,
        key: scores,
        **({"learned_from_holdout_afterwards": True} if work.refits else {}),
    }
