"""The size that a JPEG XL stream states (ISO 18181-1 annex D, `SizeHeader`; boxes: 18181-2)."""

from __future__ import annotations

import struct

_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
_WIDTHS = (9, 13, 18, 30)


def jxl_size(data: bytes) -> tuple[int, int]:
    """(rows, columns). Raises ValueError or struct.error where the bytes given do not hold it."""
    bits = _Bits(_codestream(data)[2:])
    small = bits.take(1)
    rows = 8 * (bits.take(5) + 1) if small else _length(bits)
    ratio = bits.take(3)
    if ratio:
        wide, high = _RATIOS[ratio - 1]
        return rows, rows * wide // high
    return rows, 8 * (bits.take(5) + 1) if small else _length(bits)


class _Bits:
    """Bits of the first bytes, lowest first."""

    def __init__(self, data: bytes) -> None:
        if len(data) < 16:
            data = data + bytes(16 - len(data))
        self._value = int.from_bytes(data[:16], "little")

    def take(self, count: int) -> int:
        taken = self._value & ((1 << count) - 1)
        self._value >>= count
        return taken


def _length(bits: _Bits) -> int:
    return 1 + bits.take(_WIDTHS[bits.take(2)])


def _codestream(data: bytes) -> bytes:
    """The bare stream, or the first part of it in a file of boxes."""
    if data[:2] == b"\xff\x0a":
        return data[:32]
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        if kind in (b"jxlc", b"jxlp"):
            begins = at + (8 if kind == b"jxlc" else 12)
            if data[begins : begins + 2] == b"\xff\x0a":
                return data[begins : begins + 32]
            break
        if size < 8:
            break
        at += size
    raise ValueError("no JPEG XL stream")
