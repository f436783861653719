"""Clicks to a good mask: our prompt model, GrabCut and the random walker under the same simulated person.

    python benchmarks/clicks.py --data busi hc18 [--all carotid] [--model FOLDER] [--every 1] [--out FILE.json]
        [--methods ours grabcut walker] [--prompt click] [--seeds 5]

Folders of --data are scored on the subjects of fold 0 of 5 (which the shipped weights have not seen), those of --all on
everybody. --every N takes each N-th image; --seeds N adds the robustness run, clicks off the centre, N times. The
random walker is that of scikit-image, which is no dependency of the program; without it that row is left out.
GrabCut: discs of 5 px at 256 are sure, a circle of a quarter of the frame around the first click may be the segment.
Walker: the frame's border is background (its beta is scikit-image's default, the frame at 256 px). Times are
wall and, in brackets, processor time of one thread; embedding apart, the first three clicks left out.
"""

import argparse
import csv
import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import cv2
import numpy as np
import torch

from usfm_studio.document.snapshot import Sample
from usfm_studio.document.splits import fold_of
from usfm_studio.engine.device import choose_device
from usfm_studio.engine.models.catalogue import shipped_prompter
from usfm_studio.engine.prompting.holding import held
from usfm_studio.engine.prompting.measuring import WARM_UPS, targets_of
from usfm_studio.engine.prompting.prompt_model import load_prompts
from usfm_studio.engine.prompting.prompter import Prompter
from usfm_studio.engine.prompting.session import play, tally
from usfm_studio.engine.prompting.window import DISC_PX, SIDE

SHOWN = ("noc80", "noc85", "noc90", "failures", "iou1", "iou3", "iou5")
CAP, FOLDS = 20, 5
GRABCUT_ROUNDS = 3


class Ours:
    """The program's own."""

    def __init__(self, folder):
        self.prompter = Prompter(load_prompts(folder), choose_device("cpu", 1))

    def on(self, grey):
        features = self.prompter.embed(grey)
        return lambda prompts, last: self.prompter.answer(features, prompts, last)


class GrabCut:
    """OpenCV's, over grey as three channels."""

    def on(self, grey):
        small, scale = at_256(grey)

        def answer(prompts, _last):
            marks = np.full(small.shape, cv2.GC_PR_BGD, np.uint8)
            for i, click in enumerate(prompts):
                at = round(click.at_xy[0] * scale), round(click.at_xy[1] * scale)
                if i == 0:
                    cv2.circle(marks, at, SIDE // 4, cv2.GC_PR_FGD, -1)
                cv2.circle(marks, at, DISC_PX, cv2.GC_FGD if click.positive else cv2.GC_BGD, -1)
            found = np.zeros(small.shape, bool)
            try:
                colour, models = cv2.cvtColor(small, cv2.COLOR_GRAY2BGR), (np.zeros((1, 65)), np.zeros((1, 65)))
                cv2.grabCut(colour, marks, None, *models, GRABCUT_ROUNDS, cv2.GC_INIT_WITH_MASK)
                found = np.isin(marks, (cv2.GC_FGD, cv2.GC_PR_FGD))
            except cv2.error:
                pass
            return native(found, grey.shape, prompts)

        return answer


class Walker:
    """scikit-image's random walker."""

    def on(self, grey):
        from skimage.segmentation import random_walker

        small, scale = at_256(grey)

        def answer(prompts, _last):
            seeds = np.zeros(small.shape, np.int32)
            seeds[[0, -1]] = seeds[:, [0, -1]] = 2
            for click in prompts:
                at = round(click.at_xy[0] * scale), round(click.at_xy[1] * scale)
                cv2.circle(seeds, at, DISC_PX, 1 if click.positive else 2, -1)
            found = random_walker(small / 255.0, seeds, mode="cg_j") == 1 if (seeds == 1).any() else seeds == 1
            return native(found, grey.shape, prompts)

        return answer


def at_256(grey):
    """The frame with a long side of 256, and the scale."""
    scale = SIDE / max(grey.shape)
    size = max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale))
    return cv2.resize(grey, size, interpolation=cv2.INTER_AREA), scale


