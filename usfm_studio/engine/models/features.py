"""What an encoder is: grey images in, features out.

Shapes: B batch, C channels, H rows, W columns, D width of a vector.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from usfm_studio.document.errors import WrongUsage

MULTIPLE = 32
"""Every encoder takes rows and columns that are multiples of this: what frames are placed on."""


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
    """Any encoder. `channels` gives the width of the map at each stride, `pooled_width` that of the summary.

    `multiple`: rows and columns of its input are multiples of this: its coarsest stride, or its patch.
    """

    name: str
    multiple: int = MULTIPLE
    channels: dict[int, int]
    pooled_width: int

    @abstractmethod
    def forward(self, x_BCHW: Tensor) -> Features:
        """Features of grey (C = 1) or three equal channels (C = 3), float 0..1; H and W multiples of `multiple`.

        Raises WrongUsage for other shapes.
        """


def pool_maps(maps: Sequence[Tensor]) -> Tensor:
    """Mean and maximum over space of each map, one after the other: (B, 2 * sum of C)."""
    return torch.cat([part for m in maps for part in (m.mean((2, 3)), m.amax((2, 3)))], 1)


def check_input(x_BCHW: Tensor, multiple: int = MULTIPLE) -> None:
    """Raise WrongUsage unless the batch has 1 or 3 channels and sides that are multiples of `multiple`."""
    channels, rows, columns = x_BCHW.shape[1:]
    if channels not in (1, 3) or rows % multiple or columns % multiple or not rows or not columns:
        raise WrongUsage(
            "The encoder cannot take this image",
            f"it is {rows}x{columns} with {channels} channels; sides must be multiples of {multiple}, channels 1 or 3",
        )
