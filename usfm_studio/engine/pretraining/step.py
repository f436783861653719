"""One step: corrupt clean images, recover them, measure, descend.

The state of a run changes in one place only, at the end of `Step.run`. A step that is abandoned (the run is to stop) or
skipped (its gradient is no number) leaves everything as it was.

Shapes: B batch, N pixels a side.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel
from torch.utils.checkpoint import checkpoint

from usfm_studio.engine.device import HALF, Device
from usfm_studio.engine.learning.quick import quicken
from usfm_studio.engine.models.features import Encoder, Features
from usfm_studio.engine.pretraining.batches import Batch, as_images
from usfm_studio.engine.pretraining.draws import keys_B
from usfm_studio.engine.pretraining.losses import FeatureLoss, RecoveryLoss
from usfm_studio.engine.pretraining.masking import Corrupted, Corruption
from usfm_studio.engine.pretraining.ranks import World
from usfm_studio.engine.pretraining.recipe import PretrainRecipe
from usfm_studio.engine.pretraining.recovery import recovery_decoder
from usfm_studio.engine.pretraining.schedule import ema_decay, rate_factor

NOT_DECAYED = ("token", "relative_position_bias_table", "pos_embed")
"""Parts of names of parameters without weight decay, beside all vectors (biases, norms, layer scales)."""


class Abandoned(Exception):
    """The run is to stop: this step is not finished. Never leaves this package."""


class Recovery(nn.Module):
    """An encoder, the decoder that recovers images from its features, and a predictor of features where asked for.

    The latter two begin with weights that follow from the recipe's seed alone.
    """

    def __init__(self, encoder: Encoder, recipe: PretrainRecipe) -> None:
        super().__init__()
        self.encoder = encoder
        self.features: FeatureLoss | None = None
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            self.decoder = recovery_decoder(encoder)
            if recipe.loss.feature_weight > 0:
                self.features = FeatureLoss(encoder.channels, recipe.loss.feature_stride)

    def forward(
        self, x_B1NN: Tensor, teacher: Features | None = None, masked_B1NN: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Corrupted images -> the decoder's (B, 1, N, N), and the loss of features (B,) where there is a teacher."""
        features = self.encoder(x_B1NN)
        y_B1NN = self.decoder(features)
        if self.features is None or teacher is None or masked_B1NN is None:
            return y_B1NN, None
        return y_B1NN, self.features(features, teacher, masked_B1NN)

    def parts(self) -> dict[str, nn.Module]:
        """What a checkpoint holds of it."""
        named: dict[str, nn.Module | None] = {
            "encoder": self.encoder,
            "decoder": self.decoder,
            "features": self.features,
        }
        return {name: part for name, part in named.items() if part is not None}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step measured, means over this rank's images; scalars on the device. `taken`: the weights have moved."""

    taken: bool
    loss: Tensor
    spatial: Tensor
    frequency: Tensor
    feature: Tensor
    energy_removed: Tensor
    gradient_norm: Tensor
    gradient_ratio: Tensor
    frequency_weight: Tensor
    rate: float


@dataclass(frozen=True, slots=True)
class Seen:
    """The first images of a step as they were, corrupted and recovered, for pictures: (B, N, N) float32, CPU."""

    clean_BNN: Tensor
    corrupted_BNN: Tensor
    recovered_BNN: Tensor


