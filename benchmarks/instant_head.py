"""Claim: an accepted frame is in the instant head in under 200 ms on two cores, and the next frame's proposal follows.

    python benchmarks/instant_head.py [DATA...] [--seeds 3] [--test 40] [--out FILE]

For each DATA folder (images and masks; one frame a subject, subjects in the order of the published hash):
- *latency*, through the verb that the window runs, with the real reader and engine host: from the moment when a frame
  is accepted to the next frame's new proposal in the project, as frames 1, 2, 3 … are accepted. Beside it the host's
  part alone: the head brought up to date, features at hand; and a baseline, the head taught from nothing each time.
- *Dice* on other subjects after 1, 2, 3, 5 and 10 accepted frames, by seed, of all that it would propose; and in how
  many seeds it would keep silent, because left-out subjects are found too badly.
Without folders: latency on made-up discs.
"""

import argparse
import json
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import psutil

from usfm_studio.document.annotation import State
from usfm_studio.document.edit import ReplaceSchema, paint
from usfm_studio.document.mask import Mask
from usfm_studio.document.schema import Schema, Segment
from usfm_studio.document.snapshot import Snapshot
from usfm_studio.document.splits import first_subjects
from usfm_studio.engine.device import cpu_device
from usfm_studio.engine.doors import FramePixels, Lesson
from usfm_studio.engine.learning.lessons import LEAST_LEFT_OUT, TaughtHead
from usfm_studio.engine.learning.lessons import Lesson as Taken
from usfm_studio.engine.models.catalogue import shipped_encoder
from usfm_studio.engine.models.checkpoint import load_model
from usfm_studio.engine.models.predictor import Predictor
from usfm_studio.engine.scoring import dice
from usfm_studio.imaging.pictures import png_bytes
from usfm_studio.verbs import data_folder, review
from usfm_studio.verbs.drive import drive
from usfm_studio.verbs.house import House
from usfm_studio.verbs.import_files import ImportArguments
from usfm_studio.verbs.import_files import run as import_files
from usfm_studio.verbs.instant import InstantArguments
from usfm_studio.verbs.instant import run as instantly
from usfm_studio.verbs.lessons import LessonBook

SIZES = (1, 2, 3, 5, 10)
ACCEPTED = 24
"""Frames accepted for the latency: past every size at which directions are found anew."""


@dataclass(frozen=True)
class Case:
    """A frame, its mask, and whose it is."""

    name: str
    subject: str
    pixels: np.ndarray
    ids: np.ndarray


def cases_of(folder, seeds, most):
    """By seed, one frame with a mask of each subject, in the order of the published hash."""
    with tempfile.TemporaryDirectory() as scratch:
        with House() as house:
            drive(data_folder.read(house, folder, Path(scratch) / "snapshot"))
        snapshot = Snapshot.load(Path(scratch) / "snapshot")
        first = {}
        for sample in snapshot.samples:
            if sample.masked and sample.subject not in first and np.any(snapshot.mask(sample)):
                first[sample.subject] = sample
        orders = [first_subjects(first, 1.0, seed)[:most] for seed in range(seeds)]
        held = {
            s: Case(s, s, np.array(snapshot.pixels(first[s])), np.array(snapshot.mask(first[s])))
            for s in {s for order in orders for s in order}
        }
        return [[held[s] for s in order] for order in orders]


def made_up(seed, most):
    """Bright discs in speckle."""
    found = []
    for n in range(most):
        rng = np.random.default_rng((seed, n))
        r, c = np.mgrid[:400, :512]
        disc = (r - rng.uniform(120, 280)) ** 2 + (c - rng.uniform(150, 360)) ** 2 < rng.uniform(60, 100) ** 2
        found.append(Case(f"s{n}", f"s{n}", rng.rayleigh(np.where(disc, 70, 25)).clip(0, 255).astype(np.uint8),
                          disc.astype(np.uint8)))  # fmt: skip
    return found


def accepted(project, frame, ids):
    """The person's two acts: the mask, and done."""
    before = project.mask(frame.id)
    project.apply(review.hand_work(project, paint("Polygon", frame.id, before, Mask.from_array(ids))))
    project.apply(review.set_state(project, frame.id, State.DONE))


