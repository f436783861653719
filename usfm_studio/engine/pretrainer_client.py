"""The parent's door to the pre-trainer. No torch here: the child is named, not imported.

pretrainer = Pretrainer(on_event=print)
try:
    planned = pretrainer.plan(order).result()
    body = pretrainer.run(order).result()
finally:
    pretrainer.close()
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from usfm_studio.children.supervisor import Child, ChildSpec, Ticket
from usfm_studio.document.errors import StudioError
from usfm_studio.engine.pretraining_order import PlannedRun, PretrainingOrder

__all__ = ["PlannedRun", "Pretrainer", "PretrainingOrder"]

MODULE = "usfm_studio.engine.pretrainer"
START_S = 900.0
"""On many machines all ranks read the program from one slow disk at the same time."""
STOPPING_S = 60.0
LAST_S = 1.8
"""How long `close` waits for a stopped run to keep its state: the command line ends 4.5 s after a signal."""
LOST = "lost"
"""Event: another rank has gone, in words; the process ends after it."""


class Pretrainer:
    """One rank's child, and what it said. Its priority is the caller's: start the command with `nice` if need be."""

    def __init__(self, on_event: Callable[[dict[str, Any]], None] = lambda _event: None) -> None:
        spec = ChildSpec(
            module=MODULE, title="The pre-training", restarts=0, retry=0, start_s=START_S, cancel_s=STOPPING_S
        )
        self._child = Child(spec).start()
        self._on_event = on_event
        self._ticket: Ticket | None = None
        self.lost: StudioError | None = None

    def plan(self, order: PretrainingOrder) -> Ticket:
        """What the recipe comes to: the fields of `PlannedRun`."""
        return self._child.ask("plan", order.to_json())

    def run(self, order: PretrainingOrder) -> Ticket:
        """Start the run. Events come on the child's reading thread: step, probe, note."""
        self._ticket = self._child.ask("pretrain", order.to_json(), on_progress=self._hear)
        return self._ticket

    def stop(self) -> None:
        """Keep the state and end: the ticket raises Interrupted with what was kept."""
        if self._ticket is not None:
            self._child.finish(self._ticket)

    def close(self) -> None:
        """End the process; a run that was told to stop gets a moment to keep its state."""
        if self._ticket is not None and not self._ticket.done():
            self.stop()
            with suppress(Exception):
                self._ticket.exception(LAST_S)
        self._child.kill(0.5)

    @property
    def pid(self) -> int | None:
        """Of the process at work."""
        return self._child.pid

    def _hear(self, body: dict[str, Any]) -> None:
        if body.get("event") == LOST:
            self.lost = StudioError(str(body.get("what")), str(body.get("why")), str(body.get("hint")))
        else:
            self._on_event(body)
