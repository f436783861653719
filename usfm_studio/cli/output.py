"""Results, events and errors on a terminal: JSON lines for programs, tables and bars for people."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from collections.abc import Mapping
from typing import Any

from usfm_studio.document.errors import Interrupted, StudioError, WrongUsage
from usfm_studio.verbs.steps import Event

EXIT_DONE, EXIT_FAILED, EXIT_USAGE, EXIT_PARTIAL, EXIT_INTERRUPTED = 0, 1, 2, 3, 130
STREAMED = {"stage", "step", "holdout", "note"}


def fields_of(result: Any) -> dict[str, Any]:
    """A verb's result as JSON values, fields as in the contract."""
    if hasattr(result, "fields"):
        body: dict[str, Any] = result.fields()
        return body
    return dataclasses.asdict(result)


def show_result(result: Any, *, as_json: bool) -> int:
    """Print the result and answer the exit status."""
    body = fields_of(result)
    if as_json:
        print_line({"event": "result", **body})
    else:
        _show_for_people(body)
    return EXIT_PARTIAL if getattr(result, "partial", False) else EXIT_DONE


def print_line(body: Mapping[str, Any]) -> None:
    """One JSON object on standard output."""
    sys.stdout.write(json.dumps(_plain(body), ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _plain(value: Any) -> Any:
    """JSON has no NaN: unknown numbers are null. Paths and other foreign values become text."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (str, int, bool)):
        return value
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value.item() if hasattr(value, "item") else str(value)


def show_error(error: StudioError, *, as_json: bool) -> int:
    """One message on standard error; the exit status follows from the error's class."""
    sys.stderr.write(f"error: {error}\n")
    if as_json:
        body = {"event": "error", "what": error.what, "why": error.why, "hint": error.hint}
        sys.stderr.write(json.dumps(body, ensure_ascii=False) + "\n")
    if isinstance(error, Interrupted):
        return EXIT_INTERRUPTED
    return EXIT_USAGE if isinstance(error, WrongUsage) else EXIT_FAILED


class Progress:
    """Shows a verb's events: JSON lines on standard output, or a bar with time left on standard error."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._bar: Any = None
        self._task: Any = None

    def show(self, event: Event) -> None:
        """Show one event. With JSON, only those that the contract streams are printed."""
        if self.as_json:
            if event.kind in STREAMED:
                print_line({"event": event.kind, **{k: v for k, v in event.body.items() if k != "event"}})
            return
        if not sys.stderr.isatty():
            return
        if event.kind == "progress":
            self._advance(event.body.get("done", 0), event.body.get("total", 0), str(event.body.get("what", "")))
        elif event.kind in STREAMED:
            self._tell(event)

    def _advance(self, done: int, total: int, what: str) -> None:
        if self._bar is None:
            from rich.console import Console
            from rich.progress import Progress as Bar

            self._bar = Bar(console=Console(stderr=True), transient=True)
            self._bar.start()
            self._task = self._bar.add_task(what, total=total)
        self._bar.update(self._task, completed=done, total=total, description=what)

    def _tell(self, event: Event) -> None:
        shown = {k: v for k, v in event.body.items() if k != "event" and v is not None}
        text = "  ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in shown.items())
        sys.stderr.write(f"\r\x1b[K{event.kind}: {text}")
        sys.stderr.flush()

    def close(self) -> None:
        """End the bar, so that the result starts on a line of its own."""
        if self._bar is not None:
            self._bar.stop()
        elif not self.as_json and sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")


def _show_for_people(body: Mapping[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    plain = Table(show_header=False, box=None, pad_edge=False)
    for key, value in body.items():
        if isinstance(value, list) and value and isinstance(value[0], Mapping):
            continue
        if isinstance(value, Mapping) and len(value) > 8:
            plain.add_row(f"[bold]{key}[/bold]", f"{len(value)} entries (see --json)")
            continue
        plain.add_row(f"[bold]{key}[/bold]", _text(value))
    if plain.row_count:
        console.print(plain)
    for key, value in body.items():
        if isinstance(value, list) and value and isinstance(value[0], Mapping):
            _show_rows(console, key, value)


def _show_rows(console: Any, title: str, rows: list[Mapping[str, Any]]) -> None:
    from rich.table import Table

    columns = [k for k in rows[0] if any(row.get(k) not in (None, "", [], {}) for row in rows)][:9]
    table = Table(title=title, title_justify="left", expand=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(_text(row.get(column)) for column in columns))
    console.print(table)


def _text(value: Any) -> str:
    from rich.markup import escape

    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return escape(", ".join(f"{k} {_text(v)}" for k, v in value.items()))
    if isinstance(value, (list, tuple)):
        return escape(", ".join(_text(v) for v in value[:6]) + (" …" if len(value) > 6 else ""))
    return escape(str(value))
