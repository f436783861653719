"""Children answer, misbehave, die and come back; who asked always learns what became of it."""

import os
import time
from pathlib import Path

import pytest

from usfm_studio.children.supervisor import Child, ChildSpec, Dead, Ready
from usfm_studio.document.errors import ChildDied, Interrupted, OutOfMemory, StudioError, Unreadable, WrongVersion

ROOT = str(Path(__file__).parents[2])
LONG = 60  # seconds that no wait of a healthy run comes near


def a_spec(*args, **changes):
    defaults = {"module": "tests.children.misbehaving", "title": "The test child", "env": {"PYTHONPATH": ROOT}}
    return ChildSpec(**{**defaults, "args": args, **changes})


def error_of(ticket):
    error = ticket.exception(LONG)
    assert isinstance(error, StudioError), error
    return error


def test_a_child_answers():
    with Child(a_spec()) as child:
        assert child.ask("echo", {"a": [1, 2.5, None, "ü"]}).result(LONG) == {"a": [1, 2.5, None, "ü"]}
        assert child.state == Ready()


@pytest.mark.parametrize("signal", ["SIGABRT", "SIGSEGV", "SIGKILL"])
def test_a_request_that_kills_its_child_fails_and_the_next_is_answered(signal):
    with Child(a_spec(retry=0, spare=True)) as child:
        error = error_of(child.ask("die", {"signal": signal}))
        assert isinstance(error, ChildDied)
        assert signal in error.why
        assert child.ask("echo", {}).result(LONG) == {}
