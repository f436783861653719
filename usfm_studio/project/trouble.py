"""What the disk and SQLite say, in words that a person can act on."""

from __future__ import annotations

import errno
import sqlite3

from usfm_studio.document.errors import Damaged, DiskFull, NotFound, ProjectBusy, ReadOnly, StudioError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}


def is_full(error: BaseException) -> bool:
    """True where more space would help."""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorname", "") == "SQLITE_FULL"
    return isinstance(error, OSError) and error.errno in _FULL


def explained(error: BaseException, what: str) -> StudioError:
    """The error of the house for an error of the disk or of SQLite; `what` says what did not work."""
    if isinstance(error, StudioError):
        return error
    if is_full(error):
        return DiskFull(what, "the disk is full", "Free some space; work goes on by itself. Nothing is lost.")
    if isinstance(error, sqlite3.Error):
        return _of_sqlite(error, what)
    if isinstance(error, FileNotFoundError):
        return NotFound(what, "a file is not there")
    if isinstance(error, OSError) and error.errno in _DENIED:
        return ReadOnly(what, "the folder cannot be written to", "Copy it where you may write, or ask for the right.")
    why = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
    return StudioError(
        what, f"the disk reports: {why}", "See that the drive is connected and sound; it is tried again."
    )


def _of_sqlite(error: sqlite3.Error, what: str) -> StudioError:
    name: str = getattr(error, "sqlite_errorname", "") or type(error).__name__
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return Damaged(what, f"project.db is damaged ({error})", "Run `usfm-studio project repair` on it.")
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")):
        return ReadOnly(what, "the folder cannot be written to", "Copy it where you may write, or ask for the right.")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return ProjectBusy(what, "another program holds project.db", "Close it there and try again.")
    if name.startswith("SQLITE_IOERR"):
        return StudioError(what, f"the disk reports an error ({name})", "See that the drive is connected and sound.")
    return Damaged(what, f"project.db answers: {error}", "Run `usfm-studio project repair` on it.")
