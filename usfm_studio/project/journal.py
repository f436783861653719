"""The thread that writes: entries in order, one transaction a stroke, each flushed before it counts as saved.

Queued -> committing -> saved. A commit that fails stays at the head of the queue and is tried again until it passes;
meanwhile `saved.error` says why, and the project takes no further edits. A full disk: the ballast goes, the entry is
written, and editing resumes when there is room for the ballast again.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from usfm_studio.document.edit import SetProposal
from usfm_studio.document.errors import DiskFull, StudioError
from usfm_studio.project import faults, tables
from usfm_studio.project.ballast import Ballast
from usfm_studio.project.store import Store
from usfm_studio.project.tables import Entry, Stat, parts_of
from usfm_studio.project.trouble import explained, is_full

log = logging.getLogger(__name__)
T = TypeVar("T")

RETRY_S = 1.0
IDLE_S = 1.5
GROUP = 32
NOT_SAVED = "The last change could not be saved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What is on the disk: everything up to `position`. `pending` entries wait; `error` says why, if they must."""

    position: int
    when: datetime | None = None
    pending: int = 0
    error: StudioError | None = None


@dataclass(frozen=True, slots=True)
class _Task:
    """Another transaction, in its turn, whose answer someone waits for."""

    work: Callable[[Store], Any]
    answer: Future[Any]


