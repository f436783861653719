"""A run's enhancement network in the making: learned by the clock, the best so far whole on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import msgspec
import numpy as np
import torch

from usfm_studio.document.errors import Interrupted
from usfm_studio.document.model_card import ModelCard, subject_code
from usfm_studio.document.snapshot import Sample
from usfm_studio.engine.device import Device
from usfm_studio.engine.learning.clock import Stage
from usfm_studio.engine.learning.enhancement import TASK, EnhancementRecipe, learn_to_enhance
from usfm_studio.engine.learning.enhancement_scoring import score_pairs
from usfm_studio.engine.learning.enhancement_views import Pairs, ViewPool
from usfm_studio.engine.learning.making import as_stored, on_cpu
from usfm_studio.engine.learning.origin import ENCODER, Origin
from usfm_studio.engine.learning.run_folder import RunFolder
from usfm_studio.engine.learning.talk import Talk
from usfm_studio.engine.models.blueprint import Blueprint, EnhancerPlan, Preparation
from usfm_studio.engine.models.checkpoint import LoadedModel, build_enhancer, save_model, tensors_of
from usfm_studio.engine.models.enhancer import Enhancer
from usfm_studio.engine.models.enhancing import Enhancing
from usfm_studio.engine.models.predictor import Predictor
from usfm_studio.engine.scoring.pictures import PictureScore

FILL_SHARE = 0.15
KEEP_SHARE, KEEP_LEAST_S, KEEP_FIRST_S = 0.1, 8.0, 2.0
"""How often the network goes to disk while it learns; so long after the first step there is one, whatever comes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the card says beside the recipe."""

    name: str
    exam: str
    data_digest: str
    train_subjects: Sequence[str]
    holdout_subjects: Sequence[str]
    parents: Sequence[str] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    comparison: Mapping[str, Any] = field(default_factory=dict)


class EnhancementFitter:
    """Learns one network over a frozen encoder, and writes it down. `pool` holds what there is to learn from."""

    def __init__(
        self, recipe: EnhancementRecipe, origin: Origin, pairs: Pairs, device: Device, talk: Talk, folder: RunFolder
    ) -> None:
        self.recipe, self.origin, self.pairs, self.device = recipe, origin, pairs, device
        self.talk, self.folder = talk, folder
        torch.manual_seed(recipe.seed)
        self.plan = EnhancerPlan(widths=recipe.widths)
        self.net: Enhancer = build_enhancer(self.plan, origin.encoder).to(torch.device(device.kind))
        self.start = on_cpu(self.net)
        self.placing = Preparation(placement=recipe.placement)  # type: ignore[arg-type]
        card = replace(origin.card, input_px=recipe.input_px)
        self.encoder = Predictor(LoadedModel(card, self.placing, origin.encoder, None, None), device)
        self.pool: ViewPool | None = None
        self.whole = Stage(talk.clock, talk.clock.seconds)
        self.kept_at = -np.inf

    def begin_anew(self) -> None:
        """Give the network its first weights again."""
        self.net.load_state_dict(self.start)

    def look_at(self, samples: Sequence[Sample], until_s: float) -> None:
        """Fill a pool with views of these samples, in its share of the time until then."""
        gone_s = self.talk.clock.gone_s
        self.pool = ViewPool(self.pairs, samples, self.encoder, self.recipe)
        self.pool.fill(Stage(self.talk.clock, gone_s + FILL_SHARE * (until_s - gone_s)), self.talk.check_end)

    def fit(self, subjects: Sequence[str], told: Told, until_s: float, seed: int, *, keeps: bool = True) -> int:
        """Learn from these subjects until then; answers the steps made. `keeps`: the network goes to disk meanwhile.

        Raises Interrupted where a run is stopped that has nothing to show.
        """
        if self.pool is None:
            raise ValueError("look at the samples first")
        stage = Stage(self.talk.clock, until_s, self.recipe.max_steps)
        batches = self.pool.batches(subjects, self.net, np.random.default_rng([self.recipe.seed, seed]))

        def on_step(_step: int, loss: float, average: Enhancer) -> None:
            self.whole.steps += 1
            self.talk.step(self.whole.steps, self.whole.expected_steps, loss)
            pause = max(KEEP_LEAST_S, KEEP_SHARE * self.talk.clock.seconds) if self.kept_at >= 0 else KEEP_FIRST_S
            if keeps and self.talk.clock.gone_s - max(self.kept_at, stage.begin_s) > pause:
                self.keep(told, average)

        learn_to_enhance(
            self.net, batches, self.recipe, stage, device=self.device, on_step=on_step, stop=self.talk.stopped
        )
        if not stage.steps and self.kept_at < 0:
            raise Interrupted("The fine-tuning was stopped", "nothing was learned yet", "The models stay as they were.")
        return stage.steps

    def keep(self, told: Told, net: Enhancer | None = None) -> ModelCard:
        """Write the model as it stands, in one step."""
        tensors = tensors_of(enhancer=net or self.net, encoder=None if self.origin.ships else self.origin.encoder)
        card = self._card(told)
        written = save_model(
            self.folder.model, card, {name: value.cpu() for name, value in tensors.items()}, terms=self.origin.folder
        )
        self.kept_at = self.talk.clock.gone_s
        return written

    def score(self, samples: Sequence[Sample]) -> list[PictureScore]:
        """What the network, as it will be on disk, makes of these frames."""
        check = lambda _done: self.talk.check_end()  # noqa: E731
        return score_pairs(self._at_work(), self.pairs, samples, check)

    def seconds_a_frame(self, sample: Sample) -> float:
        """How long it takes here and now to enhance and score one frame."""
        enhancing = self._at_work()
        score_pairs(enhancing, self.pairs, [sample])
        began_s = self.talk.clock.gone_s
        score_pairs(enhancing, self.pairs, [sample])
        return self.talk.clock.gone_s - began_s

    def _at_work(self) -> Enhancing:
        """The network so far, as it will come back from disk; it shares nothing with the one that goes on learning."""
        apart = build_enhancer(self.plan, self.origin.encoder)
        apart.load_state_dict(as_stored(self.net))
        card = self._card(Told(name="", exam="", data_digest="", train_subjects=(), holdout_subjects=()))
        model = LoadedModel(card, self.placing, self.origin.encoder, None, None, apart.eval())
        return Enhancing(model, self.device, encoder=self.encoder)

    def _card(self, told: Told) -> ModelCard:
        origin = self.origin
        settings = {
            "architecture": msgspec.to_builtins(Blueprint(enhancer=self.plan)),
            "recipe": self.recipe.to_json(),
            **({} if origin.ships else {ENCODER: {**origin.told(), "tuned": False}}),
        }
        return ModelCard(
            digest="",
            name=told.name,
            task=TASK,
            encoder=self.recipe.encoder,
            encoder_digest=origin.card.digest,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            organ=told.exam,
            exam=told.exam,
            input_px=self.recipe.input_px,
            preprocessing=MappingProxyType(msgspec.to_builtins(self.placing)),
            settings=MappingProxyType(msgspec.to_builtins(settings)),
            parents=tuple(told.parents),
            data_digest=told.data_digest,
            train_subjects=tuple(subject_code(s) for s in told.train_subjects),
            holdout_subjects=tuple(subject_code(s) for s in told.holdout_subjects),
            seed=self.recipe.seed,
            scores=MappingProxyType(dict(told.scores)),
            comparison=MappingProxyType(dict(told.comparison)),
            licence="" if origin.ships else origin.card.licence,
            attribution=() if origin.ships else origin.card.attribution,
            notes=NOTES,
        )


NOTES = "Enhanced images are for looking at, not for measurement."
