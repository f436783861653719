"""Label maps and pictures as PNG: plain grey or colour, one id a pixel, and reading them back as ids."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
from numpy.typing import NDArray

from usfm_studio.document.mask import Ids

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _PALETTE = 0, 3
_AFTER_HEADER = len(_SIGNATURE) + 25


def png_bytes(pixels: NDArray[np.uint8]) -> bytes:
    """A PNG of (rows, columns) or (rows, columns, 3: red, green, blue) uint8."""
    ordered = pixels[:, :, ::-1] if pixels.ndim == 3 else pixels
    done, encoded = cv2.imencode(".png", np.ascontiguousarray(ordered), [cv2.IMWRITE_PNG_COMPRESSION, 6])
    if not done:
        raise ValueError("the picture cannot be written as PNG")
    return bytes(encoded)


def with_text(png: bytes, keyword: str, text: str) -> bytes:
    """The same picture with a text in its metadata (PNG's tEXt chunk, after the header); both in Latin-1."""
    body = keyword.encode("latin-1") + b"\0" + text.encode("latin-1")
    chunk = struct.pack(">I", len(body)) + b"tEXt" + body + struct.pack(">I", zlib.crc32(b"tEXt" + body))
    return png[:_AFTER_HEADER] + chunk + png[_AFTER_HEADER:]


def png_shape(content: bytes) -> tuple[int, int]:
    """(rows, columns) that a PNG states. Raises ValueError."""
    columns, rows, *_ = _header(content)
    return rows, columns


def png_pixels(content: bytes) -> NDArray[np.uint8]:
    """Pixels of a PNG as `png_bytes` writes them. Raises ValueError."""
    decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None:
        raise ValueError("it cannot be decoded as PNG")
    pixels: NDArray[np.uint8] = decoded[:, :, 2::-1] if decoded.ndim == 3 else decoded
    return pixels


def ids_from_png(content: bytes) -> Ids:
    """(rows, columns) ids of a label map: grey values, or the indices of a palette picture (not its colours).

    Colour pictures count where red, green and blue are equal. Raises ValueError with the reason.
    """
    _, _, depth, colour = _header(content)
    source = _without_palette(content) if colour == _PALETTE else content
    decoded = cv2.imdecode(np.frombuffer(source, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None:
        raise ValueError("it cannot be decoded as PNG")
    if colour in (_GREY, _PALETTE) and depth < 8:
        decoded = decoded // (255 // ((1 << depth) - 1))  # the decoder spreads small depths over 0 to 255
    if decoded.ndim == 3:
        colours = decoded[:, :, :3]
        if not (colours == colours[:, :, :1]).all():
            raise ValueError("it is in colour; a label map holds one number a pixel")
        decoded = colours[:, :, 0]
    return whole_ids(decoded)


def whole_ids(values: NDArray[np.generic]) -> Ids:
    """The values as uint8 ids. Raises ValueError where they are not whole numbers from 0 to 255."""
    if values.size and not (np.isfinite(values).all() and (values >= 0).all() and (values <= 255).all()):  # type: ignore[operator]
        raise ValueError("it holds values outside 0 to 255")
    ids = values.astype(np.uint8)
    if not (ids == values).all():
        raise ValueError("it holds values that are no whole numbers")
    return np.ascontiguousarray(ids)


def as_plain_ids(ids: Ids, known: frozenset[int]) -> Ids:
    """A 0/255 mask as 0/1, unless 255 is a known segment."""
    present = set(np.unique(ids).tolist())
    return (ids > 0).astype(np.uint8) if 255 in present and present <= {0, 255} and 255 not in known else ids


def _header(content: bytes) -> tuple[int, int, int, int]:
    """(columns, rows, bit depth, colour type)."""
    if len(content) < 33 or content[:8] != _SIGNATURE or content[12:16] != b"IHDR":
        raise ValueError("it is not a PNG")
    columns, rows, depth, colour = struct.unpack_from(">IIBB", content, 16)
    return columns, rows, depth, colour


def _without_palette(content: bytes) -> bytes:
    """The same stream as a grey picture, so that the decoder gives indices."""
    parts, at = [_SIGNATURE], 8
    while at + 12 <= len(content):
        (size,) = struct.unpack_from(">I", content, at)
        kind, body = content[at + 4 : at + 8], content[at + 8 : at + 8 + size]
        if kind == b"IHDR":
            body = body[:9] + bytes([_GREY]) + body[10:]
        if kind not in (b"PLTE", b"tRNS", b"hIST", b"bKGD"):
            parts.append(struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)))
        at += 12 + size
    return b"".join(parts)
