"""Pictures: PNG, JPEG, TIFF, BMP. Their size is read from their headers before anything is allocated."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from usfm_studio.document.errors import OutOfMemory, Unreadable, Unsupported
from usfm_studio.imaging.reading.colour import to_8_bit
from usfm_studio.imaging.reading.elements import PARSE_ERRORS
from usfm_studio.imaging.reading.image_header import MOST_PIXELS
from usfm_studio.imaging.reading.source import Source
from usfm_studio.imaging.reading.streams import has_end_marker, read_stream_header

_HEAD = 1 << 16
_PNG = b"\x89PNG\r\n\x1a\n"
_MOST_PAGES = 10_000
_MOST_PIXELS_A_BYTE = 16_000
"""Beyond what deflate can do, even for one bit a pixel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What a picture's header says. `samples` is 1 or 3 (transparency is dropped); `bits` 8 or 16."""

    format: str  # png, jpeg, tiff, bmp
    rows: int
    columns: int
    samples: int
    bits: int
    frames: int = 1


def is_picture(head: bytes) -> bool:
    """True where a file begins like one of the four formats."""
    return (
        head[:8] == _PNG
        or head[:3] == b"\xff\xd8\xff"
        or head[:4] in (b"II*\0", b"MM\0*")
        or (head[:2] == b"BM" and head[6:10] == b"\0\0\0\0")
    )


def read_picture(source: Source) -> Picture:
    """The picture's header. Raises Unreadable or Unsupported."""
    what = f"Could not read {source.name}"
    head = source.read_at(0, _HEAD)
    try:
        if head[:8] == _PNG:
            picture = _png(head)
        elif head[:2] == b"\xff\xd8":
            picture = _jpeg(head, source, what)
        elif head[:2] == b"BM":
            picture = _bmp(head)
        else:
            picture = _tiff(source)
    except (struct.error, ValueError, IndexError, KeyError) as error:
        raise Unreadable(what, "its header makes no sense", "Copy it again from its source.") from error
    if picture.rows < 1 or picture.columns < 1:
        raise Unreadable(what, "its header states no size")
    if picture.rows * picture.columns > MOST_PIXELS:
        raise Unsupported(what, f"{picture.columns} x {picture.rows} pixels are more than this program shows")
    if source.size * _MOST_PIXELS_A_BYTE < picture.rows * picture.columns:
        raise Unreadable(what, "it says that it holds far more pixels than its size allows")
    return picture


def _png(head: bytes) -> Picture:
    if head[12:16] != b"IHDR":
        raise ValueError("no IHDR")
    columns, rows, depth, kind = struct.unpack_from(">IIBB", head, 16)
    samples = 3 if kind in (2, 3, 6) else 1
    return Picture(format="png", rows=rows, columns=columns, samples=samples, bits=_shown_bits(samples, depth))


def _jpeg(head: bytes, source: Source, what: str) -> Picture:
    stream = read_stream_header(head) or read_stream_header(source.read_at(0, min(source.size, 64 << 20)))
    if stream is None or stream.codec != "jpeg":
        raise Unsupported(what, "it is a kind of JPEG that is not read")
    samples = 1 if stream.samples == 1 else 3
    bits = _shown_bits(samples, stream.bits)
    return Picture(format="jpeg", rows=stream.rows, columns=stream.columns, samples=samples, bits=bits)


def _bmp(head: bytes) -> Picture:
    size, columns, rows, _, depth = struct.unpack_from("<IiiHH", head, 14)
    if size < 40 or depth not in (1, 4, 8, 16, 24, 32):
        raise ValueError("an old or odd BMP")
    return Picture(format="bmp", rows=abs(rows), columns=columns, samples=3, bits=8)


