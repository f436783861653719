"""The parent's door to carrying masks through a loop, which runs in the worker. No torch here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from usfm_studio.children.supervisor import Child, ChildSpec
from usfm_studio.engine import trainer_client
from usfm_studio.engine.trainer_client import Work

NICE = 10
"""A person waits for it, unlike for a run of learning."""


def propagate(
    snapshot: Path,
    out: Path,
    *,
    model: Path | None = None,
    device: str = "auto",
    threads: int | None = None,
    on_event: Callable[[dict[str, Any]], None] = lambda _event: None,
) -> Work:
    """Start carrying the masks of a snapshot (a loop in order, masks on key frames) into `out`, one STEM.npy a frame.

    The answer is {flagged: [n], score: {n: value}, seconds}, frames from 0; `seconds` without the start of the worker.
    """
    body = {
        "snapshot": str(snapshot),
        "out": str(out),
        "model": None if model is None else str(model),
        "device": device,
        "threads": threads,
    }
    spec = ChildSpec(
        module=trainer_client.MODULE,
        title="Carrying masks",
        nice=NICE,
        restarts=0,
        retry=0,
        cancel_s=trainer_client.STOPPING_S,
    )
    child = Child(spec).start()
    return Work(child, child.ask("propagate", body, on_progress=on_event))