class Step:
    """The networks of a run and all that changes with its steps."""

    def __init__(self, recipe: PretrainRecipe, encoder: Encoder, device: Device, world: World) -> None:
        self.recipe, self.device, self.world = recipe, device, world
        self.layout = torch.channels_last if recipe.channels_last else torch.contiguous_format
        self.average = copy.deepcopy(encoder).requires_grad_(False).eval().to(device.kind)
        self.average = self.average.to(memory_format=self.layout)
        if device.is_cpu and device.precision == HALF and recipe.channels_last and not recipe.compile:
            quicken(encoder)  # in single precision the library is as fast, in the other layout faster
        self.model = Recovery(encoder, recipe).to(device.kind).to(memory_format=self.layout)
        self._set_mode()
        if recipe.activation_checkpointing:
            _checkpoint_blocks(encoder)
        self.optimiser = _optimiser(self.model, recipe)
        self.loss = RecoveryLoss(recipe.loss, recipe.accumulate).to(device.kind)
        self.corruption = Corruption(recipe.mask)
        self._network = self._wrapped()
        self._parameters = list(self.model.parameters())
        self._averaged: tuple[list[Tensor], list[Tensor]] = [*self.average.parameters()], [*encoder.parameters()]
        statistics = recipe.batch_norm == "train"
        self._statistics: list[Tensor] = [*self.model.encoder.buffers()] if statistics else []
        self._averaged_statistics: list[Tensor] = [*self.average.buffers()] if statistics else []

    def run(self, step: int, batches: Iterator[Batch], check: Callable[[Batch], None], measure: bool) -> Outcome:
        """Step number `step` (0 is the first) on the next `accumulate` batches.

        `check` is called with each batch before it is used; what it raises abandons the step. `measure` asks for the
        ratio of both gradients at the decoder's last layer. Raises Abandoned, and what `check` raises.
        """
        before = self._state_of_statistics()
        sums = torch.zeros(7, dtype=torch.float64, device=self.device.kind)
        parts = self.recipe.accumulate
        self.optimiser.zero_grad(set_to_none=True)
        try:
            for part in range(parts):
                batch = next(batches)
                check(batch)
                with self._waits_for_ranks(part == parts - 1):
                    sums += self._backward(step, batch, measure and part == parts - 1) / parts
        except BaseException:
            self._put_back(before)
            raise
        return self._descend(step, sums, before)

    @torch.no_grad()
    def look(self, step: int, batch: Batch, count: int) -> Seen:
        """The first `count` images of a batch through the networks as they are; nothing changes."""
        x, valid = as_images(batch, self.device.kind)
        x, valid, index = x[:count], valid[:count], batch.index_B[:count]
        before = self._state_of_statistics()
        corrupted = self._corrupted(step, x, valid, index)
        with self._autocast():
            y, _ = self.model(corrupted.x_B1HW)
        self._put_back(before)
        images = (x, corrupted.x_B1HW, self.loss.image(y, x))
        return Seen(*(image[:, 0].float().cpu() for image in images))

    def _backward(self, step: int, batch: Batch, measure: bool) -> Tensor:
        """Add a batch's gradient to what is there; answers its seven measures."""
        x, valid = as_images(batch, self.device.kind)
        corrupted = self._corrupted(step, x, valid, batch.index_B)
        teacher = self._teacher(x)
        with self._autocast():
            y, feature_B = self._network(
                corrupted.x_B1HW.contiguous(memory_format=self.layout), teacher, corrupted.masked_B1HW
            )
        last = self.model.decoder.last.weight if measure or self.loss.balancing else None
        parts = self.loss(y, x, corrupted, valid, last)
        total, feature = parts.total, torch.zeros((), device=x.device)
        if feature_B is not None:
            feature = feature_B.mean()
            total = total + self.recipe.loss.feature_weight * feature
        # A total that is no number must not leave a gradient that is one: the step is then skipped on every rank.
        sound = torch.where(total.isfinite(), 1.0, torch.nan).detach()
        (total * sound / self.recipe.accumulate).backward()
        measures = (
            total, parts.spatial_B.mean(), parts.frequency_B.mean(), feature, corrupted.energy_removed_B.mean(),
            parts.gradient_ratio.nan_to_num(0.0) * self.recipe.accumulate, parts.frequency_weight,
        )  # fmt: skip
        return torch.stack([m.detach().double() for m in measures])

    def _descend(self, step: int, sums: Tensor, before: list[Tensor]) -> Outcome:
        """Clip the gradient and move the weights, unless it is no number."""
        settings = self.recipe.optimiser
        norm = torch.nn.utils.clip_grad_norm_(self._parameters, settings.clip or torch.inf)
        taken = bool(norm.isfinite())
        factor = rate_factor(step, self.recipe.steps, settings.warmup, settings.floor)
        if taken:
            for group in self.optimiser.param_groups:
                group["lr"] = group["rate"] * factor
            self.optimiser.step()
            self._average_in(ema_decay(step, settings.ema))
        else:
            self._put_back(before)
        self.optimiser.zero_grad(set_to_none=True)
        loss, spatial, frequency, feature, energy, ratio, weight = sums.unbind()
        return Outcome(taken, loss, spatial, frequency, feature, energy, norm, ratio, weight, settings.encoder * factor)

    @torch.no_grad()
    def _average_in(self, decay: float) -> None:
        """Exponential moving average of the encoder's weights; its statistics are copied."""
        torch._foreach_lerp_(*self._averaged, 1 - decay)
        for held, current in zip(self._averaged_statistics, self._statistics, strict=True):
            held.copy_(current)

    def _corrupted(self, step: int, x: Tensor, valid: Tensor, index_B: Tensor) -> Corrupted:
        """Draws follow from the place of an image in the step, whatever rank it is on: so rank 0 for all."""
        return self.corruption(x, valid, keys_B(self.recipe.seed, step, 0, index_B.to(x.device)))

    def _teacher(self, x: Tensor) -> Features | None:
        if self.model.features is None:
            return None
        with torch.no_grad(), self._autocast():
            features: Features = self.average(x.contiguous(memory_format=self.layout))
        return features

    def _autocast(self) -> AbstractContextManager[object]:
        if self.device.precision != HALF:
            return nullcontext()
        return torch.autocast(self.device.kind.partition(":")[0], torch.bfloat16)

    def _set_mode(self) -> None:
        """BatchNorm uses the batch's statistics only where it is to be trained; its scales and offsets always learn."""
        self.model.train()
        if self.recipe.batch_norm == "fixed":
            for module in self.model.encoder.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()

    def _wrapped(self) -> nn.Module:
        """The network as it is called: shared by the ranks, compiled where asked for."""
        network: nn.Module = self.model
        trains = self.recipe.batch_norm == "train"
        if self.world.count > 1:
            if trains and not self.device.is_cpu:
                self.model = nn.SyncBatchNorm.convert_sync_batchnorm(self.model)
            ids = None if self.device.is_cpu else [torch.device(self.device.kind)]
            network = DistributedDataParallel(
                self.model,
                device_ids=ids,
                forward_sync_buffers=trains and self.device.is_cpu,
                gradient_as_bucket_view=True,
            )
        return torch.compile(network) if self.recipe.compile else network  # type: ignore[return-value]

    def _waits_for_ranks(self, last: bool) -> AbstractContextManager[object]:
        """Only the last batch of a step adds up the gradients of all ranks."""
        if last or self.world.count == 1:
            return nullcontext()
        network: Any = getattr(self._network, "_orig_mod", self._network)
        context: AbstractContextManager[object] = network.no_sync()
        return context

    def _state_of_statistics(self) -> list[Tensor]:
        """Copies of what a forward pass changes: BatchNorm's statistics, and the balance of the losses."""
        return [buffer.clone() for buffer in self._changing()]

    def _put_back(self, before: list[Tensor]) -> None:
        with torch.no_grad():
            for buffer, old in zip(self._changing(), before, strict=True):
                buffer.copy_(old)
        self.loss.load_state_dict(self.loss.state_dict())  # its count beside the buffers follows them

    def _changing(self) -> list[Tensor]:
        return [*self._statistics, *self.loss.buffers()]


