"""Encoders: what turns a grey image into features. The default family is EfficientNet-Lite.

The Lite networks are written here in plain torch, because importing `timm` costs twice as much as importing torch
and the host must be ready soon. Names and shapes of all tensors are those of `timm`'s `tf_efficientnet_lite*`, so
that a file of either loads in the other. A test holds both to the same features within 1e-5.

Shapes: B batch, C channels, H rows, W columns, D width of a vector.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from usfm_studio.document.errors import BadModel, WrongUsage

MULTIPLE = 32
"""Rows and columns of every input are multiples of this."""


@dataclass(frozen=True, slots=True)
class Features:
    """What an encoder makes of a batch.

    `maps` holds one map (B, C, H / stride, W / stride) by stride: 2, 4, 8, 16 and 32 for a pyramid, 16 alone for a
    ViT. `pooled_BD` sums the image up: mean and maximum of the two coarsest maps (a ViT: CLS, then mean and maximum
    of its map).
    """

    maps: dict[int, Tensor]
    pooled_BD: Tensor

    def map(self, change: Callable[[Tensor], Tensor]) -> Features:
        """The same features with every tensor changed by `change`."""
        return Features({s: change(m) for s, m in self.maps.items()}, change(self.pooled_BD))


class Encoder(nn.Module):
    """Any encoder. `channels` gives the width of the map at each stride, `pooled_width` that of the summary."""

    name: str
    channels: dict[int, int]
    pooled_width: int

    @abstractmethod
    def forward(self, x_BCHW: Tensor) -> Features:
        """Features of grey (C = 1) or three equal channels (C = 3), float 0..1; H and W multiples of 32."""

    def freeze_statistics(self) -> None:
        """Keep the statistics of normalisation layers as they are (call after `train()`)."""
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()


def pool_maps(maps: Sequence[Tensor]) -> Tensor:
    """Mean and maximum over space of each map, one after the other: (B, 2 * sum of C)."""
    return torch.cat([part for m in maps for part in (m.mean((2, 3)), m.amax((2, 3)))], 1)


def check_input(x_BCHW: Tensor) -> None:
    """Raise WrongUsage unless the batch has 1 or 3 channels and sides that are multiples of 32."""
    channels, rows, columns = x_BCHW.shape[1:]
    if channels not in (1, 3) or rows % MULTIPLE or columns % MULTIPLE or not rows or not columns:
        raise WrongUsage(
            "The encoder cannot take this image",
            f"it is {rows}x{columns} with {channels} channels; sides must be multiples of {MULTIPLE}, channels 1 or 3",
        )


class SameConv(nn.Conv2d):
    """Convolution with TensorFlow's SAME padding of an even-sided input: the odd pixel goes right and below."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        padding = kernel // 2 if stride == 1 else 0
        super().__init__(inputs, outputs, kernel, stride, padding=padding, groups=groups, bias=False)
        before = (kernel - stride) // 2
        self.around = (before, kernel - stride - before) * 2 if stride > 1 else None

    def forward(self, x: Tensor) -> Tensor:
        """Convolve."""
        return super().forward(x if self.around is None else functional.pad(x, self.around))


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)


class FirstBlock(nn.Module):
    """Depthwise then pointwise convolution; the block without expansion (timm: DepthwiseSeparableConv)."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.conv_dw = SameConv(inputs, inputs, kernel, groups=inputs)
        self.bn1 = _norm(inputs)
        self.conv_pw = SameConv(inputs, outputs, 1)
        self.bn2 = _norm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, H, W)."""
        x = functional.relu6(self.bn1(self.conv_dw(x)))
        return self.bn2(self.conv_pw(x))


