"""DICOM segmentations (PS3.3 A.51): one object a source file, one bit a pixel.

Ultrasound stills are made by highdicom, with the PatientOrientation that it leaves out; loops, and stills of classes
that it does not know, by `seg_loop.py`: highdicom takes no multi-frame source without a frame of reference. Each
object is read back and compared bit by bit.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code as HdCode
from pydicom.uid import ExplicitVRLittleEndian, UltrasoundImageStorage, generate_uid

from usfm_studio import __version__
from usfm_studio.document.errors import Unsupported
from usfm_studio.document.mask import Ids
from usfm_studio.document.schema import Code
from usfm_studio.imaging.writing.items import Item, Work, Written, differs
from usfm_studio.imaging.writing.seg_loop import loop_object
from usfm_studio.imaging.writing.seg_segments import CodedSegment, coded_segments
from usfm_studio.imaging.writing.seg_source import source_header
from usfm_studio.imaging.writing.whole import put

PROGRAM = "USFM Studio"
SERIES_NUMBER = 1000


@dataclass(slots=True)
class _Series:
    """The series that objects of one source series go into, and how many it has."""

    uid: str = field(default_factory=lambda: str(generate_uid(prefix=None)))
    count: int = 0


def write(work: Work, folder: Path) -> Written:
    """STEM_seg.dcm of each source. Sources that no object can cite are listed; raises Unsupported where all are."""
    written = Written()
    series: dict[str, _Series] = {}
    first: Unsupported | None = None
    for loop in work.loops(work.masked):
        try:
            written.frames += _write_one(work, loop, folder, series)
        except Unsupported as error:
            first = first or error
            written.failed.append({"path": loop[0].path or loop[0].stem, "error": str(error)})
        work.step(len(loop))
    if not written.frames:
        raise first or Unsupported("No DICOM segmentation was written", "no frame has a mask", "Mark a frame first.")
    return written


def _write_one(work: Work, loop: tuple[Item, ...], folder: Path, series: dict[str, _Series]) -> int:
    source = source_header(loop[0])
    masks = {(item.frame or 0) + 1: work.ids(item) for item in loop}
    segments = coded_segments(work.schema, _values(work, loop, masks), str(source.SOPInstanceUID))
    place = series.setdefault(f"{source.StudyInstanceUID}/{source.SeriesInstanceUID}", _Series())
    place.count += 1
    model = next((item.model for item in loop if item.model), "")
    still = int(source.get("NumberOfFrames") or 1) == 1 and source.SOPClassUID == UltrasoundImageStorage
    try:
        with disable_value_validation(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd values of the source are copied as they are
            made = (
                _still_object(source, masks[1], segments, place, model)
                if still
                else loop_object(source, masks, segments, place.uid, place.count, model)
            )
            made.SeriesNumber = SERIES_NUMBER
            content = _file_bytes(made)
    except (AttributeError, TypeError, ValueError, KeyError, NotImplementedError) as error:
        raise Unsupported(
            f"No DICOM segmentation of {loop[0].stem}", f"its source's header is odd ({error})"
        ) from error
    path = folder / f"{loop[0].stem}_seg.dcm"
    put(path, content)
    _compare(path, masks, segments)
    return len(loop)


def _values(work: Work, loop: tuple[Item, ...], masks: dict[int, Ids]) -> list[int]:
    """Segment values that occur; where nothing is marked, those that were looked for."""
    present = sorted({value for ids in masks.values() for value in np.unique(ids).tolist()} - {0})
    if present:
        return present
    looked_for = [s.value for s in work.schema.segments if s.exam in ("", loop[0].exam) or not loop[0].exam]
    if not looked_for:
        raise Unsupported(f"No DICOM segmentation of {loop[0].stem}", "nothing is marked and no segment is defined")
    return sorted(looked_for)


def _still_object(
    source: Dataset, ids: Ids, segments: Sequence[CodedSegment], series: _Series, model: str
) -> hd.seg.Segmentation:
    bits = np.stack([ids == segment.value for segment in segments], axis=-1)[None].astype(np.uint8)
    made = hd.seg.Segmentation(
        source_images=[source],
        pixel_array=bits,
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[_description(segment, model) for segment in segments],
        series_instance_uid=series.uid,
        series_number=SERIES_NUMBER,
        sop_instance_uid=str(generate_uid(prefix=None)),
        instance_number=series.count,
        manufacturer=PROGRAM,
        manufacturer_model_name=PROGRAM,
        software_versions=__version__,
        device_serial_number="1",
        content_label="SEGMENTATION",
        content_description=PROGRAM,
        series_description=f"{PROGRAM} segmentation",
        omit_empty_frames=False,
    )
    made.PatientOrientation = ""  # type 2C of the image; highdicom leaves it out
    return made


def _description(segment: CodedSegment, model: str) -> hd.seg.SegmentDescription:
    algorithm = (
        hd.AlgorithmIdentificationSequence(
            name=PROGRAM,
            family=HdCode("123110", "DCM", "Artificial Intelligence"),
            version=f"{__version__} {model}"[:64],
        )
        if model
        else None
    )
    kinds = hd.seg.SegmentAlgorithmTypeValues
    return hd.seg.SegmentDescription(
        segment_number=segment.number,
        segment_label=segment.label,
        segmented_property_category=_code(segment.category),
        segmented_property_type=_code(segment.kind),
        algorithm_type=kinds.SEMIAUTOMATIC if model else kinds.MANUAL,
        algorithm_identification=algorithm,
        tracking_uid=segment.tracking_uid,
        tracking_id=segment.label,
    )


def _code(code: Code) -> HdCode:
    return HdCode(code.value, code.scheme, code.meaning)


def _file_bytes(made: Dataset) -> bytes:
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    buffer = io.BytesIO()
    made.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _compare(path: Path, masks: dict[int, Ids], segments: Sequence[CodedSegment]) -> None:
    """Read the object as a stranger would: unpack its bits, follow its references, compare with the masks."""
    try:
        with disable_value_validation(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = bits_of(pydicom.dcmread(path))
    except (AttributeError, IndexError, KeyError, ValueError) as error:
        raise differs(path.name) from error
    wanted = {(s.number, frame): ids == s.value for s in segments for frame, ids in masks.items()}
    if found.keys() != wanted.keys() or not all(np.array_equal(found[key], wanted[key]) for key in wanted):
        raise differs(path.name)


def bits_of(ds: Dataset) -> dict[tuple[int, int], np.ndarray]:
    """(segment number, frame number of the source from 1) -> (rows, columns) bool, of a BINARY object."""
    rows, columns, frames = int(ds.Rows), int(ds.Columns), int(ds.NumberOfFrames)
    bits = np.unpackbits(np.frombuffer(ds.PixelData, np.uint8), bitorder="little")
    stack = bits[: frames * rows * columns].reshape(frames, rows, columns).astype(bool)
    shared = ds.SharedFunctionalGroupsSequence[0]
    found = {}
    for plane, groups in zip(stack, ds.PerFrameFunctionalGroupsSequence, strict=True):
        identified, derived = (
            (groups if name in groups else shared)[name].value[0]
            for name in ("SegmentIdentificationSequence", "DerivationImageSequence")
        )
        cited = derived.SourceImageSequence[0]
        found[int(identified.ReferencedSegmentNumber), int(cited.get("ReferencedFrameNumber") or 1)] = plane
    return found
