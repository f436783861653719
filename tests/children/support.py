"""What the tests of this room share."""

from pathlib import Path

from usfm_studio.children.supervisor import ChildSpec, Ticket
from usfm_studio.document.errors import StudioError

ROOT = str(Path(__file__).parents[2])
LONG = 60
"""Seconds that no wait of a healthy run comes near."""


def a_spec(*args, **changes):
    defaults = {"module": "tests.children.misbehaving", "title": "The test child", "env": {"PYTHONPATH": ROOT}}
    return ChildSpec(**{**defaults, "args": args, **changes})


def error_of(ticket: Ticket) -> StudioError:
    error = ticket.exception(LONG)
    assert isinstance(error, StudioError), error
    return error
