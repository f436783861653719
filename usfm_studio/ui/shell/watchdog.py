"""Measures how long the window's thread is away from its event loop: the longest gap is what a person feels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter, thread_time

from PySide6.QtCore import QObject, Qt, QTimer

TICK_MS = 5
STEP_MS = 16.0
"""A step longer than this misses a frame of the display."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stall:
    """One step of the event loop that took too long: wall time, and how much of it this thread computed."""

    wall_ms: float
    cpu_ms: float
    doing: str


class Watchdog(QObject):
    """A timer of 5 ms in the window's thread. Late ticks are stalls; `doing` names what went on (an action, a page).

    Wall time counts what other programs took from us, so judge a build by `cpu_ms`.
    """

    def __init__(
        self,
        parent: QObject | None = None,
        *,
        wall: Callable[[], float] = perf_counter,
        cpu: Callable[[], float] = thread_time,
        keep: int = 200,
    ) -> None:
        super().__init__(parent)
        self._wall, self._cpu, self._keep = wall, cpu, keep
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self.tick)
        self._last: tuple[float, float] | None = None
        self.doing = ""
        self.stalls: list[Stall] = []
        self.longest_ms = 0.0
        self.longest_cpu_ms = 0.0
        self.ticks = 0

    def start(self) -> None:
        """Begin to measure; earlier figures are forgotten."""
        self.stalls.clear()
        self.longest_ms = self.longest_cpu_ms = 0.0
        self.ticks = 0
        self._last = None
        self._timer.start()

    def stop(self) -> None:
        """Stop measuring; the figures stay."""
        self._timer.stop()
        self._last = None

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Do not measure what happens inside: it is not the program's own work (the tour takes a picture)."""
        self._timer.stop()
        try:
            yield
        finally:
            self._last = None
            self._timer.start()

    def tick(self) -> None:
        """One turn of the event loop has come round."""
        now = (self._wall(), self._cpu())
        self.ticks += 1
        if self._last is not None:
            wall_ms = 1000 * (now[0] - self._last[0]) - TICK_MS
            cpu_ms = 1000 * (now[1] - self._last[1])
            self.longest_ms = max(self.longest_ms, wall_ms)
            self.longest_cpu_ms = max(self.longest_cpu_ms, cpu_ms)
            if wall_ms > STEP_MS and len(self.stalls) < self._keep:
                self.stalls.append(Stall(wall_ms=wall_ms, cpu_ms=cpu_ms, doing=self.doing))
        self._last = now

    def worst(self, count: int = 5) -> list[Stall]:
        """The stalls that computed longest."""
        return sorted(self.stalls, key=lambda stall: stall.cpu_ms, reverse=True)[:count]