def _tiff(source: Source) -> Picture:
    """First directory for the size; the chain of directories for the number of pages of that size."""
    order = "<" if source.read_at(0, 2) == b"II" else ">"
    (at,) = struct.unpack(order + "I", source.read_at(4, 4))
    pages: list[dict[int, int]] = []
    seen: set[int] = set()
    while at and at not in seen and len(pages) < _MOST_PAGES:
        seen.add(at)
        (count,) = struct.unpack(order + "H", source.read_at(at, 2))
        entries = source.read_at(at + 2, 12 * count + 4)
        pages.append(_tiff_fields(entries, count, order, source))
        (at,) = struct.unpack_from(order + "I", entries, 12 * count)
    first = pages[0]
    same = sum(1 for page in pages if (page.get(256), page.get(257)) == (first[256], first[257]))
    depth = first.get(258, 1)
    if depth not in (1, 2, 4, 8, 16) or first.get(339, 1) == 3:
        raise ValueError("numbers that are no grey values")
    samples = 3 if first.get(277, 1) >= 3 or first.get(262) == 3 else 1
    return Picture(
        format="tiff",
        rows=first[257],
        columns=first[256],
        samples=samples,
        bits=_shown_bits(samples, depth),
        frames=same if same == len(pages) else 1,
    )


def _shown_bits(samples: int, depth: int) -> int:
    """Colours are shown in 8 bits, greys in 8 or 16."""
    return 16 if samples == 1 and depth > 8 else 8


def _tiff_fields(entries: bytes, count: int, order: str, source: Source) -> dict[int, int]:
    fields = {}
    for n in range(count):
        tag, kind, length = struct.unpack_from(order + "HHI", entries, 12 * n)
        if kind not in (3, 4):
            continue
        size = 2 if kind == 3 else 4
        content = entries[12 * n + 8 : 12 * n + 12]
        if size * length > 4:
            content = source.read_at(struct.unpack(order + "I", content)[0], size)
        fields[tag] = struct.unpack_from(order + ("H" if kind == 3 else "I"), content)[0]
    return fields


def decode_picture(source: Source, picture: Picture, index: int) -> tuple[NDArray[Any], str]:
    """(pixels, decoder) of one page: (rows, columns) uint8 or uint16, or (rows, columns, 3) uint8 RGB."""
    what = f"Could not show {source.name}"
    data = source.read_at(0, source.size)
    if picture.format == "jpeg" and not has_end_marker(data[-4096:]) and b"\xff\xd9" not in data[-65536:]:
        raise Unreadable(what, "it is cut off", "Copy it again from its source.")
    try:
        pixels = _decoded(data, picture, index)
    except MemoryError as error:
        raise OutOfMemory(what, "it needs more memory than reading may take") from error
    except PARSE_ERRORS as error:
        raise Unreadable(what, "it is damaged or of a kind that is not read") from error
    shown = _shown(pixels, picture)
    if shown.shape[:2] != (picture.rows, picture.columns):
        raise Unreadable(what, "its picture is not as large as its header says")
    return shown, f"imagecodecs {picture.format}"


def _decoded(data: bytes, picture: Picture, index: int) -> NDArray[Any]:
    if picture.format == "png":
        return np.asarray(imagecodecs.png_decode(data))
    if picture.format == "jpeg":
        grey = picture.samples == 1
        return np.asarray(
            imagecodecs.jpeg8_decode(data) if grey else imagecodecs.jpeg8_decode(data, outcolorspace="RGB")
        )
    if picture.format == "bmp":
        return np.asarray(imagecodecs.bmp_decode(data, asrgb=True))
    return np.asarray(imagecodecs.tiff_decode(data, index=index))


def _shown(pixels: NDArray[Any], picture: Picture) -> NDArray[Any]:
    if pixels.dtype == np.bool_:
        pixels = pixels.astype(np.uint8) * np.uint8(255)
    if pixels.ndim == 3 and picture.samples == 1:
        pixels = pixels[..., 0]
    elif pixels.ndim == 2 and picture.samples == 3:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    elif pixels.ndim == 3:
        pixels = pixels[..., :3]
    if picture.samples == 3:
        pixels = to_8_bit(pixels, 8 * pixels.dtype.itemsize)
    return np.ascontiguousarray(pixels)
