"""One training step of EfficientNet-Lite0 and its decoder, with the library's depthwise backward pass and with ours.

    python benchmarks/training_step.py [--threads 1] [--steps 8]

Processor time, which hardly depends on the neighbours; batch 8, 192 x 256 px (a 512 x 346 scan at 256 px).
"""

import argparse
import os
import time

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch

from usfm_studio.engine.device import choose_device
from usfm_studio.engine.learning.clock import Clock, Stage
from usfm_studio.engine.learning.quick import quicken
from usfm_studio.engine.learning.samples import Batch, shares
from usfm_studio.engine.learning.segmentation import MaskNet, Rates, learn
from usfm_studio.engine.models.catalogue import shipped_encoder
from usfm_studio.engine.models.checkpoint import load_encoder
from usfm_studio.engine.models.decoder import LIGHT_WIDTHS, UNetDecoder

SHAPE = (8, 1, 192, 256)
WAYS = (
    ("all weights", Rates()),
    ("all but depthwise kernels", Rates(depthwise=False)),
    ("upper stages, no depthwise", Rates(frozen_stages=2, depthwise=False)),
)


def milliseconds(rates, quick, device, steps):
    """Processor time of a step, the first two left out."""
    torch.manual_seed(0)
    encoder = load_encoder(shipped_encoder())
    net = MaskNet(encoder, UNetDecoder(encoder.channels, 2, LIGHT_WIDTHS, 1)).to(memory_format=torch.channels_last)
    if quick:
        quicken(net.encoder)
    ids = np.random.default_rng(0).integers(0, 2, (SHAPE[0], *SHAPE[2:])).astype(np.uint8)
    batch = Batch(torch.rand(*SHAPE).contiguous(memory_format=torch.channels_last), shares(ids, 2))
    marks = []
    stage = Stage(Clock(1e6), 1e6, steps + 2)
    learn(
        net,
        iter(lambda: batch, None),
        rates,
        stage,
        device=device,
        on_step=lambda *_: marks.append(time.process_time()),
    )
    return (marks[-1] - marks[1]) / steps * 1e3


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=8)
    given = parser.parse_args()
    device = choose_device("cpu", given.threads)
    print(f"{device.name}, {given.threads} thread(s), {device.precision}; CPU ms a step")
    print(f"{'what moves':30} {'library':>8} {'ours':>8} {'ratio':>6}")
    for name, rates in WAYS:
        usual, ours = (milliseconds(rates, quick, device, given.steps) for quick in (False, True))
        print(f"{name:30} {usual:8.0f} {ours:8.0f} {usual / ours:6.2f}", flush=True)


if __name__ == "__main__":
    main()
