"""Answers that are put together from those of several requests; to who asked they are tickets like others."""

from __future__ import annotations

import itertools
import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from usfm_studio.children.ticket import Body, Ticket
from usfm_studio.document.errors import ChildDied, Interrupted, OutOfMemory, StudioError

LOG = logging.getLogger(__name__)
_numbers = itertools.count(1)
BLAMED = (ChildDied, OutOfMemory)
"""Errors that speak of the process: which of several files is guilty is not known."""


class _Nobody:
    """What a composed ticket has in place of a child: nothing waits on a thread of its own."""

    def __init__(self) -> None:
        self.thread = threading.Thread(name="no thread")
        self.parts: list[Ticket] = []

    def cancel(self, ticket: Ticket) -> None:
        _settle(ticket, error=Interrupted("The request was given up", "it was cancelled"))
        for part in list(self.parts):  # after that: a part that begins meanwhile sees it
            part.cancel()


class Task(Ticket):
    """A ticket that its parts fill. Errors and results are set at most once."""

    def __init__(self, kind: str, body: Body, *, on_progress: Callable[[Body], None] | None = None) -> None:
        self._nobody = _Nobody()
        super().__init__(self._nobody, next(_numbers), kind, body, key=None, on_progress=on_progress, timeout_s=None)

    def goes_on(self, part: Ticket, answered: Callable[[], None]) -> None:
        """When `part` is answered do `answered`; what that cannot take fails the task. `part` is cancelled with it."""
        self._nobody.parts.append(part)
        if self.done():
            part.cancel()

        def go_on(_: object) -> None:
            if part in self._nobody.parts:
                self._nobody.parts.remove(part)
            try:
                answered()
            except Exception as error:  # whatever a child said, nobody may wait for ever
                LOG.exception("an answer makes no sense", extra={"kind": self.kind})
                self.fail(StudioError("The answer of a helper process makes no sense", type(error).__name__))

        part.add_done_callback(go_on)

    def succeed(self, result: Any) -> bool:
        """Set the result; False where it had been cancelled."""
        settled = _settle(self, result=result)
        self.release()
        return settled

    def fail(self, error: BaseException) -> None:
        """Set the error, unless it was answered."""
        _settle(self, error=error)
        self.release()


_settling = threading.Lock()


def _settle(ticket: Ticket, *, result: Any = None, error: BaseException | None = None) -> bool:
    """Set result or error; False where another thread has."""
    with _settling:
        if ticket.done():
            return False
        # `running` is claimed under the lock; callbacks run outside of it
        claimed = ticket.set_running_or_notify_cancel() if not ticket.running() else False
    if not claimed:
        return False
    if error is not None:
        ticket.set_exception(error)
    else:
        ticket.set_result(result)
    return True


class Chunks:
    """Asks for many files in chunks, a few at a time and child by child, and puts the answers in order.

    When a process died over a chunk, its files are asked for one by one, so that the guilty one alone fails.
    """

    def __init__(
        self,
        files: list[Body],
        ask: Callable[[list[Body], int], Ticket],
        failed: Callable[[Body, StudioError], Body],
        on_part: Callable[[list[Body]], None] | None,
        lanes: int,
    ) -> None:
        self.files = files
        self.answers: list[Body | None] = [None] * len(files)
        self.task = Task("describe", {}, on_progress=None)
        self._ask, self._failed, self._on_part, self._lanes = ask, failed, on_part, lanes
        self._waiting: deque[list[int]] = deque()
        self._left = len(files)
        self._guard = threading.RLock()

    def start(self, chunks: list[list[int]]) -> Ticket:
        """Begin. `chunks` hold positions in `files`."""
        self._waiting.extend(chunks)
        if not self.files:
            self.task.succeed({"files": []})
        for lane in range(self._lanes):
            self._next(lane)
        return self.task

    def _next(self, lane: int) -> None:
        with self._guard:
            if self.task.done() or not self._waiting:
                return
            chunk = self._waiting.popleft()
        ticket = self._ask([self.files[i] for i in chunk], lane)
        self.task.goes_on(ticket, lambda: self._answered(ticket, chunk, lane))

    def _answered(self, ticket: Ticket, chunk: list[int], lane: int) -> None:
        error = ticket.exception()
        if error is None:
            self._keep(chunk, ticket.result()["files"])
        elif isinstance(error, BLAMED) and len(chunk) > 1:
            with self._guard:
                self._waiting.extendleft([i] for i in reversed(chunk))
        elif isinstance(error, BLAMED):
            self._keep(chunk, [self._failed(self.files[chunk[0]], error)])
        else:
            self.task.fail(error)
        self._next(lane)

    def _keep(self, chunk: list[int], answers: list[Body]) -> None:
        with self._guard:
            for place, answer in zip(chunk, answers, strict=True):
                self.answers[place] = answer
            self._left -= len(chunk)
            left = self._left
        if self._on_part is not None:
            self._on_part(answers)
        if left == 0:
            self.task.succeed({"files": self.answers})
