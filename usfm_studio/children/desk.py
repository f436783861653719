"""The tickets of one child: who waits, which request runs, and until when. Used by the keeper's thread alone."""

from __future__ import annotations

import logging
from collections import deque

from usfm_studio.children.messages import Cancel, Done, Failed, Finish, Progress, Request, error_of
from usfm_studio.children.process import Process
from usfm_studio.children.spec import ChildSpec
from usfm_studio.children.ticket import Ticket
from usfm_studio.document.errors import Interrupted

LOG = logging.getLogger(__name__)
LATE_S = 1.0
"""Seconds over its limit that a request gets while its process still sends."""


class Desk:
    """A queue of tickets, of which one at a time is with the process."""

    def __init__(self, spec: ChildSpec) -> None:
        self._spec = spec
        self._queue: deque[Ticket] = deque()
        self._until: float | None = None
        self._hurried = False
        self.running: Ticket | None = None

    @property
    def until(self) -> float | None:
        """When the running request must be answered (monotonic clock), or None."""
        return self._until

    def add(self, ticket: Ticket, process: Process | None, now: float) -> None:
        """Queue a ticket; unanswered ones with the same key are given up."""
        if ticket.key is not None:
            for older in [t for t in self._all() if t.key == ticket.key]:
                self.give_up(older, "a newer one took its place", process, now)
        self._queue.append(ticket)

    def give_up(self, ticket: Ticket, why: str, process: Process | None, now: float) -> None:
        """Fail an unanswered ticket with Interrupted; if it runs, the process is told and gets `cancel_s` to let go."""
        if ticket.done():
            return
        waited = ticket in self._queue
        if ticket is self.running and process is not None:
            process.send(Cancel(ticket.id))
            limit = now + self._spec.cancel_s
            self._until = limit if self._until is None else min(limit, self._until)
        elif waited:
            self._queue.remove(ticket)
        ticket.set_exception(Interrupted("The request was given up", why))
        if waited:
            ticket.release()

    def give_up_all(self, why: str, process: Process | None, now: float) -> None:
        """Fail all unanswered tickets with Interrupted."""
        for ticket in self._all():
            self.give_up(ticket, why, process, now)

    def finish(self, ticket: Ticket, process: Process | None, now: float, within_s: float | None = None) -> None:
        """Ask for an early end, `within_s` at most; one that has not begun is given up."""
        ticket.finishing = True
        if ticket is self.running and process is not None:
            process.send(Finish(ticket.id))
            if within_s is not None:
                self._until, self._hurried = now + within_s, True
        elif ticket in self._queue and not ticket.attempts:
            self.give_up(ticket, "it had not begun", process, now)

    def send_next(self, process: Process | None, now: float) -> None:
        """Hand the first ticket to the process when both are free."""
        while self._queue and self.running is None and process is not None and process.ready:
            ticket = self._queue.popleft()
            try:
                process.send(Request(ticket.id, ticket.kind, ticket.body))
            except (TypeError, ValueError, RecursionError) as error:  # the caller's mistake: its body is no JSON
                fail(ticket, error)
                continue
            if ticket.finishing:
                process.send(Finish(ticket.id))
            ticket.attempts += 1
            self.running = ticket
            limit = self._limit(ticket)
            self._until = None if limit is None else now + limit

    def progress(self, message: Progress) -> None:
        """Hand part of an answer on."""
        ticket = self._addressed(message)
        if ticket is None or ticket.on_progress is None or ticket.done():
            return
        try:
            ticket.on_progress(message.body)
        except Exception:
            LOG.exception("a progress callback failed", extra={"child": self._spec.module})

    def take_answered(self, message: Done | Failed) -> Ticket | None:
        """The ticket that this message answers, off the desk; None where it answers none."""
        ticket = self._addressed(message)
        if ticket is not None:
            self.take_running()
        return ticket

    def take_running(self) -> Ticket | None:
        """The running ticket, off the desk."""
        ticket, self.running, self._until, self._hurried = self.running, None, None, False
        return ticket

    def put_back(self, ticket: Ticket) -> None:
        """Queue a ticket first."""
        self._queue.appendleft(ticket)

    def over_time(self, now: float, *, still_sends: bool) -> str | None:
        """Why the running request must end, in words; None while it may go on."""
        grace_s = LATE_S if still_sends and not self._hurried else 0.0
        if self.running is None or self._until is None or now <= self._until + grace_s:
            return None
        if self.running.done():
            return "it did not let go of a cancelled request"
        if self._hurried:
            return "it did not come to an end in the time left to it"
        return f"no answer within {self._limit(self.running):g} seconds"

    def fail_all(self, error: Exception) -> None:
        """Fail and release all tickets."""
        for ticket in self._all():
            fail(ticket, error)
        self._queue.clear()
        self.take_running()

    def _all(self) -> list[Ticket]:
        return [*self._queue, *([self.running] if self.running is not None else [])]

    def _addressed(self, message: Progress | Done | Failed) -> Ticket | None:
        ticket = self.running
        if ticket is None or ticket.id != message.id:
            LOG.warning("an answer that nobody waits for", extra={"child": self._spec.module})
            return None
        return ticket

    def _limit(self, ticket: Ticket) -> float | None:
        return ticket.timeout_s if ticket.timeout_s is not None else self._spec.seconds_per_request


def fail(ticket: Ticket, error: Exception) -> None:
    """Fail a ticket, unless it was answered, and release it."""
    if not ticket.done():
        ticket.set_exception(error)
    ticket.release()


def answer(ticket: Ticket, message: Done | Failed) -> None:
    """Answer a ticket, unless it was given up, and release it."""
    if isinstance(message, Failed):
        fail(ticket, error_of(message))
        return
    if not ticket.done():
        ticket.set_result(message.body)
    ticket.release()
