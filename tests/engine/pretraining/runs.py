"""Small corpora of painted speckle, and runs on them: in this process, or in a child of its own."""

import hashlib
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from usfm_studio.engine.corpus.shards import PackedFrame, ShardWriter
from usfm_studio.engine.pretrainer import pretrain
from usfm_studio.engine.pretraining.record import lines_of
from usfm_studio.engine.pretraining_order import PretrainingOrder

SMALL = ("px=64", "batch=2", "workers=0", "mask.cell_px=16", "precision=f32", "log.every=1", "log.pictures=0")
RECIPE = "usfm_lite0_cpu"


def code(text):
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def painted(seed, px=80):
    """Soft blobs under multiplicative speckle, in a fan-shaped sector: (px, px) uint8 and bool."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:px, :px]
    grey = sum(
        rng.uniform(60, 200) * np.exp(-((y - a) ** 2 + (x - b) ** 2) / (2 * r * r))
        for a, b, r in zip(*rng.uniform(0, px, (2, 5)), rng.uniform(px / 12, px / 4, 5), strict=True)
    )
    valid = np.abs(x - px / 2) <= 10 + y / 2
    speckled = np.clip(grey * rng.gamma(2, 0.5, grey.shape), 0, 255)
    return (speckled * valid).astype(np.uint8), valid


def a_corpus(folder, images=12, px=80, shard_bytes=1 << 22, frames=None):
    """A packed corpus: `frames` as (grey, valid), or painted ones; two organs, three images a subject."""
    frames = frames or [painted(i, px) for i in range(images)]
    with ShardWriter(Path(folder), px, shard_bytes) as writer:
        for i, (grey, valid) in enumerate(frames):
            organ, subject = ("breast", "thyroid")[i % 2], code(f"subject{i // 3}")
            writer.add(
                PackedFrame(grey_rc=grey, valid_rc=valid, organ=organ, subject=subject, sequence=code(f"clip{i}"))
            )
            writer.source_done([hashlib.sha256(str(i).encode()).hexdigest()])
        writer.finish()
    return Path(folder)


@dataclass
class Line:
    """The other end of a run in this process; it asks the run to stop once `stop_at` steps were told."""

    stop_at: int | None = None
    events: list = field(default_factory=list)

    def progress(self, body):
        self.events.append(body)

    def cancelled(self):
        return False

    def finish_early(self):
        return self.stop_at is not None and any(e.get("step", 0) >= self.stop_at for e in self.events)


def an_order(corpus, out, *changes, resume=False, seed=None, small=SMALL, config=RECIPE):
    words = (*small, f"data={corpus}", *changes)
    return PretrainingOrder(
        config=config, changes=words, out=str(out), resume=resume, seed=seed, device="cpu", threads=1
    )


def a_run(corpus, out, *changes, line=None, **more):
    """Do a run in this process; the result's fields. The process gets its threads back."""
    threads = torch.get_num_threads()
    try:
        return pretrain(an_order(corpus, out, *changes, **more).to_json(), line or Line())
    finally:
        torch.set_num_threads(threads)


def losses(out):
    """(step, loss) of every step in the record."""
    return [(line["step"], line["loss"]) for line in lines_of(Path(out) / "metrics.jsonl") if "loss" in line]


def state(out):
    """The newest checkpoint's bytes."""
    newest = sorted((Path(out) / "checkpoints").glob("*.safetensors"))[-1]
    return newest.name, newest.read_bytes()


def wait_until(true, seconds=120):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