def _optimiser(model: Recovery, recipe: PretrainRecipe) -> torch.optim.AdamW:
    """AdamW in four groups: encoder and the rest, with decay and without; `rate` is the full learning rate of each."""
    settings = recipe.optimiser
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        decays = parameter.ndim > 1 and not any(part in name for part in NOT_DECAYED)
        groups.setdefault((name.startswith("encoder."), decays), []).append(parameter)
    rates = {True: settings.encoder, False: settings.decoder}
    return torch.optim.AdamW(
        [
            {
                "params": parameters,
                "lr": rates[of_encoder],
                "rate": rates[of_encoder],
                "weight_decay": settings.weight_decay if decays else 0.0,
            }
            for (of_encoder, decays), parameters in groups.items()
        ],
        betas=settings.betas,
        fused=True,
    )


def _checkpoint_blocks(encoder: Encoder) -> None:
    """Keep only the blocks' inputs for the backward pass and compute each block again there."""
    for block in blocks_of(encoder):
        block.forward = partial(
            checkpoint,
            block.forward,
            use_reentrant=False,
            preserve_rng_state=False,
            context_fn=partial(_once, block),
        )


def blocks_of(encoder: Encoder) -> list[nn.Module]:
    """The encoder's residual blocks, in order."""
    blocks: Any = encoder.blocks
    return [inner for block in blocks for inner in (block if isinstance(block, nn.Sequential) else (block,))]


def _once(block: nn.Module) -> tuple[AbstractContextManager[object], AbstractContextManager[object]]:
    """For the forward pass nothing; for the second one, statistics that do not move again."""
    return nullcontext(), _still(block)


@contextmanager
def _still(block: nn.Module) -> Iterator[None]:
    norms = [module for module in block.modules() if isinstance(module, _BatchNorm)]
    momenta = [module.momentum for module in norms]
    for module in norms:
        module.momentum = 0.0
    try:
        yield
    finally:
        for module, momentum in zip(norms, momenta, strict=True):
            module.momentum = momentum


def stop_inside(encoder: Encoder, stop: Callable[[], bool]) -> None:
    """Let `stop` abandon a step between two blocks, forward and backward: on a CPU a step may take seconds."""

    def check(*_: object) -> None:
        if stop():
            raise Abandoned

    def after(_module: nn.Module, _inputs: object, output: Any) -> None:
        check()
        if isinstance(output, Tensor) and output.requires_grad:
            output.register_hook(check)

    for block in blocks_of(encoder):
        block.register_forward_hook(after)
