"""Drive a verb to its end on the calling thread: wait for its tickets, hand on its events, honour interruption."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import TimeoutError as NotYet
from queue import Empty
from typing import Any, TypeVar

from usfm_studio.document.errors import Interrupted
from usfm_studio.verbs.steps import Apart, Await, Event, Steps

R = TypeVar("R")
POLL_S = 0.1


def drive(
    steps: Steps[R],
    show: Callable[[Event], None] = lambda _event: None,
    interrupted: Callable[[], bool] = lambda: False,
) -> R:
    """The verb's result. Raises what the verb raises, and Interrupted when `interrupted()` turns true."""
    answer: Any = None
    error: BaseException | None = None
    try:
        while True:
            wish = steps.send(answer) if error is None else steps.throw(error)
            answer, error = None, None
            if isinstance(wish, Event):
                show(wish)
                if interrupted():
                    error = Interrupted("Stopped", "you asked for it", "What was finished is kept.")
                continue
            try:
                answer = wish.work() if isinstance(wish, Apart) else _wait(wish, show, interrupted)
            except Exception as raised:  # noqa: BLE001 - handed to the verb, which knows what to do with it
                error = raised
    except StopIteration as stop:
        result: R = stop.value
        return result
    finally:
        steps.close()


def _wait(wish: Await, show: Callable[[Event], None], interrupted: Callable[[], bool]) -> Any:
    while True:
        try:
            answer = wish.ticket.result(timeout=POLL_S)
        except NotYet:
            if wish.ticket.done():
                _drain(wish, show)
                return wish.ticket.result()
            _drain(wish, show)
            if interrupted():
                raise Interrupted("Stopped", "you asked for it", "What was finished is kept.") from None
            continue
        _drain(wish, show)
        return answer


def _drain(wish: Await, show: Callable[[Event], None]) -> None:
    while wish.events is not None:
        try:
            show(wish.events.get_nowait())
        except Empty:
            return
