"""Palette colour tables (PS3.3 C.7.6.3.1.5 and .6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usfm_studio.imaging.reading.elements import Elements

_DESCRIPTORS = (0x00281101, 0x00281102, 0x00281103)
_TABLES = (0x00281201, 0x00281202, 0x00281203)


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours of the indices from `first` on: (entries, 3) uint8."""

    first: int
    colours: NDArray[np.uint8]

    def applied(self, indices: NDArray[Any]) -> NDArray[np.uint8]:
        """(rows, columns) indices as (rows, columns, 3); below and above the table its end entries count."""
        places = indices.astype(np.int32) - self.first
        np.clip(places, 0, len(self.colours) - 1, out=places)
        return self.colours[places]


def read_palette(elements: Elements) -> Palette | None:
    """The palette of a file; None where a table is missing or segmented."""
    channels, first = [], 0
    for descriptor, table in zip(_DESCRIPTORS, _TABLES, strict=True):
        numbers = [int(n) for n in elements.numbers(descriptor, "US")[:3]]
        raw = elements.raw(table)
        if len(numbers) < 3 or not raw:
            return None
        entries = numbers[0] & 0xFFFF or 1 << 16
        first = numbers[1]
        channels.append(_channel(raw, entries, numbers[2], elements.little))
    length = max(map(len, channels))
    colours = np.stack([np.pad(c, (0, length - len(c)), mode="edge") for c in channels], axis=-1)
    colours.flags.writeable = False
    return Palette(first, colours)


def _channel(raw: bytes, entries: int, bits: int, little: bool) -> NDArray[np.uint8]:
    """One table as 8 bit values: the high byte of 16 bit entries, in the file's own byte order."""
    if bits == 8 and len(raw) <= entries + 1:
        return np.frombuffer(raw, np.uint8)[:entries]
    words = np.frombuffer(raw, "<u2" if little else ">u2", count=len(raw) // 2)[:entries]
    if not len(words):
        return np.frombuffer(raw, np.uint8)[:entries]
    low = int(words.max()) < 256
    return (words if low else words >> 8).astype(np.uint8)
