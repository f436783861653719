"""Commands for a thread that waits in `poll`: put in by any thread without blocking, taken out by that one."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable

Command = Callable[[], None]


class Inbox:
    """A queue of commands and a descriptor that becomes readable when one comes."""

    def __init__(self) -> None:
        self._commands: deque[Command] = deque()
        self._closed = False
        self._guard = threading.Lock()
        self.fd, self._wake = os.pipe()
        os.set_blocking(self.fd, False)
        os.set_blocking(self._wake, False)

    def put(self, command: Command) -> bool:
        """Add a command; False when nobody takes any more."""
        with self._guard:
            if self._closed:
                return False
            self._commands.append(command)
            with contextlib.suppress(BlockingIOError):  # the pipe is full of reasons to wake already
                os.write(self._wake, b"\0")
            return True

    def run_all(self) -> None:
        """Run what has come, in order, on the thread that calls."""
        with contextlib.suppress(BlockingIOError, OSError):
            os.read(self.fd, 4096)
        while self._commands:
            self._commands.popleft()()

    def close(self) -> None:
        """Take no more. What has come is still to be run."""
        with self._guard:
            self._closed = True
            os.close(self.fd)
            os.close(self._wake)
            self.fd = -1

    @property
    def empty(self) -> bool:
        """True when nothing waits."""
        return not self._commands

    @property
    def closed(self) -> bool:
        """True once nothing more is taken."""
        return self._closed
