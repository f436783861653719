"""Forks of the test's own process: quick to start, killed by their own id. Only where no other thread is alive."""

from __future__ import annotations

import os
import signal
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager


def in_a_fork(function, *arguments) -> tuple[int, list[str]]:
    """Exit status of a fork that calls `function(*arguments, tell)`, and the lines that it told."""
    pid, reading = _forked(function, arguments)
    with os.fdopen(reading) as file:
        lines = file.read().splitlines()
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), lines


@contextmanager
def a_living_fork(function, *arguments) -> Iterator[tuple[int, list[str]]]:
    """A fork that has told one line and lives on; killed at the end if it is still there. Gives its pid and line."""
    pid, reading = _forked(lambda *given: (function(*given), time.sleep(120)), arguments)
    with os.fdopen(reading) as file:
        try:
            yield pid, [file.readline().strip()]
        finally:
            kill(pid)


def kill(pid: int) -> None:
    """End a fork of ours by SIGKILL and wait for it; no error when it has ended already."""
    try:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    except (ProcessLookupError, ChildProcessError):
        return


def _forked(function, arguments) -> tuple[int, int]:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        status = 1
        try:
            function(*arguments, lambda line: os.write(writing, f"{line}\n".encode()))
            status = 0
        except BaseException:  # noqa: BLE001 - the fork must end here, whatever it was
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(writing)
    return pid, reading
