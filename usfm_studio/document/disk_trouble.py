"""What the operating system says of a file or a drive, in words that a person can act on: the one place for it."""

from __future__ import annotations

import errno
from pathlib import PurePath

from usfm_studio.document.errors import DiskFull, NotFound, ReadOnly, StudioError

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
DENIED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
FREE_SOME = "Free some space and try again; nothing half-written was kept."


def is_full(error: BaseException) -> bool:
    """True where a drive, a quota or a size limit is used up."""
    return isinstance(error, OSError) and error.errno in FULL


def told(error: OSError, what: str = "", *, when_full: str = FREE_SOME, otherwise: str = "") -> StudioError:
    """The error of the house for one of the operating system.

    `what` says what did not work; left out, the file is named (never its folder). `when_full` and `otherwise` are the
    hints for a full disk and for what is none of the usual reasons.
    """
    name = PurePath(str(error.filename or "")).name or "A file"
    if error.errno in FULL:
        return DiskFull(what or f"{name} could not be written", "the disk is full", when_full)
    if error.errno in DENIED:
        why = "the folder cannot be written to" if what else "you have no right to read or write it"
        return ReadOnly(what or f"{name} cannot be used", why, "Choose another place, or ask for the right.")
    if error.errno == errno.ENOENT:
        return NotFound(what or f"{name} is not there", "no such file or folder", "Check the name.")
    reason = (error.strerror or "the drive does not answer").lower()
    return StudioError(what or f"{name} could not be used", f"the system says: {reason}", otherwise)
