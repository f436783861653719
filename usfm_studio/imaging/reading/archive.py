"""Zip archives: members are read into memory by stream, within limits; nothing is ever unpacked to disk."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from usfm_studio.document.errors import Unreadable

MOST_MEMBERS = 200_000
LARGEST_MEMBER = 384 << 20
"""Members are held in memory while they are read, so the reader's own limit counts."""
HIGHEST_RATIO = 200
RATIO_COUNTS_ABOVE = 10 << 20
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Member:
    """One entry of an archive, or the reason why it is not read."""

    name: str
    size: int
    refused: str = ""


def is_zip(head: bytes) -> bool:
    """True where a file begins like a zip archive."""
    return head[:4] in (b"PK\x03\x04", b"PK\x05\x06")


def members(handle: BinaryIO, name: str) -> Iterator[Member]:
    """All files of an archive, in its order; those that are not read come with the reason. Raises Unreadable."""
    seen: set[str] = set()
    for info in _opened(handle, name).infolist():
        if info.is_dir():
            continue
        refused = _refusal(info)
        if info.filename in seen:
            refused = "an entry of the same name came before it"
        seen.add(info.filename)
        yield Member(info.filename, info.file_size, refused)


def _refusal(info: zipfile.ZipInfo) -> str:
    """Why an entry is not read; empty where it is."""
    name = info.filename
    if name.startswith("/") or "\\" in name or (len(name) > 1 and name[1] == ":"):
        return "its name is that of an absolute path"
    if ".." in name.split("/"):
        return "its name climbs out of the archive"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "it is a link, and links in archives are not followed"
    if info.flag_bits & 1:
        return "it needs a password"
    if info.file_size > LARGEST_MEMBER:
        return f"it is larger than {LARGEST_MEMBER >> 20} MiB; unpack the archive first"
    if info.file_size > RATIO_COUNTS_ABOVE and info.file_size > HIGHEST_RATIO * max(1, info.compress_size):
        return "it unpacks to far more than it holds, as no image does"
    return ""


def _opened(handle: BinaryIO, name: str) -> zipfile.ZipFile:
    what = f"Could not read {name}"
    if _count(handle) > MOST_MEMBERS:
        raise Unreadable(what, f"the archive holds more than {MOST_MEMBERS} files", "Unpack it first.")
    try:
        return zipfile.ZipFile(handle)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error) as error:
        raise Unreadable(what, "the archive is cut off or damaged", "Copy it again from its source.") from error


def _count(handle: BinaryIO) -> int:
    """Number of entries that the end record states (0 where there is none), read before the library reads them."""
    size = handle.seek(0, 2)
    tail_at = max(0, size - 66_000)
    handle.seek(tail_at)
    tail = handle.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 22:
        return 0
    count: int = struct.unpack_from("<H", tail, at + 10)[0]
    large = tail.rfind(b"PK\x06\x06")
    if count == 0xFFFF and large >= 0 and len(tail) >= large + 40:
        count = struct.unpack_from("<Q", tail, large + 32)[0]
    return count


def member_bytes(handle: BinaryIO, member: str, name: str) -> io.BytesIO:
    """The bytes of one entry, counted as they come. Raises Unreadable."""
    what = f"Could not read {name}"
    archive = _opened(handle, name)
    info = next((entry for entry in archive.infolist() if entry.filename == member), None)  # the first of that name
    if info is None:
        raise Unreadable(what, "it is no longer in its archive")
    if refused := _refusal(info):
        raise Unreadable(what, refused)
    try:
        return _streamed(archive, info, what)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError, ValueError) as error:
        raise Unreadable(what, "its part of the archive is damaged", "Copy the archive again.") from error


def _streamed(archive: zipfile.ZipFile, info: zipfile.ZipInfo, what: str) -> io.BytesIO:
    content = io.BytesIO()
    with archive.open(info) as stream:
        while piece := stream.read(_PIECE):
            content.write(piece)
            if content.tell() > info.file_size:
                raise Unreadable(what, "it holds more than its archive says")
    if content.tell() != info.file_size:
        raise Unreadable(what, "it holds less than its archive says")
    content.seek(0)
    return content
