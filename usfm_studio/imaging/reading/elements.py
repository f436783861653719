"""The data elements of a DICOM dataset, read as far as the file allows, and their values as plain Python ones.

pydicom splits the bytes into elements; the values are taken from the raw bytes here, so that a wrong VR, a cut value
or a foreign type gives "unknown" for that one element and never an error for the file.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pydicom.charset import convert_encodings, decode_bytes, default_encoding
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import data_element_generator

from usfm_studio.imaging.reading.source import Source

PIXEL_TAGS = (0x7FE00008, 0x7FE00009, 0x7FE00010)
LARGEST_VALUE = 1 << 20
"""Longer values are skipped, not read: no header value that is used here is longer."""
PARSE_ERRORS = (
    ArithmeticError, AttributeError, EOFError, LookupError, MemoryError, NotImplementedError, OSError, RecursionError,
    RuntimeError, TypeError, ValueError, struct.error,
)  # fmt: skip
"""What pydicom was seen to raise on damaged files."""
_NUMBERS = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d", "UV": "Q", "SV": "q", "AT": "HH"}
_SHORTEST_ELEMENT = 8
_TEXT = {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT"}


@dataclass(frozen=True, slots=True)
class PixelElement:
    """Where the pixel data of a file begin. `length` is None where it is undefined (fragments follow)."""

    tag: int
    vr: str
    offset: int
    length: int | None


@dataclass(slots=True)
class Elements:
    """Elements of one dataset by tag. `cut` says that the bytes ended, or made no sense, before the dataset did."""

    by_tag: dict[int, RawDataElement | DataElement] = field(default_factory=dict)
    little: bool = True
    encodings: list[str] = field(default_factory=lambda: [default_encoding])
    pixels: PixelElement | None = None
    cut: bool = False

    def __contains__(self, tag: int) -> bool:
        return tag in self.by_tag

    def raw(self, tag: int) -> bytes:
        """The value's bytes, in the file's byte order; empty where there is none or it is no plain value."""
        element = self.by_tag.get(tag)
        return element.value if isinstance(element, RawDataElement) and isinstance(element.value, bytes) else b""

    def numbers(self, tag: int, vr: str) -> tuple[float, ...]:
        """All values of a numeric element; `vr` is what the standard says, the file's own counts where it differs.

        Values that are no number are NaN, so that the position of the others is kept.
        """
        element = self.by_tag.get(tag)
        if element is None:
            return ()
        own = element.VR if element.VR not in (None, "UN") else vr
        value = self.raw(tag)
        if own in _TEXT:
            return tuple(_number(part) for part in value.split(b"\\")) if value.strip(b"\0 ") else ()
        code = _NUMBERS.get(str(own)) or _NUMBERS.get(vr, "H")
        size = struct.calcsize("<" + code)
        order = "<" if self.little else ">"
        return struct.unpack(order + code * (len(value) // size), value[: len(value) // size * size])

    def number(self, tag: int, vr: str) -> float | None:
        """The only or first value, or None where it is absent or no finite number."""
        first = next(iter(self.numbers(tag, vr)), math.nan)
        return first if math.isfinite(first) else None

    def whole(self, tag: int, vr: str = "US") -> int | None:
        """As `number`, for whole numbers; None where it has a fraction."""
        value = self.number(tag, vr)
        return int(value) if value is not None and value == int(value) else None

    def text(self, tag: int) -> str:
        """The value as text in the file's character set, trailing padding removed; undecodable letters are marked."""
        value = self.raw(tag).strip(b"\0 ")
        if value.isascii() and b"\x1b" not in value:
            return value.decode("ascii")
        try:
            return _undeclared(value, self.encodings) or decode_bytes(value, self.encodings, {0x5E, 0x3D, 0x5C})
        except PARSE_ERRORS:
            return value.decode("utf-8", errors="replace")

    def texts(self, tag: int) -> tuple[str, ...]:
        """The values of an element with several, by backslash."""
        return tuple(part.strip() for part in self.text(tag).split("\\")) if tag in self.by_tag else ()

    def items(self, tag: int, most: int = 4096) -> tuple[Elements, ...]:
        """The items of a sequence; none where it cannot be parsed."""
        element = self.by_tag.get(tag)
        if element is None:
            return ()
        try:
            datasets = _datasets(element, self.little)
            return tuple(self._of_item(dataset) for dataset in datasets[:most])
        except PARSE_ERRORS:
            return ()

    def _of_item(self, dataset: Dataset) -> Elements:
        return Elements(dict(_plain(dataset)), self.little, self.encodings)


def _plain(dataset: Dataset) -> Iterator[tuple[int, Any]]:
    for tag in dataset.keys():  # noqa: SIM118 (iterating a Dataset converts its elements)
        yield int(tag), dataset.get_item(tag)


def _datasets(element: RawDataElement | DataElement, little: bool) -> list[Dataset]:
    if isinstance(element, DataElement):
        return list(element.value) if element.VR == "SQ" else []
    implicit = element.is_implicit_VR or (element.VR == "UN" and not _looks_explicit(element.value or b""))
    holder = Dataset({element.tag: element._replace(VR="SQ", is_implicit_VR=implicit)})
    return list(holder[element.tag].value)


def _looks_explicit(items: bytes) -> bool:
    """True where the first element of the first item has a VR: such a UN sequence was not turned implicit."""
    return items[12:14].isalpha() and items[12:14].isupper()


def _undeclared(value: bytes, encodings: list[str]) -> str:
    """UTF-8 in a file that declares no character set; empty where it is none."""
    if encodings != [default_encoding]:
        return ""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return ""


def _number(part: bytes) -> float:
    try:
        return float(part.strip(b"\0 ").decode("ascii"))
    except ValueError:
        return math.nan


def read_elements(source: Source, offset: int, *, implicit: bool, little: bool) -> Elements:
    """All elements from `offset` up to the pixel data; where the bytes end or make no sense, what came before."""
    found = Elements(little=little)

    def at_pixels(tag: Any, vr: str | None, length: int) -> bool:
        if int(tag) in PIXEL_TAGS:
            found.pixels = PixelElement(
                int(tag), vr or "OW", source.handle.tell(), None if length == 0xFFFFFFFF else length
            )
            return True
        return False

    source.handle.seek(offset)
    ends = offset
    try:
        for element in data_element_generator(
            source.handle, implicit, little, stop_when=at_pixels, defer_size=LARGEST_VALUE
        ):
            found.by_tag[int(element.tag)] = element
            if isinstance(element, RawDataElement) and element.length != 0xFFFFFFFF:
                ends = element.value_tell + element.length
                if ends > source.size:
                    found.cut = True
                    break
    except PARSE_ERRORS:
        found.cut = True
    if found.pixels is None and not found.cut and source.handle.tell() >= source.size:
        found.cut = 0 < source.size - ends < _SHORTEST_ELEMENT
    found.encodings = _encodings(found)
    return found


def _encodings(elements: Elements) -> list[str]:
    declared = [part.strip() for part in elements.raw(0x00080005).decode("ascii", "replace").strip("\0 ").split("\\")]
    try:
        return convert_encodings(declared if len(declared) > 1 else declared[0])
    except PARSE_ERRORS:
        return [default_encoding]
