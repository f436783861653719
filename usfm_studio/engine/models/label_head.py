"""The label head: one linear layer on a standardised summary of the image and of what was marked in it.

Shapes: B batch, D width of the summary, N labels, h x w the size of a map.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from usfm_studio.engine.models.encoder import Encoder, Features

MASKED_STRIDES = (8, 16, 32)
"""Maps that are averaged inside the marked area (those that the encoder has)."""


def summary_width(encoder: Encoder, masked: bool) -> int:
    """D of `summarise` for this encoder."""
    return encoder.pooled_width + (sum(encoder.channels.get(s, 0) for s in MASKED_STRIDES) if masked else 0)


def summarise(features: Features, foreground_BHW: Tensor | None) -> Tensor:
    """(B, D) float32: `pooled_BD`, then the mean of each coarse map inside the marked area, where one is given.

    `foreground_BHW` is the probability that a pixel is any segment, at any resolution. Where it marks nothing, the
    mean over the whole map stands in.
    """
    parts = [features.pooled_BD.float()]
    if foreground_BHW is not None:
        present = [features.maps[s] for s in MASKED_STRIDES if s in features.maps]
        parts += [_mean_inside(m.float(), foreground_BHW.float()) for m in present]
    return torch.cat(parts, 1)


def _mean_inside(map_BChw: Tensor, foreground_BHW: Tensor) -> Tensor:
    weight = functional.adaptive_avg_pool2d(foreground_BHW[:, None], (map_BChw.shape[2], map_BChw.shape[3]))
    marked = weight.sum((2, 3))
    inside = (map_BChw * weight).sum((2, 3)) / marked.clamp_min(1e-6)
    return torch.where(marked > 0.05, inside, map_BChw.mean((2, 3)))


class LabelHead(nn.Module):
    """Logits (B, N) from a summary (B, D). `mean_D` and `deviation_D` standardise it; both travel with the weights.

    `masked` says that the summary holds means inside the marked area.
    """

    mean_D: Tensor
    deviation_D: Tensor

    def __init__(self, width: int, labels: int, masked: bool) -> None:
        super().__init__()
        self.masked = masked
        self.register_buffer("mean_D", torch.zeros(width))
        self.register_buffer("deviation_D", torch.ones(width))
        self.linear = nn.Linear(width, labels)

    def forward(self, summary_BD: Tensor) -> Tensor:
        """Logits (B, N)."""
        return self.linear((summary_BD - self.mean_D) / self.deviation_D.clamp_min(1e-6))
