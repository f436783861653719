"""Claim: `next` reaches a score with fewer subjects than random order does (protocol 2.7, the instant head as learner).

    python benchmarks/next_frames.py DATA... [--starts 3] [--pool 60] [--test 30] [--out FILE]

Each start draws 5 subjects; then 3 more a round for 8 rounds, chosen by each strategy among the same pool, one frame a
subject. After each round the head is taught from nothing with what was chosen, and scored on the same other subjects.
Told: the area under the curve of mean Dice over rounds, and the paired difference to random order over starts. What a
round costs a person is one mask a frame, for every strategy alike. A learner that is made in a tenth of a second says
which frames matter to it; a fine-tuned network may want others.
"""

import argparse
import json
import os
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
from instant_head import cases_of

from usfm_studio.engine.active_learning import k_centre, standardised, unsure_and_different
from usfm_studio.engine.device import cpu_device
from usfm_studio.engine.learning.lessons import Lesson, TaughtHead
from usfm_studio.engine.models.catalogue import shipped_encoder
from usfm_studio.engine.models.checkpoint import load_model
from usfm_studio.engine.models.predictor import Predictor
from usfm_studio.engine.scoring import dice
from usfm_studio.verbs.prospects import GOOD_FROM

FIRST, MORE, ROUNDS = 5, 3, 8
STRATEGIES = ("random", "next", "k-centre", "least certain")


@dataclass(frozen=True)
class Seen:
    """A frame as the head takes it."""

    case: object
    features: object
    prepared: object


def embedded(predictor, cases):
    found = []
    for case in cases:
        prepared = predictor.prepare(case.pixels)
        found.append(Seen(case, next(iter(predictor.embed_all([prepared]))), prepared))
    return found


def taught(predictor, chosen):
    head = TaughtHead(predictor.channels, least=0.0)
    lessons = [Lesson(seen.case.name, "1", seen.case.subject) for seen in chosen]
    for lesson, seen in zip(lessons, chosen, strict=True):
        head.take(lesson, seen.features, seen.prepared.placement, seen.case.ids, seen.prepared.x_CHW)
    head.learn(lessons)
    return head


def answer(head, seen):
    return head.propose(seen.features, seen.prepared.placement, seen.prepared.x_CHW)


def score(head, tested):
    each = []
    for seen in tested:
        ids, _ = answer(head, seen)
        each += [dice(ids == v, seen.case.ids == v) for v in np.unique(seen.case.ids) if v]
    return float(np.mean(each))


def chosen_by(strategy, head, pool, done, rng):
    """Indices into the pool."""
    subjects = [seen.case.subject for seen in pool]
    if strategy == "random":
        return rng.choice(len(pool), MORE, replace=False).tolist()
    x_ND, done_MD = standardised(pooled(pool), pooled(done))
    left_out = head.left_out
    good = bool(left_out) and float(np.mean(list(left_out.values()))) >= GOOD_FROM
    if strategy == "k-centre" or (strategy == "next" and not good):
        return [choice.index for choice in k_centre(x_ND, done_MD, subjects, MORE)]
    sure = np.array([np.mean(list(answer(head, seen)[1].values()) or [0.0]) for seen in pool])
    if strategy == "least certain":
        return np.argsort(sure, kind="stable")[:MORE].tolist()
    return [choice.index for choice in unsure_and_different(x_ND, sure, subjects, MORE, rng)]


def pooled(frames):
    return np.stack([seen.features.pooled_BD[0].numpy().astype(np.float64) for seen in frames])


def curve(predictor, strategy, pool, tested, start):
    """Dice after each round, the first 5 subjects included."""
    rng = np.random.default_rng((start, STRATEGIES.index(strategy)))
    first = np.random.default_rng(start).choice(len(pool), FIRST, replace=False).tolist()
    done, left = [pool[i] for i in first], [seen for i, seen in enumerate(pool) if i not in first]
    head = taught(predictor, done)
    scores = [score(head, tested)]
    for _ in range(ROUNDS):
        picked = set(chosen_by(strategy, head, left, done, rng))
        done += [seen for i, seen in enumerate(left) if i in picked]
        left = [seen for i, seen in enumerate(left) if i not in picked]
        head = taught(predictor, done)
        scores.append(score(head, tested))
    return scores


def measured(predictor, folder, options):
    (cases,) = cases_of(folder, 1, options.pool + options.test)
    seen = embedded(predictor, cases)
    tested, pool = seen[: options.test], seen[options.test :]
    curves = {
        strategy: [curve(predictor, strategy, pool, tested, start) for start in range(options.starts)]
        for strategy in STRATEGIES
    }
    areas = {strategy: np.mean(found, axis=1) for strategy, found in curves.items()}
    print(f"\n{folder.name}: {len(pool)} subjects in the pool, {len(tested)} tested, {options.starts} starts")
    for strategy, area in areas.items():
        apart = area - areas["random"]
        last = np.mean([found[-1] for found in curves[strategy]])
        print(f"  {strategy:14} area {area.mean():.3f}  against random {apart.mean():+.3f} "
              f"({apart.min():+.3f} to {apart.max():+.3f})  after the last round {last:.3f}", flush=True)  # fmt: skip
    return curves


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="*", type=Path)
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--pool", type=int, default=60)
    parser.add_argument("--test", type=int, default=30)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    predictor = Predictor(load_model(shipped_encoder()), cpu_device(options.threads))
    found = {folder.name: measured(predictor, folder, options) for folder in options.data}
    if not found:
        print("Name DATA folders with masks.")
    if options.out is not None:
        options.out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
