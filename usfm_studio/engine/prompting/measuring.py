"""The worker's request `clicks`: the simulated person works through a snapshot, target by target."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from usfm_studio.children.serve import Context
from usfm_studio.document.errors import Interrupted, NotFound, WrongUsage
from usfm_studio.document.mask import Ids
from usfm_studio.document.model_card import subject_code
from usfm_studio.document.prompts import Prompt
from usfm_studio.document.snapshot import Sample, Snapshot
from usfm_studio.engine.device import choose_device
from usfm_studio.engine.learning.evaluation import occurring_values, values_of
from usfm_studio.engine.learning.holdout import chosen_subjects
from usfm_studio.engine.models.checkpoint import load_model
from usfm_studio.engine.models.predictor import Predictor
from usfm_studio.engine.prompting.clicker import Marked
from usfm_studio.engine.prompting.prompt_model import load_prompts
from usfm_studio.engine.prompting.prompter import Prompter, PromptFeatures
from usfm_studio.engine.prompting.session import LEAST_PX, Session, Target, play, tally

WARM_UPS = 3
Propose = Callable[[Ids], Ids]


class ClicksOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to measure: targets of the subjects of `fold` of `folds`, or all.

    `proposer`: a model from whose masks the sessions start. `jitter`: a seed; clicks then fall off the centre.
    """

    prompter: str
    snapshot: str
    prompt: Literal["click", "box", "scribble"] = "click"
    cap: int = 20
    proposer: str | None = None
    folds: int | None = None
    fold: int | None = None
    jitter: int | None = None
    device: str = "auto"
    threads: int | None = None


def measure(body: dict[str, Any], context: Context, ended: Callable[[], bool]) -> dict[str, Any]:
    """The fields of the contract's `clicks`. Raises BadModel, WrongUsage, NotFound where there is no target."""
    try:
        order = msgspec.convert(body, ClicksOrder)
    except msgspec.ValidationError as error:
        raise WrongUsage("The clicks cannot be simulated", f"the request is wrong: {error}") from error
    snapshot = Snapshot.load(Path(order.snapshot))
    device = choose_device(order.device, order.threads)
    prompter = Prompter(load_prompts(Path(order.prompter)), device)
    predictor = None if order.proposer is None else Predictor(load_model(Path(order.proposer)), device)
    wanted = set(chosen_subjects(snapshot.samples, folds=order.folds, fold=order.fold, inside=True))
    samples = [sample for sample in snapshot.samples if sample.masked and sample.subject in wanted]
    run = Measurement(prompter, order)
    for done, sample in enumerate(samples):
        context.check()
        if ended():
            raise Interrupted("The measurement was interrupted", "the system ends it")
        context.progress({"event": "progress", "done": done, "total": len(samples)})
        start = None if predictor is None else _proposed(predictor, snapshot, samples, sample)
        run.take(sample, np.asarray(snapshot.pixels(sample)), np.asarray(snapshot.mask(sample)), start)
    return run.body()


class Measurement:
    """Sessions on many frames, and how long the prompter took."""

    def __init__(self, prompter: Prompter, order: ClicksOrder) -> None:
        self._prompter, self._order = prompter, order
        self.sessions: list[Session] = []
        self.skipped = 0
        self._click_ms: list[float] = []
        self._embed_ms: list[float] = []
        self._warm = WARM_UPS

    def take(self, sample: Sample, pixels: Ids, ids: Ids, start: Ids | None) -> None:
        """Work on each segment of a frame; `start` are a model's ids."""
        targets = list(targets_of(sample, ids, start))
        self.skipped += sum(int((ids == value).sum()) < LEAST_PX for value in np.unique(ids) if value)
        if not targets:
            return
        began = time.perf_counter()
        features = self._prompter.embed(pixels)
        self._embed_ms.append((time.perf_counter() - began) * 1000)
        for target in targets:
            self.sessions.append(self._session(features, target))

    def _session(self, features: PromptFeatures, target: Target) -> Session:
        order = self._order
        draws = None
        if order.jitter is not None:
            draws = np.random.default_rng([order.jitter, len(self.sessions)])

        def answer(prompts: Sequence[Prompt], last: Marked | None) -> Marked:
            while self._warm:
                self._prompter.answer(features, prompts, last)
                self._warm -= 1
            began = time.perf_counter()
            mask = self._prompter.answer(features, prompts, last)
            self._click_ms.append((time.perf_counter() - began) * 1000)
            return mask

        return play(target, answer, order.prompt, order.cap, draws)

    def body(self) -> dict[str, Any]:
        """The result line's fields. Raises NotFound."""
        if not self.sessions:
            why = f"no mask has a segment of at least {LEAST_PX} px"
            raise NotFound("There is nothing to click on", why, "Name a folder with masks.")
        told = tally(self.sessions, self._order.cap)
        seen = set(self._prompter.card.train_subjects)
        return {
            **told.values,
            "ms_per_click_p50": _percentile(self._click_ms, 50),
            "ms_per_click_p95": _percentile(self._click_ms, 95),
            "embed_ms_p50": _percentile(self._embed_ms, 50),
            "targets": len(self.sessions),
            "skipped": self.skipped,
            "seen_subjects": sum(subject_code(s) in seen for s in {one.subject for one in self.sessions}),
            "prompter": self._prompter.card.digest,
            "interval": told.interval,
            "per_image": told.per_image,
        }


def targets_of(sample: Sample, ids: Ids, start: Ids | None = None) -> Iterator[Target]:
    """The segments of a frame that are large enough, each as one target."""
    for value in np.unique(ids):
        reference = ids == value
        if value and reference.sum() >= LEAST_PX:
            begin = None if start is None else start == value
            yield Target(file=sample.name, subject=sample.subject, segment=int(value), reference=reference, start=begin)


def _proposed(predictor: Predictor, snapshot: Snapshot, samples: Sequence[Sample], sample: Sample) -> Ids:
    """A model's ids, as the snapshot's schema numbers them."""
    table = np.zeros(256, np.uint8)
    for output, value in values_of(
        predictor.card.segments, snapshot.schema, occurring_values(snapshot, samples)
    ).items():
        table[output] = value
    said: Ids = table[predictor.predict(np.asarray(snapshot.pixels(sample))).ids]
    return said


def _percentile(times_ms: Sequence[float], share: float) -> float | None:
    return round(float(np.percentile(times_ms, share)), 2) if times_ms else None
