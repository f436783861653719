"""The fine-tuning worker's main: one child, one run (or one evaluation) at a time, at the lowest priority.

Started as `python -m usfm_studio.engine.worker` by the process kit. Requests: `train` (a `TrainingOrder`),
`evaluate`, `probe`, `clicks` and `propagate`. Progress carries events. SIGTERM ends a run within seconds, its best
model on disk.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: its threads would spin beside the window's

import signal
import sys
import threading
from pathlib import Path
from typing import Any

import msgspec

from usfm_studio.children.serve import Context, serve
from usfm_studio.document.errors import Interrupted, WrongUsage
from usfm_studio.document.snapshot import Snapshot
from usfm_studio.engine.device import choose_device
from usfm_studio.engine.learning.enhancement import TASK
from usfm_studio.engine.learning.enhancement_scoring import evaluate_enhancement
from usfm_studio.engine.learning.evaluation import evaluate
from usfm_studio.engine.learning.holdout import chosen_subjects
from usfm_studio.engine.learning.run import fine_tune
from usfm_studio.engine.models.catalogue import read_card
from usfm_studio.engine.probing.request import probe
from usfm_studio.engine.prompting.measuring import measure
from usfm_studio.engine.propagation.request import propagate
from usfm_studio.engine.training_order import TrainingOrder

ENDED = threading.Event()
"""Set by SIGTERM: the system wants this process to end."""


class EvaluationOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to score: the subjects of `fold` of `folds`, or all."""

    model: str
    snapshot: str
    folds: int | None = None
    fold: int | None = None
    device: str = "auto"
    threads: int | None = None


def train(body: dict[str, Any], context: Context) -> dict[str, Any]:
    """Run a fine-tuning; see `learning.run.fine_tune`."""
    return fine_tune(TrainingOrder.from_json(body), context, ENDED.is_set)


def score(body: dict[str, Any], context: Context) -> dict[str, Any]:
    """Score a model on a snapshot; the answer has the fields of `evaluate`."""
    try:
        order = msgspec.convert(body, EvaluationOrder)
    except msgspec.ValidationError as error:
        raise WrongUsage("The evaluation cannot start", "a setting is of another kind than it should be") from error
    snapshot = Snapshot.load(Path(order.snapshot))
    subjects = chosen_subjects(snapshot.samples, folds=order.folds, fold=order.fold, inside=True)
    total = sum(s.subject in set(subjects) for s in snapshot.samples)

    def check(done: int) -> None:
        context.check()
        if ENDED.is_set():
            raise Interrupted("The evaluation was interrupted", "the system ends it")
        context.progress({"event": "progress", "done": done, "total": total})

    device = choose_device(order.device, order.threads)
    scoring = evaluate_enhancement if read_card(Path(order.model)).task == TASK else evaluate
    return scoring(Path(order.model), snapshot, subjects, device=device, check=check).to_json()


def look(body: dict[str, Any], context: Context) -> dict[str, Any]:
    """Probe an encoder; see `probing.request.probe`."""
    return probe(body, context, ENDED.is_set)


def click(body: dict[str, Any], context: Context) -> dict[str, Any]:
    """Simulate prompts; see `prompting.measuring.measure`."""
    return measure(body, context, ENDED.is_set)


def carry(body: dict[str, Any], context: Context) -> dict[str, Any]:
    """Carry masks through a loop; see `propagation.request.propagate`."""
    return propagate(body, context, ENDED.is_set)


def main() -> int:
    """Answer until the parent says goodbye."""
    signal.signal(signal.SIGTERM, lambda _signal, _frame: ENDED.set())
    return serve({"train": train, "evaluate": score, "probe": look, "clicks": click, "propagate": carry})


if __name__ == "__main__":
    sys.exit(main())
