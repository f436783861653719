"""Making a recipe fit its encoder: how many images go together, at which size, and whether the encoder can move at all.

The encoder that ships was measured once (docs/adr/0018); any other is measured here, on one image, before the first
step. Nothing is learned from it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from usfm_studio.document.errors import WrongUsage
from usfm_studio.engine.device import Device
from usfm_studio.engine.learning.making import fresh_net
from usfm_studio.engine.learning.origin import Origin
from usfm_studio.engine.learning.plan import STILL, USUAL_PX, Recipe
from usfm_studio.engine.learning.segmentation import MaskNet, freeze, on

MEMORY_SHARE = 0.5
"""Of the memory that is free: the rest is for what libraries take beside, and for whoever comes later."""
COPIES = 5
"""Of the weights at once: read, learned on, kept now and then, scored, and made ready for that."""
BYTES_A_MOVING_WEIGHT = 16
"""Its gradient, two moments and the average."""
TUNING_STEPS = 150
"""With fewer steps than this a decoder over a still encoder learns more in the same time (docs/adr/0018)."""
TUNING_BATCH = 4
TUNING_SHARE = 0.5
"""Of a run's time: what tuning has at least."""
LOOKING_SHARE = 0.15
"""Of a run's time: what the first look at every frame may take."""
LOOKS_MOST = 0.5
"""Of a run's time: what goes for the looks that no run can do without."""
RENEWING_S = 0.1
"""What one step may pay for a new view: about as much as the step of a decoder itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What one image costs at the recipe's size.

    `look_s`: through the encoder. `step_s`: through the network and back, as the recipe moves weights (0 where it moves
    none of the encoder's). `look_bytes`: at most so much for a look; `step_bytes`: kept for the way back.
    `fixed_bytes`: copies of the weights, and what an optimiser adds, whatever the batch.
    """

    look_s: float
    step_s: float
    look_bytes: int
    step_bytes: int
    fixed_bytes: int


def fitted(recipe: Recipe, origin: Origin, device: Device, frames: int, looks: int) -> Recipe:
    """The recipe as this machine can follow it over this encoder, to learn from so many frames.

    `looks`: images that pass the encoder whatever is learned. Raises WrongUsage where these alone take the time.
    """
    if origin.ships or not recipe.masks:
        return recipe
    net = fresh_net(recipe, origin).to(device.kind)
    pace = measured(net, recipe, device)
    smaller = at_usual_size(recipe, pace, frames)
    if smaller is not recipe:
        recipe, pace = smaller, measured(net, smaller, device)
    refuse_too_slow(recipe, pace, looks)
    return sized(recipe, pace, device.free_bytes())


def measured(net: MaskNet, recipe: Recipe, device: Device) -> Pace:
    """Look at one image of noise, and take one step without taking it. The network stays as it is."""
    side = recipe.input_px
    x = torch.rand((1, 1, side, side), generator=torch.Generator().manual_seed(0))
    x_B1HW = on(x, device.kind)
    assert isinstance(x_B1HW, Tensor)
    net.eval()
    with torch.no_grad(), device.autocast():
        net.encoder(x_B1HW)  # the first time is slower
    net.requires_grad_(True)
    with _counted(net) as look, device.autocast():
        look_s = _seconds(lambda: net.encoder(x_B1HW), device)
    freeze(net, recipe.rates)
    step_s, step_bytes = 0.0, 0
    if recipe.rates.encoder > 0:
        with _counted(net) as step, device.autocast():
            step_s = _seconds(lambda: net(x_B1HW).float().sum().backward(), device)
        step_bytes = step.total
        net.zero_grad(set_to_none=True)
    weights = sum(p.numel() for p in net.parameters())
    moving = sum(p.numel() for p in net.parameters() if p.requires_grad)
    return Pace(
        look_s=look_s,
        step_s=step_s,
        look_bytes=look.total,
        step_bytes=step_bytes,
        fixed_bytes=4 * COPIES * weights + BYTES_A_MOVING_WEIGHT * moving,
    )


def at_usual_size(recipe: Recipe, pace: Pace, frames: int) -> Recipe:
    """The recipe at the usual size where a first look at every frame would take too long at a larger one."""
    timed = recipe.max_steps is None
    if timed and recipe.input_px > USUAL_PX and frames * pace.look_s > LOOKING_SHARE * recipe.budget_s:
        return replace(recipe, input_px=USUAL_PX)
    return recipe


def refuse_too_slow(recipe: Recipe, pace: Pace, looks: int) -> None:
    """Raise WrongUsage where looking once at what must be looked at leaves no time to learn."""
    needed_s = looks * pace.look_s
    if recipe.max_steps is None and needed_s > LOOKS_MOST * recipe.budget_s:
        raise WrongUsage(
            "There is no time to learn over this encoder",
            f"looking at {looks} images takes about {math.ceil(needed_s)} of the {math.ceil(recipe.budget_s)} seconds",
            f"Give it {math.ceil(needed_s / LOOKS_MOST / 30)} minutes, or name a smaller encoder.",
        )


def sized(recipe: Recipe, pace: Pace, free_bytes: int) -> Recipe:
    """The recipe with as many images together as memory and time allow; without tuning where they do not.

    It never asks for more than it did. Memory always decides; time where the run goes by the clock.
    """
    room = MEMORY_SHARE * free_bytes - pace.fixed_bytes
    at_once = max(1, min(recipe.views_at_once, int(room // max(1, pace.look_bytes))))
    every = max(recipe.renew_every, math.ceil(pace.look_s / RENEWING_S)) if recipe.max_steps is None else 1
    recipe = replace(recipe, views_at_once=at_once, renew_every=every)
    if recipe.rates.encoder == 0:
        return recipe
    batch = min(recipe.batch, int(room // max(1, pace.step_bytes)))
    if recipe.max_steps is None:
        batch = min(batch, int(TUNING_SHARE * recipe.budget_s / TUNING_STEPS / max(1e-9, pace.step_s)))
    if batch < min(TUNING_BATCH, recipe.batch):
        return replace(recipe, rates=STILL)
    return replace(recipe, batch=batch)


def over(origin: Origin, wanted: Recipe, fits: Recipe) -> str:
    """What a run says of its encoder, and of what it had to leave."""
    said = f"It learns over the encoder {origin.card.name} ({origin.card.short})"
    reasons = {
        f"at {fits.input_px} px, for it is slow": fits.input_px != wanted.input_px,
        "which stays as it is: moving it takes more time or memory than there is": fits.rates != wanted.rates,
        f"{fits.batch} images a step, for it is slow or large": fits.batch != wanted.batch,
    }
    return ", ".join([said, *(reason for reason, true in reasons.items() if true)]) + "."


@dataclass(slots=True)
class _Kept:
    """Bytes that are kept for the way back, weights left out, each tensor once."""

    total: int = 0


@contextmanager
def _counted(net: nn.Module) -> Iterator[_Kept]:
    weights = {p.data_ptr() for p in net.parameters()}
    seen: set[int] = set()
    kept = _Kept()

    def pack(tensor: Tensor) -> Tensor:
        place = tensor.data_ptr()
        if place not in weights and place not in seen:
            seen.add(place)
            kept.total += tensor.numel() * tensor.element_size()
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        yield kept


def _seconds(work: Callable[[], object], device: Device) -> float:
    began = time.perf_counter()
    work()
    if device.kind.startswith("cuda"):
        torch.cuda.synchronize(device.kind)
    return time.perf_counter() - began
