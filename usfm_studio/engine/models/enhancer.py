"""The enhancement network: a bounded change of each pixel, from a narrow branch at native size and the encoder's maps.

The branch sees every pixel and little around it; the maps, made once from the whole frame at the encoder's own size,
say what it is a part of. Maps are sampled where the branch's cells lie, so one network serves frames of every size and
any piece of a frame.

Shapes: B batch, C channels, H rows, W columns of a piece of the frame (multiples of GRID), h, w of a map.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from usfm_studio.engine.models.placement import Placement

GRID = 8
"""Rows and columns that the network takes are multiples of this."""
BOUND = 0.2
"""No pixel changes by more than this part of the range: the network can sharpen and smooth, not invent."""
WIDTHS = (12, 24, 48)
COARSE_WIDTH, FINE_WIDTH = 32, 16
FINE_PX, COARSE_PX = 4, 8
"""Native pixels of a cell where the encoder's finest map joins (stride 4), and all its coarser ones."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Where the cells of a piece lie in the encoder's maps: (down (B, H / px, h), across (B, W / px, w)) by stride.

    `fine` is for the finest map that joins, `coarse` for that and all coarser ones.
    """

    fine: tuple[Tensor, Tensor]
    coarse: Mapping[int, tuple[Tensor, Tensor]]

    def to(self, device: str) -> Reach:
        """The same on a device."""
        fine = self.fine[0].to(device), self.fine[1].to(device)
        return Reach(fine, {s: (down.to(device), across.to(device)) for s, (down, across) in self.coarse.items()})


class Enhancer(nn.Module):
    """The change of each pixel, as a U-Net at strides 2, 4 and 8 of the native image that the encoder's maps join.

    `channels` is the encoder's; `widths` those at strides 2, 4, 8. 0.11 M parameters over Lite0. Its last layer begins
    with zeros: an untrained network changes nothing.
    """

    def __init__(self, channels: Mapping[int, int], widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        joining = {s: width for s, width in channels.items() if s >= FINE_PX}
        self.fine_stride = min(joining)
        self.strides = sorted(s for s in joining if s >= COARSE_PX)
        two, four, eight = widths
        self.down2, self.down4, self.down8 = _conv(4, two), _conv(two, four, 2), _conv(four, eight, 2)
        self.fine = nn.Conv2d(joining[self.fine_stride], FINE_WIDTH, 1)
        self.coarse = nn.ModuleDict({str(s): nn.Conv2d(joining[s], COARSE_WIDTH, 1) for s in self.strides})
        self.middle = nn.Sequential(_conv(eight + COARSE_WIDTH, eight), _conv(eight, eight))
        self.up4 = _conv(eight + four + FINE_WIDTH, four)
        self.up2 = _conv(four + two, 2 * two)
        self.last = nn.Conv2d(2 * two, 4, 1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(self, x_B1HW: Tensor, maps: Mapping[int, Tensor], reach: Reach) -> Tensor:
        """The enhanced piece (B, 1, H, W), not clipped, of grey 0..1."""
        coarse, fine = self.context(maps, reach)
        return x_B1HW + bounded(self.detail(blocks(x_B1HW), coarse, fine))

    def context(self, maps: Mapping[int, Tensor], reach: Reach) -> tuple[Tensor, Tensor]:
        """What the encoder says of the piece's cells: (B, C, H / 8, W / 8) and (B, C, H / 4, W / 4)."""
        parts = [_sampled(self.coarse[str(s)](maps[s]), *reach.coarse[s]) for s in self.strides]
        coarse = torch.stack(parts).sum(0)
        return coarse, _sampled(self.fine(maps[self.fine_stride]), *reach.fine)

    def detail(self, blocks_B4hw: Tensor, coarse_BChw: Tensor, fine_BChw: Tensor) -> Tensor:
        """(B, 4, H / 2, W / 2): the change of the 2x2 pixels of each block, before it is bounded."""
        y2 = self.down2(blocks_B4hw)
        y4 = self.down4(y2)
        y8 = self.middle(torch.cat([self.down8(y4), coarse_BChw], 1))
        beside = torch.cat([y4, fine_BChw], 1)  # joined in pairs: `graph_rewriting` then saves the enlarging
        y4 = self.up4(torch.cat([_enlarged(y8), beside], 1))
        return self.last(self.up2(torch.cat([_enlarged(y4), y2], 1)))


def blocks(x_B1HW: Tensor) -> Tensor:
    """(B, 4, H / 2, W / 2): the pixels of each 2x2 block, about 0."""
    return functional.pixel_unshuffle(x_B1HW - 0.5, 2)


def bounded(change_B4hw: Tensor) -> Tensor:
    """(B, 1, H, W) within ±BOUND, from the changes of 2x2 blocks."""
    return BOUND * torch.tanh(functional.pixel_shuffle(change_B4hw, 2))


def reach_of(
    placement: Placement,
    strides: Sequence[int],
    fine_stride: int,
    window: tuple[slice, slice],
) -> Reach:
    """The reach (B = 1) of a piece of a frame: `window` are rows and columns in native pixels, whose lengths are
    multiples of GRID. It may begin before the frame and end behind it. `placement` is the frame's in the encoder.
    """

    def matrices(stride: int, px: int) -> tuple[Tensor, Tensor]:
        sides = []
        for axis, part in enumerate(window):
            native = (part.start + (np.arange((part.stop - part.start) // px) + 0.5) * px) / placement.native_rc[axis]
            placed = placement.offset_rc[axis] + native * placement.content_rc[axis]
            sides.append(torch.from_numpy(weights(placed / stride - 0.5, placement.size_rc[axis] // stride))[None])
        return sides[0], sides[1]

    return Reach(matrices(fine_stride, FINE_PX), {s: matrices(s, COARSE_PX) for s in strides})


def weights(places: NDArray[np.float64], length: int) -> NDArray[np.float32]:
    """(len(places), length) float32: linear interpolation at places 0..length - 1; beyond, the last cell is taken."""
    places = np.clip(places, 0, length - 1)
    low = np.minimum(places.astype(np.intp), max(0, length - 2))
    share = (places - low).astype(np.float32)
    rows, matrix = np.arange(len(places)), np.zeros((len(places), length), np.float32)
    matrix[rows, low] = 1 - share
    matrix[rows, np.minimum(low + 1, length - 1)] += share
    return matrix


def _sampled(map_BChw: Tensor, down_BHh: Tensor, across_BWw: Tensor) -> Tensor:
    return (down_BHh[:, None] @ map_BChw) @ across_BWw.transpose(1, 2)[:, None]


def _enlarged(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2, mode="nearest")


def _conv(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )
