"""What a dataset says of its pixels (Image Pixel module, PS3.3 C.7.6.3), checked before anything is allocated."""

from __future__ import annotations

from dataclasses import dataclass

from usfm_studio.document.errors import Unreadable, Unsupported
from usfm_studio.imaging.reading.elements import Elements

MOST_PIXELS = 1 << 26
"""Of one frame: 8192 x 8192."""
GREY = ("MONOCHROME1", "MONOCHROME2")
COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_ICT", "YBR_PARTIAL_420", "YBR_PARTIAL_422")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageHeader:
    """How one frame is stored. `bits` are the meaningful ones, `shift` the unused ones below them."""

    rows: int
    columns: int
    samples: int
    allocated: int
    bits: int
    shift: int
    signed: bool
    photometric: str
    planar: bool
    frames_stated: int | None  # None where absent or no positive whole number
    notices: tuple[str, ...] = ()

    @property
    def pixels(self) -> int:
        """Pixels of a frame."""
        return self.rows * self.columns

    @property
    def halved_chroma(self) -> bool:
        """True where native pixels take two bytes, sharing chroma in pairs."""
        return self.photometric == "YBR_FULL_422"


def read_image_header(elements: Elements, name: str) -> ImageHeader:
    """The header with its small faults mended and noted. Raises Unreadable or Unsupported where none can be shown."""
    what = f"Could not show {name}"
    rows, columns = elements.whole(0x00280010), elements.whole(0x00280011)
    if rows is None or columns is None or rows < 1 or columns < 1:
        raise Unreadable(what, "the file does not say how large its image is")
    if rows * columns > MOST_PIXELS:
        raise Unsupported(what, f"{columns} x {rows} pixels are more than this program shows")
    notices: list[str] = []
    samples = _samples(elements, what)
    allocated = _allocated(elements, rows * columns * samples, what, notices)
    bits, shift = _bits(elements, allocated, notices)
    return ImageHeader(
        rows=rows,
        columns=columns,
        samples=samples,
        allocated=allocated,
        bits=bits,
        shift=shift,
        signed=elements.whole(0x00280103) == 1,
        photometric=_photometric(elements, samples, notices),
        planar=_planar(elements, samples, notices),
        frames_stated=_frames(elements, notices),
        notices=tuple(notices),
    )


def _samples(elements: Elements, what: str) -> int:
    samples = elements.whole(0x00280002)
    if samples is None:
        samples = 3 if elements.text(0x00280004) in COLOUR else 1
    if samples not in (1, 3):
        raise Unsupported(what, f"{samples} values a pixel are neither grey nor colour")
    return samples


def _allocated(elements: Elements, values: int, what: str, notices: list[str]) -> int:
    allocated = elements.whole(0x00280100)
    if allocated is None:
        length = elements.pixels.length if elements.pixels else None
        if length is not None and values <= length <= values + 1:
            notices.append("The file does not say how many bits a pixel has; 8 fit its length.")
            return 8
        raise Unreadable(what, "the file does not say how many bits a pixel has")
    if allocated not in (8, 16):
        raise Unsupported(what, f"pixels packed in {allocated} bits are not read")
    return allocated


def _bits(elements: Elements, allocated: int, notices: list[str]) -> tuple[int, int]:
    stored, high = elements.whole(0x00280101), elements.whole(0x00280102)
    if stored is None or not 1 <= stored <= allocated:
        if stored is not None:
            notices.append(f"The file states {stored} bits in {allocated}; {allocated} are read.")
        return allocated, 0
    shift = 0 if high is None else high + 1 - stored
    return stored, shift if 0 <= shift <= allocated - stored else 0


def _photometric(elements: Elements, samples: int, notices: list[str]) -> str:
    stated = elements.text(0x00280004).strip().upper()
    if samples == 1:
        if stated in GREY:
            return stated
        if stated == "PALETTE COLOR":
            return stated
        notices.append(f"The file calls its pixels {stated[:16] or 'nothing'}; they are shown as grey.")
        return "MONOCHROME2"
    if stated in COLOUR:
        return stated
    notices.append(f"The file calls its pixels {stated[:16] or 'nothing'}; they are shown as RGB.")
    return "RGB"


def _planar(elements: Elements, samples: int, notices: list[str]) -> bool:
    planar = elements.whole(0x00280006) or 0
    if samples == 3 and planar not in (0, 1):
        notices.append(f"PlanarConfiguration {planar} is unknown; colours are read pixel by pixel.")
    return samples == 3 and planar == 1


def _frames(elements: Elements, notices: list[str]) -> int | None:
    if 0x00280008 not in elements:
        return 1
    stated = elements.whole(0x00280008, "IS")
    if stated is None or stated < 1:
        notices.append("The file does not say how many frames it has; those that it holds are shown.")
        return None
    return stated
