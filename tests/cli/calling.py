"""Calls of the command line: within this process, or as a real process of its own."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from usfm_studio.cli.main import run
from usfm_studio.cli.signals import Signals

ROOT = Path(__file__).parents[2]
LONG_S = 120
MAIN = "from usfm_studio.cli.main import main; main()"


@dataclass
class Called:
    """What a call left: exit status, standard output and standard error."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Standard output as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def result(self) -> dict[str, Any]:
        """The one object, where there is exactly one."""
        (body,) = self.lines
        return body


def call(*words: object) -> Called:
    """A call in this process. Its signals are not set up: pytest has its own."""
    out, err = io.StringIO(), io.StringIO()
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = run([str(word) for word in words], Signals())
    finally:  # the program takes the log for itself; pytest gets it back
        root.handlers[:], logging.raiseExceptions = handlers, True
        root.setLevel(level)
    return Called(status, out.getvalue(), err.getvalue())


def environment(**more: str) -> dict[str, str]:
    """Of a real process: this checkout, no display."""
    kept = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}
    return {**kept, "PYTHONPATH": str(ROOT), "OMP_WAIT_POLICY": "PASSIVE", **more}


def start(*words: object, code: str = MAIN, **more: Any) -> subprocess.Popen[str]:
    """The command line as a process."""
    env = {**environment(), **more.pop("env", {})}
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, words)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env, **more,
    )  # fmt: skip


def finished(process: subprocess.Popen[str]) -> Called:
    """Wait for the end of a process."""
    try:
        out, err = process.communicate(timeout=LONG_S)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return Called(process.returncode, out, err)


def call_apart(*words: object, **more: Any) -> Called:
    """A call as a process of its own."""
    return finished(start(*words, **more))


def wait_until_signals_are_heeded(process: subprocess.Popen[str]) -> None:
    """Return once the process catches SIGTERM (or has ended)."""
    deadline = time.monotonic() + LONG_S
    while process.poll() is None and time.monotonic() < deadline:
        status = Path(f"/proc/{process.pid}/status").read_text()
        caught = int(next(line for line in status.splitlines() if line.startswith("SigCgt")).split()[1], 16)
        if caught >> (signal.SIGTERM - 1) & 1:
            return
        time.sleep(0.005)
    assert process.poll() is not None, "signals are never heeded"


def children_of(pid: int) -> list[int]:
    """Processes that a process has started and their own, as they are now."""
    import psutil

    try:
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
