"""Faults on order: the n-th write, fsync, rename or commit fails or ends the process. Off unless asked for.

Tests set the variable `USFM_STUDIO_FAULT` to `ACTION:KINDS:N`, e.g. `exit:any:7` or `ENOSPC:write,fsync:3+`. ACTION is
`exit` (the process ends at once, nothing is flushed) or the name of an errno; KINDS are those passed to `step`; N
counts from 1; a `+` makes every later step of the kind fail, too.
"""

from __future__ import annotations

import errno
import os
import threading
from dataclasses import dataclass

VARIABLE = "USFM_STUDIO_FAULT"
EXIT_STATUS = 86


@dataclass(slots=True)
class _Order:
    action: str
    kinds: frozenset[str]
    at: int
    lasting: bool
    count: int = 0
    struck: bool = False


_lock = threading.Lock()
_order: _Order | None = None


def arm(words: str) -> None:
    """Order a fault, in the words of the variable; the count starts anew. Raises ValueError."""
    global _order
    action, kinds, at = words.split(":")
    if action != "exit" and not hasattr(errno, action):
        raise ValueError(f"{action} is no errno")
    _order = _Order(action, frozenset(kinds.split(",")), int(at.rstrip("+")), at.endswith("+"))


def disarm() -> bool:
    """Forget the order; True when it had struck."""
    global _order
    struck = _order is not None and _order.struck
    _order = None
    return struck


def step(kind: str) -> None:
    """Called before each step that a crash or a full disk may hit. Raises OSError when ordered."""
    if _order is None:
        return
    with _lock:
        order = _order
        if order is None or not ({kind, "any"} & order.kinds):
            return
        order.count += 1
        if order.count != order.at and not (order.lasting and order.count > order.at):
            return
        order.struck = True
    if order.action == "exit":
        os._exit(EXIT_STATUS)
    number = getattr(errno, order.action)
    raise OSError(number, f"{os.strerror(number)} (ordered)")


if VARIABLE in os.environ:
    arm(os.environ[VARIABLE])
