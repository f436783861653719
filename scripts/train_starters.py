"""Train the weights that ship beside the encoder: the decoder's first weights, and the breast starter model.

    python scripts/train_starters.py start DATA    -> resources/weights/decoder_start
    python scripts/train_starters.py breast DATA   -> resources/weights/breast_starter

DATA is a folder with the DATA folders busi, usgra, muscle, lung_cine, muscle_people, carotid and hip in it. Steps are
counted, not timed, so the same machine gives the same weights. Subjects of the sample project are never read; the
decoder's first weights see no person's mask, no fetal head, and no subject of fold 0.
"""

import argparse
import csv
import json
import os
import shutil
import sys
import tempfile
import tomllib
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import cv2
import msgspec
import numpy as np
import torch
from painted_structures import KINDS, painted

from usfm_studio.document.schema import Label, Schema, Segment
from usfm_studio.document.snapshot import Sample, SnapshotWriter
from usfm_studio.document.splits import fold_of
from usfm_studio.engine.device import choose_device
from usfm_studio.engine.learning.augment import Augmentation, augmented
from usfm_studio.engine.learning.calibrate import predicted_dice
from usfm_studio.engine.learning.clock import Clock, Stage
from usfm_studio.engine.learning.evaluation import ask
from usfm_studio.engine.learning.holdout import NONE, Sides
from usfm_studio.engine.learning.learner import Learner
from usfm_studio.engine.learning.making import Findings
from usfm_studio.engine.learning.pool import FeaturePool
from usfm_studio.engine.learning.preparing import material
from usfm_studio.engine.learning.run_folder import RunFolder
from usfm_studio.engine.learning.samples import Batch, Placed, as_input, shares
from usfm_studio.engine.learning.segmentation import MaskNet, Rates, learn
from usfm_studio.engine.learning.start import CARD, WEIGHTS, StartCard, is_trunk
from usfm_studio.engine.learning.talk import Talk
from usfm_studio.engine.models.catalogue import read_card, shipped_encoder
from usfm_studio.engine.models.checkpoint import load_encoder, load_model, save_model, stored, tensors_of
from usfm_studio.engine.models.decoder import LIGHT_WIDTHS, UNetDecoder
from usfm_studio.engine.models.placement import place
from usfm_studio.engine.models.predictor import Predictor
from usfm_studio.engine.models.safe_tensors import write_tensors
from usfm_studio.engine.scoring import summarise
from usfm_studio.engine.training_order import TrainingOrder

RESOURCES = Path(__file__).resolve().parent.parent / "resources"
PAINTED_ON = ("busi", "usgra", "muscle", "lung_cine", "muscle_people", "carotid", "hip")
FRAMES_A_SET = 70
FOLDS = 5
STARTING = {"steps": 2000, "decoder_rate": 3e-3, "views": 240, "renewed": 2, "batch": 8, "input_px": 256, "seed": 0}
BREAST_STEPS = 2000
BREAST_NOTES = (
    "Made with this program from a public set whose patients are not named, so that near-duplicates were grouped as "
    "one subject each; some of its labels are known to be wrong. The scores are those of a model that learned from "
    "four fifths of the subjects, on the last fifth; this model then learned from all but the subjects of the sample "
    "project. For trying the program out, not for diagnosis."
)
BUSI_LICENCE = "CC0 1.0 as stated by the Kaggle copy; the original site has no licence text"
BUSI_LINE = "BUSI, Al-Dhabyani et al. 2020, Baheya Hospital, Cairo; resized and re-encoded."


def excluded(name):
    """Subjects of a set that are in the sample project."""
    sample = tomllib.loads((RESOURCES / "sample" / "sample.toml").read_text("utf-8"))
    return set(sample["excluded"].get(name, ()))


def subjects_of(folder):
    """File -> subject."""
    with (folder / "subjects.csv").open(encoding="utf-8", newline="") as file:
        return {row["file"]: row["subject"] for row in csv.DictReader(file)}


class PaintedPool(FeaturePool):
    """A pool whose views are frames with structures painted into them."""

    def __init__(self, encoder, images, rng, device):
        placed = [
            Placed(sample=Sample(stem=str(i), name="", subject=str(i), rows=0, columns=0), image=image, classes=None)
            for i, image in enumerate(images)
        ]
        super().__init__(encoder, placed, KINDS + 1, Augmentation(scale=(0.9, 1.6)), rng, device)

    def _made(self, items):
        images, ids = [], []
        for item in items:
            moved, _ = augmented(item.image, np.zeros_like(item.image), self.draws, self.rng, self.canvas_rc)
            image, marked = painted(moved, self.rng)
            images.append(image)
            ids.append(marked)
        return Batch(as_input(np.stack(images)), shares(np.stack(ids), self.classes))


