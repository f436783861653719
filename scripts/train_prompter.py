"""Train the prompt decoder that ships: clicks, boxes, scribbles and rough masks into masks, of any organ.

    python scripts/train_prompter.py DATA [--leave-out SET ...] [--minutes 30] [--out FOLDER]

DATA is a folder with the open DATA folders in it. Subjects of the sample project and of fold 0 of 5 are never read, nor
any set named by --leave-out. Minutes are of processor time on one thread. The best weights so far (a running average)
are on disk all the time, so a run may be stopped.
"""

import argparse
import csv
import os
import sys
import time
import tomllib
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import cv2
import numpy as np
import torch
from painted_structures import painted

from usfm_studio.document.model_card import ModelCard, subject_code
from usfm_studio.document.splits import fold_of
from usfm_studio.engine.models.catalogue import PROMPTER, PROMPTS, read_card, shipped_encoder
from usfm_studio.engine.models.checkpoint import load_encoder
from usfm_studio.engine.models.compiled import CannotCompile, CompiledEncoder
from usfm_studio.engine.models.fuse import fused
from usfm_studio.engine.prompting.lesson_frames import LessonFrame, make_lesson
from usfm_studio.engine.prompting.prompt_decoder import PromptDecoder, PromptPlan
from usfm_studio.engine.prompting.prompt_model import save_prompts
from usfm_studio.engine.prompting.training import Recipe, learn

RESOURCES = Path(__file__).resolve().parent.parent / "resources"
MASKED = {"busi": 0.3, "usgra": 0.25, "muscle": 0.15, "hc18": 0.1}
"""How often a lesson is of each set."""
UNMASKED = {"lung_cine": 0.07, "muscle_people": 0.07, "hc18_unlabelled": 0.03, "hip": 0.03}
FOLDS, LEFT_FOLD = 5, 0
KEPT_EVERY_S = 120.0
NOTES = (
    "Answers clicks, boxes, scribbles and rough masks on any organ. Trained on the masks of these sets and on regions "
    "that need no person (superpixels, flooded areas, clusters of features, painted shapes) on all their frames. "
    "Subjects of fold 0 of 5, those of the sample project and the carotid set were never seen. Not for diagnosis."
)


def files_of(folder, left_out):
    """File -> subject, of the subjects of a DATA folder that may be learned from."""
    with (folder / "subjects.csv").open(encoding="utf-8", newline="") as file:
        subjects = {row["file"]: row["subject"] for row in csv.DictReader(file)}
    return {f: s for f, s in sorted(subjects.items()) if fold_of(s, FOLDS) != LEFT_FOLD and s not in left_out}


def frames_of(folder, left_out):
    """The frames of a DATA folder that may be learned from."""
    found = []
    for name in files_of(folder, left_out):
        grey = cv2.imread(str(folder / "images" / name), cv2.IMREAD_GRAYSCALE)
        mask = folder / "masks" / f"{Path(name).stem}.png"
        ids = cv2.imread(str(mask), cv2.IMREAD_GRAYSCALE) if mask.is_file() else np.zeros_like(grey)
        if folder.name == "busi":
            ids = (ids > 0).astype(np.uint8)
        found.append(LessonFrame(grey, ids))
    return found


def attribution(folder):
    """The attribution line of a DATA folder's README, after the folder's name."""
    lines = (folder / "README.md").read_text("utf-8").splitlines()
    marked = next((line for line in lines if line.startswith("**Attribution line.**")), "")
    return f"{folder.name}: {marked.removeprefix('**Attribution line.**').strip() or 'see its README'}"


def lessons(sets, embed, rng):
    """Lessons without end."""
    names, weights = list(sets), np.array([weight for _, weight in sets.values()])
    while True:
        frames, _ = sets[names[rng.choice(len(names), p=weights / weights.sum())]]
        made = make_lesson(frames[rng.integers(len(frames))], embed, rng, painted)
        if made is not None:
            yield made


def embedder():
    """The frozen encoder as a function, and its widths."""
    encoder = load_encoder(shipped_encoder())
    try:
        embed = CompiledEncoder(encoder, torch.get_num_threads())
    except CannotCompile:
        embed = fused(encoder)
    return torch.inference_mode()(embed), encoder.channels


class Keeper:
    """Says where the training stands, and writes the average now and then."""

    def __init__(self, out, card):
        self.out, self.card, self.kept, self.recent = out, card, time.monotonic(), []

    def __call__(self, step, loss, average):
        self.recent.append(loss)
        if step % 50 == 0:
            print(f"step {step}: loss {np.mean(self.recent[-200:]):.3f}, {time.process_time():.0f} s", flush=True)
        if time.monotonic() - self.kept > KEPT_EVERY_S:
            self.write(step, average)

    def write(self, step, average):
        self.kept = time.monotonic()
        settings = {**self.card.settings, "steps": step}
        save_prompts(self.out, replace(self.card, settings=settings), average)


def card_for(data, sets, minutes, seed, left_out):
    """What is known of the model before it is trained."""
    encoder = read_card(shipped_encoder())
    subjects = sorted({s for name in sets for s in files_of(data / name, left_out(name)).values()})
    return ModelCard(
        digest="", name="Smart prompts", task=PROMPTS, encoder=encoder.encoder, encoder_digest=encoder.digest,
        licence="Apache-2.0", attribution=tuple(attribution(data / name) for name in sets), notes=NOTES, seed=seed,
        train_subjects=tuple(subject_code(s) for s in subjects),
        settings={"processor_minutes": minutes, "sets": sets, "left_fold": f"{LEFT_FOLD} of {FOLDS}"},
    )  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--leave-out", nargs="*", default=(), metavar="SET")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESOURCES / "weights" / PROMPTER)
    given = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    torch.manual_seed(given.seed)
    sample = tomllib.loads((RESOURCES / "sample" / "sample.toml").read_text("utf-8"))
    used = {name: weight for name, weight in (MASKED | UNMASKED).items() if name not in given.leave_out}

    def left_out(name):
        return set(sample["excluded"].get(name, ()))

    sets = {name: (frames_of(given.data / name, left_out(name)), weight) for name, weight in used.items()}
    print({name: len(frames) for name, (frames, _) in sets.items()}, flush=True)
    embed, channels = embedder()
    card = card_for(given.data, used, given.minutes, given.seed, left_out)
    decoder = PromptDecoder(channels, PromptPlan())
    keeper = Keeper(given.out, card)
    recipe = Recipe(seconds=given.minutes * 60, seed=given.seed)
    steps = []
    stream = lessons(sets, embed, np.random.default_rng(given.seed))
    average = learn(decoder, stream, recipe, lambda *told: (steps.append(told[0]), keeper(*told)))
    keeper.write(steps[-1], average)
    print(f"{given.out}: {(given.out / 'model.safetensors').stat().st_size / 2**20:.2f} MiB, {len(steps)} steps")


if __name__ == "__main__":
    sys.exit(main())
