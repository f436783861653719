"""Logs that cannot hold a patient's name: JSON lines with an allow-list of fields, each of an allowed form.

A record's text is the constant that stands in the code, never what was put into it; of foreign libraries' records
only logger, level and error class are kept. So `LOG.warning("child ended", extra={"pid": 3})`, not f-strings.
"""

from __future__ import annotations

import json
import logging
import logging.handlers
import os
import re
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FIELDS = frozenset(
    {
        *("attempt", "bytes", "child", "code", "columns", "count", "deaths", "decoder", "device", "digest", "error"),
        *("frames", "kind", "pid", "position", "request", "rows", "samples", "seconds", "signal", "state", "step"),
        *("tag", "trace", "transfer_syntax", "version"),
    }
)
"""Fields that a record may carry in `extra`; numbers, or words of the form below."""

_WORD = re.compile(r"[A-Za-z0-9_.:+#-]{1,80}")
_TRACE = re.compile(r"(?:(?:[\w.-]+/[\w.-]+\.py:\d+|[A-Z]\w+)(?: |$)){0,20}")
_TEXT = re.compile(r"[A-Za-z0-9 ,;:()'-]{1,120}")
_DIGEST = re.compile(r"\b([0-9a-f]{8})[0-9a-f]{8,}\b")
_UID = re.compile(r"(\d+\.){3,}\d+")
LARGEST_FILE = 1_000_000
KEPT_FILES = 3


def configure(process_name: str, folder: Path | None) -> None:
    """Send this process's log to `folder`/PROCESS_NAME.jsonl (1 MB, three older ones kept); nowhere without a folder.

    Replaces the root logger's handlers. A folder that cannot be written switches the log off.
    """
    handler: logging.Handler = logging.NullHandler()
    if folder is not None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            handler = logging.handlers.RotatingFileHandler(
                folder / f"{process_name}.jsonl", maxBytes=LARGEST_FILE, backupCount=KEPT_FILES, encoding="utf-8"
            )
        except OSError:
            handler = logging.NullHandler()
    handler.setFormatter(JsonLines(process_name))
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    logging.raiseExceptions = False


class JsonLines(logging.Formatter):
    """One JSON object a record."""

    def __init__(self, process_name: str) -> None:
        super().__init__()
        self._process_name = process_name

    def format(self, record: logging.LogRecord) -> str:
        """The record without anything that could come from a person or a file."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "process": self._process_name,
            "pid": os.getpid(),
            "logger": record.name,
            "event": _event(record),
        }
        line.update(_allowed(record))
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
            line["trace"] = " ".join(_places(record.exc_info[2]))
        return json.dumps(line)


def _event(record: logging.LogRecord) -> str:
    ours = record.name.startswith("usfm_studio")
    text = str(record.msg)
    return text if ours and _TEXT.fullmatch(text) else "(left out)"


def _allowed(record: logging.LogRecord) -> Iterator[tuple[str, Any]]:
    for name in sorted(FIELDS & record.__dict__.keys()):
        value = record.__dict__[name]
        if value is None or isinstance(value, (bool, int, float)):
            yield name, value
        elif isinstance(value, str) and _is_word(name, value):
            yield name, _DIGEST.sub(r"\1", value)


def _is_word(name: str, value: str) -> bool:
    if name == "trace":
        return bool(_TRACE.fullmatch(value))
    return bool(_WORD.fullmatch(value)) and (name == "transfer_syntax" or not _UID.search(value))


def _places(tb: Any) -> list[str]:
    return [f"{'/'.join(Path(f.filename).parts[-2:])}:{f.lineno}" for f in traceback.extract_tb(tb)[-10:]]
