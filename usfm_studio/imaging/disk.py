"""What the disk reports, in a clinician's words."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from usfm_studio.document.errors import DiskFull, StudioError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_DENIED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


def is_full(error: OSError) -> bool:
    """True where a drive, a quota or a size limit is used up."""
    return error.errno in _FULL


@contextmanager
def translated(what: str) -> Iterator[None]:
    """File system errors in a clinician's words. `what` says what could not be done."""
    try:
        yield
    except OSError as error:
        if is_full(error):
            hint = "Free some space and try again; nothing half-written was kept."
            raise DiskFull(what, "no space is left on that drive", hint) from error
        if error.errno in _DENIED:
            raise StudioError(what, "that folder cannot be written to", "Choose another folder.") from error
        raise StudioError(what, (error.strerror or "the drive does not answer").lower()) from error
