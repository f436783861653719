"""The encoder that a name means: a folder, one that ships, or `random:NAME`, an untrained one."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from usfm_studio.engine.models.catalogue import CARD, read_card, shipped_encoder
from usfm_studio.engine.models.checkpoint import load_encoder
from usfm_studio.engine.models.encoder import Encoder, build_encoder

RANDOM = "random:"
NOISE_BHW = 8, 96, 96
GRAINS = (1, 4, 16)


def probed_encoder(name: str, seed: int = 0) -> tuple[Encoder, str]:
    """(the encoder in eval mode, its digest). Raises BadModel, NotFound for a name whose weights are not here."""
    if name.startswith(RANDOM):
        return untrained(name.removeprefix(RANDOM), seed), f"{name}:{seed}"
    folder = Path(name) if (Path(name) / CARD).is_file() else shipped_encoder(name)
    return load_encoder(folder), read_card(folder).digest


def untrained(name: str, seed: int = 0) -> Encoder:
    """The encoder with random weights, the same for a seed; kernels by He's rule (2015).

    Its BatchNorm statistics are those of blurred noise: with the usual 0 and 1 the signal would die on its way.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = build_encoder(name)
        norms = [m for m in encoder.modules() if isinstance(m, nn.BatchNorm2d)]
        if norms:
            for module in encoder.modules():
                if isinstance(module, nn.Conv2d):
                    nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            _settle(encoder, norms)
    return encoder.eval()


@torch.no_grad()
def _settle(encoder: Encoder, norms: list[nn.BatchNorm2d]) -> None:
    usual = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over all batches
    encoder.train()
    for grain in GRAINS:
        batch, rows, columns = NOISE_BHW
        coarse = torch.rand(batch, 1, rows // grain, columns // grain)
        encoder(functional.interpolate(coarse, (rows, columns), mode="bilinear"))
    for norm, momentum in zip(norms, usual, strict=True):
        norm.momentum = momentum
