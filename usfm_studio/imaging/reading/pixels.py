"""One frame decoded: stored samples by one codec call, then the colours or greys that are shown."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import imagecodecs
import numpy as np
import openjpeg
from numpy.typing import NDArray
from rle.utils import decode_frame as decode_rle

from usfm_studio.document.errors import OutOfMemory, Unreadable, Unsupported
from usfm_studio.imaging.reading.colour import full_chroma, inverted, to_8_bit, ybr_to_rgb
from usfm_studio.imaging.reading.dicom import DEFLATED_FRAMES, RAW_FRAGMENTS, RLE, DicomImage, check_stream, stream_of
from usfm_studio.imaging.reading.elements import PARSE_ERRORS
from usfm_studio.imaging.reading.frame_index import native_frame_bytes
from usfm_studio.imaging.reading.image_header import ImageHeader
from usfm_studio.imaging.reading.palette import read_palette
from usfm_studio.imaging.reading.streams import StreamHeader, has_end_marker

_PADDING = b"\x55" * 4096 + b"\xff\xd9"


@dataclass(frozen=True, slots=True)
class Stored:
    """Samples as the file stores them: (rows, columns[, 3]), grey values, palette indices, RGB or YBR (`space`)."""

    samples: NDArray[Any]
    space: str  # grey, palette, rgb, ybr
    decoder: str


def decode_stored(image: DicomImage, index: int) -> Stored:
    """The stored samples of one frame, before any step of display. Raises Unreadable."""
    what = f"Could not show frame {index + 1} of {image.source.name}"
    data = image.frame_bytes(index)
    try:
        stored = _native(image, data) if image.native else _compressed(image, data, what)
    except MemoryError as error:
        raise OutOfMemory(what, "its picture needs more memory than reading may take") from error
    except ImportError as error:
        hint = "Install the program again with all its parts."
        raise Unsupported(what, "the decoder for its kind of picture is not installed", hint) from error
    except (*PARSE_ERRORS, zlib.error) as error:
        raise Unreadable(what, "its compressed picture is damaged", "Copy it again from its source.") from error
    expected = (image.header.rows, image.header.columns, *((3,) if image.header.samples == 3 else ()))
    if stored.samples.shape != expected:
        raise Unreadable(what, f"its picture came out as {stored.samples.shape}, not {expected}")
    return stored


def decode_shown(image: DicomImage, index: int) -> tuple[NDArray[Any], str]:
    """(pixels, decoder): (rows, columns) uint8 or uint16, or (rows, columns, 3) uint8 in RGB, in C order."""
    stored = decode_stored(image, index)
    header, samples = image.header, stored.samples
    if stored.space == "palette":
        palette = read_palette(image.elements)
        shown: NDArray[Any] = samples if palette is None else palette.applied(samples)
    elif stored.space == "grey":
        shown = inverted(samples, header.bits) if header.photometric == "MONOCHROME1" else samples
    else:
        colour = to_8_bit(samples, header.bits)
        shown = ybr_to_rgb(colour) if stored.space == "ybr" else colour
    if shown.ndim == 2 and header.bits <= 8 and shown.dtype != np.uint8:
        shown = shown.astype(np.uint8)
    return np.ascontiguousarray(shown), stored.decoder


def _native(image: DicomImage, data: bytes) -> Stored:
    header = image.header
    if header.halved_chroma:
        ybr = full_chroma(np.frombuffer(data, np.uint8), header.rows, header.columns)
        return Stored(ybr, "ybr", "numpy")
    order = "<" if image.container.little else ">"
    flat = np.frombuffer(data, np.uint8 if header.allocated == 8 else f"{order}u2")
    return Stored(_unsigned(_shaped(flat, header), header), _space(header), "numpy")


def _shaped(flat: NDArray[Any], header: ImageHeader) -> NDArray[Any]:
    if header.samples == 1:
        return flat.reshape(header.rows, header.columns)
    if header.planar:
        return np.ascontiguousarray(flat.reshape(3, header.rows, header.columns).transpose(1, 2, 0))
    return flat.reshape(header.rows, header.columns, 3)


def _unsigned(samples: NDArray[Any], header: ImageHeader) -> NDArray[Any]:
    """Native byte order, unused bits masked off; signed values moved up so that their order holds."""
    kind = np.uint8 if header.allocated == 8 else np.uint16
    values: Any = samples.astype(kind, copy=False)
    if header.shift:
        values = values >> header.shift
    if header.bits < header.allocated:
        values = values & kind((1 << header.bits) - 1)
    if header.signed:
        values = values ^ kind(1 << (header.bits - 1))
    result: NDArray[Any] = values
    return result


def _space(header: ImageHeader, rgb: bool | None = None) -> str:
    """What three samples mean: the stream's own word first, then the dataset's label."""
    if header.samples == 1:
        return "palette" if header.photometric == "PALETTE COLOR" else "grey"
    if rgb is not None:
        return "rgb" if rgb else "ybr"
    return "ybr" if header.photometric.startswith(("YBR_FULL", "YBR_PARTIAL")) else "rgb"


def _compressed(image: DicomImage, data: bytes, what: str) -> Stored:
    header = image.header
    if image.syntax in (RAW_FRAGMENTS, DEFLATED_FRAMES):
        return _plain(image, data)
    stream = stream_of(image, data)
    check_stream(stream, image, len(data), data, what)
    assert stream is not None
    if image.syntax == RLE:
        return _rle(header, data)
    if stream.codec == "jpeg":
        return _jpeg(header, stream, data, what)
    name, decode = _CODECS[stream.codec if stream.reversible or stream.codec != "htj2k" else "htj2k lossy"]
    samples = np.asarray(decode(data))
    if samples.ndim == 3 and samples.shape[2] == 1:
        samples = samples[..., 0]
    if header.signed and samples.dtype.kind == "i":
        samples = samples.view(np.uint8 if samples.dtype.itemsize == 1 else np.uint16)
    if stream.codec == "jxl":
        return Stored(_unsigned(samples, header), _space(header, rgb=True), name)
    return Stored(_unsigned(samples, header), _space(header, stream.rgb), name)


_CODECS: dict[str, tuple[str, Callable[[bytes], Any]]] = {
    "ljpeg": ("imagecodecs ljpeg", lambda data: imagecodecs.ljpeg_decode(data)),
    "jpegls": ("imagecodecs jpegls", lambda data: imagecodecs.jpegls_decode(data)),
    "j2k": ("imagecodecs jpeg2k", lambda data: imagecodecs.jpeg2k_decode(data)),
    "htj2k": ("imagecodecs htj2k", lambda data: imagecodecs.htj2k_decode(data)),
    "htj2k lossy": ("openjpeg", lambda data: openjpeg.decode(data)),
    "jxl": ("imagecodecs jpegxl", lambda data: imagecodecs.jpegxl_decode(data)),
}


def _jpeg(header: ImageHeader, stream: StreamHeader, data: bytes, what: str) -> Stored:
    """Baseline and extended: the stream's markers, else the label, say whether it holds RGB; the result is RGB."""
    if header.samples == 1:

        def decode(stream_bytes: bytes) -> NDArray[Any]:
            return np.asarray(imagecodecs.jpeg8_decode(stream_bytes))
    else:
        stored = "RGB" if _space(header, stream.rgb) == "rgb" else "YCBCR"

        def decode(stream_bytes: bytes) -> NDArray[Any]:
            return np.asarray(imagecodecs.jpeg8_decode(stream_bytes, colorspace=stored, outcolorspace="RGB"))

    samples = decode(data)
    if not has_end_marker(data[-16:]) and not np.array_equal(samples, decode(data + _PADDING)):
        raise Unreadable(what, "its compressed picture is cut off", "Copy it again from its source.")
    return Stored(_unsigned(samples, header), "grey" if header.samples == 1 else "rgb", "imagecodecs jpeg8")


def _plain(image: DicomImage, data: bytes) -> Stored:
    """Encapsulated uncompressed frames, and frames deflated one by one (PS3.5 A.4.11 and A.4.12)."""
    size = native_frame_bytes(image.header)
    if image.syntax == DEFLATED_FRAMES:
        data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, size)
    return _native(image, data[:size])


def _rle(header: ImageHeader, data: bytes) -> Stored:
    """RLE is planar, high byte first (PS3.5 G); the decoder gives little endian planes."""
    planes = decode_rle(data, header.pixels, header.allocated, "<")
    flat = np.frombuffer(planes, np.uint8 if header.allocated == 8 else "<u2")
    if header.samples == 3:
        flat = np.ascontiguousarray(flat.reshape(3, header.rows, header.columns).transpose(1, 2, 0))
    samples = flat.reshape(header.rows, header.columns, *((3,) if header.samples == 3 else ()))
    return Stored(_unsigned(samples, header), _space(header), "pylibjpeg-rle")
