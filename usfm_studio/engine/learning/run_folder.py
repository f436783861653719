"""What a run leaves on disk: its recipe before the first step, the best model so far, and how it ended.

run.json      state (running, done, cancelled, interrupted, failed), the process, why it failed
recipe.json   everything the run was decided by
model/        the best model so far: always whole, replaced in one step
verdict/      masks of the frames shown in the comparison
result.json   the answer, written last
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

RUNNING, DONE, CANCELLED, INTERRUPTED, FAILED = "running", "done", "cancelled", "interrupted", "failed"
STATE, RECIPE, MODEL, VERDICT, RESULT = "run.json", "recipe.json", "model", "verdict", "result.json"


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The folder of one run."""

    path: Path

    @property
    def model(self) -> Path:
        """The model's folder."""
        return self.path / MODEL

    @property
    def verdict(self) -> Path:
        """The folder of the masks that the comparison shows."""
        return self.path / VERDICT

    def begin(self) -> None:
        """Say that this process works here."""
        self.path.mkdir(parents=True, exist_ok=True)
        born = psutil.Process().create_time()
        self._write(STATE, {"state": RUNNING, "pid": os.getpid(), "process_born": born})

    def plan(self, recipe: dict[str, Any]) -> None:
        """Write down the recipe; before the first step."""
        self._write(RECIPE, recipe)

    def end(self, state: str, why: str = "", result: dict[str, Any] | None = None) -> None:
        """Say how it ended, after the result if there is one."""
        if result is not None:
            self._write(RESULT, result)
        self._write(STATE, {"state": state, "why": why})

    def _write(self, name: str, body: dict[str, Any]) -> None:
        beside = self.path / f".{name}.tmp"
        with beside.open("w", encoding="utf-8") as file:
            json.dump(body, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.path / name)


def state_of(folder: Path) -> str:
    """How a run stands: a run whose process is gone without a word is interrupted. `failed` where it cannot be read."""
    try:
        body = json.loads((folder / STATE).read_text("utf-8"))
        state = str(body["state"])
        if state != RUNNING:
            return state
        alive = psutil.Process(int(body["pid"])).create_time() == float(body["process_born"])
    except psutil.NoSuchProcess:
        return INTERRUPTED
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        return FAILED
    return RUNNING if alive else INTERRUPTED
