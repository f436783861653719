"""The segmentation decoder: a U-Net over an encoder's maps, with a small stem of its own where the encoder is a ViT.

Shapes: B batch, C channels, H rows, W columns, K classes (background first).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from usfm_studio.engine.models.encoder import Features

WIDTHS = (96, 64, 48, 32)
LIGHT_WIDTHS = (64, 48, 32, 16)
STEM_WIDTHS = {2: 16, 4: 24, 8: 40}
OUTPUT_STRIDE = 2


class UNetDecoder(nn.Module):
    """Logits at stride 2 from maps at strides 2 to 32 (a pyramid) or at stride 16 alone (a ViT).

    `channels` is the encoder's; `widths` are those of strides 16, 8, 4, 2 (from the coarse end; a ViT uses the last
    three); `convs` 3x3 convolutions follow each joining. `UNetDecoder(c, k)` has 0.50 M parameters over Lite0,
    `UNetDecoder(c, k, LIGHT_WIDTHS, convs=1)` 0.19 M. Its BatchNorm statistics are buffers: an average of the
    weights over steps must average (or copy) them too.
    """

    def __init__(
        self, channels: Mapping[int, int], classes: int, widths: Sequence[int] = WIDTHS, convs: int = 2
    ) -> None:
        super().__init__()
        self.classes = classes
        coarsest = max(channels)
        self.own = {stride: width for stride, width in STEM_WIDTHS.items() if stride not in channels}
        self.stem = Stem(self.own) if self.own else None
        skips = {**self.own, **channels}
        self.strides = [s for s in (16, 8, 4, 2) if s < coarsest]
        self.coarsest = coarsest
        used = list(widths)[len(widths) - len(self.strides) :]
        self.entry = _conv(channels[coarsest], used[0], 1)
        self.levels = nn.ModuleList()
        for before, width, stride in zip([used[0], *used], used, self.strides, strict=False):
            parts = [_conv(before + skips[stride], width, 3)] + [_conv(width, width, 3) for _ in range(convs - 1)]
            self.levels.append(nn.Sequential(*parts))
        self.head = nn.Conv2d(used[-1], classes, 1)

    def forward(self, features: Features, x_BCHW: Tensor | None = None) -> Tensor:
        """Logits (B, K, H / 2, W / 2). `x_BCHW`, the encoder's own input, is needed beside a ViT alone."""
        maps = dict(features.maps)
        if self.stem is not None:
            if x_BCHW is None:
                raise ValueError("this decoder looks at the image too")
            maps |= self.stem(x_BCHW)
        y = self.entry(maps[self.coarsest])
        for stride, level in zip(self.strides, self.levels, strict=True):
            y = functional.interpolate(y, scale_factor=2, mode="nearest")
            y = level(torch.cat([y, maps[stride]], 1))
        return self.head(y)


class Stem(nn.Module):
    """Edges that a ViT's tokens lack: grey image -> maps at strides 2, 4, 8, learned with the decoder."""

    def __init__(self, widths: Mapping[int, int]) -> None:
        super().__init__()
        self.strides = sorted(widths)
        steps = pairwise([4, *(widths[s] for s in self.strides)])
        self.steps = nn.ModuleList(
            nn.Sequential(_conv(a, b, 3, 1 if i == 0 else 2), _conv(b, b, 3)) for i, (a, b) in enumerate(steps)
        )

    def forward(self, x_BCHW: Tensor) -> dict[int, Tensor]:
        """Maps by stride. The first step works on 2x2 blocks (pixel unshuffle), never at full resolution."""
        y = functional.pixel_unshuffle((x_BCHW.mean(1, keepdim=True) - 0.5) / 0.5, 2)
        maps = {}
        for stride, step in zip(self.strides, self.steps, strict=True):
            y = step(y)
            maps[stride] = y
        return maps


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )
