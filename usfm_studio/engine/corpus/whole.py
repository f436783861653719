"""Files of a corpus: written whole or not at all, the disk's errors in words, one writer a folder."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from usfm_studio.children import file_lock
from usfm_studio.document.errors import DiskFull, ProjectBusy, StudioError

BESIDE = ".tmp"
"""Ending of what is being written."""
LOCK = "pack.lock"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def write_whole(path: Path, content: bytes) -> None:
    """After a crash or an error the old file or the new one is there. Raises OSError."""
    temporary = path.with_name(path.name + BESIDE)
    try:
        with temporary.open("wb") as file:
            file.write(content)
            flush(file)
        put(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def flush(file: IO[bytes]) -> None:
    """What was written is on the disk. Raises OSError."""
    file.flush()
    os.fsync(file.fileno())


def put(temporary: Path, path: Path) -> None:
    """Give what was written beside its name; the name is on the disk afterwards. Raises OSError."""
    temporary.replace(path)
    if sys.platform != "win32":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextmanager
def in_words(what: str) -> Iterator[None]:
    """The disk's errors for a person. Raises DiskFull, StudioError."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            hint = "Free some space and run the same command again: finished shards are kept and can be used."
            raise DiskFull(what, "the disk is full", hint) from error
        why = (error.strerror or "the drive does not answer").lower()
        raise StudioError(what, why, "Finished shards are kept; try again, or choose another folder.") from error


class Lock:
    """Held while a corpus is written; the system lets it go when its process ends, however it ends."""

    def __init__(self, folder: Path) -> None:
        """Raises ProjectBusy, OSError."""
        self._file = (folder / LOCK).open("a+b")
        if not file_lock.take(self._file):
            self._file.close()
            raise ProjectBusy("The corpus is being written", "another `pack` works on it", "Wait for its end.")

    def release(self) -> None:
        """Let others write."""
        self._file.close()
