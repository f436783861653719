"""Statistics of BatchNorm for clean images.

Filled cells shift the means and variances that pre-training gathers; an encoder that keeps them reads clean images
wrongly. So they are estimated anew before anything is judged or kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, islice

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from usfm_studio.document.errors import NothingToLearn

CLEAN_BATCHES = 200


@torch.no_grad()
def refresh_batch_norm(network: nn.Module, batches: Iterable[Tensor], count: int = CLEAN_BATCHES) -> int:
    """Re-estimate all running statistics on clean batches (B, 1, H, W); the number of batches used.

    They become plain averages over up to `count` batches, which should be equally large. Weights, biases and the
    modes of all modules stay as they are; where it fails, the statistics do too. A network without BatchNorm reads
    nothing. Raises NothingToLearn where there is no batch.
    """
    layers = [m for m in network.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    if not layers:
        return 0
    wanted = islice(batches, count)
    first = next(wanted, None)
    if first is None:
        raise NothingToLearn("The encoder's statistics cannot be renewed", "there is no clean image")
    modes = {module: module.training for module in network.modules()}
    before = [(m.momentum, {k: v.clone() for k, v in m.named_buffers(recurse=False)}) for m in layers]
    used = 0
    try:
        network.eval()
        for layer in layers:
            layer.reset_running_stats()
            layer.momentum = None  # torch: a cumulative average
            layer.train()
        for used, x_B1HW in enumerate(chain([first], wanted), 1):  # noqa: B007 - the count is the result
            network(x_B1HW)
    except BaseException:
        for layer, (_, statistics) in zip(layers, before, strict=True):
            for name, value in statistics.items():
                getattr(layer, name).copy_(value)
        raise
    finally:
        for layer, (momentum, _) in zip(layers, before, strict=True):
            layer.momentum = momentum
        for module, training in modes.items():
            module.training = training
    return used
