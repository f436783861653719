"""One process of a child: its pipes, what it said, and whether it lives. Used by the supervisor's thread alone."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping

from usfm_studio.children.channel import CHUNK, Framer, encode
from usfm_studio.children.deaths import Death, death_of, out_of_memory_kills
from usfm_studio.children.limits import Settings
from usfm_studio.children.messages import PROTOCOL, Hello, Message
from usfm_studio.document.errors import StudioError

LOG = logging.getLogger(__name__)
ENVIRONMENT = {"OMP_WAIT_POLICY": "PASSIVE", "OPENBLAS_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
LAST_WORDS = 16 * 1024
DEBUG = "USFM_STUDIO_DEBUG"
"""Environment variable: what children write to stderr is shown as it stands (for those who write them)."""
PATIENCE = 5
"""Heartbeats that may be missed."""
WORKING_PATIENCE = 60
"""Heartbeats that may be missed by a process that uses processor time all the while (a library holds the GIL)."""


class Process:
    """A started child process."""

    def __init__(self, module: str, args: tuple[str, ...], settings: Settings, env: Mapping[str, str]) -> None:
        command = [sys.executable, "-P", "-m", "usfm_studio.children.start", settings.text(), module, *args]
        self._popen = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**ENVIRONMENT, **os.environ, **env},
            start_new_session=True,
            bufsize=0,
        )
        assert self._popen.stdin
        assert self._popen.stdout
        assert self._popen.stderr
        self.stdin = self._popen.stdin.fileno()
        self.stdout = self._popen.stdout.fileno()
        self.stderr = self._popen.stderr.fileno()
        for fd in (self.stdin, self.stdout, self.stderr):
            os.set_blocking(fd, False)
        self.pid = self._popen.pid
        self.started = time.monotonic()
        self.ready = False
        self.quiet_s = 0.0
        self.heard = False
        self.condemned: Death | None = None
        self.over_time = False
        self.answers = 0
        self.refusal: StudioError | None = None
        self._heartbeat_s = settings.heartbeat_s
        self._work_before: float | None = None
        self._framer = Framer()
        self._outbox: deque[memoryview] = deque()
        self._last_words = b""
        self._kills_before = out_of_memory_kills()
        self.ended = False
        self.errors_open = True
        self.send(Hello(PROTOCOL, os.getpid()))

    def send(self, message: Message) -> None:
        """Queue a message if it can still be heard. Raises TypeError or ValueError on a body that JSON cannot carry."""
        data = encode(message)
        assert self._popen.stdin
        if not self.ended and not self._popen.stdin.closed:  # closed, its number may be another file's
            self._outbox.append(memoryview(data))
            self.write()

    def watched(self) -> list[tuple[int, int]]:
        """Descriptors to poll, each with what for."""
        fds = [(self.stdout, select.POLLIN)]
        if self.errors_open:
            fds.append((self.stderr, select.POLLIN))
        if self._outbox:
            fds.append((self.stdin, select.POLLOUT))
        return fds

    def write(self) -> None:
        """Write what the pipe takes."""
        try:
            while self._outbox:
                rest = self._outbox[0]
                rest = rest[os.write(self.stdin, rest[:CHUNK]) :]
                if rest:
                    self._outbox[0] = rest
                else:
                    self._outbox.popleft()
        except BlockingIOError:
            pass
        except (OSError, ValueError):  # the child has closed its end: its death is seen on the other pipe
            self._outbox.clear()

    def read(self) -> list[Message] | None:
        """The messages that have come; None where nothing has. Sets `ended` at the end. Raises BadMessage."""
        if self.ended:
            return None
        try:
            data = os.read(self.stdout, CHUNK)
        except BlockingIOError:
            return None
        if not data:
            self.ended = True
            return None
        self.heard, self.quiet_s, self._work_before = True, 0.0, None
        return self._framer.feed(data)

    def read_errors(self) -> bool:
        """Drain stderr, keeping its last 16 KB; False at its end."""
        with contextlib.suppress(BlockingIOError):
            data = os.read(self.stderr, CHUNK) if self.errors_open else b""
            if not data:
                self.errors_open = False
                return False
            if os.environ.get(DEBUG):
                sys.stderr.write(data.decode("utf-8", "replace"))
            self._last_words = (self._last_words + data)[-LAST_WORDS:]
        return True

    @property
    def last_words(self) -> str:
        """The end of what it wrote to stderr."""
        return self._last_words.decode("utf-8", "replace")

    def lives(self) -> bool:
        """False once it has ended (and is reaped)."""
        return self._popen.poll() is None

    def hangs(self) -> bool:
        """True when it has been silent for too long: 5 heartbeats, or 60 when it works all the while.

        While it starts it need not speak, but a stopped one is found out all the same.
        """
        if self._heartbeat_s is None or self.quiet_s < self._heartbeat_s * PATIENCE / 2:
            return False
        import psutil  # 20 ms that the window's start need not wait for

        try:
            process = psutil.Process(self.pid)
            work, status = sum(process.cpu_times()[:2]), process.status()
        except psutil.Error:
            return False  # it is gone: its end is seen elsewhere
        if self._work_before is None:
            self._work_before = work
        if self.quiet_s < self._heartbeat_s * PATIENCE:
            return False
        if status == psutil.STATUS_STOPPED or not self.ready:
            return bool(status == psutil.STATUS_STOPPED)
        waits_for_machine = status in (psutil.STATUS_RUNNING, psutil.STATUS_DISK_SLEEP)
        works = waits_for_machine or work > self._work_before
        return not works or self.quiet_s > self._heartbeat_s * WORKING_PATIENCE

    def death(self) -> Death:
        """Why it ended."""
        self._drain_errors()
        if self.condemned is not None:
            return Death(self.condemned.why, self.condemned.no_memory, death_of(None, self.last_words).trace)
        status = self._popen.poll()
        killed = status == -signal.SIGKILL and out_of_memory_kills() > self._kills_before
        return death_of(status, self.last_words, killed_for_memory=killed)

    def _drain_errors(self) -> None:
        for _ in range(64):
            before = self._last_words
            if not self.read_errors() or self._last_words == before:
                return

    def close_input(self) -> None:
        """Let the child see the end of its input: it ends by itself within about a second."""
        assert self._popen.stdin
        self._outbox.clear()
        if not self._popen.stdin.closed:
            self._popen.stdin.close()

    def kill(self) -> None:
        """End it and what it started, at once."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Close the pipes. Its last words stay."""
        self._outbox.clear()
        self.ended, self.errors_open = True, False
        for pipe in (self._popen.stdin, self._popen.stdout, self._popen.stderr):
            assert pipe
            pipe.close()

    def wait(self, seconds: float) -> bool:
        """Wait for its end; True when it came."""
        try:
            self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True
