"""The thread of one child: a state machine over its processes, its queue of tickets and the clock.

Everything here but `post` runs on that one thread, so nothing needs a lock.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable

from usfm_studio.children.channel import BadMessage
from usfm_studio.children.deaths import STEADY_S, Death, back_off_s
from usfm_studio.children.messages import (
    PROTOCOL,
    START,
    Cancel,
    Done,
    Failed,
    Finish,
    Goodbye,
    Heartbeat,
    Hello,
    Message,
    Progress,
    Request,
    error_of,
)
from usfm_studio.children.process import Process
from usfm_studio.children.spec import ChildSpec
from usfm_studio.children.states import Busy, Dead, Ready, Starting, State, Stopped, Waiting
from usfm_studio.children.ticket import Body, Ticket
from usfm_studio.document.errors import ChildDied, Interrupted, OutOfMemory, StudioError, WrongVersion

LOG = logging.getLogger(__name__)
TICK_S = 1.0
LATE_S = 1.0
"""Seconds over its limit that a request gets while its process still sends."""
FAREWELL_S = 1.5
"""Seconds from Goodbye to the end by force."""
SPAWN_FAILED = Death("the system could not start another process")


class Keeper:
    """Keeps one child alive and answers its tickets."""

    def __init__(self, spec: ChildSpec, on_state: Callable[[State], None]) -> None:
        self.spec = spec
        self.state: State = Stopped()
        self.verdict: StudioError = Interrupted(f"{spec.title} was stopped")
        self.thread = threading.Thread(target=self._run, name=f"keeper {spec.module}", daemon=True)
        self.current: Process | None = None
        self._on_state = on_state
        self._spare: Process | None = None
        self._leaving: list[Process] = []
        self._queue: deque[Ticket] = deque()
        self._running: Ticket | None = None
        self._until: float | None = None
        self._deaths = 0
        self._not_before = 0.0
        self._last_why = ""
        self._last_words = ""
        self._stop_at: float | None = None
        self._inbox: deque[Callable[[], None]] = deque()
        self._closed = False
        self._guard = threading.Lock()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)

    # From any thread

    def post(self, command: Callable[[], None]) -> bool:
        """Have the thread run this, soon and in order; False when it has ended. Never blocks."""
        with self._guard:
            if self._closed:
                return False
            self._inbox.append(command)
            with contextlib.suppress(BlockingIOError):  # the pipe is full of reasons to wake already
                os.write(self._wake_write, b"\0")
            return True

    def cancel(self, ticket: Ticket) -> None:
        """The answer is not wanted any longer."""
        self.post(lambda: self.give_up_on(ticket, "it was cancelled"))

    @property
    def open(self) -> bool:
        """True while it takes new requests."""
        return not self._closed and self._stop_at is None and not isinstance(self.state, Dead)

    @property
    def last_words(self) -> str:
        """The end of what the latest process wrote to stderr."""
        process = self.current
        return self._last_words if process is None else process.last_words

    # Commands, on the thread

    def accept(self, ticket: Ticket) -> None:
        """Queue a ticket; older ones with the same key are given up."""
        if ticket.key is not None:
            older = [t for t in (*self._queue, self._running) if t is not None and t.key == ticket.key]
            for other in older:
                self.give_up_on(other, "a newer one took its place")
        if self._stop_at is not None:
            self._fail(ticket, self.verdict)
        else:
            self._queue.append(ticket)

    def give_up_on(self, ticket: Ticket, why: str) -> None:
        """Fail an unanswered ticket with Interrupted; a running one is cancelled in the child."""
        if ticket.done():
            return
        if ticket is self._running and self.current is not None:
            self.current.send(Cancel(ticket.id))
            limit = time.monotonic() + self.spec.cancel_s
            self._until = limit if self._until is None else min(limit, self._until)
        elif ticket in self._queue:
            self._queue.remove(ticket)
            ticket.release()
        ticket.set_exception(Interrupted("The request was given up", why))

    def finish(self, ticket: Ticket) -> None:
        """Ask the child to answer this ticket with the best that there is."""
        if ticket is self._running and self.current is not None:
            self.current.send(Finish(ticket.id))
        elif ticket in self._queue:
            self.give_up_on(ticket, "it had not begun")

    def stop(self, farewell_s: float = FAREWELL_S) -> None:
        """End the processes, by force after `farewell_s`; unanswered tickets raise Interrupted."""
        self._stop_at = time.monotonic() + farewell_s
        for ticket in (*self._queue, *([self._running] if self._running else [])):
            self.give_up_on(ticket, f"{self.spec.title} was stopped")
        for process in self._processes():
            process.send(Goodbye())
            process.close_input()
        self._show(Stopped())

    # The loop

    def _run(self) -> None:
        try:
            while not self._over():
                self._take_commands()
                self._tend(time.monotonic())
                if not self._over():
                    self._poll()
        except Exception:
            LOG.exception("keeper failed", extra={"child": self.spec.module})
            self.verdict = ChildDied(f"{self.spec.title} stopped", "its supervision failed", "Restart the program.")
            self._show(Dead(str(self.verdict)))
        finally:
            self._end()

    def _over(self) -> bool:
        if isinstance(self.state, Dead):
            return True
        return self._stop_at is not None and not self._processes() and not self._inbox

    def _take_commands(self) -> None:
        while self._inbox:
            self._inbox.popleft()()

    def _processes(self) -> list[Process]:
        return [p for p in (self.current, self._spare) if p is not None]

    def _tend(self, now: float) -> None:
        for process in self._processes():
            self._judge(process, now)
        self._leaving = [p for p in self._leaving if p.lives()]
        if self._stop_at is not None:
            if now >= self._stop_at:
                for process in self._processes():
                    process.kill()
            return
        if not isinstance(self.state, Dead):
            self._fill_places(now)
            self._send_next(now)
            self._show_where_it_stands(now)

    def _judge(self, process: Process, now: float) -> None:
        """End what hangs or is over its time, bury what has ended."""
        late = self._until is not None and now > self._until + (LATE_S if process.heard else 0)
        if process.condemned is not None or process.ended or not process.lives():
            self._bury(process)
        elif not process.ready and now - process.started > self.spec.start_s:
            self._condemn(process, f"it did not start within {self.spec.start_s:g} seconds")
        elif process.hangs():
            self._condemn(process, "it stopped answering")
        elif process is self.current and self._running is not None and late:
            process.over_time = True
            self._condemn(process, f"no answer within {self._limit(self._running):g} seconds")

    def _limit(self, ticket: Ticket) -> float:
        limit = ticket.timeout_s if ticket.timeout_s is not None else self.spec.seconds_per_request
        return self.spec.cancel_s if limit is None else limit

    def _condemn(self, process: Process, why: str) -> None:
        """End a process by force; `_judge` buries it."""
        process.condemned = Death(why)
        process.kill()

    def _bury(self, process: Process) -> None:
        """Take an ended (or condemned) process out; its request goes on the next one or fails."""
        while process.condemned is None and self._hear(process):
            pass  # what it said before it died counts
        if process.condemned is None:
            process.wait(0.5)
        death = process.death()
        process.kill()  # what it may have started, or itself when it only closed its pipe
        process.wait(1.0)  # before its request is released: a dead process writes into no array
        process.close()
        self._leaving.append(process)
        self._last_why, self._last_words = death.why, process.last_words
        ticket = self._vacate(process)
        LOG.warning(
            "child ended",
            extra={"child": self.spec.module, "pid": process.pid, "trace": death.trace, "deaths": self._deaths},
        )
        if self._stop_at is not None:
            if ticket is not None:
                ticket.release()
            return
        blamed = ticket is not None and (process.over_time or self.spec.retry == 0)
        if ticket is not None:
            self._settle(ticket, death, again=not process.over_time)
        if not blamed:
            self._count(process, death)

    def _vacate(self, process: Process) -> Ticket | None:
        if process is self._spare:
            self._spare = None
            return None
        self.current, ticket, self._running, self._until = None, self._running, None, None
        return ticket

    def _settle(self, ticket: Ticket, death: Death, *, again: bool) -> None:
        if ticket.done():
            ticket.release()
        elif again and ticket.attempts <= self.spec.retry:
            self._queue.appendleft(ticket)
        else:
            self._fail(ticket, self._error(death))

    def _error(self, death: Death) -> StudioError:
        kind, hint = (
            (OutOfMemory, "Close other programs or use smaller images.")
            if death.no_memory
            else (ChildDied, "It is started again; other work goes on.")
        )
        return kind(f"{self.spec.title} stopped", death.why, hint)

    def _count(self, process: Process, death: Death) -> None:
        """Back off; after too many deaths in a row stay away."""
        if process.refusal is not None:
            self._stay_away(process.refusal)
            return
        if process.ready and time.monotonic() - process.started > STEADY_S:
            self._deaths = 0
        self._deaths += 1
        if self._deaths >= self.spec.restarts:
            error = self._error(death)
            why = f"{death.why}, {self._deaths} times in a row"
            self._stay_away(type(error)(f"{self.spec.title} does not stay up", why, "Restart the program."))
        else:
            self._not_before = time.monotonic() + back_off_s(self._deaths)

    def _stay_away(self, error: StudioError) -> None:
        self.verdict = error
        for ticket in (*self._queue, *([self._running] if self._running else [])):
            if not ticket.done():
                ticket.set_exception(error)
        self._show(Dead(str(error)))

    def _fill_places(self, now: float) -> None:
        if self.current is None and self._spare is not None:
            self.current, self._spare = self._spare, None
        if now < self._not_before:
            return
        if self.current is None:
            self.current = self._start()
        if self.spec.spare and self._spare is None and self.current is not None and self.current.ready:
            self._spare = self._start()

    def _start(self) -> Process | None:
        spec = self.spec
        try:
            return Process(spec.module, spec.args, spec.settings(os.getpid()), spec.env)
        except OSError:
            LOG.exception("child did not start", extra={"child": spec.module})
            self._deaths += 1
            self._last_why = SPAWN_FAILED.why
            self._not_before = time.monotonic() + back_off_s(self._deaths)
            if self._deaths >= spec.restarts:
                self._stay_away(self._error(SPAWN_FAILED))
            return None

    def _send_next(self, now: float) -> None:
        while self._queue and self._running is None and self.current is not None and self.current.ready:
            ticket = self._queue.popleft()
            try:
                self.current.send(Request(ticket.id, ticket.kind, ticket.body))
            except (TypeError, ValueError, RecursionError) as error:  # the caller's mistake: its body is no JSON
                self._fail(ticket, error)
                continue
            ticket.attempts += 1
            self._running = ticket
            limit = ticket.timeout_s if ticket.timeout_s is not None else self.spec.seconds_per_request
            self._until = None if limit is None else now + limit

    def _show_where_it_stands(self, now: float) -> None:
        if self.current is None:
            self._show(Waiting(self._last_why, back_off_s(self._deaths)))
        elif not self.current.ready:
            self._show(Starting())
        else:
            self._show(Ready() if self._running is None else Busy())

    def _show(self, state: State) -> None:
        if state == self.state:
            return
        self.state = state
        self._on_state(state)

    def _poll(self) -> None:
        poller, owners = select.poll(), {}
        poller.register(self._wake_read, select.POLLIN)
        for process in self._processes():
            for fd, wanted in process.watched():
                poller.register(fd, wanted)
                owners[fd] = process
        timeout = self._pause(time.monotonic())
        began = time.monotonic()
        ready = dict(poller.poll(timeout * 1000))
        waited = min(time.monotonic() - began, timeout)  # a starved parent must not blame its child
        for process in self._processes():
            process.heard = process.stdout in ready
            process.quiet_s += waited
        if self._wake_read in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake_read, 4096)
        for fd in ready:
            if fd in owners and owners[fd] in self._processes():
                self._attend(owners[fd], fd)

    def _pause(self, now: float) -> float:
        """Seconds until something must be looked at."""
        moments = [now + TICK_S]
        if self._until is not None:
            moments.append(self._until + 0.001)
        if self._stop_at is not None:
            moments.append(self._stop_at)
        elif self.current is None:
            moments.append(self._not_before)
        if self._processes() and self.spec.heartbeat_s is not None:
            moments.append(now + self.spec.heartbeat_s)
        return max(0.0, min(moments) - now)

    def _attend(self, process: Process, fd: int) -> None:
        if fd == process.stdout:
            self._hear(process)
        elif fd == process.stderr:
            process.read_errors()
        else:
            process.write()

    def _hear(self, process: Process) -> bool:
        """Read what has come and act on it; False where nothing has."""
        try:
            messages = process.read()
        except BadMessage:
            self._condemn(process, "it sent something unreadable")
            return False
        for message in messages or ():
            self._heed(process, message)
        return messages is not None

    def _heed(self, process: Process, message: Message) -> None:
        ticket = self._running if process is self.current else None
        match message:
            case Heartbeat():
                pass
            case Hello(version=version):
                if version != PROTOCOL:
                    process.refusal = WrongVersion(
                        f"{self.spec.title} is of another version", "two are mixed", "Install the program again."
                    )
                    process.kill()
                process.ready = True
            case Failed(id=request) if request == START:
                process.refusal = error_of(message)
            case Progress(id=request, body=body) if ticket is not None and ticket.id == request:
                self._progress(ticket, body)
            case Done(id=request) | Failed(id=request) if ticket is not None and ticket.id == request:
                self._answered(ticket, message)
            case _:
                LOG.warning("unexpected message", extra={"kind": type(message).__name__})

    def _progress(self, ticket: Ticket, body: Body) -> None:
        if ticket.on_progress is None or ticket.done():
            return
        try:
            ticket.on_progress(body)
        except Exception:
            LOG.exception("a progress callback failed", extra={"child": self.spec.module})

    def _answered(self, ticket: Ticket, message: Done | Failed) -> None:
        self._running, self._until, self._deaths = None, None, 0
        self._recycle()
        self._send_next(time.monotonic())  # the child need not wait for the callbacks
        if not ticket.done():
            if isinstance(message, Done):
                ticket.set_result(message.body)
            else:
                ticket.set_exception(error_of(message))
        ticket.release()

    def _recycle(self) -> None:
        """Let a process go that has answered often enough; the next takes its place."""
        process, most = self.current, self.spec.recycle
        if process is None or most is None:
            return
        process.answers += 1
        if process.answers >= most:
            process.kill()
            process.close()
            self._leaving.append(process)
            self.current = None

    def _fail(self, ticket: Ticket, error: Exception) -> None:
        ticket.set_exception(error)
        ticket.release()

    def _end(self) -> None:
        with self._guard:
            self._closed = True
            os.close(self._wake_read)
            os.close(self._wake_write)
        self._stop_at = time.monotonic()
        self._take_commands()
        for process in self._processes():
            process.kill()
            process.close()
            self._leaving.append(process)
        self.current = self._spare = None
        for process in self._leaving:
            process.wait(5)
        for ticket in (*self._queue, *([self._running] if self._running else [])):
            if not ticket.done():
                ticket.set_exception(self.verdict)
            ticket.release()
