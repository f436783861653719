"""What a compressed frame says of itself, read from its markers before any decoder sees it.

JPEG: ISO 10918-1 B.2; JPEG-LS: ISO 14495-1 C.2; JPEG 2000: ISO 15444-1 A.5 and A.6; HTJ2K: ISO 15444-15; RLE: PS3.5 G.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import pairwise

from usfm_studio.imaging.reading.jxl import jxl_size

RLE_HEADER = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamHeader:
    """`codec`: jpeg, ljpeg, jpegls, j2k, htj2k, jxl, rle. Sizes are 0 where the stream does not state them.

    `rgb`: True or False where the stream itself says that its three components are, or are not, RGB.
    """

    codec: str
    rows: int = 0
    columns: int = 0
    samples: int = 0
    bits: int = 0
    rgb: bool | None = None
    reversible: bool = True


def starts_frame(head: bytes) -> bool:
    """True where a fragment begins with the start marker of a compressed image."""
    return (
        head[:3] == b"\xff\xd8\xff"
        or head[:4] == b"\xff\x4f\xff\x51"
        or head[:2] == b"\xff\x0a"
        or head[:8] in (b"\0\0\0\x0cjP  ", b"\0\0\0\x0cJXL ")
    )


def read_stream_header(data: bytes, *, rle: bool = False) -> StreamHeader | None:
    """The header of a stream, or None where its markers make no sense (or lie beyond the bytes given)."""
    try:
        if rle:
            return _rle(data)
        if data[:2] == b"\xff\xd8":
            return _jpeg(data)
        if data[:4] == b"\xff\x4f\xff\x51":
            return _j2k(data, 0)
        if data[:8] == b"\0\0\0\x0cjP  ":
            return _j2k(data, data.index(b"\xff\x4f\xff\x51"))
        if data[:2] == b"\xff\x0a" or data[:8] == b"\0\0\0\x0cJXL ":
            rows, columns = jxl_size(data)
            return StreamHeader(codec="jxl", rows=rows, columns=columns)
    except (struct.error, ValueError, IndexError):
        return None
    return None


def has_end_marker(tail: bytes) -> bool:
    """True where a JPEG family stream ends as it should (padding apart)."""
    return tail.rstrip(b"\0\xff")[-2:] == b"\xff\xd9"


def _jpeg(data: bytes) -> StreamHeader | None:
    """Walk the marker segments up to the frame header, noting what the Adobe and JFIF markers say of colour."""
    at, adobe, jfif = 2, None, False
    while True:
        while data[at + 1] == 0xFF:
            at += 1
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        (length,) = struct.unpack_from(">H", data, at + 2)
        body = data[at + 4 : at + 2 + length]
        if marker in _SOF:
            return _frame_header(marker, body, adobe, jfif)
        if marker == 0xEE and body[:5] == b"Adobe" and len(body) >= 12:
            adobe = body[11]
        jfif = jfif or (marker == 0xE0 and body[:4] == b"JFIF")
        at += 2 + length


_SOF = {0xC0: "jpeg", 0xC1: "jpeg", 0xC2: "jpeg", 0xC3: "ljpeg", 0xF7: "jpegls"}


def _frame_header(marker: int, body: bytes, adobe: int | None, jfif: bool) -> StreamHeader:
    bits, rows, columns, samples = struct.unpack_from(">BHHB", body)
    identifiers = body[6 : 6 + 3 * samples : 3]
    rgb: bool | None = None
    if samples == 3:
        if adobe is not None:
            rgb = adobe == 0
        elif jfif and _SOF[marker] == "jpeg":
            rgb = False
        elif identifiers == b"RGB":
            rgb = True
    return StreamHeader(codec=_SOF[marker], rows=rows, columns=columns, samples=samples, bits=bits, rgb=rgb)


def _j2k(data: bytes, at: int) -> StreamHeader | None:
    """SIZ gives the size; COD whether a colour transform was used (then the decoder gives RGB) and which wavelet."""
    capabilities, x1, y1, x0, y0 = struct.unpack_from(">HIIII", data, at + 6)
    (samples,) = struct.unpack_from(">H", data, at + 40)
    depth = data[at + 42]
    size = StreamHeader(
        codec="htj2k" if capabilities & 0x4000 else "j2k",
        rows=y1 - y0,
        columns=x1 - x0,
        samples=samples,
        bits=(depth & 0x7F) + 1,
    )
    at += 2
    while data[at] == 0xFF and data[at + 1] != 0x90:
        (length,) = struct.unpack_from(">H", data, at + 2)
        if data[at + 1] == 0x52:
            transformed, wavelet = data[at + 8], data[at + 13]
            return StreamHeader(
                codec=size.codec,
                rows=size.rows,
                columns=size.columns,
                samples=samples,
                bits=size.bits,
                rgb=True if transformed else None,
                reversible=wavelet == 1,
            )
        at += 2 + length
    return None


def _rle(data: bytes) -> StreamHeader | None:
    """Number of segments and their offsets, which must ascend and lie inside (PS3.5 G.5)."""
    count, *offsets = struct.unpack_from("<16I", data)
    used = offsets[:count]
    if not 1 <= count <= 15 or used[0] != RLE_HEADER:
        return None
    if any(b <= a for a, b in pairwise(used)):
        return None
    return StreamHeader(codec="rle", samples=count)


def rle_reaches(data: bytes) -> int:
    """Offset of the last RLE segment: the fragment must be longer."""
    count, *offsets = struct.unpack_from("<16I", data)
    return int(offsets[min(count, 15) - 1])
