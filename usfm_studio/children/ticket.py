"""What a person who asked a child holds: the answer to come."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol

LOG = logging.getLogger(__name__)
Body = dict[str, Any]


class _Asked(Protocol):
    thread: threading.Thread

    def cancel(self, ticket: Ticket) -> None: ...


class Ticket(Future[Body]):
    """The answer to one request: `result()` gives its body or raises the StudioError.

    Callbacks run on the child's reading thread and must be short; there, waiting for a ticket is refused. An error
    comes as soon as nobody can have the answer any longer; the child may touch the request's arrays until
    `when_released`.
    """

    def __init__(
        self,
        child: _Asked,
        number: int,
        kind: str,
        body: Body,
        *,
        key: str | None,
        on_progress: Callable[[Body], None] | None,
        timeout_s: float | None,
    ) -> None:
        super().__init__()
        self.id = number
        self.kind = kind
        self.key = key
        self.body = body
        self.on_progress = on_progress
        self.timeout_s = timeout_s
        self.attempts = 0
        self.finishing = False
        self._child = child
        self._released = False
        self._on_released: list[Callable[[], None]] = []
        self._guard = threading.Lock()

    def cancel(self) -> bool:
        """Say that the answer is not wanted: an unanswered ticket raises Interrupted. True unless it was answered."""
        if self.done():
            return False
        self._child.cancel(self)
        return True

    def result(self, timeout: float | None = None) -> Body:
        """The answer's body. Raises the StudioError, or TimeoutError after `timeout` seconds."""
        self._refuse_to_wait_for_itself()
        return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """The error, or None; waits like `result`."""
        self._refuse_to_wait_for_itself()
        return super().exception(timeout)

    def when_released(self, callback: Callable[[], None]) -> None:
        """Call back (at once, or on the reading thread) when no process works on this request any longer.

        Only then may the blocks that it named go back to their pool.
        """
        with self._guard:
            if not self._released:
                self._on_released.append(callback)
                return
        self._call(callback)

    def release(self) -> None:
        """For the supervisor: nothing works on this request any longer."""
        with self._guard:
            callbacks = self._on_released if not self._released else []
            self._released = True
        for callback in callbacks:
            self._call(callback)

    def _call(self, callback: Callable[[], None]) -> None:
        try:
            callback()
        except Exception:
            LOG.exception("a release callback failed", extra={"kind": self.kind})

    def _refuse_to_wait_for_itself(self) -> None:
        if threading.current_thread() is self._child.thread and not self.done():
            raise RuntimeError("a ticket cannot be waited for on its own reading thread")
