"""The trainer as the rest of the program sees it: a run in a worker process of its own. No torch here.

The worker (`worker.py`) answers two requests: `train` and `evaluate`. Events come on the worker's reading thread.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from usfm_studio.children.supervisor import Child, ChildSpec, Ticket
from usfm_studio.document.errors import WrongUsage

WORKER = "usfm_studio.engine.worker"
NICE = 19
START_S = 90.0
EVENTS = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOrder:
    """What a run is asked for. `run` is an empty folder of its own; `budget_s` is wall time until the model is written.

    `champion` is the model folder to beat. `fraction`, `folds` and `fold` choose subjects as the command line says;
    `trained_before` are subjects that may not be held out any more.
    """

    snapshot: Path
    run: Path
    budget_s: float
    name: str
    seed: int = 0
    threads: int | None = None
    device: str = "auto"
    champion: Path | None = None
    task: str = "auto"
    exam: str = ""
    trained_before: tuple[str, ...] = ()
    fraction: float | None = None
    folds: int | None = None
    fold: int | None = None
    options: dict[str, Any] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        """As the worker gets it: plain JSON values."""
        return {
            "snapshot": str(self.snapshot),
            "run": str(self.run),
            "budget_s": float(self.budget_s),
            "name": self.name,
            "seed": self.seed,
            "threads": self.threads,
            "device": self.device,
            "champion": str(self.champion) if self.champion else None,
            "task": self.task,
            "exam": self.exam,
            "trained_before": list(self.trained_before),
            "fraction": self.fraction,
            "folds": self.folds,
            "fold": self.fold,
            "options": dict(self.options),
        }


class Training:
    """A worker at work. `ticket` resolves to the result's fields, or raises why there is none."""

    def __init__(self, kind: str, body: dict[str, Any], on_event: EVENTS) -> None:
        self._child = Child(
            ChildSpec(
                module=WORKER,
                title="The training process",
                nice=NICE,
                retry=0,
                restarts=1,
                start_s=START_S,
                env=MappingProxyType({"OMP_WAIT_POLICY": "PASSIVE"}),
            )
        )
        self._child.start()
        self.ticket: Ticket = self._child.ask(kind, body, on_progress=on_event)

    @property
    def pid(self) -> int | None:
        """The worker's process, or None."""
        return self._child.pid

    def stop(self) -> None:
        """Go straight to the comparison with the best so far; the result still comes."""
        self._child.finish(self.ticket)

    def cancel(self) -> None:
        """Give the work up; the ticket raises Interrupted."""
        self.ticket.cancel()

    def close(self) -> None:
        """End the worker; call it when the ticket is answered or no longer wanted."""
        self._child.kill(wait_s=0.0)


def train(order: TrainingOrder, on_event: EVENTS) -> Training:
    """Start a run. Raises WrongUsage where no time is given for it."""
    if order.budget_s <= 0:
        raise WrongUsage(
            "There is no time to learn in", "the budget is used up before it starts", "Give it more minutes."
        )
    return Training("train", order.body(), on_event)


def evaluate(
    model: Path,
    snapshot: Path,
    *,
    on_event: EVENTS,
    folds: int | None = None,
    fold: int | None = None,
    device: str = "auto",
    threads: int | None = None,
) -> Training:
    """Score a model against a snapshot's own masks and labels; the ticket resolves to the fields of `evaluate`."""
    body = {
        "model": str(model), "snapshot": str(snapshot), "folds": folds, "fold": fold, "device": device,
        "threads": threads,
    }  # fmt: skip
    return Training("evaluate", body, on_event)
