"""Claim: a proposal for a 512x400 still takes at most 150 ms on two cores with the default encoder (target 60 ms).

Everything from pixels in shared memory to a native mask back in the program, through the real host; beside it the
prediction alone, in this process, with a warm embedding cache, and a baseline: the same networks as they were trained,
neither folded nor in channels-last order. Run: `OMP_WAIT_POLICY=PASSIVE python benchmarks/predict_speed.py`.
"""

import os
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch

from usfm_studio.document.model_card import ModelCard
from usfm_studio.engine.client import Engine
from usfm_studio.engine.device import choose_device
from usfm_studio.engine.doors import FramePixels
from usfm_studio.engine.models.blueprint import DecoderPlan
from usfm_studio.engine.models.catalogue import read_card, shipped_encoder
from usfm_studio.engine.models.checkpoint import build_decoder, load_encoder, load_model, save_model, tensors_of
from usfm_studio.engine.models.embeddings import EmbeddingCache
from usfm_studio.engine.models.placement import place
from usfm_studio.engine.models.predictor import Predictor

FRAMES = 40
PLANS = {"wide decoder": ([96, 64, 48, 32], 2), "light decoder": ([64, 48, 32, 16], 1)}


def a_model(folder: Path, widths: list[int], convs: int) -> Path:
    encoder = load_encoder(shipped_encoder())
    plan = {"widths": widths, "convs": convs}
    card = ModelCard(
        digest="", name="bench", task="segmentation", encoder="usfm_lite0",
        encoder_digest=read_card(shipped_encoder()).digest, segments={1: "a"},
        settings={"architecture": {"decoder": plan}},
    )  # fmt: skip
    decoder = build_decoder(DecoderPlan(widths=tuple(widths), convs=convs), encoder, 1)
    save_model(folder, card, tensors_of(decoder=decoder))
    return folder


def timed(act, frames) -> str:
    for frame in frames[:3]:
        act(frame)
    walls, cpus = [], []
    for frame in frames[3:]:
        wall, cpu = time.perf_counter(), time.process_time()
        act(frame)
        walls.append(1000 * (time.perf_counter() - wall))
        cpus.append(1000 * (time.process_time() - cpu))
    ordered = sorted(walls)
    return (
        f"wall p50 {statistics.median(walls):6.1f}  p95 {ordered[int(0.95 * len(ordered))]:6.1f}  "
        f"CPU here {statistics.median(cpus):6.1f} ms"
    )


def baseline(folder: Path):
    model = load_model(folder)

    @torch.inference_mode()
    def act(pixels):
        x_CHW, placement = place(pixels, 256)
        x_BCHW = torch.from_numpy(x_CHW)[None]
        p = model.decoder(model.encoder(x_BCHW), x_BCHW).softmax(1)
        placement.back(p[0].numpy()).argmax(0)

    return act


def main() -> None:
    rng = np.random.default_rng(0)
    device = choose_device("cpu", 2)
    print(f"{device.name}, {device.threads} threads, decoder {device.precision}, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as name:
        begun = time.perf_counter()
        engine = Engine(device="cpu", threads=2)
        engine.device().result(300)
        print(f"host ready and device told after {time.perf_counter() - begun:.1f} s")
        for title, (widths, convs) in PLANS.items():
            folder = a_model(Path(name) / title.split()[0], widths, convs)
            engine.warm(folder).result(300)
            frames = [rng.integers(0, 255, (400, 512)).astype(np.uint8) for _ in range(FRAMES)]
            cached = Predictor(load_model(folder), device, EmbeddingCache(None))
            for frame in frames:
                cached.predict(frame)
            print(title)
            print("  through the host  ", timed(lambda f, m=folder: engine.propose(
                [FramePixels(key="f", array=f)], m).result(60), frames))  # fmt: skip
            print("  in this process   ", timed(Predictor(load_model(folder), device).predict, frames))
            print("  embedding cached  ", timed(cached.predict, frames))
            print("  baseline          ", timed(baseline(folder), frames))
        engine.stop()


if __name__ == "__main__":
    main()
