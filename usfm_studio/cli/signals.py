"""SIGINT, SIGTERM (and the terminal's end): the first asks the verb to stop with its state saved, the second ends it.

Python runs a signal's handler only when the main thread is back from what it does, so a thread of our own hears of each
signal through the wakeup descriptor and keeps the time: a verb that has not stopped after `PATIENCE_S` is broken off,
and after `GRACE_S` the process ends, whatever holds it.
"""

from __future__ import annotations

import _thread
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = 130
PATIENCE_S = 2.5
GRACE_S = 4.5
ALWAYS = (signal.SIGINT, signal.SIGTERM)
NUMBERS = (*ALWAYS, *((signal.SIGHUP,) if hasattr(signal, "SIGHUP") else ()))


class Signals:
    """Set up once, in the main thread, before anything else.

    `on_first` is called on the listening thread. Without `breaks_off` nothing is broken off (an event loop of C++ would
    swallow it); the process ends after `GRACE_S` all the same.
    """

    def __init__(self, on_first: Callable[[], None] = lambda: None) -> None:
        self.asked = threading.Event()
        self.on_first = on_first
        self.breaks_off = True
        self._driven = False
        self._late = False
        self._heeded: list[signal.Signals] = []
        self._near: socket.socket | None = None
        self._far: socket.socket | None = None

    def install(self) -> Signals:
        """Heed the signals from now on. Only the terminal's end may have been set to be ignored (nohup)."""
        self._near, self._far = socket.socketpair()
        self._far.setblocking(False)
        self._heeded = [n for n in NUMBERS if n in ALWAYS or signal.getsignal(n) is not signal.SIG_IGN]
        threading.Thread(target=self._listen, args=(self._near, set(self._heeded)), name="signals", daemon=True).start()
        for number in self._heeded:
            signal.signal(number, self._on_main_thread)
        signal.set_wakeup_fd(self._far.fileno(), warn_on_full_buffer=False)
        return self

    def seconds_since_start(self) -> float:
        """Seconds that this process has lived; 0 where it is not the program's own (nothing was installed)."""
        if not self._heeded:
            return 0.0
        import psutil

        return max(0.0, float(time.time() - psutil.Process().create_time()))

    @contextmanager
    def driven(self) -> Iterator[Callable[[], bool]]:
        """In the block, somebody asks the given function whether to stop; the main thread is not broken off at once."""
        self._driven = True
        try:
            yield self.asked.is_set
        finally:
            self._driven = False

    def over(self) -> None:
        """The work is done and told: a signal that comes now does not change the exit status any more."""
        for number in self._heeded:
            signal.signal(number, signal.SIG_IGN)

    def _on_main_thread(self, _number: int, _frame: FrameType | None) -> None:
        if self._late or not self._driven:
            self._late = False  # once is enough: what cleans up after it must not be broken off too
            self._driven = True
            raise KeyboardInterrupt

    def _listen(self, near: socket.socket, heeded: set[int]) -> None:
        _hear(near, heeded)
        self.asked.set()
        self.on_first()
        near.settimeout(PATIENCE_S)
        try:
            _hear(near, heeded)
            os._exit(INTERRUPTED)
        except TimeoutError:
            if self.breaks_off:
                self._late = True
                _thread.interrupt_main(signal.SIGINT)
        threading.Event().wait(GRACE_S - PATIENCE_S)
        os._exit(INTERRUPTED)


def _hear(near: socket.socket, heeded: set[int]) -> None:
    """Return with the next of these signals. Raises TimeoutError."""
    while not heeded & set(near.recv(64)):
        pass
