"""What a run says while it works, and what it is told: events as plain bodies, stop, cancel."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from usfm_studio.document.errors import Interrupted
from usfm_studio.engine.learning.clock import Clock

STAGES = ("preparing", "learning", "comparing", "writing")
STEP_EVENT_S = 0.4


class Line(Protocol):
    """The other end: the child's context, or a test's."""

    def progress(self, body: dict[str, Any]) -> None:
        """Hand on an event."""

    def cancelled(self) -> bool:
        """True once nobody wants the answer."""

    def finish_early(self) -> bool:
        """True once the best so far is wanted."""


@dataclass(slots=True)
class Talk:
    """Events of one run; every one says how many seconds are left. `ended` is the system's wish that we end now."""

    line: Line
    clock: Clock
    ended: Callable[[], bool] = lambda: False
    smoothed: float | None = None
    _last_step: float = field(default=0.0)

    def stage(self, name: str, **fields: Any) -> None:
        """A stage begins; `fields` go along (who learns and who tests, once that is known)."""
        self._say("stage", stage=name, stages=list(STAGES), **fields)

    def note(self, text: str) -> None:
        """A sentence for the person who waits."""
        self._say("note", note=text)

    def holdout(self, score: float, step: int) -> None:
        """The mean score on subjects that were not learned from, so far."""
        self._say("holdout", holdout=score, step=step)

    def step(self, step: int, steps: int, loss: float) -> None:
        """One more step; said a few times a second at most, with the loss smoothed."""
        self.smoothed = loss if self.smoothed is None else 0.9 * self.smoothed + 0.1 * loss
        now = time.monotonic()
        if now - self._last_step >= STEP_EVENT_S or step == 1:
            self._last_step = now
            self._say("step", stage="learning", step=step, steps=max(step, steps), loss=round(self.smoothed, 5))

    def stopped(self) -> bool:
        """True once learning should come to its end. Raises Interrupted once nobody wants the answer."""
        self.check()
        return self.line.finish_early() or self.ended()

    def check(self) -> None:
        """Raise Interrupted once nobody wants the answer."""
        if self.line.cancelled():
            raise Interrupted("The fine-tuning was cancelled", "you asked for it", "The models stay as they were.")

    def check_end(self) -> None:
        """Raise Interrupted when the system ends this process; the best model so far is on disk."""
        self.check()
        if self.ended():
            raise Interrupted("The fine-tuning was interrupted", "the system ends it", "The models stay as they were.")

    def _say(self, event: str, **fields: Any) -> None:
        self.line.progress({"event": event, "left_s": round(max(0.0, self.clock.left_s), 1), **fields})
