"""Masking and losses of pre-training cost little beside a bare forward and backward pass of the same encoder.

    python benchmarks/pretraining_cost.py [--encoder usfm_lite0] [--batch 16] [--px 192] [--threads 1] [--steps 8]
                                          [--data CORPUS]

Per step, on the CPU and on a GPU where there is one: the bare pass of the encoder (mean of its maps), corruption, both
losses with their way back to the recovered image, the decoder, and what the whole step takes; with a packed corpus
also reading, decoding and cropping its images, in this process, where nothing hides it. All of it is measured in turns
within one run on the same batches, and the median of the turns is shown: on the CPU in processor time, which hardly
depends on neighbours, on a GPU in seconds of the clock. Products a second stand beside what a large matrix
product reaches on the same device.
"""

import argparse
import os
import time
from statistics import median

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import msgspec
import torch
from torch.utils.flop_counter import FlopCounterMode

from usfm_studio.engine.device import choose_device
from usfm_studio.engine.learning.quick import quicken
from usfm_studio.engine.models.encoder import ENCODERS, build_encoder
from usfm_studio.engine.pretraining.batches import Batches, as_images, stream
from usfm_studio.engine.pretraining.draws import keys_B
from usfm_studio.engine.pretraining.losses import LOSS_PRESETS, RecoveryLoss
from usfm_studio.engine.pretraining.masking import MASK_PRESETS, Corruption
from usfm_studio.engine.pretraining.ranks import Place
from usfm_studio.engine.pretraining.recipe import recipe_of
from usfm_studio.engine.pretraining.recovery import recovery_decoder

WARM_UP = 2


def batches(given, device):
    """(x_B1HW, valid_B1HW) without end: of a corpus where one is given, else made of noise."""
    if given.data:
        recipe = recipe_of({"data": given.data, "batch": given.batch, "px": given.px, "steps": 10**6})
        for batch in stream(Batches(recipe, Place()), 0, workers=0, pinned=False):
            yield as_images(batch, device)
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(given.batch, 1, given.px, given.px, generator=generator)
    valid = torch.zeros_like(x, dtype=torch.bool)
    valid[..., given.px // 16 : -given.px // 16] = True
    while True:
        yield (x * valid).to(device), valid.to(device)


class Parts:
    """The parts of a step, each run alone on what the parts before it made."""

    def __init__(self, given, device):
        torch.manual_seed(0)
        self.device = device
        self.encoder = build_encoder(given.encoder).train().to(device.kind)
        self.decoder = recovery_decoder(self.encoder).to(device.kind)
        if device.is_cpu and given.quick:
            quicken(self.encoder)
        masks = MASK_PRESETS[given.preset]
        self.corrupt = Corruption(msgspec.structs.replace(masks, fill=given.fill or masks.fill))
        # Only the first hundred steps measure gradients; here is the usual step.
        self.loss = RecoveryLoss(msgspec.structs.replace(LOSS_PRESETS[given.preset], balance_steps=0))
        self.index_B = torch.arange(given.batch, device=device.kind)

    def bare(self, x):
        with self.device.autocast():
            maps = self.encoder(x).maps.values()
        sum(m.float().mean() for m in maps).backward()

    def corruption(self, x, valid, step):
        return self.corrupt(x, valid, keys_B(0, step, 0, self.index_B))

    def losses(self, y, x, corrupted, valid):
        y = y.detach().requires_grad_()
        self.loss(y, x, corrupted, valid).total.backward()

    def decoding(self, features):
        with self.device.autocast():
            y = self.decoder(features)
        y.float().mean().backward()

    def whole(self, x, valid, step):
        corrupted = self.corruption(x, valid, step)
        with self.device.autocast():
            y = self.decoder(self.encoder(corrupted.x_B1HW))
        self.loss(y, x, corrupted, valid).total.backward()


def seconds(parts, given):
    """Medians by part."""
    taken = {}

    def timed(name, work, *arguments):
        clock = time.process_time if parts.device.is_cpu else synchronised
        start = clock()
        result = work(*arguments)
        taken.setdefault(name, []).append(clock() - start)
        return result

    source = batches(given, parts.device.kind)
    for step in range(WARM_UP + given.steps):
        x, valid = timed("loading", next, source)
        timed("bare", parts.bare, x)
        corrupted = timed("masking", parts.corruption, x, valid, step)
        with torch.no_grad(), parts.device.autocast():
            features = parts.encoder(corrupted.x_B1HW)
            y = parts.decoder(features)
        timed("losses", parts.losses, y, x, corrupted, valid)
        timed("decoder", parts.decoding, features.map(lambda m: m.detach().requires_grad_()))
        timed("whole step", parts.whole, x, valid, step)
    return {name: median(times[WARM_UP:]) for name, times in taken.items()}


def synchronised():
    torch.cuda.synchronize()
    return time.perf_counter()


def products_per_second(device):
    """Floating-point operations a second of a large matrix product in the precision of training: the device's peak."""
    side = 1024 if device.is_cpu else 8192
    dtype = torch.bfloat16 if device.precision == "bf16" else torch.float32
    a = torch.rand(side, side, device=device.kind, dtype=dtype)
    clock = time.process_time if device.is_cpu else synchronised
    best = 0.0
    for _ in range(12):
        start = clock()
        a @ a
        best = max(best, 2 * side**3 / (clock() - start))
    return best


def operations(parts, given):
    """Floating-point operations of the bare pass: three times those of the way forward.

    Counted so, because torch's counter takes the way back of depthwise convolutions for that of dense ones.
    """
    x, _ = next(batches(given, parts.device.kind))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        parts.encoder(x)
    return 3 * counter.get_total_flops()


def report(given, device):
    parts = Parts(given, device)
    count = operations(parts, given)
    taken = seconds(parts, given)
    bare, peak = taken["bare"], products_per_second(device)
    print(f"{device.name}, {device.precision}, {given.encoder}, batch {given.batch}, {given.px} px, {given.preset}")
    for name, time_s in taken.items():
        print(f"  {name:18} {time_s * 1e3:9.2f} ms {time_s / bare:7.3f} of bare")
    added = ["masking", "losses", *(["loading"] if given.data else [])]
    extra = sum(taken[name] for name in added)
    print(f"  {' + '.join(added)}: {extra * 1e3:.2f} ms, {extra / bare:.3f} of bare")
    rate = count / bare
    print(f"  bare pass: {rate / 1e9:.1f} GFLOP/s, {rate / peak:.1%} of a large product's {peak / 1e9:.0f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", choices=ENCODERS, default="usfm_lite0")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--px", type=int, default=192)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--preset", choices=MASK_PRESETS, default="ours")
    parser.add_argument("--fill", choices=("mean", "noise", "add", "mix"), help="in the place of the preset's")
    parser.add_argument("--data", default="", help="a packed corpus, to measure loading with its images")
    parser.add_argument("--quick", action="store_true", help="on a CPU, the quick backward pass of depthwise layers")
    given = parser.parse_args()
    report(given, choose_device("cpu", given.threads))
    if torch.cuda.is_available():
        report(given, choose_device("cuda", given.threads))


if __name__ == "__main__":
    main()
