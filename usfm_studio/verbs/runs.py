"""Fine-tuning runs of a project on disk: begun, ended, interrupted, discarded. What a run folder holds: the engine's
`learning/run_folder.py`.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from usfm_studio.document.errors import ChildDied, OutOfMemory, StudioError
from usfm_studio.engine.learning.run_folder import (
    CANCELLED,
    DONE,
    FAILED,
    INTERRUPTED,
    STATE,
    RunFolder,
    state_of,
)
from usfm_studio.project.project import Project
from usfm_studio.project.trouble import explained

RUNS = "runs"
SNAPSHOT = "snapshot"
STARTED = "%Y%m%dT%H%M%S"
KEPT = 10
"""Finished runs whose recipe and verdict are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InterruptedRun:
    """A run that ended without a word, or because it was told to. `started` is ISO 8601 in UTC, empty if unknown.

    `has_model`: a whole model, the best so far, is in it.
    """

    folder: Path
    started: str
    has_model: bool


def begin(project: Project) -> Path:
    """A folder for a new run, marked as ours. Raises DiskFull, ReadOnly."""
    folder = project.folder / RUNS / f"{datetime.now(UTC):{STARTED}}-{os.getpid()}"
    while folder.exists():
        folder = folder.with_name(f"{folder.name}x")
    try:
        RunFolder(folder).begin()
    except OSError as error:
        raise explained(error, "The fine-tuning cannot start") from error
    return folder


def interrupted(folder: Path, why: str) -> None:
    """Say that the run in this folder was interrupted; its files stay."""
    with suppress(OSError):  # a full disk: its process is gone, which says the same
        RunFolder(folder).end(INTERRUPTED, why)


def failed(folder: Path, error: StudioError) -> None:
    """Forget a run that nothing came of, unless its process died: that says nothing against trying again."""
    if isinstance(error, ChildDied | OutOfMemory) and state_of(folder) != FAILED:
        interrupted(folder, error.why)
    else:
        remove(folder)


def remove(folder: Path) -> None:
    """Forget a run."""
    shutil.rmtree(folder, ignore_errors=True)


def finished(folder: Path) -> None:
    """Its model is on the shelf: let go of what it learned from, and of old runs' folders."""
    for name in (SNAPSHOT, "model"):
        remove(folder / name)
    done = [path for path in _folders(folder.parent) if _standing(path) == DONE]
    for path in done[:-KEPT]:
        remove(path)


def interrupted_runs(project: Project) -> list[InterruptedRun]:
    """Runs that were interrupted (program or worker killed, machine off, told to end), oldest first."""
    found = [path for path in _folders(project.folder / RUNS) if _standing(path) == INTERRUPTED]
    return [
        InterruptedRun(folder=path, started=_started(path), has_model=(path / "model" / "card.json").is_file())
        for path in found
    ]


def discard(project: Project, run: InterruptedRun) -> None:
    """Remove an interrupted run; the models in use stay as they are. Raises ReadOnly."""
    if project.read_only:
        raise explained(PermissionError(1, ""), "The run was not removed")
    if run.folder.parent == project.folder / RUNS and _standing(run.folder) == INTERRUPTED:
        remove(run.folder)


def _folders(runs: Path) -> list[Path]:
    return sorted(path for path in runs.glob("*") if path.is_dir())


def _standing(folder: Path) -> str:
    """State of a run; one that was killed before it said anything was interrupted."""
    state = state_of(folder)
    if state == FAILED and not (folder / STATE).exists() and (folder / SNAPSHOT).is_dir():
        return INTERRUPTED
    return state if state != CANCELLED else FAILED


def _started(folder: Path) -> str:
    try:
        moment = datetime.strptime(folder.name.partition("-")[0], STARTED).replace(tzinfo=UTC)
    except ValueError:
        return ""
    return moment.isoformat()