def latencies(cases, threads):
    """Milliseconds from each accept to the next frame's proposal, through the verb; and the host's part alone."""
    whole, update, anew = [], [], []
    with tempfile.TemporaryDirectory() as scratch, House.at(Path(scratch) / "p", create=True) as house:
        house.options.threads = threads
        for n, case in enumerate(cases):
            (Path(scratch) / f"{n:03d}.png").write_bytes(png_bytes(case.pixels))
        drive(import_files(ImportArguments(paths=(scratch,)), house))
        project, book = house.project, LessonBook()
        schema = Schema(segments=tuple(Segment(value=int(v), name=f"Segment {v}") for v in values(cases)))
        project.apply(ReplaceSchema(name="Schema", before=project.schema, after=schema))
        frames = {f.instance.name: f for f in project.frames()}
        house.engine.warm(shipped_encoder()).result(120)
        for n, case in enumerate(cases[:-1]):
            accepted(project, frames[f"{n:03d}.png"], case.ids)
            arguments = InstantArguments(exam="", frames=(frames[f"{n + 1:03d}.png"],), book=book)
            result, ms = timed(lambda arguments=arguments: drive(instantly(arguments, house)))
            assert result.frames == 1
            whole.append(ms)
        bare = [lesson(case, whole=False) for case in cases]
        sent = [lesson(case, whole=True) for case in cases]
        host = psutil.Process(house.engine.pid)
        spent = sum(host.cpu_times()[:2])
        for n in range(len(cases) - 1):
            update.append(timed(lambda n=n: asked(house, [*bare[:n], sent[n]], "alone"))[1])
        spent = 1000 * (sum(host.cpu_times()[:2]) - spent) / len(update)
        for n in range(len(cases) - 1):
            anew.append(timed(lambda n=n: asked(house, sent[: n + 1], f"anew {n}"))[1])
    return whole, update, anew, spent


def timed(act):
    begun = time.perf_counter()
    found = act()
    return found, 1000 * (time.perf_counter() - begun)


def asked(house, lessons, group):
    house.engine.instant([], lessons, shipped_encoder(), group).result(120)


def lesson(case, *, whole):
    body = {"pixels": FramePixels(key=case.name, array=case.pixels), "ids": case.ids} if whole else {}
    return Lesson(key=case.name, revision="1", subject=case.subject, **body)


def values(cases):
    return sorted({int(v) for case in cases for v in np.unique(case.ids) if v})


def dices(cases, predictor):
    """By number of accepted frames: (mean Dice over the segments of the test frames, would the head keep silent)."""
    prepared = [predictor.prepare(case.pixels) for case in cases]
    features = list(predictor.embed_all(prepared))
    seen = list(zip(cases, features, prepared, strict=True))
    head, lessons, found = TaughtHead(predictor.channels, least=0.0), [], {}
    for case, maps, ready in seen[: max(SIZES)]:
        lessons.append(Taken(case.name, "1", case.subject))
        head.take(lessons[-1], maps, ready.placement, case.ids, ready.x_CHW)
        head.learn(lessons)
        if len(lessons) in SIZES:
            each = []
            for other, its_maps, placed in seen[max(SIZES) :]:
                ids, _ = head.propose(its_maps, placed.placement, placed.x_CHW)
                each += [dice(ids == value, other.ids == value) for value in values([other])]
            silent = bool(head.left_out) and max(head.left_out.values()) < LEAST_LEFT_OUT
            found[len(lessons)] = float(np.mean(each)), silent
    return found


def spread(ms):
    p50, p95 = np.percentile(ms, [50, 95])
    return {"p50": round(float(p50), 1), "p95": round(float(p95), 1), "most": round(max(ms), 1)}


def measured(name, cases_by_seed, predictor, threads):
    whole, update, anew, spent = latencies(cases_by_seed[0][: ACCEPTED + 1], threads)
    body = {"accept to proposal": spread(whole), "head alone": spread(update), "head from nothing": spread(anew)}
    load = round(os.getloadavg()[0], 1)
    print(f"\n{name}: ms over {len(whole)} accepted frames, load {load} on {os.cpu_count()} cores")
    for title, figures in body.items():
        print(f"  {title:20} p50 {figures['p50']:6.1f}  p95 {figures['p95']:6.1f}  most {figures['most']:6.1f}")
    print(f"  head alone, processor {spent:6.1f} a frame")
    print(f"  by frames accepted    {' '.join(f'{ms:.0f}' for ms in whole)}")
    body |= {"head alone, processor": round(spent, 1), "load": load}
    if predictor is not None:
        runs = [dices(cases, predictor) for cases in cases_by_seed]
        body["dice"] = {size: [round(run[size][0], 3) for run in runs] for size in SIZES}
        body["silent"] = {size: sum(run[size][1] for run in runs) for size in SIZES}
        for size, each in body["dice"].items():
            shown = ", ".join(f"{v:.3f}" for v in each)
            print(
                f"  Dice after {size:2}: {np.mean(each):.3f} ({shown}), silent in {body['silent'][size]} of {len(runs)}"
            )
    return body


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="*", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--test", type=int, default=40)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    found = {}
    if not options.data:
        found["made-up discs"] = measured("made-up discs", [made_up(0, ACCEPTED + 1)], None, options.threads)
    predictor = Predictor(load_model(shipped_encoder()), cpu_device(options.threads)) if options.data else None
    for folder in options.data:
        most = max(ACCEPTED + 1, max(SIZES) + options.test)
        cases = cases_of(folder, options.seeds, most)
        found[folder.name] = measured(folder.name, cases, predictor, options.threads)
    if options.out is not None:
        options.out.write_text(json.dumps(found, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
