"""A verb's events on a terminal: JSON lines on standard output, or a bar with the time left on standard error."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from usfm_studio.cli.output import print_line
from usfm_studio.verbs.steps import Event

STREAMED = frozenset({"stage", "step", "holdout", "probe", "note"})
"""Events that the contract streams with JSON."""


class Progress:
    """Shows events as they come. Without a terminal, stages and notes of a run are plain lines."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._alive = not as_json and sys.stderr.isatty()
        self._bar: Any = None
        self._task: Any = None
        self._run: dict[str, Any] = {}

    def show(self, event: Event) -> None:
        """Show one event."""
        if self.as_json:
            if event.kind in STREAMED:
                print_line({"event": event.kind, **{k: v for k, v in event.body.items() if k != "event"}})
        elif event.kind == "progress":
            self._advance(str(event.body.get("what", "")), event.body.get("done", 0), event.body.get("total", 0))
        elif event.kind in STREAMED:
            self._tell(event.kind, event.body)

    def close(self) -> None:
        """End the bar, so that the result starts on a line of its own."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _advance(self, what: str, done: int, total: int) -> None:
        if not self._alive:
            return
        self._begin()
        self._bar.update(self._task, description=what, completed=done, total=total if done else None)

    def _tell(self, kind: str, body: Mapping[str, Any]) -> None:
        """A run's events: what it does now, how well, and the time left."""
        if kind == "note" or (kind == "stage" and not self._alive):
            self._line(str(body.get("note") or f"{body.get('stage', '')} …"))
        if not self._alive:
            return
        self._run |= {key: value for key, value in body.items() if value is not None}
        self._begin()
        total = self._run.get("steps")
        done = self._run.get("step", 0) if total else 0
        self._bar.update(self._task, description=_words(self._run), completed=done, total=total)

    def _line(self, text: str) -> None:
        if self._bar is not None:
            self._bar.console.print(text, markup=False)
        else:
            sys.stderr.write(f"{text}\n")

    def _begin(self) -> None:
        if self._bar is None:
            from rich.console import Console
            from rich.progress import Progress as Bar

            self._bar = Bar(console=Console(stderr=True, highlight=False), transient=True)
            self._bar.start()
            self._task = self._bar.add_task("", total=None)


def _words(run: Mapping[str, Any]) -> str:
    words = [str(run.get("stage", "learning")).capitalize()]
    if "loss" in run:
        words.append(f"loss {run['loss']:.3g}")
    if "holdout" in run:
        words.append(f"holdout {run['holdout']:.3f}")
    if "left_s" in run:
        words.append(f"{int(run['left_s'] // 60)}:{int(run['left_s'] % 60):02d} left")
    return "  ".join(words)
