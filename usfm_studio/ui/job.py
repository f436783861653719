"""Drives a verb in the window's event loop: no wait blocks it, and no step keeps it longer than a display frame."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import CancelledError, ThreadPoolExecutor
from functools import lru_cache
from queue import Empty
from time import perf_counter
from typing import Any

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from usfm_studio.document.disk_trouble import told
from usfm_studio.document.errors import Interrupted, StudioError
from usfm_studio.verbs.steps import Apart, Await, Event, Steps

LOG = logging.getLogger(__name__)
SLICE_S = 0.006
POLL_MS = 100


@lru_cache(maxsize=1)
def hands() -> ThreadPoolExecutor:
    """One thread for what touches the disk; in order, so that nothing overtakes."""
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="apart")


_running: set[Job] = set()


def end_all(why: str) -> None:
    """Give up every verb that still runs in this window; each one's `failed` hears Interrupted."""
    for job in tuple(_running):
        job.give_up(why)


class Job(QObject):
    """One verb at work, kept alive until it ends. `done` gets its result, `failed` its error: one of them, once.

    `cancel` closes the verb without a word; `interrupt` lets it keep what it has and then `failed` hears Interrupted.
    """

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
        self._apart = False
        self._interruption: Interrupted | None = None
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
        """Begin with the next turn of the event loop."""
        _running.add(self)
        QTimer.singleShot(0, self._resume)
        return self

    def cancel(self) -> None:
        """Close the verb; neither `done` nor `failed` is called."""
        if self._ended:
            return
        self._end()
        try:
            self._steps.close()
        except Exception:
            LOG.exception("a verb did not close cleanly")

    def interrupt(self, why: str) -> None:
        """Tell the verb to stop where it is and to keep what is finished."""
        if self._ended or self._interruption is not None:
            return
        self._interruption = Interrupted("Stopped", why, "What was finished is kept.")
        if self._wish is not None and not self._apart:
            self._wish = None
            QTimer.singleShot(0, self._resume)

    def give_up(self, why: str) -> None:
        """Close the verb; `failed` hears Interrupted."""
        if not self._ended:
            self.cancel()
            self._failed(Interrupted("Stopped", why))

    def _resume(self) -> None:
        self._advance(None, None)

    def _advance(self, answer: Any, error: BaseException | None) -> None:
        began = perf_counter()
        while not self._ended:
            if self._interruption is not None:
                answer, error, self._interruption = None, self._interruption, None
            try:
                wish = self._steps.send(answer) if error is None else self._steps.throw(error)
            except StopIteration as stop:
                self._end()
                self._done(stop.value)
                return
            except Exception as failure:  # noqa: BLE001 - the main loop of all verbs: whatever it was, it is told
                self._end()
                self._failed(in_words(failure))
                return
            answer, error = None, None
            if isinstance(wish, Event):
                self._show(wish)
                if perf_counter() - began > SLICE_S:
                    QTimer.singleShot(0, self._resume)
                    return
            else:
                self._wait(wish)
                return

    def _show(self, event: Event) -> None:
        try:
            self._event(event)
        except Exception:
            LOG.exception("a verb's event was not shown", extra={"kind": event.kind})

    def _wait(self, wish: Await | Apart) -> None:
        self._apart = isinstance(wish, Apart)
        self._wish = Await(hands().submit(wish.work)) if isinstance(wish, Apart) else wish
        if self._wish.events is not None:
            self._poll.start()
        self._wish.ticket.add_done_callback(lambda _ticket: self._tell())

    def _tell(self) -> None:
        try:
            self._answered.emit()
        except RuntimeError:
            return  # the job has ended meanwhile

    def _on_answered(self) -> None:
        wish = self._wish
        if wish is None or self._ended or not wish.ticket.done():
            return  # an answer that nobody waits for any more
        self._wish = None
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
                self._show(wish.events.get_nowait())
            except Empty:
                return

    def _end(self) -> None:
        self._ended = True
        self._wish = None
        _running.discard(self)
        self._poll.stop()
        self.deleteLater()


def in_words(error: BaseException) -> StudioError:
    """Any error as one that a person can read; what should not happen is logged as well."""
    if isinstance(error, StudioError):
        return error
    if isinstance(error, OSError):
        return told(error, otherwise="Try again.")
    if isinstance(error, MemoryError):
        return StudioError("There is too little memory for this", "", "Close other programs, then try again.")
    LOG.error("an unexpected error", exc_info=error)
    return StudioError(
        "Something went wrong in the program", type(error).__name__, "Nothing that you did was lost. Try again."
    )
