"""Palette colour tables (PS3.3 C.7.6.3.1.5 and .6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usfm_studio.imaging.reading.elements import Elements

_DESCRIPTORS = (0x00281101, 0x00281102, 0x00281103)
_TABLES = (0x00281201, 0x00281202, 0x00281203)
_SEGMENTED = (0x00281221, 0x00281222, 0x00281223)
_DISCRETE, _LINEAR, _INDIRECT = 0, 1, 2


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
    """The palette of a file; None where a table is missing or makes no sense."""
    channels, first = [], 0
    for descriptor, table, segmented in zip(_DESCRIPTORS, _TABLES, _SEGMENTED, strict=True):
        numbers = [int(n) for n in elements.numbers(descriptor, "US")[:3]]
        raw, packed = elements.raw(table), elements.raw(segmented)
        if len(numbers) < 3 or not (raw or packed):
            return None
        entries = numbers[0] & 0xFFFF or 1 << 16
        first = numbers[1]
        if raw:
            channels.append(_channel(raw, entries, numbers[2], elements.little))
        else:
            channels.append(_expanded(packed, entries, numbers[2], elements.little))
        if not len(channels[-1]):
            return None
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


def _expanded(raw: bytes, entries: int, bits: int, little: bool) -> NDArray[np.uint8]:
    """A segmented table of 16 bit entries (PS3.3 C.7.9.2) as 8 bit values; empty for other entries."""
    words = np.frombuffer(raw, "<u2" if little else ">u2", len(raw) // 2).tolist() if bits == 16 else []
    values: list[int] = []
    _run(words, 0, len(words), entries, values)
    return (np.array(values[:entries], np.int64) >> 8).astype(np.uint8)


def _run(words: list[int], at: int, segments: int, entries: int, values: list[int], *, nested: bool = False) -> None:
    """Append the values of up to `segments` segments from word `at` on: runs of values, straight lines, repeats.

    Stops where the data end or make no sense.
    """
    while segments > 0 and at + 2 <= len(words) and len(values) < entries:
        kind, length = words[at], words[at + 1]
        if kind == _DISCRETE:
            values += words[at + 2 : at + 2 + length]
            at += 2 + length
        elif kind == _LINEAR and at + 2 < len(words):
            start, end = values[-1] if values else 0, words[at + 2]
            values += [round(start + (end - start) * n / length) for n in range(1, length + 1)]
            at += 3
        elif kind == _INDIRECT and at + 3 < len(words) and not nested:
            _run(words, (words[at + 2] | words[at + 3] << 16) // 2, length, entries, values, nested=True)
            at += 4
        else:
            return
        segments -= 1
