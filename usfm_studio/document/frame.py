"""Images that a person annotates: an instance (one file) and its frames. No pixels are carried here."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from usfm_studio.document.calibration import Region, Scale, scale_at

Pixels = NDArray[np.uint8] | NDArray[np.uint16]
"""(rows, columns) or (rows, columns, 3), C order, in true colours or grey; no window applied."""

PixelDigest = str
"""sha256 (hex) of decoded pixels in C order: keys what can be computed, never an annotation."""


def checked_digest(text: str) -> str:
    """The digest, or an empty one for "not known". Raises ValueError for what is none: digests become file names."""
    if not re.fullmatch("[0-9a-f]*", text):
        raise ValueError("this is no digest")
    return text


@dataclass(frozen=True, slots=True, order=True)
class FrameId:
    """What a person annotates: the sha256 of the source file's bytes, and the frame's index from 0."""

    source: str
    index: int

    def __str__(self) -> str:
        """Short form for logs: 8 digits of the digest and the index."""
        return f"{self.source[:8]}#{self.index}"

    @property
    def key(self) -> str:
        """Long form, for storage and messages: `DIGEST#INDEX`."""
        return f"{self.source}#{self.index}"

    @classmethod
    def parse(cls, key: str) -> FrameId:
        """Inverse of `key`. Raises ValueError."""
        source, _, index = key.rpartition("#")
        return cls(checked_digest(source), int(index))


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One file with pixels: a DICOM instance or a picture. All that is shown of it without decoding.

    `path` is where it was last seen (absolute, or relative to the project for copied files); `member` names the
    entry when `path` is a zip archive. `seconds` holds the time of each frame, or None when the file states none.
    """

    digest: str
    path: str
    member: str = ""
    name: str = ""
    kind: str = "still"  # still, loop
    rows: int
    columns: int
    samples: int = 1  # 1 grey, 3 colour
    bits: int = 8  # stored bits of a sample; above 8 the pixels are uint16
    frames: int = 1
    seconds: tuple[float, ...] | None = None
    playback_fps: float = 30.0
    playback_assumed: bool = True
    regions: tuple[Region, ...] = ()
    spacing_mm_xy: tuple[float, float] | None = None
    transfer_syntax: str = ""
    photometric: str = ""
    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    study_uid: str = ""
    series_uid: str = ""
    study_date: str = ""  # ISO, empty when unknown
    study_description: str = ""
    series_number: int | None = None
    series_description: str = ""
    instance_number: int | None = None
    body_part: str = ""
    device: str = ""
    patient_id: str = ""
    patient_name: str = ""
    subject: str = ""
    notices: tuple[str, ...] = ()

    def frame_id(self, index: int) -> FrameId:
        """The identity of one frame."""
        return FrameId(self.digest, index)

    def scale_at(self, x: float, y: float) -> Scale | None:
        """Millimetres per pixel at an image point, or None."""
        return scale_at(self.regions, self.spacing_mm_xy, x, y)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One image of an instance."""

    instance: Instance
    index: int
    pixels: PixelDigest | None = field(default=None)

    @property
    def id(self) -> FrameId:
        """Its identity."""
        return FrameId(self.instance.digest, self.index)

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.instance.rows, self.instance.columns


def frames_of(instance: Instance) -> tuple[Frame, ...]:
    """All frames of an instance, in order of time."""
    return tuple(Frame(instance=instance, index=i) for i in range(instance.frames))
