"""Learning masks: the loop, on one screen, and what it is made of.

Shapes: B batch, K classes (background first), H rows, W columns.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from usfm_studio.document.errors import NothingToLearn
from usfm_studio.engine.device import Device
from usfm_studio.engine.learning.clock import Stage
from usfm_studio.engine.learning.samples import Batch
from usfm_studio.engine.models.decoder import UNetDecoder
from usfm_studio.engine.models.features import Encoder, Features

DICE_SMOOTH = 1.0
PATIENCE_WITH_NAN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """How weights move. A rate of 0 for the encoder keeps all of it as it is.

    `frozen_stages` counts the encoder's first stages (and its stem) that stay as they are; `depthwise` says whether
    the depthwise kernels move too.
    """

    encoder: float = 5e-4
    decoder: float = 2e-3
    weight_decay: float = 0.05
    warm_up: float = 0.05
    average: float = 0.99
    frozen_stages: int = 0
    depthwise: bool = True


class MaskNet(nn.Module):
    """Encoder and decoder as one: (B, 1, H, W), or features of it, -> logits (B, K, H / 2, W / 2)."""

    def __init__(self, encoder: Encoder, decoder: UNetDecoder) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def forward(self, x: Tensor | Features, image_BCHW: Tensor | None = None) -> Tensor:
        """Logits at stride 2. Features alone do where the decoder needs no look at the image (a pyramid's)."""
        if isinstance(x, Features):
            return self.decoder(x, image_BCHW)
        return self.decoder(self.encoder(x), x)


def learn(
    net: MaskNet,
    batches: Iterator[Batch],
    rates: Rates,
    stage: Stage,
    *,
    device: Device,
    on_step: Callable[[int, float, Average], None] = lambda _step, _loss, _average: None,
    stop: Callable[[], bool] = lambda: False,
) -> Average:
    """Train `net` until the stage is over or `stop()`; the answer is the running average of its weights.

    `on_step` is told each step's number, loss and average so far. Raises NothingToLearn when the loss stays without a
    number.
    """
    freeze(net, rates)
    optimiser, average = _optimiser(net, rates), Average(net, rates.average)
    missed = 0
    while not stage.over and not stop():
        _set_mode(net)
        scale = schedule(stage.progress, rates.warm_up)
        for group in optimiser.param_groups:
            group["lr"] = group["peak"] * scale
        batch = next(batches)
        with device.autocast():
            logits = net(on(batch.x, device.kind), batch.image_on(device.kind))
        loss = mask_loss(logits.float(), batch.target.to(device.kind))
        value = float(loss.detach())
        stage.steps += 1
        missed = _count_missed(missed, value)
        if math.isfinite(value):
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_([p for g in optimiser.param_groups for p in g["params"]], 5.0)
            optimiser.step()
            average.update(net)
        on_step(stage.steps, value, average)
    return average


def on(x: Tensor | Features, device: str) -> Tensor | Features:
    """The same on a device."""
    return x.map(lambda tensor: tensor.to(device)) if isinstance(x, Features) else x.to(device)


def mask_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy with class shares plus soft Dice of the segments, taken over the batch.

    `logits` and `target` are (B, K, H, W); the target sums to one over K. Dice: 1 - 2Σpt / (Σp + Σt), segments meaned
    (Milletari 2016, without squares).
    """
    cross = -(target * functional.log_softmax(logits, 1)).sum(1).mean()
    p, t = logits.softmax(1)[:, 1:], target[:, 1:]
    both, total = (p * t).sum((0, 2, 3)), (p + t).sum((0, 2, 3))
    return cross + (1 - (2 * both + DICE_SMOOTH) / (total + DICE_SMOOTH)).mean()


def schedule(progress: float, warm_up: float) -> float:
    """Share of the peak rate: up in a straight line, then half a cosine down to zero."""
    if progress < warm_up:
        return max(progress / warm_up, 0.05)
    return 0.5 * (1 + math.cos(math.pi * (progress - warm_up) / (1 - warm_up)))


class Average:
    """The running average of a network's weights and statistics; it removes the choice of the last step.

    Its memory grows with the steps: min(most, (1 + n) / (10 + n)).
    """

    def __init__(self, net: nn.Module, most: float) -> None:
        self.most, self.steps = most, 0
        self.values = {name: value.detach().clone() for name, value in _moving(net)}

    @torch.no_grad()
    def update(self, net: nn.Module) -> None:
        """Take one step's weights in."""
        self.steps += 1
        keep = min(self.most, (1 + self.steps) / (10 + self.steps))
        new = dict(_moving(net))
        names = list(self.values)
        torch._foreach_lerp_([self.values[n] for n in names], [new[n].detach() for n in names], 1 - keep)

    @torch.no_grad()
    def put_into(self, net: nn.Module) -> None:
        """Give the network the averaged weights."""
        own = dict(_moving(net))
        for name, value in self.values.items():
            own[name].copy_(value)


@torch.no_grad()
def mean_of(members: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of several weights of one network; counters are taken from the first."""
    return {
        name: torch.stack([m[name] for m in members]).mean(0) if value.is_floating_point() else value
        for name, value in members[0].items()
    }


def freeze(net: MaskNet, rates: Rates) -> None:
    """Mark which weights move."""
    for name, weight in net.encoder.named_parameters():
        weight.requires_grad_(_moves(name, rates))


def _moves(name: str, rates: Rates) -> bool:
    if rates.encoder == 0 or (not rates.depthwise and "conv_dw" in name):
        return False
    if rates.frozen_stages == 0:
        return True
    parts = name.split(".")
    return parts[0] == "blocks" and int(parts[1]) >= rates.frozen_stages


def _optimiser(net: MaskNet, rates: Rates) -> torch.optim.Optimizer:
    """AdamW; weight decay for kernels alone."""
    groups = []
    for part, peak in ((net.encoder, rates.encoder), (net.decoder, rates.decoder)):
        moving = [p for p in part.parameters() if p.requires_grad]
        for matrices, decay in ((True, rates.weight_decay), (False, 0.0)):
            chosen = [p for p in moving if (p.ndim > 1) == matrices]
            if chosen:
                groups.append({"params": chosen, "peak": peak, "lr": peak, "weight_decay": decay})
    return torch.optim.AdamW(groups, fused=True)


def _set_mode(net: MaskNet) -> None:
    """Train the decoder's statistics, keep the encoder's."""
    net.train()
    net.encoder.eval()


def _moving(net: nn.Module) -> Iterator[tuple[str, Tensor]]:
    for name, weight in net.named_parameters():
        if weight.requires_grad:
            yield name, weight
    for name, value in net.named_buffers():
        if value.is_floating_point() and name.startswith("decoder."):
            yield name, value


def _count_missed(missed: int, loss: float) -> int:
    if math.isfinite(loss):
        return 0
    if missed + 1 >= PATIENCE_WITH_NAN:
        raise NothingToLearn(
            "Training did not work",
            "the numbers ran out of range several times in a row",
            "The old model stays. Check that the marked frames show what their masks say.",
        )
    return missed + 1
