"""Where the cells of one frame are found in others: affinity of the frozen encoder's features.

The distance is STCN's (Cheng et al. 2021, negative squared L2), the softmax is over the 30 nearest cells. There is no
window around a cell: frames of a probe sweep may lie far apart.

Shapes: T frames of the loop, C channels, N cells of a frame (rows x columns at stride 8), M cells of the memory,
K segments.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from usfm_studio.engine.models.features import Features

STRIDE = 8
USED = (8, 16)
"""Strides of the maps that are matched: finer ones see speckle, coarser ones mostly the place in the image."""
TOP = 30
TEMPERATURE = 0.05
"""Of squared distances between descriptors in which each map has the mean squared length 1."""
LEAST_DEVIATION = 1e-2
RING = 2
"""Cells around a segment that tell it from what lies beside it."""


@dataclass(frozen=True, slots=True)
class Descriptors:
    """One (N, C) half precision matrix a frame; `grid_hw` are the rows and columns of cells."""

    frames: tuple[Tensor, ...]
    grid_hw: tuple[int, int]

    def some(self, frame: int, cells_N: Tensor | None = None) -> Tensor:
        """(n, C) float32: the descriptors of a frame, or of some of its cells (a bool for each)."""
        return self.frames[frame].float() if cells_N is None else self.frames[frame][cells_N].float()


class Gatherer:
    """Takes the features of a loop's frames one by one, and makes descriptors that count every channel alike."""

    def __init__(self) -> None:
        self._maps: list[dict[int, Tensor]] = []

    def add(self, features: Features) -> None:
        """The features of the next frame (B = 1); what is not matched is let go."""
        used = [stride for stride in USED if stride in features.maps] or [min(features.maps)]
        self._maps.append({stride: features.maps[stride].half() for stride in used})

    def descriptors(self) -> Descriptors:
        """Standardised over the loop. Raises ValueError where no frame was added."""
        if not self._maps:
            raise ValueError("there are no frames to match")
        strides = sorted(self._maps[0])
        scales = {stride: _scale(maps[stride] for maps in self._maps) for stride in strides}
        finest = self._maps[0][strides[0]]
        grid_hw = finest.shape[2] * strides[0] // STRIDE, finest.shape[3] * strides[0] // STRIDE
        frames = tuple(self._joined(maps, scales, grid_hw) for maps in self._maps)
        return Descriptors(frames, grid_hw)

    def _joined(
        self, maps: Mapping[int, Tensor], scales: Mapping[int, tuple[Tensor, Tensor]], grid_hw: tuple[int, int]
    ) -> Tensor:
        parts = []
        for stride, map_1Chw in sorted(maps.items()):
            mean, deviation = scales[stride]
            z = (map_1Chw.float() - mean) / deviation / map_1Chw.shape[1] ** 0.5
            parts.append(functional.interpolate(z, grid_hw, mode="bilinear", align_corners=False))
        return torch.cat(parts, 1)[0].flatten(1).T.contiguous().half()


def found_in(seen_NC: Tensor, memory_MC: Tensor, values_MK: Tensor) -> Tensor:
    """(N, K): the values of the 30 nearest cells of the memory, weighed by a softmax of their distances."""
    closeness_NM = torch.cdist(seen_NC, memory_MC).square_().div_(-TEMPERATURE)
    near, at = closeness_NM.topk(min(TOP, len(memory_MC)), dim=1)
    return (near.softmax(1)[:, :, None] * values_MK[at]).sum(1)


def around(cells_NK: Tensor, grid_hw: tuple[int, int]) -> Tensor:
    """(N,) bool: cells that a segment touches, and those within two cells of them."""
    touched_11hw = cells_NK.amax(1).reshape(1, 1, *grid_hw)
    return functional.max_pool2d(touched_11hw, 2 * RING + 1, 1, RING).flatten() > 0


def _scale(maps: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """Mean and deviation (1, C, 1, 1) of each channel over all frames."""
    total, squares, count = torch.zeros(()), torch.zeros(()), 0
    for map_1Chw in maps:
        x = map_1Chw.double()
        total, squares = total + x.sum((0, 2, 3), keepdim=True), squares + x.square().sum((0, 2, 3), keepdim=True)
        count += x.shape[2] * x.shape[3]
    mean = total / count
    deviation = (squares / count - mean.square()).clamp_min(0).sqrt()
    return mean.float(), deviation.float().clamp_min(LEAST_DEVIATION)
