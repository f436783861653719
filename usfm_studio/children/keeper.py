"""The thread of one child: a state machine over its processes, its tickets and the clock.

All but `post`, `cancel` and the properties runs on that one thread, so nothing needs a lock. A turn: run the commands
that came, look after the processes, wait in `poll`, read and write.
"""

from __future__ import annotations

import logging
import os
import select
import threading
import time
from collections.abc import Callable

from usfm_studio.children.channel import BadMessage
from usfm_studio.children.deaths import STEADY_S, Death, back_off_s
from usfm_studio.children.desk import Desk, answer, fail
from usfm_studio.children.inbox import Inbox
from usfm_studio.children.messages import (
    PROTOCOL,
    START,
    Done,
    Failed,
    Goodbye,
    Heartbeat,
    Hello,
    Message,
    Progress,
    error_of,
)
from usfm_studio.children.process import Process
from usfm_studio.children.spec import ChildSpec
from usfm_studio.children.states import Busy, Dead, Ready, Starting, State, Stopped, Waiting
from usfm_studio.children.ticket import Ticket
from usfm_studio.document.errors import ChildDied, Interrupted, OutOfMemory, StudioError, WrongVersion

LOG = logging.getLogger(__name__)
TICK_S = 1.0
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
        self._inbox = Inbox()
        self._desk = Desk(spec)
        self._spare: Process | None = None
        self._leaving: list[Process] = []
        self._deaths = 0
        self._not_before = 0.0
        self._last_why = ""
        self._last_words = ""
        self._stop_at: float | None = None

    # From any thread

    def post(self, command: Callable[[], None]) -> bool:
        """Have the thread run this, soon and in order; False when it has ended. Never blocks."""
        return self._inbox.put(command)

    def cancel(self, ticket: Ticket) -> None:
        """The answer is not wanted any longer."""
        self.post(lambda: self._desk.give_up(ticket, "it was cancelled", self.current, time.monotonic()))

    def finish(self, ticket: Ticket, within_s: float | None = None) -> None:
        """The best that there is will do; `within_s` seconds, where they are given."""
        self.post(lambda: self._desk.finish(ticket, self.current, time.monotonic(), within_s))

    @property
    def open(self) -> bool:
        """True while it takes new requests."""
        return not self._inbox.closed and self._stop_at is None and not isinstance(self.state, Dead)

    @property
    def last_words(self) -> str:
        """The end of what the latest process wrote to stderr."""
        process = self.current
        return self._last_words if process is None else process.last_words

    # Commands

    def accept(self, ticket: Ticket) -> None:
        """Queue a ticket."""
        if self._stop_at is not None:
            fail(ticket, self.verdict)
        else:
            self._desk.add(ticket, self.current, time.monotonic())

    def stop(self, farewell_s: float = FAREWELL_S) -> None:
        """End the processes, by force after `farewell_s`; unanswered tickets raise Interrupted."""
        now = time.monotonic()
        self._stop_at = now + farewell_s
        self._desk.give_up_all(f"{self.spec.title} was stopped", self.current, now)
        for process in self._processes():
            process.send(Goodbye())
            process.close_input()
        self._show(Stopped())

    # The turn

    def _run(self) -> None:
        try:
            while not self._over():
                self._inbox.run_all()
                self._look_after_processes(time.monotonic())
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
        return self._stop_at is not None and not self._processes() and self._inbox.empty

    def _processes(self) -> list[Process]:
        return [p for p in (self.current, self._spare) if p is not None]

    def _look_after_processes(self, now: float) -> None:
        for process in self._processes():
            self._judge(process, now)
        self._leaving = [p for p in self._leaving if p.lives()]
        if self._stop_at is not None:
            if now >= self._stop_at:
                for process in self._processes():
                    process.kill()
        elif not isinstance(self.state, Dead):
            self._fill_places(now)
            self._desk.send_next(self.current, now)
            self._show(self._where_it_stands())

    def _poll(self) -> None:
        poller, owners = select.poll(), {}
        poller.register(self._inbox.fd, select.POLLIN)
        for process in self._processes():
            for fd, wanted in process.watched():
                poller.register(fd, wanted)
                owners[fd] = process
        began = time.monotonic()
        timeout = self._pause(began)
        ready = dict(poller.poll(timeout * 1000))
        waited = min(time.monotonic() - began, timeout)  # a starved parent must not blame its child
        for process in self._processes():
            process.heard = process.stdout in ready
            process.quiet_s += waited
        for fd, process in owners.items():
            if fd in ready:
                self._attend(process, fd)

    def _pause(self, now: float) -> float:
        """Seconds until something must be looked at."""
        moments = [now + TICK_S]
        if self._desk.until is not None:
            moments.append(self._desk.until + 0.001)
        if self._stop_at is not None:
            moments.append(self._stop_at)
        elif self.current is None:
            moments.append(self._not_before)
        if self.spec.heartbeat_s is not None:
            moments.append(now + self.spec.heartbeat_s)
        return max(0.0, min(moments) - now)

    def _attend(self, process: Process, fd: int) -> None:
        if fd == process.stdout:
            self._hear(process)
        elif fd == process.stderr:
            process.read_errors()
        else:
            process.write()

    # Messages

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
        match message:
            case Heartbeat():
                pass
            case Hello(version=version):
                self._greet(process, version)
            case Failed(id=request) if request == START:
                process.refusal = error_of(message)
            case Progress() if process is self.current:
                self._desk.progress(message)
            case Done() | Failed() if process is self.current:
                self._answered(process, message)
            case _:
                LOG.warning("unexpected message", extra={"kind": type(message).__name__})

    def _greet(self, process: Process, version: int) -> None:
        if version == PROTOCOL:
            process.ready = True
            return
        process.refusal = WrongVersion(
            f"{self.spec.title} is of another version", "two versions are mixed", "Install the program again."
        )
        self._condemn(process, "it is of another version")

    def _answered(self, process: Process, message: Done | Failed) -> None:
        ticket = self._desk.take_answered(message)
        if ticket is None:
            return
        self._deaths = 0
        process.answers += 1
        if process.answers == self.spec.recycle:
            self._recycle(process)
        self._desk.send_next(self.current, time.monotonic())  # the child need not wait for the callbacks
        answer(ticket, message)

    # Births and deaths

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
            self._last_why = SPAWN_FAILED.why
            self._count(SPAWN_FAILED)
            return None

    def _recycle(self, process: Process) -> None:
        """Let a process go that has answered often enough; the spare or a fresh one takes its place."""
        process.kill()
        process.close()
        self._leaving.append(process)
        self.current, self._spare = self._spare, None

    def _judge(self, process: Process, now: float) -> None:
        """Condemn what hangs or is over its time; bury what is condemned or has ended."""
        late = self._desk.over_time(now, still_sends=process.heard) if process is self.current else None
        if process.condemned is not None or process.ended or not process.lives():
            self._bury(process)
        elif not process.ready and now - process.started > self.spec.start_s:
            self._condemn(process, f"it did not start within {self.spec.start_s:g} seconds")
        elif process.hangs():
            self._condemn(process, "it stopped answering")
        elif late is not None:
            process.over_time = True
            self._condemn(process, late)

    def _condemn(self, process: Process, why: str) -> None:
        """End a process by force; the next turn buries it."""
        process.condemned = Death(why)
        process.kill()

    def _bury(self, process: Process) -> None:
        """Take an ended (or condemned) process out; its request goes on the next one or fails."""
        while process.condemned is None and self._hear(process):
            pass  # what it said before it died counts
        if process not in self._processes():
            return  # that was the answer after which it was to go anyway
        if process.condemned is None:
            process.wait(0.5)
        death = process.death()
        process.kill()  # what it may have started, or itself when it only closed its pipe
        process.wait(1.0)  # before its request is released: a dead process writes into no array
        process.close()
        self._leaving.append(process)
        self._last_why, self._last_words = death.why, process.last_words
        LOG.warning("child ended", extra={"child": self.spec.module, "pid": process.pid, "trace": death.trace})
        if process is self._spare:
            ticket, self._spare = None, None
        else:
            ticket, self.current = self._desk.take_running(), None
        self._settle(process, death, ticket)

    def _settle(self, process: Process, death: Death, ticket: Ticket | None) -> None:
        """Who was to blame? The request where it took too long or may not be asked again; else the child."""
        again = ticket is not None and not process.over_time and ticket.attempts <= self.spec.retry
        if ticket is not None:
            if again and not ticket.done() and self._stop_at is None:
                self._desk.put_back(ticket)
            else:
                fail(ticket, self._error(death))
        if self._stop_at is not None:
            return
        if self.spec.restarts == 0:
            self._stay_away(process.refusal or self._error(death))
            return
        if ticket is not None and (process.over_time or self.spec.retry == 0):
            return
        if process.refusal is not None:
            self._stay_away(process.refusal)
            return
        if process.ready and time.monotonic() - process.started > STEADY_S:
            self._deaths = 0
        self._count(death)

    def _count(self, death: Death) -> None:
        """Back off; after too many deaths in a row stay away."""
        self._deaths += 1
        self._not_before = time.monotonic() + back_off_s(self._deaths)
        if self._deaths >= self.spec.restarts:
            kind, why = type(self._error(death)), f"{death.why}, {self._deaths} times in a row"
            self._stay_away(kind(f"{self.spec.title} does not stay up", why, "Restart the program."))

    def _error(self, death: Death) -> StudioError:
        if death.no_memory:
            return OutOfMemory(f"{self.spec.title} stopped", death.why, "Close other programs or use smaller images.")
        what_now = "It is started again" if self.spec.restarts else "Start it again"
        return ChildDied(f"{self.spec.title} stopped", death.why, f"{what_now}; other work goes on.")

    def _stay_away(self, error: StudioError) -> None:
        self.verdict = error
        self._show(Dead(str(error)))

    def _where_it_stands(self) -> State:
        if isinstance(self.state, Dead):
            return self.state
        if self.current is None:
            return Waiting(self._last_why, back_off_s(self._deaths))
        if not self.current.ready:
            return Starting()
        return Ready() if self._desk.running is None else Busy()

    def _show(self, state: State) -> None:
        if state != self.state:
            self.state = state
            self._on_state(state)

    def _end(self) -> None:
        """Take no more commands, leave no process, answer everyone."""
        self._inbox.close()
        self._stop_at = time.monotonic()
        self._inbox.run_all()
        for process in self._processes():
            process.kill()
            process.close()
            self._leaving.append(process)
        self.current = self._spare = None
        for process in self._leaving:
            process.wait(5)
        self._desk.fail_all(self.verdict)
