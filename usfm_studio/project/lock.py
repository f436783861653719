"""One writer a project: an advisory lock that the system lets go when its process ends, however it ends.

The text in the file is for people: who holds it, and where. A text that is still there when the lock is free says that
the last writer did not end cleanly. The descriptor is never inherited (a child would keep the lock).
"""

from __future__ import annotations

import json
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from usfm_studio import __version__
from usfm_studio.children import file_lock
from usfm_studio.document.errors import ProjectBusy

NAME = "project.lock"


class ProjectLock:
    """Held from `take` to `release`."""

    def __init__(self, file: IO[bytes], left_text: dict[str, object]) -> None:
        self._file = file
        self.left_text = left_text

    @classmethod
    def take(cls, folder: Path, *, one_host: bool = False) -> ProjectLock:
        """Lock the project. `one_host`: on a network drive, where locks may not reach others, also refuse while the
        text names another host. Raises ProjectBusy, OSError.
        """
        file = (folder / NAME).open("a+b")
        try:
            if not file_lock.take(file):
                raise busy(folder, _text(file))
            left = _text(file)
            if one_host and left.get("host") not in (None, platform.node()):
                raise busy(folder, left, hint="If that computer is off, remove project.lock and open it again.")
            _write(file, _mine())
        except BaseException:
            file.close()
            raise
        return cls(file, left)

    @property
    def left_behind(self) -> bool:
        """True when the last writer did not end cleanly."""
        return bool(self.left_text)

    def release(self) -> None:
        """Wipe the text and unlock."""
        if not self._file.closed:
            _write(self._file, {})
            self._file.close()


def holder(folder: Path) -> dict[str, object]:
    """What the lock's text says; empty where it says nothing."""
    try:
        with (folder / NAME).open("rb") as file:
            return _text(file)
    except OSError:
        return {}


def is_alive(text: dict[str, object]) -> bool:
    """True where the process that the text names may still hold the project; False where it surely does not."""
    if not text:
        return False
    if text.get("host") != platform.node() or sys.platform == "win32":
        return True
    if text.get("boot") != _boot():
        return False
    try:
        os.kill(int(str(text["pid"])), 0)
    except ProcessLookupError:
        return False
    except (OSError, ValueError):
        return True
    return True


def busy(folder: Path, text: dict[str, object], hint: str = "") -> ProjectBusy:
    """The error that says who has the project open."""
    who = f"process {text['pid']} on {text['host']}, since {text['since']}" if text else "another program"
    return ProjectBusy(
        f'The project "{folder.name}" is open in another window or command',
        who,
        hint or "Close it there, or open it here to look at only.",
    )


def _mine() -> dict[str, object]:
    return {
        "pid": os.getpid(),
        "host": platform.node(),
        "boot": _boot(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": __version__,
    }


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""


def _text(file: IO[bytes]) -> dict[str, object]:
    try:
        file.seek(0)
        body = json.loads(file.read(4096) or b"{}")
    except (OSError, ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) and {"pid", "host", "since"} <= body.keys() else {}


def _write(file: IO[bytes], body: dict[str, object]) -> None:
    try:
        file.seek(0)
        file.truncate()
        if body:
            file.write(json.dumps(body).encode())
        file.flush()
    except OSError:  # a full disk: the lock holds without its text
        return
