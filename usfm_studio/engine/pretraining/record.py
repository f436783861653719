"""`metrics.jsonl`: one line for each measured step and each probe, always written; and how fast the run goes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import msgspec

from usfm_studio.engine.pretraining.keeping import write_beside

METRICS = "metrics.jsonl"


class Record:
    """The lines of a run. Numbers that are none are written as null."""

    def __init__(self, folder: Path, first_step: int) -> None:
        """Lines of steps from `first_step` on are taken back: they will come again. Raises OSError."""
        self.path = folder / METRICS
        if self.path.exists():
            kept = [line for line in lines_of(self.path) if line.get("step", 0) <= first_step]
            write_beside(self.path, b"".join(_line(line) for line in kept))

    def add(self, body: Mapping[str, Any]) -> None:
        """Append a line. A full disk loses the line, not the run."""
        try:
            with self.path.open("ab") as file:
                file.write(_line(body))
        except OSError:
            return


def lines_of(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a record; one that a crash cut is left out. Raises OSError."""
    found = []
    for line in path.read_bytes().splitlines():
        try:
            body = msgspec.json.decode(line)
        except msgspec.DecodeError:
            continue
        if isinstance(body, dict):
            found.append(body)
    return found


@dataclass(slots=True)
class Pace:
    """Images a second since it was last asked, without the pauses in between (probes, checkpoints)."""

    images: int = 0
    paused: float = 0.0
    since: float = field(default_factory=monotonic)

    def add(self, images: int) -> None:
        """So many more images were learned from."""
        self.images += images

    def pause(self, seconds: float) -> None:
        """So many seconds were spent on something else."""
        self.paused += seconds

    def take(self) -> float:
        """The pace; counting starts again."""
        now = monotonic()
        pace = self.images / max(1e-9, now - self.since - self.paused)
        self.images, self.paused, self.since = 0, 0.0, now
        return pace


def _line(body: Mapping[str, Any]) -> bytes:
    plain = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in body.items()}
    return msgspec.json.encode(plain) + b"\n"
