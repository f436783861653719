"""The parent's door to a child: started, asked, watched, restarted; never waited for.

One thread a child does everything (`keeper.py`): it starts the processes (Linux ends a process when the *thread* that
started it ends), reads, writes without blocking, watches the limits and calls back. `ask` only puts a ticket into its
inbox.
"""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from usfm_studio.children.keeper import Keeper
from usfm_studio.children.spec import ChildSpec
from usfm_studio.children.states import Busy, Dead, Ready, Starting, State, Stopped, Waiting
from usfm_studio.children.ticket import Body, Ticket

__all__ = ["Busy", "Child", "ChildSpec", "Dead", "Ready", "Starting", "State", "Stopped", "Ticket", "Waiting"]

LOG = logging.getLogger(__name__)
_numbers = itertools.count(1)


class Child:
    """A helper process that answers requests, one at a time and in order. Safe from several threads."""

    def __init__(self, spec: ChildSpec) -> None:
        self.spec = spec
        self._keeper: Keeper | None = None
        self._watchers: list[Callable[[State], None]] = []
        self._guard = threading.Lock()

    def start(self) -> Self:
        """Start the process (again), without waiting for it. The first `ask` does so too."""
        with self._guard:
            if self._keeper is None or not self._keeper.open:
                keeper = self._keeper = Keeper(self.spec, lambda state: self._tell(keeper, state))
                keeper.thread.start()
        return self

    def ask(
        self,
        kind: str,
        body: Body,
        *,
        key: str | None = None,
        on_progress: Callable[[Body], None] | None = None,
        timeout_s: float | None = None,
    ) -> Ticket:
        """Ask for something; returns at once. `body` must be plain JSON values and is not to be changed any more.

        `key`: this one takes the place of unanswered ones with the same key (they raise Interrupted). `on_progress`
        runs on the reading thread. `timeout_s` replaces the spec's `seconds_per_request`, counted from when the
        process gets the request.
        """
        keeper = self._keeper or self._begun()
        ticket = Ticket(
            keeper, next(_numbers), kind, body, key=key, on_progress=on_progress, timeout_s=timeout_s
        )  # fmt: skip
        if not keeper.post(lambda: keeper.accept(ticket)):
            ticket.set_exception(keeper.verdict)
            ticket.release()
        return ticket

    def cancel(self, ticket: Ticket) -> None:
        """The answer is not wanted any longer: an unanswered ticket raises Interrupted."""
        ticket.cancel()

    def finish(self, ticket: Ticket, within_s: float | None = None) -> None:
        """Ask for an early end: the handler sees `Context.finish_early` and answers with the best that there is.

        Without an answer `within_s`, the process is ended by force, and the ticket raises ChildDied.
        """
        keeper = self._keeper
        if keeper is not None:
            keeper.finish(ticket, within_s)

    def stop(self, wait_s: float = 2.0) -> None:
        """End the process, by force after 1.5 s; unanswered tickets raise Interrupted. Waits at most `wait_s`."""
        self._leave(wait_s, farewell=True)

    def kill(self, wait_s: float = 2.0) -> None:
        """End the process at once; unanswered tickets raise Interrupted. Waits at most `wait_s`."""
        self._leave(wait_s, farewell=False)

    @property
    def pid(self) -> int | None:
        """Of the process that answers now, or None."""
        process = self._keeper.current if self._keeper is not None else None
        return None if process is None else process.pid

    @property
    def state(self) -> State:
        """Where it stands."""
        return Stopped() if self._keeper is None else self._keeper.state

    @property
    def last_words(self) -> str:
        """The end of what the process wrote to stderr, as it stands: for those who write children, not for people."""
        return "" if self._keeper is None else self._keeper.last_words

    def on_state(self, callback: Callable[[State], None]) -> None:
        """Call back with each new state, on the reading thread."""
        self._watchers.append(callback)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.stop()

    def _begun(self) -> Keeper:
        self.start()
        assert self._keeper is not None
        return self._keeper

    def _leave(self, wait_s: float, *, farewell: bool) -> None:
        keeper = self._keeper
        if keeper is None:
            return
        keeper.post(keeper.stop if farewell else lambda: keeper.stop(0.0))
        if threading.current_thread() is not keeper.thread:
            keeper.thread.join(wait_s)

    def _tell(self, keeper: Keeper, state: State) -> None:
        if keeper is not self._keeper:
            return  # it was stopped, and another has begun
        for watcher in list(self._watchers):
            try:
                watcher(state)
            except Exception:
                LOG.exception("a state callback failed")
