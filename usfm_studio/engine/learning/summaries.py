"""Summaries of frames for the label head: what the encoder makes of them, and of what the decoder marks in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from usfm_studio.document.snapshot import Sample, Snapshot
from usfm_studio.engine.device import Device
from usfm_studio.engine.models.checkpoint import LoadedModel
from usfm_studio.engine.models.fuse import fused
from usfm_studio.engine.models.label_head import summarise
from usfm_studio.engine.models.placement import place


@torch.inference_mode()
def summaries(
    model: LoadedModel,
    snapshot: Snapshot,
    samples: Sequence[Sample],
    device: Device,
    check: Callable[[], None] = lambda: None,
) -> NDArray[np.float64]:
    """(N, D): `summarise` of each frame by what the label head looks with, and the model's own marks where it marks."""
    encoder = fused(model.encoder).to(device.kind).to(memory_format=torch.channels_last)
    apart = model.label_encoder
    looker = encoder if apart is None else fused(apart).to(device.kind).to(memory_format=torch.channels_last)
    decoder = None if model.decoder is None else fused(model.decoder).to(device.kind)
    rows: list[NDArray[np.float64]] = []
    for sample in samples:
        check()
        x_CHW, _ = place(np.asarray(snapshot.pixels(sample)), model.card.input_px, model.preparation.placement)
        x_BCHW = torch.from_numpy(x_CHW)[None].to(device.kind).contiguous(memory_format=torch.channels_last)
        features = encoder(x_BCHW)
        foreground: Tensor | None = None
        if decoder is not None:
            foreground = 1 - torch.softmax(decoder(features, x_BCHW).float(), 1)[:, 0]
        seen = features if looker is encoder else looker(x_BCHW)
        rows.append(summarise(seen, foreground)[0].double().cpu().numpy())
    return np.stack(rows)
