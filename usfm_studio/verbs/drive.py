"""Drive a verb to its end on the calling thread: wait for its tickets, hand on its events, honour interruption."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError
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
    """The verb's result. Raises what the verb raises.

    When `interrupted()` turns true, Interrupted is thrown into the verb, once: what it still does then is to keep what
    is finished.
    """
    driver = _Driver(show, interrupted)
    reply: Any = None
    error: BaseException | None = None
    try:
        while True:
            wish = steps.send(reply) if error is None else steps.throw(error)
            reply, error = None, None
            try:
                reply = driver.fulfil(wish)
            except Exception as raised:  # noqa: BLE001 - handed to the verb, which knows what to do with it
                error = raised
    except StopIteration as stop:
        result: R = stop.value
        return result
    finally:
        steps.close()


class _Driver:
    def __init__(self, show: Callable[[Event], None], interrupted: Callable[[], bool]) -> None:
        self._show, self._interrupted = show, interrupted
        self._told = False

    def fulfil(self, wish: Event | Await | Apart) -> Any:
        """What the verb gets for its wish. Raises what the wish ended with."""
        if isinstance(wish, Event):
            self._show(wish)
            self._heed()
            return None
        if isinstance(wish, Apart):
            self._heed()
            return wish.work()
        return self._wait(wish)

    def _heed(self) -> None:
        if not self._told and self._interrupted():
            self._told = True
            raise Interrupted("Stopped", "you asked for it", "What was finished is kept.")

    def _wait(self, wish: Await) -> Any:
        if not wish.ticket.done():
            self._heed()
        while True:
            try:
                wish.ticket.exception(timeout=POLL_S)
            except NotYet:
                self._drain(wish)
                self._heed()
                continue
            except CancelledError:
                raise Interrupted("Stopped", "the request was taken back") from None
            self._drain(wish)
            return wish.ticket.result()

    def _drain(self, wish: Await) -> None:
        while wish.events is not None:
            try:
                self._show(wish.events.get_nowait())
            except Empty:
                return
