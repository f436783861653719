"""What the recovered image is measured by: pixels of masked cells, and bins of removed rings.

Both are means over one image, then over the batch, so no image hides behind another. Targets are the clean images;
nothing is pasted into the recovered one: visible cells are filtered, and the frequency term is what teaches them.
All is in float32 whatever the autocast (double stays double).

Shapes: B batch, H rows, W columns, F = W // 2 + 1 columns of the half spectrum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import torch
from torch import Tensor, nn
from torch.nn import functional

from usfm_studio.engine.models.features import Features
from usfm_studio.engine.pretraining.masking import Corrupted, half_weights_F

Bins = Literal["removed", "all"]


class LossSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a recovered image is measured. Raises ValueError where values make no sense.

    `frequency_weight` is lambda in L = L_spatial + lambda L_frequency; with `balance_steps` above 0 it is replaced by
    the ratio of both gradients' norms at the decoder's last layer over that many first steps, then frozen. `focal` is
    the exponent of the weight of bins that are still wrong (0: none). `bins`: those removed, or `all`. `norm_target`:
    the decoder predicts patches of `patch_px` with mean 0 and deviation 1. `feature_weight` above 0 adds the cosine
    between the features of student and teacher, of the map with `feature_stride`.
    """

    frequency_weight: float = 0.5
    balance_steps: int = 0
    focal: float = 1.0
    bins: Bins = "removed"
    norm_target: bool = False
    patch_px: int = 16
    feature_weight: float = 0.0
    feature_stride: int = 16

    def __post_init__(self) -> None:
        if min(self.frequency_weight, self.balance_steps, self.focal, self.feature_weight) < 0:
            raise ValueError("weights, balance_steps and focal are not negative")
        if self.patch_px < 1 or self.feature_stride < 1:
            raise ValueError("patch_px and feature_stride are at least 1")


LOSS_PRESETS: dict[str, LossSettings] = {
    "usfm": LossSettings(),  # A2MIM's: L1 on masked pixels + 0.5 x focal loss of the spectrum
    "ours": LossSettings(balance_steps=100),
}


@dataclass(frozen=True, slots=True)
class LossParts:
    """The loss of a batch: `total` to descend, and its parts, image by image, without gradient.

    `frequency_weight` is the lambda used; `gradient_ratio` = lambda |g_frequency| / |g_spatial| at the last layer
    where it was measured, else nan. All are tensors on the device, so that reading them can wait.
    """

    total: Tensor
    spatial_B: Tensor
    frequency_B: Tensor
    frequency_weight: Tensor
    gradient_ratio: Tensor


def spatial_loss(difference_B1HW: Tensor, masked_B1HW: Tensor, valid_B1HW: Tensor) -> Tensor:
    """(B,) mean |difference| over masked valid pixels; over all valid ones where none is masked; 0 without any."""
    valid = valid_B1HW.to(difference_B1HW.dtype)
    inside = valid * masked_B1HW
    inside = torch.where(inside.sum((2, 3), keepdim=True) > 0, inside, valid)
    area_B = inside.sum((1, 2, 3))
    return (difference_B1HW.abs() * inside).sum((1, 2, 3)) / area_B.clamp_min(1)


def frequency_loss(
    difference_B1HW: Tensor, removed_BHF: Tensor, valid_B1HW: Tensor, focal: float = 0.0, bins: Bins = "removed"
) -> Tensor:
    """(B,) weighted mean of |F(difference * valid)| over removed bins, or all; 0 where none is removed.

    F is orthonormal; bins that stand twice in the full spectrum count twice. With `focal` each is weighted by
    (log(1 + |F|) / its maximum over the bins of the image) ** focal, without gradient (Jiang et al. 2021, there over
    the batch).
    """
    columns = difference_B1HW.shape[-1]
    spectrum_BHF = torch.fft.rfft2((difference_B1HW * valid_B1HW)[:, 0], norm="ortho")
    modulus_BHF = spectrum_BHF.abs()
    weight = half_weights_F(columns, modulus_BHF.device).to(modulus_BHF.dtype)
    weight_BHF = weight.expand_as(modulus_BHF) if bins == "all" else removed_BHF * weight
    count_B = weight_BHF.sum((1, 2))
    if focal > 0:
        hardness = torch.log1p(modulus_BHF.detach())
        largest = (hardness * (weight_BHF > 0)).amax((1, 2), keepdim=True)
        weight_BHF = weight_BHF * (hardness / largest.clamp_min(torch.finfo(hardness.dtype).tiny)).pow(focal)
    return (modulus_BHF * weight_BHF).sum((1, 2)) / count_B.clamp_min(1)