def frames_to_paint_on(data):
    """Frames of all sets at the network's size; no fold 0, nobody of the sample, no fetal heads."""
    images = []
    for name in PAINTED_ON:
        folder = data / name
        allowed = [
            file
            for file, subject in sorted(subjects_of(folder).items())
            if fold_of(subject, FOLDS) != 0 and subject not in excluded(name)
        ]
        for file in allowed[:: max(1, len(allowed) // FRAMES_A_SET)][:FRAMES_A_SET]:
            grey = cv2.imread(str(folder / "images" / file), cv2.IMREAD_GRAYSCALE)
            x_CHW, _ = place(grey, STARTING["input_px"], "keep")
            images.append(np.rint(x_CHW[0] * 255).astype(np.uint8))
    return images


def train_start(data, threads):
    """Write resources/weights/decoder_start."""
    device = choose_device("cpu", threads)
    torch.manual_seed(STARTING["seed"])
    encoder = load_encoder(shipped_encoder())
    net = MaskNet(encoder, UNetDecoder(encoder.channels, KINDS + 1, LIGHT_WIDTHS, 1))
    net = net.to(memory_format=torch.channels_last)
    pool = PaintedPool(net.encoder, frames_to_paint_on(data), np.random.default_rng(STARTING["seed"]), device)
    print(f"{len(pool.placed)} frames to paint on", flush=True)
    pool.fill(STARTING["views"], Stage(Clock(1e9), 1e9))
    rates = Rates(encoder=0.0, decoder=STARTING["decoder_rate"])
    stage = Stage(Clock(1e9), 1e9, STARTING["steps"])
    subjects = [p.sample.subject for p in pool.placed]
    stream = pool.batches(STARTING["batch"], subjects, renewed=STARTING["renewed"])
    learn(net, stream, rates, stage, device=device, on_step=told).put_into(net)
    tensors = {name: stored(value) for name, value in net.decoder.state_dict().items() if is_trunk(name)}
    folder = RESOURCES / "weights" / "decoder_start"
    folder.mkdir(parents=True, exist_ok=True)
    digest = write_tensors(folder / WEIGHTS, tensors)
    card = StartCard(
        digest=digest,
        encoder=encoder.name,
        encoder_digest=read_card(shipped_encoder()).digest,
        widths=LIGHT_WIDTHS,
        convs=1,
        licence="Apache-2.0",
        attribution=tuple(attribution(data / name) for name in PAINTED_ON),
        notes="Trained on structures painted into frames of these sets; no person's mask or label was used, "
        "no fetal head, no subject of fold 0 and none of the sample project.",
        settings=STARTING,
    )
    (folder / CARD).write_bytes(msgspec.json.format(msgspec.json.encode(card), indent=2))
    print(f"{folder}: {(folder / WEIGHTS).stat().st_size / 2**20:.2f} MiB")


def attribution(folder):
    """The attribution line of a DATA folder's README, after the folder's name."""
    lines = (folder / "README.md").read_text("utf-8").splitlines()
    marked = next((line for line in lines if line.startswith("**Attribution line.**")), "")
    return f"{folder.name}: {marked.removeprefix('**Attribution line.**').strip() or 'see its README'}"


def told(step, loss, _average):
    """Say now and then where the training stands."""
    if step % 100 == 0:
        print(f"step {step}: loss {loss:.3f}", flush=True)


class Said:
    """The other end of a run that nobody stops: prints its events, steps now and then."""

    def __init__(self):
        self.steps = 0

    def progress(self, body):
        self.steps += body["event"] == "step"
        if body["event"] != "step" or self.steps % 50 == 0:
            print({k: v for k, v in body.items() if k not in ("stages", "left_s")}, flush=True)

    def cancelled(self):
        return False

    def finish_early(self):
        return False


def breast_snapshot(data, out):
    """The busi set without the sample's subjects, as a snapshot."""
    folder = data / "busi"
    schema = Schema(
        segments=(Segment(value=1, name="Lesion"),),
        labels=tuple(Label(name=n) for n in ("benign", "malignant", "normal")),
    )
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as file:
        labels = {row["file"]: row["label"] for row in csv.DictReader(file)}
    writer, left_out = SnapshotWriter(out, schema), excluded("busi")
    for file, subject in subjects_of(folder).items():
        mask = folder / "masks" / f"{Path(file).stem}.png"
        if subject in left_out or not mask.is_file():
            continue
        pixels = cv2.imread(str(folder / "images" / file), cv2.IMREAD_GRAYSCALE)
        ids = (cv2.imread(str(mask), cv2.IMREAD_GRAYSCALE) > 0).astype(np.uint8)
        sample = Sample(
            stem=Path(file).stem, name=file, subject=subject, rows=pixels.shape[0], columns=pixels.shape[1],
            labels=(labels[file],),
        )  # fmt: skip
        writer.add(sample, pixels, ids)
    return writer.finish()


def learned_from_all(order, device):
    """The model folder of a run that learns from every subject that the order allows."""
    work = material(order)
    subjects = tuple(dict.fromkeys(s.subject for s in work.samples))
    sides = Sides(kind=NONE, train=subjects, tested=())
    work = replace(work, sides=sides, identity=replace(work.identity, train_subjects=subjects, holdout_subjects=()))
    folder = RunFolder(order.run)
    folder.begin()
    learner = Learner(work, device, Talk(Said(), Clock(1e9)), folder)
    learned = learner.learn(1e9, 0.0)
    learner.keep(learned.net, Findings(temperature=learner.temperature))
    return folder.model


def scores_and_lines(model, shot, subjects, device):
    """Scores of a model on subjects that it has not seen, and its lines from confidence to Dice."""
    predictor = Predictor(load_model(model), device)
    card = predictor.card
    answers = ask(predictor, shot, shot.of_subjects(subjects), (1,), card.labels)
    lines = msgspec.to_builtins(predicted_dice(answers, {1: 1}))
    return summarise(answers.pairs, answers.labelled, card.labels, exclusive=card.exclusive_labels), lines


def train_breast(data, threads, steps, scratch):
    """Write resources/weights/breast_starter: scored on fold 0 by a model of folds 1 to 4, then trained on all."""
    device = choose_device("cpu", threads)
    shot = breast_snapshot(data, scratch / "snapshot")
    order = TrainingOrder(
        snapshot=shot.folder, run=scratch / "scored", budget_s=1e6, exam="breast", name="Breast starter",
        options={"max_steps": steps, "views": 480}, folds=FOLDS, fold=0,
    )  # fmt: skip
    inside = [s for s in shot.subjects if fold_of(s, FOLDS) == 0]
    model = learned_from_all(order, device)
    scored, lines = scores_and_lines(model, shot, inside, device)
    interval = scored.to_json()["interval"]
    print(json.dumps({"values": scored.values, "interval": interval}, indent=1), flush=True)
    model = load_model(learned_from_all(replace(order, run=scratch / "final", folds=None, fold=None), device))
    card = replace(
        model.card,
        organ="breast",
        scores={name: round(value, 4) for name, value in scored.values.items() if value is not None},
        comparison={"kind": "held-out", "subjects": len(inside), "fold": "0 of 5", "interval": interval},
        licence=f"weights Apache-2.0; data {BUSI_LICENCE}",
        attribution=(BUSI_LINE,),
        preprocessing={**model.card.preprocessing, "predicted_dice": lines},
        notes=BREAST_NOTES,
    )
    folder = RESOURCES / "weights" / "breast_starter"
    shutil.rmtree(folder, ignore_errors=True)
    save_model(folder, card, tensors_of(decoder=model.decoder, label_head=model.label_head))
    print(f"{folder}: {(folder / 'model.safetensors').stat().st_size / 2**20:.2f} MiB")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("start", "breast"))
    parser.add_argument("data", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=BREAST_STEPS)
    parser.add_argument("--force", action="store_true", help="replace weights that are there already")
    given = parser.parse_args()
    there = RESOURCES / "weights" / {"start": "decoder_start", "breast": "breast_starter"}[given.what]
    if there.exists() and not given.force:
        sys.exit(f"{there.name} is there already; --force trains it anew")
    if given.what == "start":
        train_start(given.data, given.threads)
        return
    with tempfile.TemporaryDirectory() as scratch:
        train_breast(given.data, given.threads, given.steps, Path(scratch))


if __name__ == "__main__":
    sys.exit(main())
