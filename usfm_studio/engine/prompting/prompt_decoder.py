"""The prompt decoder: a U-Net over an encoder's maps of a window and over what a person has pointed at there.

Shapes: B batch, C channels, P planes, H rows, W columns of the window (256), h, w of a map, D width of a projection.
The prompts enter at stride 2 and go down beside the encoder's maps; at strides 8 and 16 the features under positive and
negative marks are averaged and multiplied with all others, so that the net sees what looks like the marked spot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec
import torch
from msgspec import Meta
from torch import Tensor, nn
from torch.nn import functional

from usfm_studio.document.errors import BadModel

PLANES = 5
"""Image, last mask, positive marks, negative marks, box; each 0..1."""
SEEN = 4
"""The same with both kinds of marks in one, positive 1 and negative -1."""
STRIDES = (2, 4, 8, 16, 32)
PYRAMID = (4, 8, 16, 32)
"""The strides of the encoder's maps that are used: the finest costs much and tells little that the image does not."""
MATCHED = (8, 16)
LIKENESS = 24
TINY = 1e-3


Width = Annotated[int, Meta(ge=4, le=512)]
Widths = tuple[Width, Width, Width, Width, Width]


class PromptPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Widths at strides 2, 4, 8, 16, 32: of the way down (prompts) and of the way up. Multiples of 8 are quickest."""

    down: Widths = (16, 16, 24, 32, 48)
    up: Widths = (16, 24, 40, 64, 96)


class PromptDecoder(nn.Module):
    """Logits at stride 2 from maps at strides 4 to 32, the planes and their marks.

    `channels` is the encoder's widths by stride. Raises BadModel for an encoder without such maps (a ViT).
    """

    def __init__(self, channels: Mapping[int, int], plan: PromptPlan) -> None:
        super().__init__()
        if not set(PYRAMID) <= set(channels):
            raise BadModel("The prompt decoder cannot be made", "its encoder has no maps at strides 4 to 32")
        self.plan = plan
        down, up = (dict(zip(STRIDES, widths, strict=True)) for widths in (plan.down, plan.up))
        self.stem = conv(4 * SEEN, down[2], 3)
        self.falls = nn.ModuleList(conv(down[s // 2], down[s], 3, 2) for s in STRIDES[1:])
        self.likes = nn.ModuleList(normed(channels[s], LIKENESS) for s in MATCHED)
        self.entry = conv(channels[32] + down[32], up[32], 1)
        self.rises = nn.ModuleList()
        for stride in (16, 8, 4):
            met = up[2 * stride] + channels[stride] + down[stride] + (2 * LIKENESS if stride in MATCHED else 0)
            more = [] if stride == 4 else [conv(up[stride], up[stride], 3)]
            self.rises.append(nn.Sequential(conv(met, up[stride], 3), *more))
        self.last = conv(up[4] + down[2], up[2], 3)
        self.head = nn.Conv2d(up[2], 1, 1)

    def forward(self, maps: Sequence[Tensor], planes_BPhw: Tensor, marks: Sequence[Tensor]) -> Tensor:
        """Logits (B, 1, H / 2, W / 2) from the maps at `PYRAMID`'s strides, and from what `inputs_of` gives."""
        by_stride = dict(zip(PYRAMID, maps, strict=True))
        low = {2: self.stem(planes_BPhw)}
        for stride, fall in zip(STRIDES[1:], self.falls, strict=True):
            low[stride] = fall(low[stride // 2])
        y = self.entry(torch.cat([by_stride[32], low[32]], 1))
        likes = {
            s: (like, marks[2 * i : 2 * i + 2]) for i, (s, like) in enumerate(zip(MATCHED, self.likes, strict=True))
        }
        for stride, rise in zip((16, 8, 4), self.rises, strict=True):
            met = [functional.interpolate(y, scale_factor=2, mode="nearest"), by_stride[stride], low[stride]]
            if stride in likes:
                like, marked = likes[stride]
                met += alike(like(by_stride[stride]), marked)
            y = rise(torch.cat(met, 1))
        y = functional.interpolate(y, scale_factor=2, mode="nearest")
        return self.head(self.last(torch.cat([y, low[2]], 1)))


def alike(x_BDhw: Tensor, marks: Sequence[Tensor]) -> list[Tensor]:
    """Each feature times the mean feature under each kind of marks (B, 1, h, w), 0 where none are."""
    found = []
    for weight in marks:
        mean = (x_BDhw * weight).mean((2, 3), keepdim=True) / (weight.mean((2, 3), keepdim=True) + TINY)
        found.append(x_BDhw * mean)
    return found


def inputs_of(planes_BPHW: Tensor) -> tuple[Tensor, list[Tensor]]:
    """What `PromptDecoder` takes beside the maps, from the planes of `window.planes`, float32 0..1.

    The planes as 2 x 2 blocks (image and last mask around 0); and how much of each cell is marked, as (B, 1, h, w):
    positive and negative at stride 8, then at 16.
    """
    marks = planes_BPHW[:, 2:3] - planes_BPHW[:, 3:4]
    seen = torch.cat([planes_BPHW[:, :2] * 2 - 1, marks, planes_BPHW[:, 4:]], 1)
    shares = [functional.avg_pool2d(planes_BPHW[:, sign : sign + 1], s) for s in MATCHED for sign in (2, 3)]
    return functional.pixel_unshuffle(seen, 2), shares


def conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Convolution, normalisation, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def normed(inputs: int, outputs: int) -> nn.Sequential:
    """A projection, normalised."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))
