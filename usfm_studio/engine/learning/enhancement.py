"""Learning to enhance: the recipe, the loss and the loop, on one screen.

The network changes each pixel by a bounded residual (`models.enhancer`); the encoder stays as it is. No adversary takes
part: what it rewards is what looks real, and here nothing may be invented.

Shapes: B batch, H rows, W columns of a crop.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel

from usfm_studio.document.errors import NothingToLearn, WrongUsage
from usfm_studio.engine.device import Device
from usfm_studio.engine.learning.clock import Stage
from usfm_studio.engine.learning.degradation import Degradation
from usfm_studio.engine.learning.segmentation import schedule
from usfm_studio.engine.models.enhancer import GRID, WIDTHS, Enhancer, Reach
from usfm_studio.engine.models.placement import BOX
from usfm_studio.engine.scoring.pictures import K1, K2, RADIUS, SIGMA

TASK = "enhancement"
PATIENCE_WITH_NAN = 5
SMALLEST_CROP = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class EnhancementRecipe:
    """How a run learns to enhance. `degradation` is None where there are pairs to learn from.

    `l1`, `ssim` and `spectrum` weigh the parts of the loss; `crop_px` is the side of a crop at native size; `views` is
    the most frames that wait with the encoder's maps of them; `budget_s` counts from the request.
    """

    task: str
    encoder: str
    degradation: Degradation | None
    budget_s: float
    seed: int
    input_px: int = 256
    placement: str = BOX
    widths: tuple[int, int, int] = WIDTHS
    crop_px: int = 128
    batch: int = 8
    views: int = 300
    flip: bool = True
    l1: float = 1.0
    ssim: float = 0.5
    spectrum: float = 0.1
    rate: float = 2e-3
    weight_decay: float = 0.05
    warm_up: float = 0.05
    average: float = 0.99
    members_share: float = 0.6
    max_steps: int | None = None
    fingerprint: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values, as the card and the run folder hold them."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Batch:
    """Crops (B, 1, H, W) float 0..1: `x` as the machine gives them, `y` as they should be; the encoder's maps of the
    frames by stride, and where the crops lie in them."""

    x: Tensor
    y: Tensor
    maps: dict[int, Tensor]
    reach: Reach


def plan_enhancement(
    *, frames: int, subjects: int, paired: bool, encoder: str, budget_s: float, seed: int, options: dict[str, Any]
) -> EnhancementRecipe:
    """The recipe for these data. Raises NothingToLearn without a frame, WrongUsage for a foreign option.

    `options` may replace `batch`, `crop_px`, `views`, `flip`, `max_steps`.
    """
    if not frames:
        raise NothingToLearn("There is nothing to learn from yet", "there is no frame", "Add images, then try again.")
    given = {name: options[name] for name in ("batch", "crop_px", "views", "flip", "max_steps") if name in options}
    foreign = sorted(set(options) - set(given))
    if foreign:
        raise WrongUsage("The fine-tuning cannot start", f'the option "{foreign[0]}" is not known')
    recipe = EnhancementRecipe(
        task=TASK,
        encoder=encoder,
        degradation=None if paired else Degradation(),
        budget_s=budget_s,
        seed=seed,
        fingerprint={"frames": frames, "subjects": subjects, "paired": paired},
        **given,
    )
    if recipe.crop_px < SMALLEST_CROP or recipe.crop_px % GRID:
        why = f"a crop of {recipe.crop_px} px is no multiple of {GRID} from {SMALLEST_CROP} on"
        raise WrongUsage("The fine-tuning cannot start", why)
    return recipe


def learn_to_enhance(
    net: Enhancer,
    batches: Iterator[Batch],
    recipe: EnhancementRecipe,
    stage: Stage,
    *,
    device: Device,
    on_step: Callable[[int, float, Enhancer], None] = lambda _step, _loss, _average: None,
    stop: Callable[[], bool] = lambda: False,
) -> None:
    """Train `net` until the stage is over or `stop()`; it then holds the running average of its weights.

    `on_step` is told each step's number, loss and the average so far. Raises NothingToLearn when the loss stays without
    a number.
    """
    optimiser = _optimiser(net, recipe)
    running = AveragedModel(net, avg_fn=_average_of(recipe.average), use_buffers=True)
    average = cast(Enhancer, running.module)
    missed = 0
    while not stage.over and not stop():
        net.train()
        for group in optimiser.param_groups:
            group["lr"] = recipe.rate * schedule(stage.progress, recipe.warm_up)
        batch = next(batches)
        with device.autocast():
            y = net(batch.x, batch.maps, batch.reach)
        loss = enhancement_loss(y.float(), batch.y, recipe)
        value = float(loss.detach())
        stage.steps += 1
        missed = 0 if math.isfinite(value) else _missed_again(missed)
        if math.isfinite(value):
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 5.0)
            optimiser.step()
            running.update_parameters(net)
        on_step(stage.steps, value, average)
    net.load_state_dict(average.state_dict())
    net.eval()


def enhancement_loss(y_B1HW: Tensor, target_B1HW: Tensor, recipe: EnhancementRecipe) -> Tensor:
    """l1 · mean |difference| + ssim · (1 - SSIM) + spectrum · mean |its orthonormal spectrum|, on the scale 0..1."""
    difference = y_B1HW - target_B1HW
    spectrum = torch.fft.rfft2(difference, norm="ortho").abs().mean()
    unlike = 1 - ssim_of(y_B1HW, target_B1HW).mean()
    return recipe.l1 * difference.abs().mean() + recipe.ssim * unlike + recipe.spectrum * spectrum


def ssim_of(x_B1HW: Tensor, y_B1HW: Tensor) -> Tensor:
    """The SSIM of every window that lies whole in the image, for values 0..1: as `scoring.pictures.ssim`, to descend.

    (B, 1, H - 10, W - 10).
    """
    places = torch.arange(-RADIUS, RADIUS + 1, device=x_B1HW.device, dtype=x_B1HW.dtype)
    weights = torch.exp(-(places**2) / (2 * SIGMA**2))
    weights = weights / weights.sum()

    def local(z: Tensor) -> Tensor:
        return functional.conv2d(functional.conv2d(z, weights.view(1, 1, -1, 1)), weights.view(1, 1, 1, -1))

    mean_x, mean_y = local(x_B1HW), local(y_B1HW)
    var_x, var_y = local(x_B1HW**2) - mean_x**2, local(y_B1HW**2) - mean_y**2
    both = local(x_B1HW * y_B1HW) - mean_x * mean_y
    c1, c2 = K1**2, K2**2
    return (2 * mean_x * mean_y + c1) * (2 * both + c2) / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))


def _optimiser(net: Enhancer, recipe: EnhancementRecipe) -> torch.optim.Optimizer:
    """AdamW; weight decay for kernels alone."""
    kernels = [p for p in net.parameters() if p.ndim > 1]
    others = [p for p in net.parameters() if p.ndim == 1]
    groups = [{"params": kernels, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=recipe.rate)


def _average_of(most: float) -> Callable[[Tensor, Tensor, Any], Tensor]:
    """A running average whose memory grows with the steps: min(most, (1 + n) / (10 + n)); counters are copied."""

    def average(old: Tensor, new: Tensor, steps: Any) -> Tensor:
        keep = min(most, (1 + float(steps)) / (10 + float(steps)))
        return old.lerp(new, 1 - keep) if old.is_floating_point() else new

    return average


def _missed_again(missed: int) -> int:
    if missed + 1 >= PATIENCE_WITH_NAN:
        raise NothingToLearn(
            "Training did not work", "the numbers ran out of range several times in a row", "The old model stays."
        )
    return missed + 1
