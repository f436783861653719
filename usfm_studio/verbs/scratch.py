"""Temporary folders that hold decoded images for a while; those that a killed process left are swept away."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os import getpid
from pathlib import Path
from time import time

import psutil

from usfm_studio.project import files

SWEEP_AFTER_S = 3600.0
SAME_S = 60.0
"""Two statements of when a process began may differ by so much: the clock may have been set meanwhile."""

_NAME = re.compile(r"usfm-([a-z]+)-(\d+)-(\d+)-\w+")


@contextmanager
def scratch(kind: str) -> Iterator[Path]:
    """A private temporary folder (mode 0700), gone after the block. `kind` names it, in small letters."""
    folder = fresh(kind)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def fresh(kind: str) -> Path:
    """A private temporary folder that the caller removes; should it be killed before, a later `sweep` does."""
    sweep()
    return Path(tempfile.mkdtemp(prefix=f"usfm-{kind}-{getpid()}-{_born(getpid())}-"))


def sweep() -> None:
    """Remove the temporary folders, an hour old or more, of processes that are no more."""
    for path in Path(tempfile.gettempdir()).glob("usfm-*-*-*"):
        found = _NAME.fullmatch(path.name)
        if not found or abs(_born(int(found[2])) - int(found[3])) <= SAME_S:
            continue
        with suppress(OSError):
            if time() - path.lstat().st_mtime >= SWEEP_AFTER_S and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)


def sweep_beside(folder: Path, name: str) -> None:
    """Remove what exports and predictions that were killed left beside `name` (a glob pattern) in a folder.

    Writers name what is not finished `.NAME.PID.tmp`; that of a living process is left alone.
    """
    for path in folder.glob(f".{name}.*.tmp"):
        pid = path.name.split(".")[-2]
        if pid.isdecimal() and not psutil.pid_exists(int(pid)) and not path.is_symlink():
            files.remove(path)


def _born(pid: int) -> int:
    """When a process began, in whole seconds; 0 for one that is no more."""
    try:
        return int(psutil.Process(pid).create_time())
    except psutil.Error:
        return 0
