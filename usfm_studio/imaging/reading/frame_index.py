"""Where each frame of a file lies: byte ranges, found without decoding (PS3.5 A.4 and 8.2)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import pairwise

from usfm_studio.imaging.reading.elements import Elements, PixelElement
from usfm_studio.imaging.reading.image_header import ImageHeader
from usfm_studio.imaging.reading.source import Source
from usfm_studio.imaging.reading.streams import has_end_marker, starts_frame

MOST_FRAMES = 100_000
MOST_FRAGMENTS = 1_000_000
_ITEM = 0xFFFEE000
_END = 0xFFFEE0DD
_MARKER = 12


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of bytes in the file."""

    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class FrameIndex:
    """The pieces of each frame that the file wholly holds. `cut` says that bytes are missing at its end."""

    frames: tuple[tuple[Piece, ...], ...]
    cut: bool = False
    table_ignored: bool = False
    odd: tuple[int, ...] = ()
    """Frames (from 0) that do not begin as a compressed image does."""

    def __len__(self) -> int:
        return len(self.frames)


@dataclass(frozen=True, slots=True)
class _Fragment:
    item_offset: int  # from the first item behind the offset table
    piece: Piece
    starts: bool
    whole: bool


def native_frame_bytes(header: ImageHeader) -> int:
    """Bytes of one uncompressed frame."""
    if header.halved_chroma:
        return header.pixels * 2
    return header.pixels * header.samples * header.allocated // 8


def native_index(source: Source, pixels: PixelElement, header: ImageHeader) -> FrameIndex:
    """Frames of uncompressed pixel data: arithmetic over what the file really holds."""
    size = native_frame_bytes(header)
    held = max(0, min(pixels.length or 0, source.size - pixels.offset))
    count = min(held // size, header.frames_stated or MOST_FRAMES, MOST_FRAMES)
    frames = tuple((Piece(pixels.offset + i * size, size),) for i in range(count))
    return FrameIndex(frames, cut=held < size * (header.frames_stated or 1))


def fragment_index(source: Source, elements: Elements, header: ImageHeader, *, marked: bool) -> FrameIndex:
    """Frames of encapsulated pixel data.

    In this order: the extended offset table, the basic one if it is sound, one fragment a frame where their numbers
    agree, start markers (`marked`: the syntax has them); else one fragment a frame.
    """
    if elements.pixels is None:
        return FrameIndex(())
    table, fragments, cut = _walk(source, elements.pixels.offset)
    fragments = [f for f in fragments if f.piece.length > 0]
    stated = header.frames_stated
    extended = _extended(elements)
    by_table = _by_offsets(extended, fragments, stated) or _by_offsets(table, fragments, stated)
    groups = by_table or _by_count(fragments, stated, marked)
    whole = [g for g in groups if all(f.whole for f in g)]
    frames = tuple(tuple(f.piece for f in group) for group in whole[: min(stated or MOST_FRAMES, MOST_FRAMES)])
    odd = tuple(i for i, group in enumerate(whole[: len(frames)]) if marked and not group[0].starts)
    return FrameIndex(frames, cut, bool(extended or table) and by_table is None and not cut, odd)


def _walk(source: Source, offset: int) -> tuple[tuple[int, ...], list[_Fragment], bool]:
    """(basic offset table, fragments in file order, whether the file ends inside one). Stops at what is no item."""
    at = offset
    table: tuple[int, ...] | None = None
    first = 0
    fragments: list[_Fragment] = []
    while len(fragments) < MOST_FRAGMENTS:
        head = source.read_at(at, 8 + _MARKER)
        if len(head) < 8:
            return table or (), fragments, False
        group, element, length = struct.unpack_from("<HHI", head)
        tag = group << 16 | element
        if tag != _ITEM or length == 0xFFFFFFFF:
            return table or (), fragments, tag != _END
        begins, at = at + 8, at + 8 + length
        whole = at <= source.size
        if table is None:
            content = source.read_at(begins, length if length <= 8 * MOST_FRAMES else 0)
            table = struct.unpack_from(f"<{len(content) // 4}I", content) if length % 4 == 0 else ()
            first = at
        else:
            piece = Piece(begins, length)
            starts = starts_frame(head[8:]) if whole or len(head) == 8 + _MARKER else _ends(source, fragments)
            fragments.append(_Fragment(begins - 8 - first, piece, starts, whole))
        if not whole:
            return table, fragments, True
    return table or (), fragments, True


def _ends(source: Source, fragments: list[_Fragment]) -> bool:
    """True where the fragment before ends a picture: what follows, too cut to tell, then begins the next one."""
    if not fragments:
        return False
    last = fragments[-1].piece
    return has_end_marker(source.read_at(last.offset + max(0, last.length - 16), min(16, last.length)))


def _extended(elements: Elements) -> tuple[int, ...]:
    content = elements.raw(0x7FE00001)
    return struct.unpack_from(f"<{len(content) // 8}Q", content)


def _by_offsets(
    starts: tuple[int, ...], fragments: list[_Fragment], stated: int | None
) -> list[list[_Fragment]] | None:
    """Groups of fragments by an offset table; None where the table does not fit the fragments."""
    if not starts or not fragments or starts[0] != 0 or len(starts) != (stated or len(starts)):
        return None
    if any(b <= a for a, b in pairwise(starts)):
        return None
    places = {fragment.item_offset: n for n, fragment in enumerate(fragments)}
    if not all(start in places for start in starts):
        return None
    bounds = [places[start] for start in starts] + [len(fragments)]
    return [fragments[a:b] for a, b in pairwise(bounds)]


def _by_count(fragments: list[_Fragment], stated: int | None, marked: bool) -> list[list[_Fragment]]:
    if stated == 1 and not (marked and sum(f.starts for f in fragments) > 1):
        return [fragments] if fragments else []
    if stated == len(fragments) or not marked:
        return [[fragment] for fragment in fragments]
    groups: list[list[_Fragment]] = []
    for fragment in fragments:
        if fragment.starts or not groups:
            groups.append([])
        groups[-1].append(fragment)
    return groups
