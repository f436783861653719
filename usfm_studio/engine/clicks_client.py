"""The parent's door to simulated prompting, which runs in the fine-tuning worker. No torch here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from usfm_studio.children.supervisor import Child, ChildSpec
from usfm_studio.engine import trainer_client
from usfm_studio.engine.trainer_client import Work


def clicks(
    prompter: Path,
    snapshot: Path,
    *,
    prompt: str = "click",
    cap: int = 20,
    proposer: Path | None = None,
    folds: int | None = None,
    fold: int | None = None,
    jitter: int | None = None,
    device: str = "auto",
    threads: int | None = None,
    on_event: Callable[[dict[str, Any]], None] = lambda _event: None,
) -> Work:
    """Start simulated persons on a snapshot's masks; the answer has the fields of the contract's `clicks`.

    `proposer`: the model whose masks they start from. `jitter`: the seed of clicks off the centre.
    """
    body = {
        "prompter": str(prompter),
        "snapshot": str(snapshot),
        "prompt": prompt,
        "cap": cap,
        "proposer": None if proposer is None else str(proposer),
        "folds": folds,
        "fold": fold,
        "jitter": jitter,
        "device": device,
        "threads": threads,
    }
    spec = ChildSpec(
        module=trainer_client.MODULE,
        title="The measurement",
        nice=trainer_client.NICE,
        restarts=0,
        retry=0,
        cancel_s=trainer_client.STOPPING_S,
    )
    child = Child(spec).start()
    return Work(child, child.ask("clicks", body, on_progress=on_event))
