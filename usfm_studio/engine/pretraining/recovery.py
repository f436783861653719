"""The decoder of pre-training: an encoder's features -> the clean image. It is dropped afterwards.

Shapes: B batch, C channels, H rows, W columns, P side of the square of pixels that one cell of a map gives.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from usfm_studio.engine.models.encoder import Encoder, Features

FPN_WIDTH = 64
FPN_STRIDE = 4
"""The finest map that the FPN reads and the stride at which it works; pixels come from the shuffle."""
MIDDLE, SPREAD = 0.5, 0.5
"""y = MIDDLE + SPREAD * output: the inverse of the default encoder's normalisation, so y has the scale of x."""


def recovery_decoder(encoder: Encoder) -> RecoveryDecoder:
    """The decoder that fits an encoder's maps: `LinearRecovery` for one map, `PyramidRecovery` for several.

    It takes `Features` and gives y (B, 1, H, W) on the scale 0..1, not clipped.
    """
    channels = encoder.channels
    if len(channels) == 1:
        ((stride, width),) = channels.items()
        return LinearRecovery(width, stride)
    return PyramidRecovery(channels)


class RecoveryDecoder(nn.Module):
    """Any of the two. `last` is the layer at whose weight the losses' gradients are balanced."""

    last: nn.Conv2d

    def _pixels(self, map_BChw: Tensor) -> Tensor:
        """The last 1x1 convolution to P * P channels, laid out as pixels."""
        y = self.last(map_BChw)
        return functional.pixel_shuffle(y, int(y.shape[1] ** 0.5)) * SPREAD + MIDDLE


class LinearRecovery(RecoveryDecoder):
    """One linear map from token to patch (Xie et al. 2022, SimMIM), after the norm that a ViT's features lack here."""

    def __init__(self, width: int, patch: int) -> None:
        super().__init__()
        self.stride = patch
        self.norm = nn.LayerNorm(width)
        self.last = nn.Conv2d(width, patch * patch, 1)

    def forward(self, features: Features) -> Tensor:
        """(B, 1, H, W)."""
        tokens = self.norm(features.maps[self.stride].movedim(1, -1))
        return self._pixels(tokens.movedim(-1, 1))


class PyramidRecovery(RecoveryDecoder):
    """A small feature pyramid (Lin et al. 2017) down to stride 4, then each cell gives its 4x4 pixels."""

    def __init__(self, channels: Mapping[int, int], width: int = FPN_WIDTH, stride: int = FPN_STRIDE) -> None:
        super().__init__()
        self.strides = sorted((s for s in channels if s >= stride), reverse=True)
        self.lateral = nn.ModuleList(nn.Conv2d(channels[s], width, 1) for s in self.strides)
        self.smooth = nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.ReLU(inplace=True))
        self.last = nn.Conv2d(width, stride * stride, 1)

    def forward(self, features: Features) -> Tensor:
        """(B, 1, H, W)."""
        laterals = [layer(features.maps[s]) for s, layer in zip(self.strides, self.lateral, strict=True)]
        y = laterals[0]
        for (coarse, fine), lateral in zip(pairwise(self.strides), laterals[1:], strict=True):
            y = functional.interpolate(y, scale_factor=coarse // fine, mode="nearest") + lateral
        return self._pixels(self.smooth(y))
