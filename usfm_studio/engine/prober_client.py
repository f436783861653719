"""The parent's door to the probe, which runs in the fine-tuning worker. No torch here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from usfm_studio.children.supervisor import Child, ChildSpec
from usfm_studio.engine import trainer_client
from usfm_studio.engine.trainer_client import Work


def probe(
    encoder: str,
    folders: Mapping[str, Path],
    *,
    against: str | None = None,
    fold_role: str = "decide",
    quick: bool = False,
    seed: int = 0,
    device: str = "auto",
    threads: int | None = None,
    on_event: Callable[[dict[str, Any]], None] = lambda _event: None,
) -> Work:
    """Start scoring an encoder on snapshot folders; the answer has the fields of the contract's `probe`.

    `encoder` and `against` are a folder, a catalogue name or `random:NAME`. Progress comes as `done`, `total`, `what`.
    """
    body = {
        "folders": {name: str(path) for name, path in folders.items()},
        "encoder": encoder,
        "against": against,
        "fold_role": fold_role,
        "quick": quick,
        "seed": seed,
        "device": device,
        "threads": threads,
    }
    spec = ChildSpec(
        module=trainer_client.MODULE,
        title="The probe",
        nice=trainer_client.NICE,
        restarts=0,
        retry=0,
        cancel_s=trainer_client.STOPPING_S,
    )
    child = Child(spec).start()
    return Work(child, child.ask("probe", body, on_progress=on_event))
