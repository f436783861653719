"""Claim: one key frame is carried through a probe sweep with gaps where copying and optical flow lose the segment.

    python benchmarks/propagation.py DATA [--models FOLDER] [--threads 2] [--out FILE]

DATA is a DATA folder with masks and `extra.csv` (`file,clip,frame`), such as the open set carotid. Of each clip the
first frame is the key; for the blend of shapes also the last. Dice over the other frames at native size, mean over
clips then subjects, with a 95 % bootstrap interval over clips; the mean of frames kept (not flagged) and their share;
milliseconds a frame, reading apart. `--models` has MODEL folders named by the subjects that each was not trained on,
joined by "+" (`a+b`): they add the row "ours with model".
"""

import argparse
import csv
import json
import os
import time
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import cv2
import numpy as np

from usfm_studio.engine.device import choose_device
from usfm_studio.engine.models.catalogue import shipped_encoder
from usfm_studio.engine.models.checkpoint import load_model
from usfm_studio.engine.models.embeddings import EmbeddingCache
from usfm_studio.engine.models.predictor import Predictor
from usfm_studio.engine.propagation import baselines
from usfm_studio.engine.propagation.carrying import carry
from usfm_studio.engine.scoring import dice

DRAWS = 2000


def clips_of(data):
    """{clip: (subject, frames, masks)} of clips with at least two frames."""
    with (data / "subjects.csv").open() as file:
        subjects = {row["file"]: row["subject"] for row in csv.DictReader(file)}
    rows = {}
    with (data / "extra.csv").open() as file:
        for row in csv.DictReader(file):
            rows.setdefault(row["clip"], []).append((int(row["frame"]), row["file"]))
    found = {}
    for clip, frames in rows.items():
        names = [name for _, name in sorted(frames)]
        masks = [cv2.imread(str(data / "masks" / f"{Path(name).stem}.png"), cv2.IMREAD_GRAYSCALE) for name in names]
        images = [cv2.imread(str(data / "images" / name), cv2.IMREAD_GRAYSCALE) for name in names]
        if len(names) > 1 and masks[0].any():
            found[clip] = subjects[names[0]], images, masks
    return found


def methods(clip, encoder, model):
    """By name: how masks come about, as (ids, flagged) a frame."""
    _, images, masks = clip
    one, two = {0: masks[0]}, {0: masks[0], len(masks) - 1: masks[-1]}
    found = {
        "copy": lambda: [(ids, False) for ids in baselines.copied(len(images), one)],
        "SDF, two keys": lambda: [(ids, False) for ids in baselines.interpolated(len(images), two)],
        "flow": lambda: [(ids, False) for ids in baselines.flowed(images, one)],
        "ours": lambda: [(c.ids, c.flagged) for c in carry(images, one, encoder)],
        "ours, two keys": lambda: [(c.ids, c.flagged) for c in carry(images, two, encoder)],
    }
    if model is not None:
        found["model alone"] = lambda: [(model.predict(image).ids, False) for image in images]
        found["ours with model"] = lambda: [(c.ids, c.flagged) for c in carry(images, one, encoder, model)]
    return found


def scored(clip, name, answers):
    """(Dice, kept) of each frame that was not a key."""
    masks = clip[2]
    last = len(masks) - ("two keys" in name)
    values = [v for v in np.unique(masks[0]) if v]
    pairs = list(zip(answers, masks, strict=True))[1:last]
    return [(float(np.mean([dice(ids == v, truth == v) for v in values])), not flag) for (ids, flag), truth in pairs]


def row(name, by_clip, clips, ms):
    means = {clip: float(np.mean([d for d, _ in found])) for clip, found in by_clip.items() if found}
    subjects = {clips[clip][0] for clip in means}
    by_subject = [np.mean([m for clip, m in means.items() if clips[clip][0] == s]) for s in subjects]
    rng = np.random.default_rng(0)
    draws = rng.choice(list(means.values()), (DRAWS, len(means))).mean(1)
    low, high = np.percentile(draws, [2.5, 97.5])
    every = [pair for found in by_clip.values() for pair in found]
    kept = [d for d, keep in every if keep]
    body = {
        "loops": round(float(np.mean(list(means.values()))), 3),
        "interval": [round(float(low), 3), round(float(high), 3)],
        "subjects": round(float(np.mean(by_subject)), 3),
        "frames": round(float(np.mean([d for d, _ in every])), 3),
        "kept": round(float(np.mean(kept)), 3) if kept else None,
        "kept_share": round(len(kept) / len(every), 2),
        "ms_per_frame": round(ms, 1),
        "per_loop": {clip: round(m, 3) for clip, m in means.items()},
    }
    shown = {key: value for key, value in body.items() if key != "per_loop"}
    print(f"{name:16} " + "  ".join(f"{key} {value}" for key, value in shown.items()), flush=True)
    return body


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--models", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    device = choose_device("cpu", options.threads)
    cv2.setNumThreads(options.threads)
    folders = sorted(options.models.iterdir()) if options.models else []
    models = {folder: load_model(folder) for folder in folders}
    clips, results, spent, frames = clips_of(options.data), {}, {}, {}
    for clip, content in clips.items():
        folder = next((f for f in folders if content[0] in f.name.split("+")), None)
        for name in methods(content, None, folder):
            cache = EmbeddingCache()  # anew: no method may live on another's features
            encoder = Predictor(load_model(shipped_encoder()), device, cache)
            model = None if folder is None else Predictor(models[folder], device, cache)
            begun = time.perf_counter()
            answers = methods(content, encoder, model)[name]()
            spent[name] = spent.get(name, 0.0) + 1000 * (time.perf_counter() - begun)
            frames[name] = frames.get(name, 0) + len(answers)
            results.setdefault(name, {})[clip] = scored(content, name, answers)
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    body = {name: row(name, found, clips, spent[name] / frames[name]) for name, found in results.items()}
    if options.out is not None:
        options.out.write_text(json.dumps(body, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
