"""A DICOM file opened for its pixels: container, elements, image header and frame index, checked against each other."""

from __future__ import annotations

from dataclasses import dataclass, replace

from usfm_studio.document.errors import Unreadable, Unsupported
from usfm_studio.imaging.reading.container import (
    BIG_ENDIAN,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    Container,
    open_container,
    syntax_name,
)
from usfm_studio.imaging.reading.elements import Elements, read_elements
from usfm_studio.imaging.reading.frame_index import (
    FrameIndex,
    Piece,
    fragment_index,
    native_frame_bytes,
    native_index,
)
from usfm_studio.imaging.reading.image_header import ImageHeader, read_image_header
from usfm_studio.imaging.reading.source import Source
from usfm_studio.imaging.reading.streams import StreamHeader, has_end_marker, read_stream_header, rle_reaches

PIXEL_DATA = 0x7FE00010
RLE = "1.2.840.10008.1.2.5"
RAW_FRAGMENTS = "1.2.840.10008.1.2.1.98"
DEFLATED_FRAMES = "1.2.840.10008.1.2.8.1"
NATIVE = frozenset({IMPLICIT, EXPLICIT, BIG_ENDIAN, DEFLATED})
J = "1.2.840.10008.1.2.4."
CODECS = {
    J + "50": ("jpeg",), J + "51": ("jpeg",), J + "57": ("ljpeg",), J + "70": ("ljpeg",),
    J + "80": ("jpegls",), J + "81": ("jpegls",), J + "90": ("j2k",), J + "91": ("j2k",),
    J + "201": ("htj2k",), J + "202": ("htj2k",), J + "203": ("htj2k",),
    J + "110": ("jxl",), J + "111": ("jxl",), J + "112": ("jxl",),
}  # fmt: skip
"""What each compressed syntax should hold. What the stream's own markers say counts; a difference is noted."""
VIDEO = frozenset(
    J + tail
    for tail in [
        "100",
        "100.1",
        "101",
        "101.1",
        "102",
        "102.1",
        "103",
        "103.1",
        "104",
        "104.1",
        "105",
        "105.1",
        "106",
        "106.1",
        "107",
        "108",
    ]
)
OUTSIDE = frozenset({J + "94", J + "95", J + "204", J + "205"})
"""JPIP: the pixels are at a network address, which is never asked."""
_HEAD = 4096
_BEHIND_PATIENT = 0x00180000


@dataclass(slots=True)
class DicomImage:
    """An open DICOM file whose frames can be decoded."""

    source: Source
    container: Container
    elements: Elements
    header: ImageHeader
    index: FrameIndex
    native: bool
    notices: tuple[str, ...]

    @property
    def syntax(self) -> str:
        """Transfer syntax UID."""
        return self.container.syntax

    def frame_bytes(self, index: int) -> bytes:
        """The stored bytes of one frame. Raises Unreadable where the file lacks it."""
        if not 0 <= index < len(self.index):
            raise Unreadable(f"Could not show frame {index + 1} of {self.source.name}", "the file does not hold it")
        return b"".join(self._piece(piece) for piece in self.index.frames[index])

    def _piece(self, piece: Piece) -> bytes:
        if self.native and not self.container.little and self.header.allocated == 8 and self._words:
            start = piece.offset & ~1
            data = bytearray(self.container.source.read_at(start, (piece.offset + piece.length + 1 & ~1) - start))
            data[: len(data) & ~1 : 2], data[1::2] = data[1::2], data[: len(data) & ~1 : 2]
            return bytes(data[piece.offset - start : piece.offset - start + piece.length])
        return self.container.source.read_at(piece.offset, piece.length)

    @property
    def _words(self) -> bool:
        """True where big endian pixels were stored as 16 bit words, which swaps 8 bit pixels in pairs."""
        return self.elements.pixels is not None and self.elements.pixels.vr == "OW"


def read_header(source: Source) -> tuple[Container, Elements]:
    """Container and elements. Raises Unreadable where the file is no DICOM file."""
    container = open_container(source)
    elements = read_elements(container.source, container.offset, implicit=container.implicit, little=container.little)
    known = any(tag in elements for tag in (0x00080016, 0x00080018, 0x00280010, 0x0020000D, 0x00080060))
    if not known or (elements.cut and max(elements.by_tag) < _BEHIND_PATIENT):
        why = "it is cut off or damaged in its header" if elements.cut else "it holds no image"
        raise Unreadable(f"Could not read {source.name}", why, "Copy it again from its source.")
    return container, elements


def open_image(source: Source, container: Container, elements: Elements) -> DicomImage:
    """The image of a DICOM file. Raises Unreadable or Unsupported with the reason why there is no picture."""
    what = f"Could not show {source.name}"
    syntax = container.syntax
    if syntax in OUTSIDE:
        raise Unsupported(what, "its pixels are not in the file but at a network address, which is not asked")
    pixels = elements.pixels
    if pixels is None or pixels.tag != PIXEL_DATA:
        raise Unreadable(what, _without_pixels(elements))
    header = read_image_header(elements, source.name)
    if syntax in VIDEO:
        raise Unsupported(what, f"video is not read yet: {syntax_name(syntax)}")
    if pixels.length is not None:
        return _open_native(source, container, elements, header, what)
    return _open_encapsulated(source, container, elements, header, what)


def _without_pixels(elements: Elements) -> str:
    if elements.pixels is not None:
        return "its pixels are floating point numbers, not an image for viewing"
    if elements.cut:
        return "the file is cut off or damaged before its pixels"
    return "the file holds no pixels"


