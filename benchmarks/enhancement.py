"""Claim: on pairs, enhancement comes nearer to the good image than leaving it, median 3, non-local means or CLAHE, on
subjects never seen; and a fixed segmenter finds the same in an enhanced frame (Dice within 0.005).

DATA is a folder with `images/` and `targets/`: fold by fold a model learns outside and is scored inside. With
`--masked FOLDER` (images and masks of what the segmenter marks) a second model learns there without pairs, on folds 1
to 4 of 5, and the segmenter marks the images of fold 0 as they are, and enhanced.

Run: `OMP_WAIT_POLICY=PASSIVE python benchmarks/enhancement.py DATA --minutes 5 --masked FOLDER`.
"""

import argparse
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import cv2
import numpy as np

from usfm_studio.document.resources import resource
from usfm_studio.document.snapshot import Snapshot
from usfm_studio.engine.device import choose_device
from usfm_studio.engine.learning.degradation import Degradation
from usfm_studio.engine.learning.enhancement_scoring import score_pairs
from usfm_studio.engine.learning.enhancement_views import Pairs, as_grey
from usfm_studio.engine.learning.evaluation import occurring_values, pairs_of, values_of
from usfm_studio.engine.learning.holdout import chosen_subjects
from usfm_studio.engine.learning.run import fine_tune
from usfm_studio.engine.models.checkpoint import load_model
from usfm_studio.engine.models.enhancing import Enhancing
from usfm_studio.engine.models.predictor import Predictor
from usfm_studio.engine.scoring import mean_interval, summarise
from usfm_studio.engine.scoring.pictures import METRICS, image_area, likeness, summarise_pictures
from usfm_studio.engine.training_order import TrainingOrder
from usfm_studio.imaging.reading.data_folder import data_folder_to_snapshot

FOLDS = 5
CLAHE = cv2.createCLAHE(clipLimit=2.0, tileGridSize=(8, 8))
BASELINES = {
    "median 3": lambda low: cv2.medianBlur(low, 3),
    "non-local means, h 10": lambda low: cv2.fastNlMeansDenoising(low, h=10),
    "non-local means, h 30": lambda low: cv2.fastNlMeansDenoising(low, h=30),
    "CLAHE": CLAHE.apply,
}


class Quiet:
    """What a run says goes nowhere."""

    def progress(self, _body):
        pass

    def check(self):
        pass

    def cancelled(self):
        return False

    def finish_early(self):
        return False


def snapshot_of(data, folder):
    data_folder_to_snapshot(data.absolute(), folder, {}, Quiet())
    return Snapshot.load(folder)


def learned(shot, run, given, fold):
    """The folder of a model that learned outside of a fold."""
    budget_s = 60 * given.minutes if given.steps is None else 1e6
    order = TrainingOrder(
        snapshot=shot.folder, run=run, budget_s=budget_s, threads=given.threads, device=given.device,
        task="enhancement", folds=FOLDS, fold=fold, seed=given.seed,
        options={"standalone": True, "max_steps": given.steps},
    )  # fmt: skip
    fine_tune(order, Quiet())
    return run / "model"


def inside(shot, fold):
    subjects = set(chosen_subjects(shot.samples, folds=FOLDS, fold=fold, inside=True))
    return [s for s in shot.samples if s.subject in subjects]


def on_pairs(given, folder):
    """Rows of the table: every image once, enhanced by a model that did not see its subject."""
    shot, device, ours = snapshot_of(given.data, folder / "pairs"), choose_device(given.device, given.threads), []
    others = {name: [] for name in BASELINES}
    pairs = Pairs(shot)
    for fold in range(FOLDS):
        tested = [s for s in inside(shot, fold) if s.target]
        if not tested:
            continue
        model = Enhancing(load_model(learned(shot, folder / f"run{fold}", given, fold)), device)
        ours += score_pairs(model, pairs, tested)
        for sample, score in zip(tested, ours[-len(tested) :], strict=True):
            low, reference = pairs.tested(sample)
            area = image_area(reference)
            for name, method in BASELINES.items():
                found = likeness(method(as_grey(low)), reference, area)
                others[name].append(replace(score, enhanced=found))
        print(f"fold {fold}: {summarise_pictures(ours[-len(tested) :]).values}", flush=True)
    identity = [replace(score, enhanced=score.identity) for score in ours]
    return {"as they are": identity, **others, "ours": ours}


def show(table):
    subjects = [score.subject for score in table["ours"]]
    print(f"\n{len(subjects)} pairs of {len(set(subjects))} subjects; mean [95 % interval over subjects]\n")
    print("| method | PSNR dB | SSIM | LNCC |\n| --- | --- | --- | --- |")
    for name, found in table.items():
        scores = summarise_pictures(found)
        cells = []
        for metric in METRICS:
            low, high = scores.intervals[metric].pair
            digits = 2 if metric == "psnr" else 3
            cells.append(f"{scores.values[metric]:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]")
        print(f"| {name} | {' | '.join(cells)} |")


def on_masks(given, folder):
    """Dice of the segmenter on fold 0, before and after, and what the enhancer gains on frames degraded on purpose."""
    shot, device = snapshot_of(given.masked, folder / "masked"), choose_device(given.device, given.threads)
    model = Enhancing(load_model(learned(shot, folder / "unpaired", given, 0)), device)
    segmenter = Predictor(load_model(resource("weights", given.segmenter)), device)
    tested = [s for s in inside(shot, 0) if s.masked]
    values = occurring_values(shot, tested)
    table = np.zeros(256, np.uint8)
    for output, value in values_of(segmenter.card.segments, shot.schema, values).items():
        table[output] = value
    before, after, changes = [], [], []
    for sample in tested:
        pixels, reference = np.asarray(shot.pixels(sample)), np.asarray(shot.mask(sample))
        enhanced = model.enhance(pixels)
        changes.append(np.abs(as_grey(enhanced).astype(int) - as_grey(pixels)).mean())
        for seen, into in ((pixels, before), (enhanced, after)):
            into += pairs_of(table[segmenter.predict(seen).ids], reference, sample, values)
    gains = [b.dice - a.dice for a, b in zip(before, after, strict=True) if a.counts]
    interval = mean_interval(gains, [a.subject for a in before if a.counts])
    old, new = (summarise(found).values["dice"] for found in (before, after))
    print(
        f"\n{given.segmenter} on {len(tested)} images that the enhancer never saw (mean change {np.mean(changes):.1f})"
    )
    print(f"Dice as they are {old:.4f}, enhanced {new:.4f}: {new - old:+.4f} {np.round(interval.pair, 4).tolist()}")
    worse = summarise_pictures(score_pairs(model, Pairs(shot, Degradation(), given.seed), tested)).values
    print("the same images degraded: " + ", ".join(f"{name} {value:.3f}" for name, value in worse.items()))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--masked", type=Path)
    parser.add_argument("--segmenter", default="breast_starter")
    parser.add_argument("--minutes", type=float, default=1.5)
    parser.add_argument("--steps", type=int, help="Count steps a stage in place of minutes: for a machine at work.")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    cpu, wall = time.process_time(), time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        show(on_pairs(given, Path(name)))
        if given.masked is not None:
            on_masks(given, Path(name))
    length = f"{given.minutes} min" if given.steps is None else f"{given.steps} steps a stage"
    print(f"\n{choose_device(given.device, given.threads).name}; {length} a model, "
          f"processor {time.process_time() - cpu:.0f} s of {time.perf_counter() - wall:.0f} s")  # fmt: skip


if __name__ == "__main__":
    main()
