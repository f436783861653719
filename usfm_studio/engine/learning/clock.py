"""The time a run has, and how much of it is gone; counted in seconds, or in steps where a test wants the same twice."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass(slots=True)
class Clock:
    """`seconds` from `started` (monotonic) on."""

    seconds: float
    started: float = field(default_factory=time.monotonic)

    @property
    def gone_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    @property
    def left_s(self) -> float:
        """Seconds left; negative when over."""
        return self.seconds - self.gone_s


FEWEST_STEPS = 3
"""A stage that was begun makes these, however late it is: a member without a step would answer with noise."""


@dataclass(slots=True)
class Stage:
    """A part of a run: until `end_s` of the clock, or for `max_steps` steps where those are given."""

    clock: Clock
    end_s: float
    max_steps: int | None = None
    steps: int = 0
    begin_s: float = field(init=False)

    def __post_init__(self) -> None:
        self.begin_s = self.clock.gone_s

    @property
    def progress(self) -> float:
        """0 at the start, 1 at the end."""
        if self.max_steps is not None:
            return min(1.0, self.steps / max(1, self.max_steps))
        length = self.end_s - self.begin_s
        return 1.0 if length <= 0 else min(1.0, (self.clock.gone_s - self.begin_s) / length)

    @property
    def expected_steps(self) -> int:
        """How many steps there will be, going by the pace so far."""
        if self.max_steps is not None:
            return self.max_steps
        done = self.progress
        return max(self.steps, round(self.steps / done)) if done > 0 else 0

    @property
    def over(self) -> bool:
        """True when the next step would end too late: half a step over the end at most, but never before a few."""
        if self.max_steps is not None:
            return self.steps >= self.max_steps
        if self.steps < FEWEST_STEPS:
            return False
        pace = (self.clock.gone_s - self.begin_s) / self.steps if self.steps else 0.0
        return self.clock.gone_s + pace / 2 >= self.end_s