class Journal:
    """Owns the writing connection. Its thread ends with `close`."""

    def __init__(self, store: Store, ballast: Ballast, stat: Callable[[str], Stat]) -> None:
        self._store = store
        self._ballast = ballast
        self._stat = stat
        self._queue: deque[Entry | _Task] = deque()
        self._turn = threading.Condition()
        self._closing = False
        self._stopped = False
        self._listeners: list[Callable[[Saved], None]] = []
        self._saved = Saved(position=store.read(tables.last_position))
        self._when_idle: list[Callable[[Store], None]] = []
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    # ---- from any thread ----

    @property
    def saved(self) -> Saved:
        """What is on the disk now."""
        return self._saved

    def saved_position(self) -> int:
        """The position up to which everything is on the disk."""
        return self._saved.position

    def on_saved(self, callback: Callable[[Saved], None]) -> Callable[[], None]:
        """Be called on this thread whenever `saved` changes; answers the function that ends it."""
        with self._turn:
            self._listeners.append(callback)

        def end() -> None:
            with self._turn:
                if callback in self._listeners:
                    self._listeners.remove(callback)

        return end

    def append(self, entry: Entry) -> None:
        """Queue an entry; returns at once."""
        with self._turn:
            self._queue.append(entry)
            self._saved = Saved(
                position=self._saved.position, when=self._saved.when, pending=len(self._queue), error=self._saved.error
            )
            self._turn.notify_all()

    def run(self, work: Callable[[Store], T], timeout_s: float = 60.0) -> T:
        """Do a transaction of another kind in its turn and wait for its answer. Raises what it raises, in words."""
        task = _Task(work, Future())
        with self._turn:
            if self._stopped:
                raise _closed()
            self._queue.append(task)
            self._turn.notify_all()
        try:
            answer: T = task.answer.result(timeout_s)
        except FutureTimeout as error:
            task.answer.cancel()
            raise StudioError(NOT_SAVED, f"the disk did not answer within {timeout_s:g} s", "Try again.") from error
        return answer

    def when_idle(self, work: Callable[[Store], None]) -> None:
        """Do something on this thread once, when nothing waits to be written."""
        with self._turn:
            self._when_idle.append(work)
            self._turn.notify_all()

    def flush(self, timeout_s: float) -> None:
        """Wait until what was queued before is saved. Raises the reason where it cannot be."""
        deadline = time.monotonic() + timeout_s
        with self._turn:
            upto = max((e.position for e in self._queue if isinstance(e, Entry)), default=0)
            while self._saved.position < upto:
                if self._saved.error is not None:
                    raise self._saved.error
                left = deadline - time.monotonic()
                if left <= 0 or self._stopped:
                    raise StudioError(NOT_SAVED, f"the disk did not answer within {timeout_s:g} s", "Try again.")
                self._turn.wait(left)

    def stop(self, timeout_s: float) -> bool:
        """End the thread after the current transaction; True when nothing is left to write."""
        with self._turn:
            self._closing = True
            self._turn.notify_all()
        self._thread.join(timeout_s)
        return not self._queue and not self._thread.is_alive()

    # ---- on the journal's thread ----

    def _run(self) -> None:
        tidy = False
        while True:
            item = self._next(tidy)
            if item is None and self._closing:
                break
            if item is None:
                tidy = self._idle()
                continue
            tidy = True
            if isinstance(item, _Task):
                self._do(item)
            elif not self._write(self._group(item)) and self._closing:
                break
        with self._turn:
            self._stopped = True
            for left in self._queue:
                if isinstance(left, _Task):
                    left.answer.set_exception(_closed())
            self._turn.notify_all()

    def _next(self, tidy: bool) -> Entry | _Task | None:
        """What is to be done next; None when it is time to tidy up, or to end."""
        with self._turn:
            while not self._queue and not self._closing:
                wait_s = RETRY_S if self._saved.error else IDLE_S if tidy or self._when_idle else None
                if not self._turn.wait(wait_s):
                    return None
            return self._queue[0] if self._queue else None

    def _group(self, first: Entry) -> list[Entry]:
        """One entry; of proposals, which come by the hundred, as many as wait."""
        if not _is_quiet(first):
            return [first]
        with self._turn:
            group: list[Entry] = []
            for item in self._queue:
                if len(group) == GROUP or not isinstance(item, Entry) or not _is_quiet(item):
                    break
                group.append(item)
            return group

    def _write(self, group: list[Entry]) -> bool:
        """Try to save; a failed group stays in the queue. True when it is on the disk."""
        error = self._try(group)
        full = error if error is not None and is_full(error) else None
        if error is not None:
            if full is not None and self._ballast.drop():
                log.warning("disk full: ballast dropped")
            error = self._try(group)
        if error is not None:
            self._tell(0, explained(error, NOT_SAVED))
            with self._turn:
                self._turn.wait_for(lambda: self._closing, RETRY_S)
            return False
        was_full = full is not None or isinstance(self._saved.error, DiskFull)
        self._tell(len(group), _full() if was_full and not self._ballast.make_if_room() else None)
        return True

    def _try(self, group: list[Entry]) -> BaseException | None:
        try:
            with self._store.transaction() as connection:
                there = tables.last_position(connection)
                for entry in group:
                    if entry.position > there:  # a commit whose acknowledgement failed is there already
                        faults.step("statement")
                        tables.write_entry(connection, entry, self._stat)
        except Exception as error:  # noqa: BLE001 - whatever it was, the thread goes on and the entry stays
            said = {"position": group[0].position, "error": type(error).__name__}
            log.warning("a journal entry was not written", extra=said)
            return error
        return None

    def _tell(self, written: int, error: StudioError | None) -> None:
        with self._turn:
            position, when = self._saved.position, self._saved.when
            for _ in range(written):
                entry = self._queue.popleft()
                assert isinstance(entry, Entry)
                position, when = entry.position, datetime.now(UTC)
            self._saved = Saved(position=position, when=when, pending=len(self._queue), error=error)
            saved, listeners = self._saved, list(self._listeners)
            self._turn.notify_all()
        for listener in listeners:
            try:
                listener(saved)
            except Exception:
                log.exception("a listener of the journal failed")

    def _do(self, task: _Task) -> None:
        with self._turn:
            self._queue.popleft()
        if not task.answer.set_running_or_notify_cancel():
            return
        try:
            task.answer.set_result(task.work(self._store))
        except (sqlite3.Error, OSError) as error:
            task.answer.set_exception(explained(error, "The project could not be changed"))
        except BaseException as error:  # noqa: BLE001 - it is raised where the answer is waited for
            task.answer.set_exception(error)

    def _idle(self) -> bool:
        """Nothing waits: room for the ballast again, the WAL into the database. True to be called again."""
        if self._saved.error is not None and self._ballast.make_if_room():
            self._tell(0, None)
        with self._turn:
            work = self._when_idle.pop(0) if self._when_idle else None
        try:
            if work is not None:
                work(self._store)
                return True
            self._store.checkpoint("PASSIVE")
        except (sqlite3.Error, OSError, StudioError) as error:
            log.warning("housekeeping failed", extra={"error": type(error).__name__})
        return False


def _is_quiet(entry: Entry) -> bool:
    return not entry.undoable and all(isinstance(part, SetProposal) for part in parts_of(entry.edit))


def _full() -> DiskFull:
    return DiskFull(
        "The disk is full",
        "there is no room for further changes",
        "Free some space; work goes on by itself. Nothing is lost.",
    )


def _closed() -> StudioError:
    return StudioError("The project cannot be changed", "it is closed")
