"""Why a child ended, in words a person understands; nothing that it wrote is shown or logged as it stands."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass
from pathlib import Path

BACK_OFF_S = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
STEADY_S = 60.0
"""A child that lived so long starts counting its deaths anew."""

_SIGNALS = {
    "SIGABRT": "it gave up on an internal error",
    "SIGSEGV": "it crashed",
    "SIGBUS": "it crashed",
    "SIGILL": "this processor lacks an instruction that it needs",
    "SIGFPE": "it crashed on a calculation",
    "SIGKILL": "the system ended it",
    "SIGTERM": "the system ended it",
    "SIGXCPU": "it used too much processor time",
}
_NO_MEMORY = re.compile(r"MemoryError|bad_alloc|[Cc]annot allocate memory|[Oo]ut of memory|not enough memory")
_MISSING = re.compile(r"^ModuleNotFoundError: No module named '([A-Za-z0-9_.]+)'", re.M)
_ERROR = re.compile(r"^(?:[a-z_][\w.]*\.)?([A-Z]\w*(?:Error|Exception|Exit|Interrupt|Warning))\b", re.M)
_PLACE = re.compile(r'File "[^"\n]*?([\w.-]+/[\w.-]+\.py)", line (\d+)')


@dataclass(frozen=True, slots=True)
class Death:
    """`why` for people; `no_memory` where memory was the reason; `trace` for the log: classes and places alone."""

    why: str
    no_memory: bool = False
    trace: str = ""


def death_of(status: int | None, last_words: str, *, killed_for_memory: bool = False) -> Death:
    """The reason of a death from the exit status (negative: a signal, as in `subprocess`) and what stderr held."""
    trace = trace_of(last_words)
    if killed_for_memory or _NO_MEMORY.search(last_words):
        return Death("the memory was not enough", no_memory=True, trace=trace)
    missing = _MISSING.findall(last_words)
    if missing and status == 1:
        return Death(f"a part of the program is missing ({missing[-1]})", trace=trace)
    return Death(_words(status, last_words), trace=trace)


def _words(status: int | None, last_words: str) -> str:
    if status is None:
        return "it stopped answering"
    if status < 0:
        try:
            name = signal.Signals(-status).name
        except ValueError:
            name = f"signal {-status}"
        return f"{_SIGNALS.get(name, 'it was ended')} ({name})"
    errors = _ERROR.findall(last_words)
    if status and errors:
        return f"it met an internal error ({errors[-1]})"
    return f"it ended by itself (exit status {status})"


def trace_of(last_words: str) -> str:
    """Error classes and `folder/file.py:line` places in stderr, in order, the last ten; no text, no other paths."""
    found: list[str] = []
    for line in last_words.splitlines():
        place, error = _PLACE.search(line), _ERROR.match(line)
        if place:
            found.append(f"{place[1]}:{place[2]}")
        elif error:
            found.append(error[1])
    return " ".join(found[-10:])


def out_of_memory_kills() -> int:
    """How many processes Linux has ended for lack of memory since it started; 0 where it does not tell."""
    try:
        lines = Path("/proc/vmstat").read_text("ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


def back_off_s(deaths: int) -> float:
    """Seconds to wait after so many deaths in a row: 0.5, 1, 2 … 30."""
    return BACK_OFF_S[min(max(deaths, 1), len(BACK_OFF_S)) - 1]