def native(found, shape, prompts):
    """At the frame's own size; every click holds, as ours do."""
    large = cv2.resize(found.astype(np.float32), shape[::-1], interpolation=cv2.INTER_LINEAR) > 0.5
    return held(large, None, prompts, max(shape))


def frames_of(folder, fold, every):
    """(Sample, pixels, ids) of a folder's masked images."""
    with (folder / "subjects.csv").open(encoding="utf-8", newline="") as file:
        subjects = {row["file"]: row["subject"] for row in csv.DictReader(file)}
    chosen = [name for name in sorted(subjects) if fold is None or fold_of(subjects[name], FOLDS) == fold]
    for name in chosen[::every]:
        grey = cv2.imread(str(folder / "images" / name), cv2.IMREAD_GRAYSCALE)
        ids = cv2.imread(str(folder / "masks" / f"{Path(name).stem}.png"), cv2.IMREAD_GRAYSCALE)
        if ids is not None:
            ids = (ids > 0).astype(np.uint8) if ids.max() == 255 else ids
            rows, columns = grey.shape
            yield Sample(stem=Path(name).stem, name=name, subject=subjects[name], rows=rows, columns=columns), grey, ids


def measured(method, frames, prompt, seed):
    """Figures of one method on one folder."""
    sessions, click_ms = [], []
    for sample, grey, ids in frames:
        answer = method.on(grey)

        def timed(prompts, last, answer=answer):
            began, worked = time.perf_counter(), time.process_time()
            mask = answer(prompts, last)
            click_ms.append(((time.perf_counter() - began) * 1000, (time.process_time() - worked) * 1000))
            return mask

        for target in targets_of(sample, ids):
            draws = None if seed is None else np.random.default_rng([seed, len(sessions)])
            sessions.append(play(target, timed, prompt, CAP, draws))
    told = tally(sessions, CAP)
    times = np.percentile(click_ms[WARM_UPS:], [50, 95], axis=0)
    return {
        **told.values, "interval": told.interval, "targets": len(sessions),
        "ms_p50": times[0, 0], "ms_p95": times[1, 0], "processor_ms_p50": times[0, 1], "processor_ms_p95": times[1, 1],
    }  # fmt: skip


def row(name, body):
    """One line of the table."""
    cells = [f"{body[k]:.2f}" + low_high(body["interval"].get(k)) for k in SHOWN]
    times = " / ".join(f"{body[f'ms_{p}']:.0f} ({body[f'processor_ms_{p}']:.0f})" for p in ("p50", "p95"))
    return f"| {name} | {body['targets']} | {' | '.join(cells)} | {times} |"


def low_high(pair):
    return "" if pair is None else f" [{pair[0]:.2f}, {pair[1]:.2f}]"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="*", type=Path, default=[])
    parser.add_argument("--all", nargs="*", type=Path, default=[])
    parser.add_argument("--model", type=Path, default=shipped_prompter())
    parser.add_argument(
        "--methods", nargs="*", choices=("ours", "grabcut", "walker"), default=["ours", "grabcut", "walker"]
    )
    parser.add_argument("--prompt", choices=("click", "box", "scribble"), default="click")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=0)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    makers = {"ours": lambda: Ours(given.model), "grabcut": GrabCut, "walker": Walker}
    results = []
    print("| set, method | targets | " + " | ".join(SHOWN) + " | ms a click, p50 / p95 |")
    print("| --- " * (len(SHOWN) + 3) + "|")
    for folder, fold in [*((f, 0) for f in given.data), *((f, None) for f in given.all)]:
        for name in given.methods:
            for seed in [None, *range(given.seeds)] if name == "ours" else [None]:
                try:
                    body = measured(makers[name](), frames_of(folder, fold, given.every), given.prompt, seed)
                except ImportError as missing:
                    print(f"{name}: left out, {missing.name} is not installed", file=sys.stderr)
                    break
                shown = f"{folder.name}, {name}" + ("" if seed is None else f", off the centre {seed}")
                print(row(shown, body), flush=True)
                results.append({"set": folder.name, "method": name, "prompt": given.prompt, "seed": seed, **body})
    if given.out is not None:
        given.out.write_text(json.dumps(results, indent=1), "utf-8")


if __name__ == "__main__":
    sys.exit(main())
