"""How a DICOM file is wrapped: preamble, meta header, transfer syntax; found by looking, not by trusting."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass, replace

from pydicom.uid import UID

from usfm_studio.document.errors import Unreadable, Unsupported
from usfm_studio.imaging.reading.archive import HIGHEST_RATIO
from usfm_studio.imaging.reading.source import Source

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
LARGEST_INFLATED = 384 << 20
SMALL_INFLATED = 32 << 20
_VRS = frozenset(
    b"AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR US UT UV".split()
)
_LONG_VRS = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_GROUPS = frozenset((0x0002, 0x0004, 0x0008, 0x0009, 0x0010, 0x0018, 0x0020, 0x0028, 0x7FE0))


@dataclass(frozen=True, slots=True)
class Container:
    """Where the dataset begins and how it is encoded. `syntax` is what the file states, or what the data show."""

    source: Source
    offset: int
    syntax: str
    implicit: bool
    little: bool
    notices: tuple[str, ...] = ()


def syntax_name(uid: str) -> str:
    """The standard's name of a transfer syntax with its UID, e.g. `JPEG Baseline (Process 1) (1.2.840…)`."""
    name = UID(uid).name
    return uid if name == uid else f"{name} ({uid})"


def open_container(source: Source) -> Container:
    """Find the dataset. Raises Unreadable where this is no DICOM file."""
    what = f"Could not read {source.name}"
    if source.size == 0:
        raise Unreadable(what, "the file is empty", "Copy it again from its source.")
    head = source.read_at(0, 136)
    start = 132 if head[128:132] == b"DICM" else 4 if head[:4] == b"DICM" else 0
    syntax, offset = _meta(source, start)
    if offset == start and start == 0 and _encoding(source.read_at(0, 8), source.size) is None:
        raise Unreadable(what, "it is not a DICOM file, nor a PNG, JPEG, TIFF or BMP picture")
    if offset >= source.size:
        raise Unreadable(what, "it ends before its image", "Copy it again from its source.")
    if syntax == DEFLATED:
        return _inflated(source, offset, what)
    return _guessed(Container(source, offset, syntax, syntax == IMPLICIT, syntax != BIG_ENDIAN), what)


def _meta(source: Source, start: int) -> tuple[str, int]:
    """(transfer syntax, offset behind the group 2 elements). Their stated length is not trusted."""
    at, syntax = start, ""
    while True:
        head = source.read_at(at, 12)
        if len(head) < 8 or head[:2] != b"\x02\x00" or head[4:6] not in _VRS:
            return syntax, at
        long = head[4:6] in _LONG_VRS
        length = (
            struct.unpack_from("<I", head, 8)[0] if long and len(head) == 12 else struct.unpack_from("<H", head, 6)[0]
        )
        value_at = at + (12 if long else 8)
        if head[2:4] == b"\x10\x00":
            syntax = source.read_at(value_at, min(length, 128)).decode("ascii", "replace").strip("\0 ")
        at = value_at + length
        if at > source.size:
            return syntax, source.size


def _encoding(head: bytes, size: int) -> tuple[bool, bool] | None:
    """(implicit, little) of the element that begins here; None where it is none that a dataset begins with."""
    if len(head) < 8:
        return None
    for little, order in ((True, "<"), (False, ">")):
        group, element = struct.unpack_from(order + "HH", head)
        if group not in _GROUPS:
            continue
        if head[4:6] in _VRS:
            return False, little
        length = struct.unpack_from(order + "I", head, 4)[0]
        if length == 0xFFFFFFFF or (length <= size and (length < 1 << 16 or element == 0)):
            return True, little
    return None


def _guessed(stated: Container, what: str) -> Container:
    """The container with the encoding that the first element shows, where it differs from the stated one."""
    shown = _encoding(stated.source.read_at(stated.offset, 8), stated.source.size)
    if shown is None:
        raise Unreadable(what, f"it makes no sense from byte {stated.offset} on", "Copy it again from its source.")
    if shown == (stated.implicit, stated.little) and stated.syntax:
        return stated
    implicit, little = shown
    native = IMPLICIT if implicit else EXPLICIT if little else BIG_ENDIAN
    if not stated.syntax:
        notice = "The file does not state how it is encoded; this was found from its data."
        return replace(stated, syntax=native, implicit=implicit, little=little, notices=(notice,))
    notice = "The file is encoded otherwise than it states; this was found from its data."
    syntax = native if stated.syntax in (IMPLICIT, EXPLICIT, BIG_ENDIAN) else stated.syntax
    return replace(stated, syntax=syntax, implicit=implicit, little=little, notices=(notice,))


def _inflated(source: Source, offset: int, what: str) -> Container:
    """The dataset of a deflated file, unpacked in memory up to a limit set from the file's size."""
    limit = min(LARGEST_INFLATED, max(SMALL_INFLATED, HIGHEST_RATIO * source.size))
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        content = unpacker.decompress(source.read_at(offset, source.size), limit + 1)
    except zlib.error as error:
        raise Unreadable(what, "its compressed part is damaged", "Copy it again from its source.") from error
    if len(content) > limit:
        raise Unsupported(what, f"it unpacks to more than {limit >> 20} MiB, far more than it holds")
    notices = () if unpacker.eof else ("The file is cut off: its compressed part has no end.",)
    inner = Source(source.name, source.stem, len(content), io.BytesIO(content), source.version)
    shown = _encoding(inner.read_at(0, 8), inner.size)
    if shown is None:
        raise Unreadable(what, "its compressed part holds no DICOM dataset")
    return Container(inner, 0, DEFLATED, *shown, notices)
