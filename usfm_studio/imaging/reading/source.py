"""Where bytes come from: a file, or one member of a zip archive held in memory."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from usfm_studio.document.errors import NotFound, Unreadable
from usfm_studio.imaging.paths import native
from usfm_studio.imaging.reading.archive import member_bytes
from usfm_studio.imaging.reading.text import safe_text

_PIECE = 1 << 20


@dataclass(slots=True)
class Source:
    """An open, seekable run of bytes. `name` is safe to show; `version` changes when the file does."""

    name: str
    stem: str
    size: int
    handle: BinaryIO
    version: tuple[int, ...] = ()

    def read_at(self, offset: int, count: int) -> bytes:
        """`count` bytes from `offset`; fewer at the end."""
        if offset >= self.size or count <= 0:
            return b""
        self.handle.seek(offset)
        return self.handle.read(min(count, self.size - offset))

    def sha256(self) -> str:
        """Digest of all bytes, in hex."""
        digest = hashlib.sha256()
        self.handle.seek(0)
        while piece := self.handle.read(_PIECE):
            digest.update(piece)
        return digest.hexdigest()


def shown_name(path: str, member: str = "") -> str:
    """The last part of a path or member, safe to show."""
    return safe_text((member or path).replace("\\", "/").rstrip("/").rpartition("/")[2]) or "(no name)"


@contextmanager
def opened(path: str, member: str = "") -> Iterator[Source]:
    """Open a regular file, or a member of a zip. Raises Unreadable or NotFound, naming the file."""
    name = shown_name(path, member)
    stem = safe_text(Path(name).stem) or name
    handle, status = _open_regular(native(path), shown_name(path))
    with handle:
        if member:
            content = member_bytes(handle, member, name)
            yield Source(name, stem, content.getbuffer().nbytes, content, version_of(status))
        else:
            yield Source(name, stem, status.st_size, handle, version_of(status))


def version_of(status: os.stat_result) -> tuple[int, ...]:
    """Changes whenever a file is replaced, written or cut."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _open_regular(path: str, name: str) -> tuple[BinaryIO, os.stat_result]:
    what = f"Could not read {name}"
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116 (an odd name is no Path)
            raise Unreadable(what, "it is not a file but a device, a pipe or a folder")
        handle: BinaryIO = open(path, "rb")  # noqa: SIM115, PTH123 (closed by `opened`; may not be valid as a Path)
    except FileNotFoundError as error:
        raise NotFound(what, "it is not there", "It may have been moved or its drive is not connected.") from error
    except PermissionError as error:
        raise Unreadable(what, "you may not read this file", "Ask for permission or copy it.") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "its path cannot be used"
        raise Unreadable(what, reason.lower()) from error
    return handle, os.fstat(handle.fileno())
