"""The mask networks of a run: fitted on some subjects, averaged, fitted on.

With a frozen encoder all members share one pool of features; else each step passes the encoder.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from usfm_studio.engine.device import FULL, Device
from usfm_studio.engine.learning.clock import Stage
from usfm_studio.engine.learning.making import fresh_net, on_cpu
from usfm_studio.engine.learning.origin import Origin
from usfm_studio.engine.learning.plan import Recipe
from usfm_studio.engine.learning.pool import FeaturePool
from usfm_studio.engine.learning.quick import quicken
from usfm_studio.engine.learning.samples import Batch, Placed, batches
from usfm_studio.engine.learning.segmentation import Average, MaskNet, Rates, learn
from usfm_studio.engine.models.compiled import CannotCompile, CompiledEncoder, GraphFailed
from usfm_studio.engine.models.features import Features

LOG = logging.getLogger(__name__)
POOL_SEED = 1 << 20

OnStep = Callable[[int, float, Average], None]


class MaskFitter:
    """Fits networks of one recipe to the placed frames of a run (all of them with masks)."""

    def __init__(self, recipe: Recipe, placed: Sequence[Placed], device: Device, origin: Origin) -> None:
        self.recipe, self.placed, self.device, self.origin = recipe, list(placed), device, origin
        torch.manual_seed(recipe.seed)
        self.net = self._ready(fresh_net(recipe, origin))
        self.start = on_cpu(self.net.decoder)
        self.pool: FeaturePool | None = None

    def begin_anew(self) -> None:
        """Give the decoder its first weights again, so that members can be averaged. The encoder is left as it is."""
        self.net.decoder.load_state_dict(self.start)

    def take(self, decoder: Mapping[str, Tensor]) -> None:
        """Give the decoder these weights."""
        self.net.decoder.load_state_dict(dict(decoder))

    def place(self, placed: Sequence[Placed]) -> None:
        """Learn from these frames from now on."""
        self.placed, self.pool = list(placed), None

    def can_learn_from(self, subjects: Iterable[str]) -> bool:
        """True where one of these subjects has a mask."""
        wanted = set(subjects)
        return any(p.sample.subject in wanted for p in self.placed)

    def fit(
        self,
        subjects: Iterable[str],
        rates: Rates,
        stage: Stage,
        seed: int,
        *,
        on_step: OnStep = lambda _step, _loss, _average: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        """Learn from these subjects until the stage is over; the network then holds the average of its weights."""
        stream = self._stream(set(subjects), rates, seed)
        average = learn(self.net, stream, rates, stage, device=self.device, on_step=on_step, stop=stop)
        if average.steps:
            average.put_into(self.net)

    def prepare(self, rates: Rates, stage: Stage) -> None:
        """With a frozen encoder: fill the pool of features, for as long as the stage allows."""
        if rates.encoder == 0 and self.pool is None:
            draws, classes = self.recipe.augmentation, self.recipe.classes
            rng = np.random.default_rng([self.recipe.seed, POOL_SEED])
            self.pool = FeaturePool(
                self._looker(),
                self.placed,
                classes,
                draws,
                rng,
                self.device,
                with_image=self.net.decoder.stem is not None,
                at_once=self.recipe.views_at_once,
            )
            self.pool.fill(self.recipe.views, stage)

    def _looker(self) -> Callable[[Tensor], Features]:
        """The encoder as it stays: a graph looks in less than half of torch's time, where there can be one."""
        if not self.device.is_cpu or self.device.precision != FULL:
            return self.net.encoder
        try:
            graph = CompiledEncoder(self.origin.encoder, self.device.threads)
        except CannotCompile as reason:
            LOG.info("features for learning are made in torch", exc_info=reason)
            return self.net.encoder

        def look(x_BCHW: Tensor) -> Features:
            try:
                return graph(x_BCHW)
            except GraphFailed as failure:
                LOG.warning("a graph gave no features for learning", exc_info=failure)
                return self.net.encoder(x_BCHW)

        return look

    def _stream(self, subjects: set[str], rates: Rates, seed: int) -> Iterator[Batch]:
        rng = np.random.default_rng([self.recipe.seed, seed])
        if rates.encoder == 0:
            if self.pool is None:
                raise ValueError("the pool of features was not prepared")
            self.pool.rng = rng
            return self.pool.batches(self.recipe.batch, subjects, self.recipe.renew_every)
        chosen = [p for p in self.placed if p.sample.subject in subjects]
        return batches(chosen, self.recipe.classes, self.recipe.batch, self.recipe.augmentation, rng)

    def _ready(self, net: MaskNet) -> MaskNet:
        net = net.to(self.device.kind).to(memory_format=torch.channels_last)
        if self.device.is_cpu:
            quicken(net.encoder)
        return net
