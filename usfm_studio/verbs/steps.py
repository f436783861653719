"""How a verb talks to whoever drives it: it yields events and waits, and returns its result."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import SimpleQueue
from types import MappingProxyType
from typing import Any, TypeVar

from usfm_studio.document.edit import Edit
from usfm_studio.project.project import Project

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Event:
    """Something to show: `kind` names it (`progress`, `stage`, `step`, `holdout`, `note`), `body` holds its fields."""

    kind: str
    body: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Await:
    """A wait for a child's answer. The driver sends the answer back in, or throws the error.

    `events` carries what the child reports meanwhile; the driver shows it as it comes.
    """

    ticket: Future[Any]
    events: SimpleQueue[Event] | None = None


@dataclass(frozen=True, slots=True)
class Apart:
    """Work of our own that touches the disk: the window's driver does it off its thread, the command line at once.

    The driver sends its answer back in, or throws its error.
    """

    work: Callable[[], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A file that was left out, and why (WHAT: WHY. HINT)."""

    path: str
    error: str


Steps = Generator[Event | Await | Apart, Any, R]
"""A verb at work. `close()` cancels it: whatever it had in flight is cancelled in its `finally`."""


def answer(ticket: Future[Any], events: SimpleQueue[Event] | None = None) -> Steps[Any]:
    """Wait for a child's answer; the request is taken back when the verb is closed or interrupted meanwhile."""
    try:
        return (yield Await(ticket, events))
    finally:
        if not ticket.done():
            ticket.cancel()


def progress(done: int, total: int, what: str = "") -> Event:
    """The plain progress event."""
    return Event("progress", {"done": done, "total": total, "what": what})


def applied(project: Project, edit: Edit) -> Event:
    """Apply an edit that is the program's doing (undo does not take it back), and tell the driver of it."""
    project.apply(edit, undoable=False)
    return Event("applied", {"edit": edit})