class RecoveryLoss(nn.Module):
    """L = L_spatial + lambda L_frequency. A module, because the balance of a run is state to be kept and restored.

    `calls_per_step` is the number of times it is called a step (micro-batches of gradient accumulation).
    """

    norms: Tensor
    calls: Tensor

    def __init__(self, settings: LossSettings, calls_per_step: int = 1) -> None:
        super().__init__()
        self.settings = settings
        self.balance_calls = settings.balance_steps * calls_per_step
        self.register_buffer("norms", torch.zeros(2, dtype=torch.float64))
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))
        self._called = 0

    def forward(
        self,
        y_B1HW: Tensor,
        x_B1HW: Tensor,
        corrupted: Corrupted,
        valid_B1HW: Tensor,
        last_layer: Tensor | None = None,
    ) -> LossParts:
        """The loss of a decoder's output `y` against the clean `x` (0..1), both (B, 1, H, W).

        `last_layer` is the weight at which the gradients are compared (a decoder's `last.weight`): given, the ratio is
        measured, which costs two short backward passes; while the balance is being set, `y` serves in its absence.
        """
        with torch.autocast(x_B1HW.device.type, enabled=False):
            y, x = _at_least_single(y_B1HW), _at_least_single(x_B1HW)
            difference, in_pixels = self._differences(y, x)
            spatial_B = spatial_loss(difference, corrupted.masked_B1HW, valid_B1HW)
            frequency_B = frequency_loss(
                in_pixels, corrupted.removed_BHF, valid_B1HW, self.settings.focal, self.settings.bins
            )
            spatial, frequency = spatial_B.mean(), frequency_B.mean()
            weight, ratio = self._weighed(spatial, frequency, y_B1HW, last_layer)
            total = spatial + weight.to(spatial.dtype) * frequency
        return LossParts(total, spatial_B.detach(), frequency_B.detach(), weight, ratio)

    @property
    def balancing(self) -> bool:
        """Whether the weight is still being set; while it is, pass `last_layer`."""
        return self._called < self.balance_calls

    def image(self, y_B1HW: Tensor, x_B1HW: Tensor) -> Tensor:
        """The decoder's output as an image in the scale of `x`; with `norm_target`, by the clean patches' moments."""
        if not self.settings.norm_target:
            return y_B1HW.float()
        mean, deviation = patch_moments(x_B1HW.float(), self.settings.patch_px)
        return y_B1HW.float() * deviation + mean

    def _differences(self, y: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """y - target in the target's scale, and in that of pixels."""
        if not self.settings.norm_target:
            return y - x, y - x
        mean, deviation = patch_moments(x, self.settings.patch_px)
        difference = y - (x - mean) / deviation
        return difference, difference * deviation

    def _weighed(
        self, spatial: Tensor, frequency: Tensor, y: Tensor, last_layer: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Lambda, and the measured ratio or nan."""
        learning = torch.is_grad_enabled() and spatial.requires_grad
        setting = learning and self.training and self.balancing
        norms = None
        if learning and (setting or last_layer is not None):
            norms = gradient_norms(spatial, frequency, y if last_layer is None else last_layer)
        if setting and norms is not None:
            usable = norms.isfinite().all() & (norms > 0).all()
            self.norms += torch.where(usable, norms, 0).to(self.norms)
            self.calls += 1
            self._called += 1
        fixed = torch.full_like(self.norms[0], self.settings.frequency_weight)
        balanced = (self.balance_calls > 0) & (self.norms[1] > 0)
        weight = torch.where(balanced, self.norms[0] / self.norms[1], fixed)
        ratio = weight * norms[1] / norms[0] if norms is not None else torch.full_like(weight, torch.nan)
        return weight, ratio

    def _load_from_state_dict(self, *given: Any) -> None:
        super()._load_from_state_dict(*given)
        self._called = int(self.calls)


def gradient_norms(spatial: Tensor, frequency: Tensor, at: Tensor) -> Tensor:
    """(2,) float64: norms of both losses' gradients at one tensor, of the mean over all ranks where there are several.

    The graph is kept for the step's own backward pass.
    """
    both = torch.stack(
        [torch.autograd.grad(loss, at, retain_graph=True)[0].double().flatten() for loss in (spatial, frequency)]
    )
    several = torch.distributed.is_available() and torch.distributed.is_initialized()
    if several and isinstance(at, nn.Parameter):
        torch.distributed.all_reduce(both)
        both /= torch.distributed.get_world_size()
    return both.norm(dim=1)


def patch_moments(x_B1HW: Tensor, patch_px: int) -> tuple[Tensor, Tensor]:
    """Mean and deviation of each square patch, spread over its pixels; variances get 1e-6 (He et al. 2022)."""
    rows, columns = x_B1HW.shape[-2:]

    def spread(x: Tensor) -> Tensor:
        mean = functional.avg_pool2d(x, patch_px, ceil_mode=True)
        return mean.repeat_interleave(patch_px, 2).repeat_interleave(patch_px, 3)[..., :rows, :columns]

    mean = spread(x_B1HW)
    return mean, (spread((x_B1HW - mean).square()) + 1e-6).sqrt()


class FeatureLoss(nn.Module):
    """1 - cosine between a student's features under the mask and a teacher's of the clean image, on masked cells.

    Target: the teacher's map, each channel with mean 0 and deviation 1 over the image (data2vec, Baevski et al. 2022),
    so that features that are equal everywhere earn nothing. A small predictor stands between; it is dropped afterwards.
    """

    def __init__(self, channels: dict[int, int], stride: int = 16) -> None:
        super().__init__()
        self.stride = stride
        width = channels[stride]
        self.predictor = nn.Sequential(nn.Conv2d(width, 2 * width, 1), nn.GELU(), nn.Conv2d(2 * width, width, 1))

    def forward(self, student: Features, teacher: Features, masked_B1HW: Tensor) -> Tensor:
        """(B,) losses, 0 to 2, over cells of the map that are at least half masked; over all where none is."""
        predicted_BChw = self.predictor(student.maps[self.stride])
        with torch.autocast(masked_B1HW.device.type, enabled=False):
            target_BChw = functional.instance_norm(teacher.maps[self.stride].detach().float())
            cosine_B1hw = functional.cosine_similarity(predicted_BChw.float(), target_BChw, dim=1)[:, None]
            share_B1hw = functional.interpolate(masked_B1HW.float(), cosine_B1hw.shape[-2:], mode="area")
            cell_B1hw = (share_B1hw >= 0.5).float()
            cell_B1hw = torch.where(cell_B1hw.sum((2, 3), keepdim=True) > 0, cell_B1hw, 1)
            return ((1 - cosine_B1hw) * cell_B1hw).sum((1, 2, 3)) / cell_B1hw.sum((1, 2, 3))


def _at_least_single(x: Tensor) -> Tensor:
    return x if x.dtype == torch.float64 else x.float()
