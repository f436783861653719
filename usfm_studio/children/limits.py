"""What a child may use: memory, priority, and a life no longer than its parent's."""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import os
import signal
import sys
from pathlib import Path

import msgspec

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

PR_SET_PDEATHSIG = 1
GROUP_NICE_MOST = 5
"""Niceness of a child's session: a third of the window's weight. With more, a busy machine would let it starve."""
RATHER_ME = "500"
"""oom_score_adj: when the machine runs out of memory, a child goes before the window."""


class Settings(msgspec.Struct, frozen=True):
    """What the supervisor tells a child on its command line."""

    parent: int = 0
    nice: int = 0
    memory_bytes: int | None = None
    heartbeat_s: float | None = None

    def text(self) -> str:
        """As one argument."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def parse(cls, text: str) -> Settings:
        """Inverse of `text`. Raises msgspec.DecodeError."""
        return msgspec.json.decode(text, type=cls)


def apply(settings: Settings) -> None:
    """Set the limits of this process. What a system does not know is left out."""
    die_with(settings.parent)
    faulthandler.enable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when a child ends
    yield_to_others(settings.nice)
    if resource is not None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold a patient's images
        if settings.memory_bytes is not None:
            resource.setrlimit(resource.RLIMIT_AS, (settings.memory_bytes, settings.memory_bytes))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(RATHER_ME)


def yield_to_others(nice: int) -> None:
    """Lower this process's priority by `nice` steps.

    A child leads a session of its own. Linux desktops share the processor out among sessions first ("autogroup",
    sched(7)), and a process's own niceness then counts inside its session alone: so the session gets it too.
    """
    if not hasattr(os, "nice"):
        return
    now = os.nice(nice)
    leads = os.getsid(0) == os.getpid()
    if leads and nice > 0:
        with contextlib.suppress(OSError):
            Path("/proc/self/autogroup").write_text(str(min(now, GROUP_NICE_MOST)))


def allow_more(bytes_: int) -> None:
    """Limit the memory of this process to what it uses now and so much more; where a system knows no limit, nothing."""
    if resource is None or not Path("/proc/self/statm").is_file():
        return
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + bytes_
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def die_with(parent: int) -> None:
    """Ask Linux to kill this process when the thread that started it ends; end at once if that has happened.

    Elsewhere the end of the parent's pipe must do (`serve`).
    """
    if sys.platform != "linux" or not parent:
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
