"""The parent's door to the fine-tuning worker. No torch here: the worker is named, not imported.

training = train(order, on_event=print)
try:
    body = training.ticket.result()
finally:
    training.close()
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from usfm_studio.children.supervisor import Child, ChildSpec, Ticket
from usfm_studio.engine.training_order import TrainingOrder

__all__ = ["TrainingOrder", "Work", "evaluate", "train"]

MODULE = "usfm_studio.engine.worker"
NICE = 19
STOPPING_S = 20.0
"""A stopped run compares and writes before it answers; a cancelled one ends after its step."""


@dataclass(frozen=True, slots=True)
class Work:
    """A run (or evaluation) under way in its own process. `ticket.result()` is its answer."""

    child: Child
    ticket: Ticket

    def stop(self, within_s: float | None = None) -> None:
        """Learn no longer: compare and answer with the best so far; without an answer `within_s`, end by force."""
        self.child.finish(self.ticket, within_s)

    def cancel(self) -> None:
        """Give it up: the ticket raises Interrupted, and no model comes of it."""
        self.ticket.cancel()

    def close(self) -> None:
        """End the process. Call it in the end, whatever came of the work."""
        self.child.stop()

    @property
    def pid(self) -> int | None:
        """Of the process at work."""
        return self.child.pid


def train(order: TrainingOrder, *, on_event: Callable[[dict[str, Any]], None] = lambda _event: None) -> Work:
    """Start a run. Events come on the child's reading thread: stage, step, holdout, note, each with `left_s`.

    A worker that dies is not started again: the ticket then raises ChildDied or OutOfMemory with the reason.
    """
    return _start("train", order.to_json(), "The fine-tuning", on_event)


def evaluate(
    model: Path,
    snapshot: Path,
    *,
    folds: int | None = None,
    fold: int | None = None,
    device: str = "auto",
    threads: int | None = None,
    on_event: Callable[[dict[str, Any]], None] = lambda _event: None,
) -> Work:
    """Start scoring a model on a snapshot; the answer has the fields of the contract's `evaluate`."""
    body = {
        "model": str(model),
        "snapshot": str(snapshot),
        "folds": folds,
        "fold": fold,
        "device": device,
        "threads": threads,
    }
    return _start("evaluate", body, "The evaluation", on_event)


def _start(kind: str, body: dict[str, Any], title: str, on_event: Callable[[dict[str, Any]], None]) -> Work:
    spec = ChildSpec(module=MODULE, title=title, nice=NICE, restarts=0, retry=0, cancel_s=STOPPING_S)
    child = Child(spec).start()
    return Work(child, child.ask(kind, body, on_progress=on_event))
