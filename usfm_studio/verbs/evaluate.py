"""`evaluate`: scores of a model against a DATA folder's own masks and labels."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from usfm_studio.engine.trainer_client import evaluate
from usfm_studio.verbs.house import House
from usfm_studio.verbs.shelf import resolve_model
from usfm_studio.verbs.steps import Await, Event, Steps


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateArguments:
    """`folds` and `fold` score only the subjects of that fold."""

    model: str | None
    data: Path
    folds: int | None = None
    fold: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateResult:
    """Scores as far as they apply, with `interval`, `per_subject` and `per_image`."""

    scores: dict[str, Any]
    failed: list[dict[str, str]] = field(default_factory=list)

    @property
    def partial(self) -> bool:
        """True where some file could not be read."""
        return bool(self.failed)

    def fields(self) -> dict[str, Any]:
        """The result line: the scores themselves at its top."""
        return {**self.scores, "failed": self.failed}


def run(arguments: EvaluateArguments, house: House) -> Steps[EvaluateResult]:
    """Read the folder, predict each image and score it at its native size."""
    model = resolve_model(arguments.model, house.opened)
    with tempfile.TemporaryDirectory(prefix="usfm-evaluate-") as scratch:
        snapshot = Path(scratch) / "snapshot"
        read = yield Await(house.reader.data_folder_to_snapshot(arguments.data, snapshot))
        events: SimpleQueue[Event] = SimpleQueue()
        work = evaluate(
            model,
            snapshot,
            folds=arguments.folds,
            fold=arguments.fold,
            device=house.options.device,
            threads=house.options.threads,
            on_event=lambda body: events.put(Event(str(body.get("event", "progress")), body)),
        )
        try:
            body = yield Await(work.ticket, events)
        finally:
            work.close()
    return EvaluateResult(scores=body, failed=list(read.get("failed", [])))
