"""Results for people: a few lines, a table where there are rows, and what could not be read at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from rich.console import Console
from rich.markup import escape as unmarked
from rich.table import Table

from usfm_studio.cli.terminal import one_line

Row = Mapping[str, Any]
Column = tuple[str, Callable[[Row], str]]
LONG = 6
"""Entries of a list or a mapping that are shown on one line."""
WIDE = 160
"""Columns where the output goes to a file or another program."""
QUIET = frozenset({"event", "settings", "comparison", "paths", "per_image", "per_subject", "failed"})
"""Fields for programs alone."""


def escape(text: str) -> str:
    """Text as it is: neither markup nor codes for the terminal."""
    return unmarked(one_line(text))


def show_for_people(body: Mapping[str, Any]) -> None:
    """Print a result."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = WIDE
    rows = {key: value for key, value in body.items() if key in TABLES and isinstance(value, list)}
    lines = {key: value for key, value in body.items() if key not in rows and key not in QUIET}
    _show_lines(console, lines)
    for key, found in rows.items():
        _show_rows(console, key, found)
    _show_failed(console, [*(body.get("failed") or []), *(row for row in rows.get("files", ()) if row.get("error"))])


def _show_lines(console: Console, lines: Mapping[str, Any]) -> None:
    table = Table(show_header=False, box=None, pad_edge=False)
    for key, value in lines.items():
        table.add_row(f"[bold]{escape(key.replace('_', ' '))}[/bold]", escape(text_of(value)))
    if table.row_count:
        console.print(table)


def _show_rows(console: Console, key: str, rows: Sequence[Row]) -> None:
    if not rows:
        console.print(f"No {key}.")
        return
    columns = [(title, [show(row) for row in rows]) for title, show in TABLES[key]]
    columns = [(title, cells) for title, cells in columns if any(cells)]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title, _ in columns:
        table.add_column(title, overflow="fold")
    for cells in zip(*(cells for _, cells in columns), strict=True):
        table.add_row(*(escape(cell) for cell in cells))
    console.print(table)


def _show_failed(console: Console, failed: Sequence[Row]) -> None:
    if failed:
        console.print(f"[bold]{len(failed)} could not be read or used:[/bold]")
    for item in failed:
        console.print(f"  {escape(str(item['path']))}\n    {escape(str(item['error']))}", soft_wrap=True)


def text_of(value: Any) -> str:
    """One value on one line."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        parts = [f"{key} {text_of(item)}" for key, item in value.items()]
    elif isinstance(value, (list, tuple)):
        parts = [text_of(item) for item in value]
    else:
        return str(value)
    more = f" … {len(parts)} in all" if len(parts) > LONG else ""
    return ", ".join(parts[:LONG]) + more or "–"


def _field(key: str) -> Column:
    return key.replace("_", " "), lambda row: "" if row.get(key) in (None, "", [], {}) else text_of(row[key])


def _size(row: Row) -> str:
    return f"{row['columns']} × {row['rows']}" if row.get("rows") and row.get("columns") else ""


def _rate(row: Row) -> str:
    step = row.get("seconds_per_frame")
    return f"{1 / step:.3g} a second" if step else ""


def _calibration(row: Row) -> str:
    count = len(row.get("regions") or ())
    return f"{count} region{'s' if count > 1 else ''}" if count else ""


def _score(row: Row) -> str:
    comparison = row.get("comparison") or {}
    found = comparison.get("challenger")
    return f"{found:.3f} {comparison.get('metric', '')}" if isinstance(found, float) else ""


TABLES: Mapping[str, tuple[Column, ...]] = {
    "files": (
        ("file", lambda row: PurePath(row["path"]).name),
        _field("kind"),
        ("size", _size),
        _field("frames"),
        ("rate", _rate),
        ("calibration", _calibration),
        _field("photometric"),
        _field("transfer_syntax"),
    ),
    "frames": (
        _field("frame"),
        ("score", lambda row: f"{row['score']:.2f}"),
        _field("reason"),
    ),
    "checks": (
        ("", lambda row: "ok" if row["ok"] else "!!"),
        _field("name"),
        _field("detail"),
        _field("hint"),
    ),
    "models": (
        _field("name"),
        ("digest", lambda row: str(row["digest"])[:8]),
        _field("task"),
        _field("exam"),
        ("score", _score),
        ("in use", lambda row: "yes" if row.get("champion") else ""),
        ("parents", lambda row: ", ".join(str(parent)[:8] for parent in row.get("parents") or ())),
        _field("created"),
    ),
    "problems": (_field("kind"), _field("detail"), ("repair mends it", lambda row: "yes" if row["repairable"] else "")),
}
"""Lists of a result that are shown as a table, and their columns; empty columns are left out."""
