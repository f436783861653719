"""EfficientNet-Lite, the default family of encoders.

Written here in plain torch, because importing `timm` costs twice as much as importing torch and the host must be
ready soon. Names and shapes of all tensors are those of `timm`'s `tf_efficientnet_lite*`, so that a file of either
loads in the other; a test holds both to the same features.

The head convolution (320 to 1280 channels) is left out: on two sets of labelled images, linear labels from the means
and maxima of the two coarsest maps were no worse than from its output (macro F1 0.735 against 0.727 on breast lesions,
0.768 against 0.732 on gallbladders, a fifth of the subjects, mean of five subsets).
"""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn import functional

from usfm_studio.engine.models.features import Encoder, Features, check_input, pool_maps


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
        return functional.conv2d(x, self.conv_stem.weight.sum(1, keepdim=True), self.conv_stem.bias, stride=2)
