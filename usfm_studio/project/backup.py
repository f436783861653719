"""A copy of project.db a day, five kept. Made through SQLite, never by copying the file (see `store.py`)."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from usfm_studio.project.files import beside, rename
from usfm_studio.project.store import Store

FOLDER = "backups"
KEEP = 5


@dataclass(frozen=True, slots=True)
class Backup:
    """A copy of the database, and when it was made."""

    path: Path
    when: datetime


def backups(folder: Path) -> list[Backup]:
    """The copies of a project, newest first."""
    found = []
    for path in (folder / FOLDER).glob("project-*.db"):
        try:
            found.append((path.name, Backup(path, datetime.fromtimestamp(path.stat().st_mtime, UTC))))
        except OSError:
            continue
    return [backup for _, backup in sorted(found, key=lambda item: item[0], reverse=True)]


def has_backup_of(folder: Path, day: date) -> bool:
    """True when that day's copy is there."""
    return _path(folder, day).exists()


def make_backup(store: Store, folder: Path, day: date) -> Path:
    """Copy the database as that day's backup and let the oldest go. Raises sqlite3.Error, OSError."""
    (folder / FOLDER).mkdir(exist_ok=True)
    path = _path(folder, day)
    temporary = beside(path)
    try:
        store.copy_to(temporary)
        rename(temporary, path)
    except (sqlite3.Error, OSError):
        temporary.unlink(missing_ok=True)
        raise
    others = [copy.path for copy in backups(folder) if copy.path != path]  # by a clock that may have gone back
    for old in others[KEEP - 1 :]:
        old.unlink(missing_ok=True)
    return path


def offer(folder: Path) -> str:
    """The hint about the newest backup, for a damaged project."""
    found = backups(folder)
    if not found:
        return "Run `usfm-studio project repair` on it; there is no backup."
    when = found[0].when.astimezone().strftime("%d %b %Y %H:%M")
    return f"Run `usfm-studio project repair` on it; the newest backup is of {when}. The damaged file is kept."


def _path(folder: Path, day: date) -> Path:
    return folder / FOLDER / f"project-{day.isoformat()}.db"
