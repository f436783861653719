"""Claims: an epoch of two million draws from an index of two million images takes under 2 s of one processor and under
500 MB, index and Python included; a run resumes in the middle of an epoch and draws what it would have; workers copy
no index.

No pixels: rows as `pack` writes them beside 256 shards, 12 organs, 60,000 subjects, clips of 1 to 40 frames. Each step
runs in a process of its own; memory is its peak over what an idle Python with numpy and OpenCV takes. Beside it, what
the same draws cost with `numpy.random.Generator.choice` over a weight a row.
Run: `python benchmarks/corpus_scale.py [IMAGES]`.
"""

import json
import multiprocessing
import pickle
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from usfm_studio.engine.corpus.columns import PART, PART_ENDING, SHARD_NAME, Part, part_bytes
from usfm_studio.engine.corpus.index import CorpusIndex, CorpusState, parts_in, write_index
from usfm_studio.engine.corpus.reading import CorpusReader
from usfm_studio.engine.corpus.sampler import EpochSampler

IMAGES = 2_000_000
SHARDS = 256
ORGANS = 12
SUBJECTS = 60_000
CLIP_FRAMES = 40
RANKS = 8
SECONDS, MEGABYTES = 2.0, 500.0


def write_rows(folder: Path, images: int) -> None:
    """The rows beside each shard; the shards themselves are empty files."""
    rng = np.random.default_rng(0)
    organ_of_subject = rng.choice(ORGANS, SUBJECTS, p=rng.dirichlet(np.full(ORGANS, 0.5)))
    each = images // SHARDS
    for shard in range(SHARDS):
        lengths = rng.integers(1, CLIP_FRAMES + 1, each)
        clip = np.repeat(np.arange(each), lengths)[:each]
        subject = rng.integers(0, SUBJECTS, each)[clip]
        columns = {
            "organ": organ_of_subject[subject],
            "subject": subject.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15),
            "sequence": (clip + 1 + shard * each).astype(np.uint64) * np.uint64(0xBF58476D1CE4E5B9),
            "frame": np.arange(each) - np.concatenate([[0], np.cumsum(lengths)])[clip],
            "offset": 32_768 * np.arange(each),
            "size": np.full(each, 32_768),
            "check": rng.integers(0, 2**32, each),
            "rows": np.full(each, 192),
            "columns": np.full(each, 256),
        }
        part = Part(
            shard=SHARD_NAME.format(shard),
            bytes=32_768 * each,
            organs=tuple(f"organ {n:02d}" for n in range(ORGANS)),
            columns={name: columns[name].astype(kind) for name, kind in PART.items()},
            sources=rng.integers(0, 256, (each, 16), np.uint8),
        )
        path = folder / part.shard
        path.touch()
        path.with_suffix(PART_ENDING).write_bytes(part_bytes(part))


def build(folder: Path) -> dict:
    write_index(folder, CorpusState(size_px=256), parts_in(folder))
    return {}


def load(folder: Path) -> dict:
    index = CorpusIndex.load(folder)
    return {"images": len(index), "bytes_to_a_worker": len(pickle.dumps(CorpusReader(index)))}


def sample(folder: Path) -> dict:
    index = CorpusIndex.load(folder)
    began = time.process_time()
    sampler = EpochSampler(index)
    ready = time.process_time() - began
    began = time.process_time()
    rows = sampler.rows(0)
    epoch = time.process_time() - began
    seen = np.bincount(index.organ[rows], minlength=ORGANS) / len(rows)
    return {
        "ready_s": ready,
        "epoch_s": epoch,
        "draws": len(rows),
        "largest_miss": float(np.abs(seen - sampler.shares).max()),
    }


def resume(folder: Path) -> dict:
    """The last tenth of an epoch, as one of eight ranks."""
    sampler = EpochSampler(CorpusIndex.load(folder))
    start = len(sampler) // 10 * 9
    began = time.process_time()
    rest = sampler.rows(0, 3, RANKS, start)
    seconds = time.process_time() - began
    same = np.array_equal(rest, sampler.rows(0)[start:][3::RANKS][: len(rest)])
    return {"resume_s": seconds, "same_as_uninterrupted": bool(same)}


def weighted_choice(folder: Path) -> dict:
    """The usual way: one weight a row; no slice of the draws can be had without the whole."""
    index = CorpusIndex.load(folder)
    group = (np.asarray(index.organ, np.int64) << 32) | index.subject
    groups, place, counts = np.unique(group, return_inverse=True, return_counts=True)
    subjects = np.bincount(groups >> 32, minlength=ORGANS)
    weights = 1.0 / (counts[place] * subjects[index.organ] * ORGANS)
    began = time.process_time()
    np.random.default_rng(0).choice(len(index), len(index), p=weights / weights.sum())
    return {"epoch_s": time.process_time() - began}


def measured(step, folder: Path) -> dict:
    """The step in a fresh process: its figures, seconds in all and peak memory beyond the imports."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measure, (step, folder))


def _measure(step, folder: Path) -> dict:
    idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    began = time.process_time()
    found = step(folder)
    seconds = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"step": step.__name__, "seconds": seconds, "peak_mb": peak - idle, "whole_process_mb": peak, **found}


def main() -> None:
    images = int(sys.argv[1]) if len(sys.argv) > 1 else IMAGES
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_rows(folder, images)
        steps = {step.__name__: measured(step, folder) for step in (build, load, sample, resume, weighted_choice)}
        index_mb = sum(path.stat().st_size for path in folder.glob("index-*/*.npy")) / 2**20
    for found in steps.values():
        print(json.dumps({key: round(value, 4) if isinstance(value, float) else value for key, value in found.items()}))
    drawn, other = steps["sample"]["epoch_s"], steps["weighted_choice"]["epoch_s"]
    print(f"index on disk {index_mb:.0f} MB")
    print(f"an epoch of draws {drawn:.2f} s, by weights {other:.2f} s, ratio {other / drawn:.1f}")
    assert steps["resume"]["same_as_uninterrupted"]
    kept = drawn < SECONDS and max(steps[name]["whole_process_mb"] for name in ("load", "sample", "resume")) < MEGABYTES
    print("claims hold" if kept else "claims do not hold on this machine, now")


if __name__ == "__main__":
    main()