def _open_native(
    source: Source, container: Container, elements: Elements, header: ImageHeader, what: str
) -> DicomImage:
    pixels = elements.pixels
    assert pixels is not None
    assert pixels.length is not None
    notices = [*container.notices, *header.notices]
    held = min(pixels.length, container.source.size - pixels.offset)
    if container.syntax not in NATIVE:
        if container.syntax not in CODECS and container.syntax != RLE:
            raise Unsupported(what, f"its encoding is not known: {syntax_name(container.syntax)}")
        if held < native_frame_bytes(header):
            raise Unreadable(what, f"its pixels are not stored as it states: {syntax_name(container.syntax)}")
        notices.append("The file states that its pixels are compressed; they are not.")
    header = _by_length(header, pixels.length, notices)
    if header.halved_chroma and header.columns % 2:
        raise Unsupported(what, "its colours are shared by pairs of pixels, but its width is odd")
    index = native_index(container.source, pixels, header)
    if not len(index):
        need = native_frame_bytes(header)
        raise Unreadable(what, f"it holds {max(0, held):,} of {need:,} bytes of pixels", "Copy it again.")
    _note_missing(header, index, notices)
    return DicomImage(source, container, elements, header, index, True, tuple(notices))


def _by_length(header: ImageHeader, length: int, notices: list[str]) -> ImageHeader:
    """YBR_FULL_422 whose length is that of three bytes a pixel is YBR_FULL."""
    full = header.pixels * 3 * (header.frames_stated or 1)
    if header.halved_chroma and full <= length <= full + 1:
        notices.append("The file calls its colours YBR_FULL_422, but its length is that of YBR_FULL.")
        return replace(header, photometric="YBR_FULL")
    return header


def _note_missing(header: ImageHeader, index: FrameIndex, notices: list[str]) -> None:
    stated = header.frames_stated
    if index.table_ignored:
        notices.append("The file's table of frames is wrong; frames were found by their marks.")
    if stated is not None and len(index) < stated:
        notices.append(f"The file states {stated} frames and holds {len(index)}; the others are missing.")
    if index.odd and len(index) > 1:
        shown = ", ".join(str(i + 1) for i in index.odd[:5]) + (" …" if len(index.odd) > 5 else "")
        notices.append(f"Damaged frames that cannot be shown: {shown}.")


def _open_encapsulated(
    source: Source, container: Container, elements: Elements, header: ImageHeader, what: str
) -> DicomImage:
    syntax = container.syntax
    plain = syntax in (RAW_FRAGMENTS, DEFLATED_FRAMES)
    if syntax not in CODECS and syntax not in NATIVE and syntax != RLE and not plain:
        raise Unsupported(what, f"its encoding is not known: {syntax_name(syntax)}")
    notices = [*container.notices, *header.notices]
    index = fragment_index(container.source, elements, header, marked=syntax != RLE and not plain)
    if not len(index):
        why = "the file is cut off in its pixels" if index.cut else "its pixel data hold no whole frame"
        raise Unreadable(what, why, "Copy it again from its source.")
    image = DicomImage(source, container, elements, header, index, False, ())
    if not plain:
        notices += _check_first(image, what)
    _note_missing(header, index, notices)
    image.notices = tuple(notices)
    return image


def _check_first(image: DicomImage, what: str) -> list[str]:
    """Compare the first readable stream's own header with the dataset; what differs is refused or noted."""
    first = next((i for i in range(len(image.index)) if i not in image.index.odd), 0)
    pieces = image.index.frames[first]
    head = image.container.source.read_at(pieces[0].offset, min(pieces[0].length, _HEAD))
    stream = read_stream_header(head, rle=image.syntax == RLE) or stream_of(image, image.frame_bytes(first))
    check_stream(stream, image, sum(p.length for p in pieces), head, what)
    last = pieces[-1]
    tail = image.container.source.read_at(last.offset + max(0, last.length - 16), 16)
    notices = []
    if stream is not None and stream.codec in ("jpeg", "ljpeg", "jpegls") and not has_end_marker(tail):
        if stream.codec == "jpegls":
            raise Unreadable(what, "its compressed picture is cut off", "Copy it again from its source.")
        notices.append("The compressed picture has no end mark and may be incomplete.")
    if stream is not None and image.syntax in CODECS and stream.codec not in CODECS[image.syntax]:
        notices.append(f"The file states {syntax_name(image.syntax)}, but its picture is another kind.")
    return notices


def stream_of(image: DicomImage, data: bytes) -> StreamHeader | None:
    """The header of a whole compressed frame."""
    return read_stream_header(data, rle=image.syntax == RLE)


def check_stream(stream: StreamHeader | None, image: DicomImage, length: int, head: bytes, what: str) -> None:
    """Raise Unreadable where a stream differs from the dataset, so that no decoder allocates what it claims."""
    header = image.header
    if stream is None:
        raise Unreadable(what, "its compressed picture makes no sense", "Copy it again from its source.")
    if stream.codec == "rle":
        segments = header.samples * header.allocated // 8
        if stream.samples != segments or rle_reaches(head) >= length:
            raise Unreadable(what, "its run-length header does not fit the image", "Copy it again from its source.")
        return
    if (stream.rows, stream.columns) != (header.rows, header.columns):
        stated = f"{header.columns} x {header.rows}"
        raise Unreadable(
            what, f"the file says {stated} pixels, its compressed picture {stream.columns} x {stream.rows}"
        )
    if stream.codec == "jxl":
        return  # its samples and bits stand behind more fields than are worth reading here
    if stream.samples != header.samples:
        raise Unreadable(
            what, f"the file says {header.samples} values a pixel, its compressed picture {stream.samples}"
        )
    if stream.bits > header.allocated:
        raise Unreadable(what, f"the file says {header.allocated} bits, its compressed picture {stream.bits}")
