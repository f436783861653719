"""Drives a verb in the window's event loop: no wait blocks it, and no step keeps it longer than a display frame."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError, ThreadPoolExecutor
from functools import lru_cache
from queue import Empty
from time import perf_counter
from typing import Any

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from usfm_studio.document.errors import Interrupted, StudioError
from usfm_studio.verbs.steps import Apart, Await, Event, Steps

SLICE_S = 0.006


@lru_cache(maxsize=1)
def _hands() -> ThreadPoolExecutor:
    """One thread for what touches the disk; in order, so that nothing overtakes."""
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="apart")


POLL_MS = 100


_running: set[Job] = set()


class Job(QObject):
    """One verb at work. `done` is called with its result, `failed` with its error; `cancel` closes the verb."""

    _answered = Signal()

    def __init__(
        self,
        steps: Steps[Any],
        *,
        event: Callable[[Event], None] = lambda _event: None,
        done: Callable[[Any], None] = lambda _result: None,
        failed: Callable[[StudioError], None] = lambda _error: None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._steps, self._event, self._done, self._failed = steps, event, done, failed
        self._wish: Await | None = None
        self._ended = False
        self._answered.connect(self._on_answered, Qt.ConnectionType.QueuedConnection)
        self._poll = QTimer(self)
        self._poll.setInterval(POLL_MS)
        self._poll.timeout.connect(self._drain)

    @property
    def running(self) -> bool:
        """True until the verb has ended."""
        return not self._ended

    def start(self) -> Job:
        """Begin with the next turn of the event loop. A running job keeps itself alive."""
        _running.add(self)
        QTimer.singleShot(0, self._resume)
        return self

    def cancel(self) -> None:
        """Close the verb; neither `done` nor `failed` is called."""
        if not self._ended:
            self._end()
            self._steps.close()

    def _resume(self) -> None:
        self._advance(None, None)

    def _advance(self, answer: Any, error: BaseException | None) -> None:
        began = perf_counter()
        while not self._ended:
            try:
                wish = self._steps.send(answer) if error is None else self._steps.throw(error)
            except StopIteration as stop:
                self._end()
                self._done(stop.value)
                return
            except StudioError as failure:
                self._end()
                self._failed(failure)
                return
            except OSError as failure:
                self._end()
                self._failed(StudioError("A file could not be used", failure.strerror or type(failure).__name__))
                return
            answer, error = None, None
            if isinstance(wish, Apart):
                wish = Await(_hands().submit(wish.work))
            if isinstance(wish, Await):
                self._wait(wish)
                return
            self._event(wish)
            if perf_counter() - began > SLICE_S:
                QTimer.singleShot(0, self._resume)
                return

    def _wait(self, wish: Await) -> None:
        self._wish = wish
        if wish.events is not None:
            self._poll.start()
        wish.ticket.add_done_callback(lambda _ticket: self._answered.emit())

    def _on_answered(self) -> None:
        wish, self._wish = self._wish, None
        if wish is None or self._ended:
            return
        self._poll.stop()
        self._drain_from(wish)
        try:
            answer = wish.ticket.result(timeout=0)
        except CancelledError:
            self._advance(None, Interrupted("Stopped", "the request was taken back"))
        except Exception as error:  # noqa: BLE001 - handed to the verb; what it does not know ends up in the bar
            self._advance(None, error)
        else:
            self._advance(answer, None)

    def _drain(self) -> None:
        if self._wish is not None:
            self._drain_from(self._wish)

    def _drain_from(self, wish: Await) -> None:
        while wish.events is not None:
            try:
                self._event(wish.events.get_nowait())
            except Empty:
                return

    def _end(self) -> None:
        self._ended = True
        _running.discard(self)
        self._poll.stop()
