"""The decoder of pre-training: an encoder's features -> the clean image. It is dropped afterwards.

Shapes: B batch, C channels, H rows, W columns, P side of the square of pixels that one cell of a map gives.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from usfm_studio.engine.models.encoder import Encoder, Features

FPN_WIDTH, FINE_WIDTH = 64, 16
FINE_STRIDE = 2
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
    """A feature pyramid (Lin et al. 2017), 64 wide down to stride 4, 16 wide at stride 2; a cell gives its 2x2 pixels.

    The narrow last step recovers what 64 channels at stride 2 do for 0.4 of their time, and rings of the spectrum that
    stride 4 cannot (docs/adr/0022). `channels` has a map at each stride from 2 to the coarsest.
    """

    def __init__(self, channels: Mapping[int, int]) -> None:
        super().__init__()
        self.strides = sorted((s for s in channels if s > FINE_STRIDE), reverse=True)
        self.lateral = nn.ModuleList(nn.Conv2d(channels[s], FPN_WIDTH, 1) for s in self.strides)
        self.smooth = nn.Sequential(nn.Conv2d(FPN_WIDTH, FPN_WIDTH, 3, padding=1), nn.ReLU(inplace=True))
        self.narrow = nn.Conv2d(FPN_WIDTH, FINE_WIDTH, 1)
        self.fine = nn.Conv2d(channels[FINE_STRIDE], FINE_WIDTH, 1)
        self.join = nn.Sequential(
            nn.ReLU(inplace=True), nn.Conv2d(FINE_WIDTH, FINE_WIDTH, 3, padding=1), nn.ReLU(inplace=True)
        )
        self.last = nn.Conv2d(FINE_WIDTH, FINE_STRIDE * FINE_STRIDE, 1)

    def forward(self, features: Features) -> Tensor:
        """(B, 1, H, W)."""
        laterals = [layer(features.maps[s]) for s, layer in zip(self.strides, self.lateral, strict=True)]
        y = laterals[0]
        for (coarse, fine), lateral in zip(pairwise(self.strides), laterals[1:], strict=True):
            y = _enlarged(y, coarse // fine) + lateral
        y = _enlarged(self.narrow(self.smooth(y)), self.strides[-1] // FINE_STRIDE)
        return self._pixels(self.join(y + self.fine(features.maps[FINE_STRIDE])))


def _enlarged(x: Tensor, times: int) -> Tensor:
    return functional.interpolate(x, scale_factor=times, mode="nearest")
