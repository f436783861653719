"""Checkpoints of a run: whole or not there, checked when read, the last few and the best kept.

One checkpoint is `step-N.safetensors` (networks, averaged encoder, moments of the optimiser) and `step-N.json` (the
plain facts, with the sha256 of the tensors). The tensors are put in place first, so the second file vouches for the
first. What was begun and not finished has another ending, and never counts.
"""

from __future__ import annotations

import contextlib
import os
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from torch import Tensor

from usfm_studio.document.errors import BadModel
from usfm_studio.engine.models.safe_tensors import read_tensors, write_tensors

FOLDER = "checkpoints"
TEMPORARY = ".tmp"
FACTS_MOST = 1 << 22
_NAME = re.compile(r"step-(\d+)\.json")
Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Saved:
    """A checkpoint that was read. `step` steps were done; `facts` are plain values, `tensors` float32 on the CPU."""

    step: int
    facts: dict[str, Any]
    tensors: dict[str, Tensor]


@dataclass(slots=True)
class Checkpoints:
    """The checkpoints of a run folder. `last` of them stay beside the `best` one (a number of steps)."""

    run: Path
    last: int = 2
    best: int | None = None
    failures: int = field(default=0, init=False)

    @property
    def folder(self) -> Path:
        """Where they lie."""
        return self.run / FOLDER

    def steps(self) -> list[int]:
        """Numbers of steps of the checkpoints that are there, rising; nothing is said of their contents."""
        if not self.folder.is_dir():
            return []
        found = (_NAME.fullmatch(path.name) for path in self.folder.iterdir())
        return sorted(int(match[1]) for match in found if match)

    def write(self, step: int, facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Path:
        """Write a checkpoint; older ones go only once it is on the disk. Raises OSError: then they all stay."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self._path(step)
        beside = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}{TEMPORARY}")
        try:
            digest = write_tensors(beside, tensors)
            beside.replace(path)
            write_beside(path.with_suffix(".json"), msgspec.json.encode({**facts, "step": step, "digest": digest}))
        finally:
            beside.unlink(missing_ok=True)
        self._prune(step)
        return path

    def facts(self, step: int) -> dict[str, Any]:
        """The plain facts of a checkpoint. Raises BadModel."""
        path = self._path(step).with_suffix(".json")
        try:
            if path.stat().st_size > FACTS_MOST:
                raise _damaged(step, "it is larger than one can be")
            body = msgspec.json.decode(path.read_bytes())
        except (OSError, msgspec.DecodeError) as error:
            raise _damaged(step, type(error).__name__) from error
        if not isinstance(body, dict) or body.get("step") != step or not isinstance(body.get("digest"), str):
            raise _damaged(step, "it does not say what it must")
        return body

    def read(self, step: int, shapes: Shapes) -> Saved:
        """A checkpoint whose digest is right and whose tensors are exactly these. Raises BadModel."""
        facts = self.facts(step)
        return Saved(step, facts, read_tensors(self._path(step), facts["digest"], shapes))

    def newest(self, shapes: Shapes, tell: Callable[[str], None] = lambda _note: None) -> Saved | None:
        """The newest that is whole, or None; `tell` hears of those that are not."""
        for step in reversed(self.steps()):
            try:
                return self.read(step, shapes)
            except BadModel as error:
                tell(f"The checkpoint of step {step} is left aside: {error.why}")
        return None

    def sweep(self) -> None:
        """Remove what killed runs left unfinished."""
        for path in self.folder.glob(f"*{TEMPORARY}") if self.folder.is_dir() else ():
            path.unlink(missing_ok=True)

    def _path(self, step: int) -> Path:
        return self.folder / f"step-{step:09d}.safetensors"

    def _prune(self, newest: int) -> None:
        """Remove all but the last ones up to `newest` and the best; later ones are of a run that was taken back."""
        kept = {*[step for step in self.steps() if step <= newest][-self.last :], self.best}
        for step in self.steps():
            if step not in kept:
                with contextlib.suppress(OSError):
                    self._path(step).with_suffix(".json").unlink(missing_ok=True)
                    self._path(step).unlink(missing_ok=True)


def write_beside(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: beside, flush, rename, flush the folder. Raises OSError."""
    beside = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}{TEMPORARY}")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        if os.name == "posix":
            handle = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
    finally:
        beside.unlink(missing_ok=True)


def _damaged(step: int, why: str) -> BadModel:
    return BadModel(f"The checkpoint of step {step} cannot be read", why)
