"""The learning of a run: held-out or cross-fitted, by the clock, with the best so far on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from usfm_studio.document.errors import Interrupted
from usfm_studio.document.snapshot import Sample
from usfm_studio.engine.device import Device
from usfm_studio.engine.learning.baseline import by_subject, truth_of
from usfm_studio.engine.learning.clock import Stage
from usfm_studio.engine.learning.deciding import Rules, decided
from usfm_studio.engine.learning.evaluation import Answers, ask
from usfm_studio.engine.learning.fitting import MaskFitter
from usfm_studio.engine.learning.holdout import CROSS_FITTED, HELD_OUT
from usfm_studio.engine.learning.labels import LabelFit, fit_labels
from usfm_studio.engine.learning.making import Findings, card_of, fresh_net, in_memory, on_cpu, prepared, write_model
from usfm_studio.engine.learning.plan import Recipe
from usfm_studio.engine.learning.preparing import Material
from usfm_studio.engine.learning.run_folder import RunFolder
from usfm_studio.engine.learning.samples import Placed, place_samples
from usfm_studio.engine.learning.segmentation import Average, MaskNet, Rates, mean_of
from usfm_studio.engine.learning.summaries import summaries
from usfm_studio.engine.learning.talk import Talk
from usfm_studio.engine.models.checkpoint import LoadedModel
from usfm_studio.engine.models.label_head import LabelHead
from usfm_studio.engine.models.predictor import Predictor
from usfm_studio.engine.scoring import LabelledImage

FILL_SHARE = 0.15
KEEP_SHARE = 0.1
KEEP_LEAST_S = 8.0
KEEP_FIRST_S = 2.0
"""So long after the first step there is a model on disk, whatever comes."""
BEFORE_HOLDOUT = 0.5
"""A standalone run scores its model at this part of the learning and then learns on, from the holdout too."""
PEEK_AT = (0.35, 0.7)
PEEK_FRAMES = 6
PEEK_LEAST_S = 45.0

Rows = dict[str, NDArray[np.float64]]


@dataclass(slots=True)
class Learned:
    """What a run has learned: networks, the head, and answers for the tested subjects that these never saw."""

    net: MaskNet | None
    head: LabelHead | None = None
    label_fit: LabelFit | None = None
    rules: Rules = field(default_factory=Rules)
    tuned: bool = False
    answers: Answers = field(default_factory=Answers)


class Learner:
    """Learns the material of one run. `end_s` of the clock is when the comparison must begin."""

    def __init__(self, material: Material, device: Device, talk: Talk, folder: RunFolder) -> None:
        self.material, self.device, self.talk, self.folder = material, device, talk, folder
        self.recipe, self.clock = material.recipe, talk.clock
        self.kept_at = -np.inf
        self.may_keep = True
        self.peeks = list(PEEK_AT)
        self.whole = Stage(self.clock, self.clock.seconds)
        self.learned = Learned(net=None)
        if self.recipe.masks:
            self.fitter = self._fitter()
            self.twin = fresh_net(self.recipe, material.origin)
            self.learned.net = self.fitter.net

    def seconds_a_frame(self) -> float:
        """How long one prediction takes here and now, scoring included."""
        sample = self.material.samples[0]
        model = Predictor(self._model(), self.device)
        began = self.clock.gone_s
        for _ in range(2):
            began = self.clock.gone_s
            ask(model, self.material.snapshot, [sample], self.material.values, self.recipe.labels)
        return self.clock.gone_s - began

    def learn(self, end_s: float, frame_s: float) -> Learned:
        """Train, and answer for the tested subjects with networks that never saw them."""
        sides = self.material.sides
        if not self.recipe.masks:
            return self._labels_alone()
        parts = len(set(sides.folds.values())) + 1
        self.whole = Stage(self.clock, end_s, self.recipe.max_steps and self.recipe.max_steps * parts)
        if sides.kind == CROSS_FITTED:
            return self._crosswise(end_s, frame_s)
        until = end_s
        if self.material.refits:
            until = self.clock.gone_s + BEFORE_HOLDOUT * (end_s - self.clock.gone_s)
        self._fit(sides.train, self.recipe.rates, until, seed=0)
        self.keep(self.fitter.net)
        self._fit_labels(sides.train)
        self.learned.answers = self._ask(self.material.tested)
        self._decide(biased=True)
        return self.learned

    def learn_on(self, end_s: float) -> None:
        """A standalone run's last part: the scored model learns on from everyone."""
        if self.talk.stopped():
            return
        everyone = self.material.everyone
        if self.recipe.masks:
            self.fitter.place(self._placed(everyone))
            self._fit(everyone, self.recipe.rates, end_s, seed=len(everyone))
        self._fit_labels(everyone)

    def keep(self, net: MaskNet | None, findings: Findings | None = None) -> None:
        """Write the model as it stands, in one step."""
        card = card_of(self._as_it_is(), self.material.identity, findings)
        write_model(
            self.folder.model, card, net, self.learned.head, tuned=self.learned.tuned, origin=self.material.origin
        )
        self.kept_at = self.clock.gone_s

    def _crosswise(self, end_s: float, frame_s: float) -> Learned:
        """A member a fold, each answering for the subjects that it did not see; their mean learns on from all."""
        sides, learned, rows = self.material.sides, self.learned, Rows()
        self._prepare(self.recipe.member_rates, end_s)
        begin, folds, members = self.clock.gone_s, sorted(set(sides.folds.values())), []
        for number, fold in enumerate(folds, 1):
            unseen = [s for s in sides.train if sides.folds[s] == fold]
            others = [s for s in sides.train if sides.folds[s] != fold]
            tested = self.material.of(self.material.samples, unseen)
            if not self.fitter.can_learn_from(others):
                continue
            until = begin + self.recipe.members_share * (end_s - begin) * number / len(folds)
            self.fitter.begin_anew()
            if not self._fit(others, self.recipe.member_rates, until - frame_s * len(tested), seed=number):
                break
            if self.may_keep:  # before it answers for anyone: who stops it may not wait
                self.keep(self.fitter.net)
            self.may_keep = False  # the next member is no better than this one until it is through
            members.append(on_cpu(self.fitter.net.decoder))
            learned.answers.extend(self._ask(tested))
            rows |= self._rows(self.material.of(self.material.labelled, unseen))
            self._say_score()
        self.fitter.take(mean_of(members))
        self.keep(self.fitter.net)
        self.may_keep = True
        if not self.talk.stopped():
            self._fit(sides.train, self.recipe.rates, end_s, seed=0)
        self._decide(biased=False)
        self._fit_labels(sides.train, rows)
        learned.answers.labelled = self._left_out()
        return learned

    def _decide(self, *, biased: bool) -> None:
        """Choose how masks come out; what was answered so far is scored anew."""
        work, learned = self.material, self.learned
        learned.rules, learned.answers = decided(
            work.snapshot, work.masked, learned.answers, self.recipe.segments, biased=biased
        )
        learned.answers.margins.clear()

    def _labels_alone(self) -> Learned:
        self._fit_labels(self.material.sides.train)
        if self.learned.head is not None:
            self.keep(None, Findings(temperature=self.temperature))
        crosswise = self.material.sides.kind == CROSS_FITTED
        if crosswise:
            self.learned.answers.labelled = self._left_out()
        else:
            self.learned.answers = self._ask(self.material.tested)
        return self.learned

    def _fit(self, subjects: Sequence[str], rates: Rates, until_s: float, seed: int) -> int:
        """Learn masks from these subjects; answers the steps made. Raises Interrupted if nothing was ever learned."""
        self._prepare(rates, until_s)
        stage = Stage(self.clock, until_s, self.recipe.max_steps)
        if rates.encoder > 0:
            self.learned.tuned = True

        def on_step(step: int, loss: float, average: Average) -> None:
            self.whole.steps += 1
            self.talk.step(self.whole.steps, self.whole.expected_steps, loss)
            self._keep_at_times(average, stage)

        self.fitter.fit(subjects, rates, stage, seed, on_step=on_step, stop=self.talk.stopped)
        if not stage.steps and self.kept_at < 0 and not self.learned.answers.by_stem:
            raise Interrupted("The fine-tuning was stopped", "nothing was learned yet", "The models stay as they were.")
        return stage.steps

    def _prepare(self, rates: Rates, until_s: float) -> None:
        fill = Stage(self.clock, self.clock.gone_s + FILL_SHARE * (until_s - self.clock.gone_s))
        self.fitter.prepare(rates, fill)

    def _keep_at_times(self, average: Average, stage: Stage) -> None:
        """Now and then, the average so far goes to disk; and in long runs the holdout is looked at, for the curve."""
        pause = max(KEEP_LEAST_S, KEEP_SHARE * self.clock.seconds) if self.kept_at >= 0 else KEEP_FIRST_S
        due = self.may_keep and self.clock.gone_s - max(self.kept_at, stage.begin_s) > pause
        peek = bool(self.peeks) and stage.progress >= self.peeks[0] and self.material.sides.kind == HELD_OUT
        if peek:
            self.peeks.pop(0)
            peek = self.clock.seconds >= PEEK_LEAST_S and self.recipe.max_steps is None
        if not (due or peek):
            return
        self.twin.load_state_dict(on_cpu(self.fitter.net))
        average.put_into(self.twin)
        if due:
            self.keep(self.twin)
        if peek:
            self._peek()

    def _peek(self) -> None:
        card = card_of(self._as_it_is(), self.material.identity)
        predictor = Predictor(in_memory(card, self.twin, self.learned.head, self.material.origin), self.device)
        some = [s for s in self.material.tested if s.masked][:PEEK_FRAMES]
        answers = ask(predictor, self.material.snapshot, some, self.material.values)
        self.talk.holdout(_mean(answers), self.whole.steps)

    def _say_score(self) -> None:
        if self.learned.answers.by_stem:
            self.talk.holdout(_mean(self.learned.answers), self.whole.steps)

    def _ask(self, samples: Sequence[Sample]) -> Answers:
        predictor = Predictor(self._model(), self.device)
        labels = self.recipe.labels if self.learned.head is not None else ()
        check = lambda _done: self.talk.check_end()  # noqa: E731
        return ask(
            predictor, self.material.snapshot, samples, self.material.values, labels, check, margins=self._margins
        )

    @property
    def _margins(self) -> bool:
        """Only held-out answers choose how bold masks are; members of a cross-fitting keep no margins."""
        return self.recipe.masks and self.material.sides.kind == HELD_OUT

    def _model(self) -> LoadedModel:
        """What has been learned so far, to predict with."""
        rules = self.learned.rules.prepared(prepared(self.recipe))
        found = Findings(preparation=rules, temperature=self.temperature)
        card = card_of(self._as_it_is(), self.material.identity, found)
        return in_memory(card, self.learned.net, self.learned.head, self.material.origin)

    def _as_it_is(self) -> Recipe:
        """The recipe of what is there: without labels until the head is fitted."""
        if self.learned.head is not None or not self.recipe.masks:
            return self.recipe
        return replace(self.recipe, task="segmentation", labels=())

    @property
    def temperature(self) -> float:
        """Of the label head; 1 without one."""
        fit = self.learned.label_fit
        return 1.0 if fit is None else fit.temperature

    def _fit_labels(self, subjects: Sequence[str], rows: Rows | None = None) -> None:
        """Fit the label head on these subjects' frames; `rows` are summaries already at hand, by stem."""
        training = self.material.of(self.material.labelled, subjects)
        if not self.recipe.labels or not training:
            return
        known = rows or {}
        lacking = [s for s in training if s.stem not in known]
        known = known | self._rows(lacking)
        x_ND = np.stack([known[s.stem] for s in training])
        truth = truth_of(training, self.recipe.labels)
        fit = fit_labels(x_ND, truth, [s.subject for s in training], exclusive=self.recipe.exclusive_labels)
        self.learned.label_fit, self.learned.head = fit, fit.head(masked=self.recipe.masks)

    def _rows(self, samples: Sequence[Sample]) -> Rows:
        if not samples:
            return {}
        found = summaries(self._model(), self.material.snapshot, samples, self.device, self.talk.check_end)
        return {sample.stem: row for sample, row in zip(samples, found, strict=True)}

    def _left_out(self) -> list[LabelledImage]:
        """What the label head says of each training frame, its subject left out."""
        fit = self.learned.label_fit
        if fit is None:
            return []
        training = self.material.of(self.material.labelled, self.material.sides.train)
        return [
            LabelledImage(
                image=s.name, subject=s.subject, truth=tuple(s.labels or ()), probabilities=tuple(map(float, p))
            )
            for s, p in zip(training, fit.left_out, strict=True)
        ]

    def _fitter(self) -> MaskFitter:
        placed = self._placed(self.material.sides.train)
        return MaskFitter(self.recipe, placed, self.device, self.material.origin)

    def _placed(self, subjects: Sequence[str]) -> list[Placed]:
        class_of = {value: i for i, value in enumerate(self.recipe.segments, 1)}
        training = self.material.of(self.material.masked, subjects)
        return place_samples(self.material.snapshot, training, self.recipe.input_px, self.recipe.placement, class_of)


def _mean(answers: Answers) -> float:
    return round(float(np.mean(list(by_subject(answers.pairs).values()))), 4)
