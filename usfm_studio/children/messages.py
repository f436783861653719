"""What parent and child say to each other. A message means the same whatever came before it.

The parent says Hello, Request, Cancel, Finish and Goodbye; the child Hello, Progress, Done, Failed and Heartbeat.
"""

from __future__ import annotations

from typing import Any

import msgspec

from usfm_studio.document.errors import ERRORS, StudioError

PROTOCOL = 1
"""Version of this vocabulary; both sides say it in their first message."""

START = 0
"""The request id that stands for the start of the child itself."""

LONGEST_WORDS = 2000


class Hello(msgspec.Struct, frozen=True, tag=True):
    """First message of each side. The child's means "ready"."""

    version: int
    pid: int


class Request(msgspec.Struct, frozen=True, tag=True):
    """Work for the child; carries all that it needs."""

    id: int
    kind: str
    body: dict[str, Any]


class Progress(msgspec.Struct, frozen=True, tag=True):
    """Part of an answer, or how far the work is."""

    id: int
    body: dict[str, Any]


class Done(msgspec.Struct, frozen=True, tag=True):
    """The answer."""

    id: int
    body: dict[str, Any]


class Failed(msgspec.Struct, frozen=True, tag=True):
    """The work failed; `error` is the name of a class in `document.errors.ERRORS`."""

    id: int
    error: str
    what: str
    why: str = ""
    hint: str = ""


class Cancel(msgspec.Struct, frozen=True, tag=True):
    """The answer to this request is no longer wanted."""

    id: int


class Finish(msgspec.Struct, frozen=True, tag=True):
    """Come to an end early and answer with the best that there is."""

    id: int


class Heartbeat(msgspec.Struct, frozen=True, tag=True):
    """The child lives."""


class Goodbye(msgspec.Struct, frozen=True, tag=True):
    """The child should end."""


Message = Hello | Request | Progress | Done | Failed | Cancel | Finish | Heartbeat | Goodbye


def failed(request: int, error: StudioError) -> Failed:
    """The message that carries an error to the parent."""
    name = next((name for name, kind in ERRORS.items() if type(error) is kind), StudioError.__name__)
    return Failed(request, name, error.what, error.why, error.hint)


def error_of(message: Failed) -> StudioError:
    """The error that a child reported; an unknown class becomes a StudioError, long words are cut."""
    kind = ERRORS.get(message.error, StudioError)
    return kind(message.what[:LONGEST_WORDS], message.why[:LONGEST_WORDS], message.hint[:LONGEST_WORDS])
