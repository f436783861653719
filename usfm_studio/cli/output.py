"""Results and errors: one JSON object for programs, words and tables for people."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from usfm_studio.cli.signals import INTERRUPTED
from usfm_studio.cli.terminal import one_line

if TYPE_CHECKING:
    from usfm_studio.document.errors import StudioError

EXIT_DONE, EXIT_FAILED, EXIT_USAGE, EXIT_PARTIAL, EXIT_INTERRUPTED = 0, 1, 2, 3, INTERRUPTED


def fields_of(result: Any) -> dict[str, Any]:
    """A verb's result as JSON values, fields as in the contract."""
    if hasattr(result, "fields"):
        body: dict[str, Any] = result.fields()
        return body
    return dataclasses.asdict(result)


PIECE = 2048
"""Characters written at once: less than the stream's own buffer."""


def show_result(result: Any, *, as_json: bool) -> int:
    """Print the result and answer the exit status."""
    body = fields_of(result)
    if as_json:
        print_line({"event": "result", **body})
    else:
        from usfm_studio.cli.people import show_for_people

        show_for_people(body)
    return EXIT_PARTIAL if getattr(result, "partial", False) else EXIT_DONE


def print_line(body: Mapping[str, Any]) -> None:
    """One JSON object on standard output."""
    text = json.dumps(_plain(body), ensure_ascii=not _writes_unicode()) + "\n"
    for start in range(0, len(text), PIECE):  # a signal during one large write to a pipe loses the rest (CPython 3.11)
        sys.stdout.write(text[start : start + PIECE])
    sys.stdout.flush()


def show_error(error: StudioError, *, as_json: bool) -> int:
    """One message on standard error, with JSON also as the one object; the exit status follows from the class."""
    from usfm_studio.document.errors import Interrupted, WrongUsage

    status = EXIT_USAGE if isinstance(error, WrongUsage) else EXIT_FAILED
    status = EXIT_INTERRUPTED if isinstance(error, Interrupted) else status
    return tell_error(error.what, error.why, error.hint, status, as_json=as_json)


def tell_error(what: str, why: str, hint: str, status: int, *, as_json: bool) -> int:
    """`error: WHAT: WHY. HINT` on standard error; with JSON the same as the one object on standard output."""
    text = (f"{what}: {why}" if why else what).rstrip(".")
    end = "" if text.endswith("?") else "."
    sys.stderr.write(f"error: {one_line(f'{text}{end}')}{f' {one_line(hint)}' if hint else ''}\n")
    if as_json:
        print_line({"event": "error", "what": what, "why": why, "hint": hint, "status": status})
    return status


def _writes_unicode() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


def _plain(value: Any) -> Any:
    """JSON has no NaN: unknown numbers are null. Paths and other foreign values become text."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")  # file names may hold what is no text
    if value is None or isinstance(value, (int, bool)):
        return value
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value.item() if hasattr(value, "item") else str(value)
