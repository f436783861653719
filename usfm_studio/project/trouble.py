"""What the disk and SQLite say, in words that a person can act on."""

from __future__ import annotations

import logging
import sqlite3

from usfm_studio.document import disk_trouble
from usfm_studio.document.errors import Damaged, DiskFull, ProjectBusy, ReadOnly, StudioError

LOG = logging.getLogger(__name__)
IT_GOES_ON = "Free some space; work goes on by itself. Nothing is lost."
CONNECTED = "See that the drive is connected and sound; it is tried again."


def is_full(error: BaseException) -> bool:
    """True where more space would help."""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorname", "") == "SQLITE_FULL"
    return disk_trouble.is_full(error)


def explained(error: BaseException, what: str) -> StudioError:
    """The error of the house for an error of the disk or of SQLite; `what` says what did not work."""
    if isinstance(error, StudioError):
        return error
    if isinstance(error, OSError):
        return disk_trouble.told(error, what, when_full=IT_GOES_ON, otherwise=CONNECTED)
    if is_full(error):
        return DiskFull(what, "the disk is full", IT_GOES_ON)
    if isinstance(error, sqlite3.Error):
        return _of_sqlite(error, what)
    LOG.error("an unexpected error of the project", exc_info=error)
    return StudioError(what, f"something unexpected went wrong ({type(error).__name__})", CONNECTED)


def _of_sqlite(error: sqlite3.Error, what: str) -> StudioError:
    name: str = getattr(error, "sqlite_errorname", "") or type(error).__name__
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return Damaged(what, "project.db is damaged", "Run `usfm-studio project repair` on it.")
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")):
        return ReadOnly(what, "the folder cannot be written to", "Copy it where you may write, or ask for the right.")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return ProjectBusy(what, "another program holds project.db", "Close it there and try again.")
    if name.startswith("SQLITE_IOERR"):
        return StudioError(what, f"the disk reports an error ({name})", "See that the drive is connected and sound.")
    LOG.error("an unexpected answer of the database", exc_info=error)
    return Damaged(what, f"project.db cannot be used ({name})", "Run `usfm-studio project repair` on it.")
