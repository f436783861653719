"""One fine-tuning run, from a snapshot to a model and a verdict: read `fine_tune` and `Run.result` first.

The time is the wall's, from the request to the written model. What the comparison will cost is measured before the
first step and kept in reserve. Whoever kills the process finds the best model so far whole in the run folder, and a
run that calls itself running without a process.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np

from usfm_studio.document.errors import Interrupted, OutOfMemory, StudioError
from usfm_studio.document.model_card import ModelCard, subject_code
from usfm_studio.document.snapshot import Snapshot
from usfm_studio.engine.device import choose_device, is_out_of_memory
from usfm_studio.engine.learning.calibrate import predicted_dice
from usfm_studio.engine.learning.clock import Clock
from usfm_studio.engine.learning.enhancement_run import EnhancementRun, enhances
from usfm_studio.engine.learning.evaluation import Answers
from usfm_studio.engine.learning.holdout import CROSS_FITTED, HELD_OUT
from usfm_studio.engine.learning.judging import Judgement, holdout_fields, judge, worst_frames
from usfm_studio.engine.learning.learner import Learned, Learner
from usfm_studio.engine.learning.making import Findings, card_of, prepared, write_model
from usfm_studio.engine.learning.preparing import Material, described, material
from usfm_studio.engine.learning.run_folder import CANCELLED, DONE, FAILED, INTERRUPTED, RunFolder
from usfm_studio.engine.learning.sizing import fitted, over
from usfm_studio.engine.learning.talk import Line, Talk
from usfm_studio.engine.models.blueprint import Preparation
from usfm_studio.engine.models.catalogue import read_card
from usfm_studio.engine.training_order import TrainingOrder

RESERVE = 0.08
LABELS_S = 2.0
CAUTION = 1.5
"""The reserve is this times what was measured: a busy machine slows down without a warning."""
MOST_RESERVED = 0.4


def fine_tune(order: TrainingOrder, line: Line, ended: Callable[[], bool] = lambda: False) -> dict[str, Any]:
    """Learn, compare, write; the answer has the fields of the contract, and `model_folder`.

    Raises Interrupted (cancelled, or the system ends the process), NothingToLearn, OutOfMemory, or another
    StudioError. The run folder says which.
    """
    clock = Clock(order.budget_s, time.monotonic() - order.waited_s)
    folder = RunFolder(order.run)
    folder.begin()
    try:
        result = _run_of(order, Talk(line, clock, ended), folder).result()
    except Interrupted as error:
        folder.end(CANCELLED if line.cancelled() else INTERRUPTED, str(error))
        raise
    except StudioError as error:
        folder.end(FAILED, str(error))
        raise
    except (RuntimeError, MemoryError) as error:
        folder.end(FAILED, type(error).__name__)
        if not is_out_of_memory(error):
            raise
        hint = "Close other programs, or train on the CPU."
        raise OutOfMemory("The fine-tuning ran out of memory", "the machine has no more", hint) from error
    folder.end(DONE, result=result)
    return result


def _run_of(order: TrainingOrder, talk: Talk, folder: RunFolder) -> Run | EnhancementRun:
    """The run that the task and the data ask for."""
    enhancing = enhances(order, Snapshot.load(order.snapshot))
    return (EnhancementRun if enhancing else Run)(order, talk, folder)


class Run:
    """The four stages of one run."""

    def __init__(self, order: TrainingOrder, talk: Talk, folder: RunFolder) -> None:
        self.order, self.talk, self.folder, self.clock = order, talk, folder, talk.clock
        self.device = choose_device(order.device, order.threads)

    def result(self) -> dict[str, Any]:
        """Prepare, learn, compare, write."""
        self.talk.stage("preparing")
        work = self._fitted(material(self.order, self._parents()))
        self.folder.plan(work.recipe.to_json())
        self.talk.note(described(work.sides, work.recipe.fingerprint))
        learner = Learner(work, self.device, self.talk, self.folder)
        frame_s = learner.seconds_a_frame()
        end_s = self.clock.seconds - self._reserve_s(work, frame_s)
        sides = work.sides
        kept = list(sides.tested) if sides.kind == HELD_OUT else []
        self.talk.stage("learning", train_subjects=list(sides.train), holdout_subjects=kept)
        learned = learner.learn(end_s, frame_s)
        self.talk.check_end()
        self.talk.stage("comparing")
        champion = self.order.champion
        judgement = judge(work, learned.answers, champion, self.device, note=self.talk.note, check=self.talk.check_end)
        if work.refits:
            learner.learn_on(self.clock.seconds - CAUTION * (work.origin.writing_s + self._labels_s(work, frame_s)))
        self.talk.check_end()
        self.talk.stage("writing")
        return self._write(work, learned, judgement)

    def _fitted(self, work: Material) -> Material:
        """The same with a recipe that fits the encoder and the machine."""
        looks = len(work.sides.train) + len(work.tested) * (1 if self.order.champion is None else 2)
        recipe = fitted(work.recipe, work.origin, self.device, len(work.masked), looks)
        if self.order.encoder is not None:
            self.talk.note(over(work.origin, work.recipe, recipe))
        return replace(work, recipe=recipe)

    def _reserve_s(self, work: Material, frame_s: float) -> float:
        """Seconds that the comparison, the label head and the writing will take."""
        frames = 0 if work.sides.kind == CROSS_FITTED else len(work.tested)
        if self.order.champion is not None:
            frames += len(work.tested)
        needed = CAUTION * (frames * frame_s + self._labels_s(work, frame_s) + work.origin.writing_s)
        return min(max(needed, RESERVE * self.clock.seconds), MOST_RESERVED * max(0.0, self.clock.left_s))

    def _labels_s(self, work: Material, frame_s: float) -> float:
        return len(work.labelled) * frame_s + LABELS_S if work.labelled else 0.0

    def _write(self, work: Material, learned: Learned, judgement: Judgement) -> dict[str, Any]:
        comparison = _comparison(work, judgement)
        found = Findings(
            scores={name: value for name, value in judgement.scores.values.items() if value is not None},
            comparison=comparison,
            preparation=_preparation(work, learned),
            temperature=1.0 if learned.label_fit is None else learned.label_fit.temperature,
        )
        identity = replace(work.identity, train_subjects=work.everyone) if work.refits else work.identity
        card = card_of(work.recipe, identity, found)
        written = write_model(
            self.folder.model, card, learned.net, learned.head, tuned=learned.tuned, origin=work.origin
        )
        return self._body(work, learned, judgement, written)

    def _body(self, work: Material, learned: Learned, judgement: Judgement, card: ModelCard) -> dict[str, Any]:
        verdict, scores = judgement.verdict, judgement.scores
        return {
            "model": card.digest,
            "model_folder": str(self.folder.model),
            "promoted": verdict.promoted,
            "reason": verdict.reason,
            "holdout": holdout_fields(judgement, work),
            "train_subjects": len(work.sides.train),
            "seconds": round(self.clock.gone_s, 2),
            "settings": work.recipe.to_json(),
            "data_digest": work.snapshot.digest,
            "seed": self.order.seed,
            "task": work.recipe.task,
            "refitted_on_all": work.refits,
            "scores": scores.values,
            "p": verdict.p,
            "share_above": verdict.share_above,
            "per_subject": {
                s: {"challenger": score, "champion": judgement.champion.get(s)}
                for s, score in judgement.challenger.items()
            },
            "worst": self._shown(work, learned.answers, judgement),
        }

    def _shown(self, work: Material, answers: Answers, judgement: Judgement) -> list[dict[str, Any]]:
        """The frames of the verdict, their masks written beside."""
        by_stem = {s.stem: s for s in work.samples}
        shown = []
        for stem in worst_frames(judgement, answers):
            self.folder.verdict.mkdir(exist_ok=True)
            masks = {"new": answers.ids[stem], "old": judgement.old_ids.get(stem)}
            paths = {name: self._saved(f"{stem}-{name}", ids) for name, ids in masks.items() if ids is not None}
            sample = by_stem[stem]
            dice = float(np.mean([p.dice for p in answers.by_stem[stem]]))
            shown.append(
                {"frame": sample.frame_key, "file": sample.name, "subject": sample.subject, "dice": dice, **paths}
            )
        return shown

    def _saved(self, name: str, ids: np.ndarray) -> str:
        path = self.folder.verdict / f"{name}.npy"
        np.save(path, ids)
        return str(path)

    def _parents(self) -> tuple[str, ...]:
        """The champion's digest: what this model is to take the place of."""
        if self.order.champion is None:
            return ()
        try:
            return (read_card(self.order.champion).digest,)
        except StudioError:
            return ()


def _preparation(work: Material, learned: Learned) -> Preparation:
    outputs = {value: i for i, value in enumerate(work.recipe.segments, 1)}
    lines = predicted_dice(learned.answers, outputs)
    return learned.rules.prepared(msgspec.structs.replace(prepared(work.recipe), predicted_dice=lines))


def _comparison(work: Material, judgement: Judgement) -> dict[str, Any]:
    """What the card keeps: the verdict, and scores by subject code, from which a later challenger is judged."""
    fields = holdout_fields(judgement, work)
    scores = {subject_code(s): round(score, 6) for s, score in judgement.challenger.items()}
    key = "cross_fitted" if work.sides.kind == CROSS_FITTED else "held_out"
    verdict = {"promoted": judgement.verdict.promoted, "reason": judgement.verdict.reason}
    after = {"learned_from_holdout_afterwards": True} if work.refits else {}
    return {**fields, **verdict, key: scores, **after}