class InvertedResidual(nn.Module):
    """Expand, convolve in depth, project; added to its input where shapes agree (MobileNetV2)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self.conv_pw = SameConv(inputs, wide, 1)
        self.bn1 = _norm(wide)
        self.conv_dw = SameConv(wide, wide, kernel, stride, groups=wide)
        self.bn2 = _norm(wide)
        self.conv_pwl = SameConv(wide, outputs, 1)
        self.bn3 = _norm(outputs)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, H / stride, W / stride)."""
        y = functional.relu6(self.bn1(self.conv_pw(x)))
        y = functional.relu6(self.bn2(self.conv_dw(y)))
        y = self.bn3(self.conv_pwl(y))
        return x + y if self.residual else y


STAGES = (  # repeats, kernel, stride, expansion, channels: EfficientNet-B0 (Tan and Le 2019, table 1)
    (1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)  # fmt: skip
STRIDE_AFTER_STAGE = {0: 2, 1: 4, 2: 8, 4: 16, 6: 32}
STEM = 32


def _rounded(channels: float) -> int:
    """Channels scaled and rounded to a multiple of 8, never down by more than a tenth."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * channels else nearest


class LiteEncoder(Encoder):
    """EfficientNet-Lite: ReLU6, no squeeze-excite, five maps at strides 2 to 32.

    Lite0 has channels 16, 24, 40, 112, 320. `width` scales channels, `depth` the repeats of the inner stages.
    """

    def __init__(self, name: str, width: float = 1.0, depth: float = 1.0) -> None:
        super().__init__()
        self.name = name
        self.conv_stem = SameConv(3, STEM, 3, 2)
        self.bn1 = _norm(STEM)
        stages, inputs, self.channels = [], STEM, {}
        for number, (repeats, kernel, stride, expansion, wanted) in enumerate(STAGES):
            outputs = _rounded(wanted * width)
            inner = 0 < number < len(STAGES) - 1
            blocks: list[nn.Module] = []
            for i in range(math.ceil(repeats * depth) if inner else repeats):
                if expansion == 1:
                    blocks.append(FirstBlock(inputs, outputs, kernel))
                else:
                    blocks.append(InvertedResidual(inputs, outputs, kernel, stride if i == 0 else 1, expansion))
                inputs = outputs
            stages.append(nn.Sequential(*blocks))
            if number in STRIDE_AFTER_STAGE:
                self.channels[STRIDE_AFTER_STAGE[number]] = outputs
        self.blocks = nn.Sequential(*stages)
        self.pooled_width = 2 * (self.channels[16] + self.channels[32])

    def forward(self, x_BCHW: Tensor) -> Features:
        """Five maps; see `Encoder.forward`."""
        check_input(x_BCHW)
        x = functional.relu6(self.bn1(self._stem((x_BCHW - 0.5) / 0.5)))
        maps = {}
        for number, stage in enumerate(self.blocks):
            x = stage(x)
            if number in STRIDE_AFTER_STAGE:
                maps[STRIDE_AFTER_STAGE[number]] = x
        return Features(maps, pool_maps([maps[16], maps[32]]).float())

    def _stem(self, x: Tensor) -> Tensor:
        """The first convolution; for one channel its kernels are summed, which is exact for equal channels."""
        if x.shape[1] == 3:
            return self.conv_stem(x)
        x = functional.pad(x, self.conv_stem.around or (0, 0, 0, 0))
        return functional.conv2d(x, self.conv_stem.weight.sum(1, keepdim=True), stride=2)


def _lite0() -> Encoder:
    return LiteEncoder("usfm_lite0")


def _lite2() -> Encoder:
    return LiteEncoder("usfm_lite2", width=1.1, depth=1.2)


ENCODERS = {"usfm_lite0": _lite0, "usfm_lite2": _lite2}


def build_encoder(name: str) -> Encoder:
    """The encoder of this catalogue name with random weights, in eval mode. Raises BadModel for a foreign name."""
    if name not in ENCODERS:
        raise BadModel(
            "The model cannot be used",
            f'it needs the encoder "{name}", which this program does not know',
            "Known are: " + ", ".join(ENCODERS) + ".",
        )
    return ENCODERS[name]().eval()
