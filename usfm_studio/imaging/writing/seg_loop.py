"""A DICOM segmentation of a loop (PS3.3 A.51, C.8.20): frames are tied to the source's by ReferencedFrameNumber.

Dimensions are the segment's number and the temporal position index, which is the source's frame number. Without a
frame of reference the masks must match the named frames pixel for pixel (A.51.5.1). Every marked frame is in it for
every segment, also where the segment is absent: what nobody looked at is left out.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRLittleEndian, SegmentationStorage, generate_uid

from usfm_studio import __version__
from usfm_studio.document.mask import Ids
from usfm_studio.document.schema import Code
from usfm_studio.imaging.writing.seg_segments import CodedSegment
from usfm_studio.imaging.writing.seg_source import COPIED

PROGRAM = "USFM Studio"
SEGMENT_NUMBER, TEMPORAL_POSITION = Tag("ReferencedSegmentNumber"), Tag("TemporalPositionIndex")


def loop_object(
    source: Dataset,
    masks: Mapping[int, Ids],
    segments: Sequence[CodedSegment],
    series_uid: str,
    instance_number: int,
    model: str,
) -> Dataset:
    """The object for `masks` (frame number from 1 -> ids). `model` names what proposed them; empty: drawn by hand.

    Frame numbers are cited where the source has several frames.
    """
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    for name in COPIED:
        if name in source:
            ds.add(copy.deepcopy(source[name]))
    _identify(ds, source, series_uid, instance_number)
    ds.SegmentSequence = DicomSequence([_segment(segment, model) for segment in segments])
    ds.SegmentationType, ds.SegmentsOverlap = "BINARY", "NO"
    ds.ContentLabel, ds.ContentDescription, ds.ContentCreatorName = "SEGMENTATION", PROGRAM, ""
    _frames(ds, source, masks, segments)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return ds


def _identify(ds: Dataset, source: Dataset, series_uid: str, instance_number: int) -> None:
    now = datetime.now()
    ds.SOPClassUID, ds.SOPInstanceUID = SegmentationStorage, generate_uid(prefix=None)
    ds.SeriesInstanceUID, ds.InstanceNumber, ds.Modality = series_uid, instance_number, "SEG"
    ds.SeriesDescription = f"{PROGRAM} segmentation"
    ds.SeriesDate = ds.ContentDate = ds.InstanceCreationDate = now.strftime("%Y%m%d")
    ds.SeriesTime = ds.ContentTime = ds.InstanceCreationTime = now.strftime("%H%M%S")
    ds.ImageType, ds.PatientOrientation = ["DERIVED", "PRIMARY"], ""
    ds.Manufacturer = ds.ManufacturerModelName = PROGRAM
    ds.SoftwareVersions, ds.DeviceSerialNumber = __version__, "1"
    series = Dataset()
    series.SeriesInstanceUID = source.SeriesInstanceUID
    series.ReferencedInstanceSequence = DicomSequence([_citation(source)])
    ds.ReferencedSeriesSequence = DicomSequence([series])


def _frames(ds: Dataset, source: Dataset, masks: Mapping[int, Ids], segments: Sequence[CodedSegment]) -> None:
    """Pixels, dimensions and functional groups."""
    organisation = Dataset()
    organisation.DimensionOrganizationUID = generate_uid(prefix=None)
    ds.DimensionOrganizationSequence = DicomSequence([organisation])
    ds.DimensionIndexSequence = DicomSequence(
        [
            _dimension(organisation, SEGMENT_NUMBER, Tag("SegmentIdentificationSequence"), "Segment Number"),
            _dimension(organisation, TEMPORAL_POSITION, Tag("FrameContentSequence"), "Temporal Position Index"),
        ]
    )
    ds.SharedFunctionalGroupsSequence = DicomSequence([Dataset()])
    pairs = [(segment, frame) for segment in segments for frame in sorted(masks)]
    ds.PerFrameFunctionalGroupsSequence = DicomSequence([_groups(source, s.number, frame) for s, frame in pairs])
    planes = np.stack([masks[frame] == segment.value for segment, frame in pairs])
    ds.NumberOfFrames, ds.Rows, ds.Columns = planes.shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 1, 1, 0
    packed = np.packbits(planes.ravel(), bitorder="little").tobytes()
    ds.PixelData = packed + b"\0" * (len(packed) % 2)
    ds["PixelData"].VR = "OB"


def _dimension(organisation: Dataset, pointer: int, group: int, label: str) -> Dataset:
    item = Dataset()
    item.DimensionOrganizationUID = organisation.DimensionOrganizationUID
    item.DimensionIndexPointer, item.FunctionalGroupPointer = pointer, group
    item.DimensionDescriptionLabel = label
    return item


def _groups(source: Dataset, segment: int, frame: int) -> Dataset:
    cited = _citation(source)
    if int(source.get("NumberOfFrames") or 1) > 1:
        cited.ReferencedFrameNumber = frame
    cited.SpatialLocationsPreserved = "YES"
    purpose = Code(value="121322", scheme="DCM", meaning="Source Image for Image Processing Operation")
    cited.PurposeOfReferenceCodeSequence = _coded(purpose)
    derivation = Dataset()
    derivation.SourceImageSequence = DicomSequence([cited])
    derivation.DerivationCodeSequence = _coded(Code(value="113076", scheme="DCM", meaning="Segmentation"))
    content = Dataset()
    content.TemporalPositionIndex, content.DimensionIndexValues = frame, [segment, frame]
    identification = Dataset()
    identification.ReferencedSegmentNumber = segment
    groups = Dataset()
    groups.DerivationImageSequence = DicomSequence([derivation])
    groups.FrameContentSequence = DicomSequence([content])
    groups.SegmentIdentificationSequence = DicomSequence([identification])
    return groups


def _segment(segment: CodedSegment, model: str) -> Dataset:
    item = Dataset()
    item.SegmentNumber, item.SegmentLabel = segment.number, segment.label
    item.SegmentedPropertyCategoryCodeSequence = _coded(segment.category)
    item.SegmentedPropertyTypeCodeSequence = _coded(segment.kind)
    item.TrackingID, item.TrackingUID = segment.label, segment.tracking_uid
    item.SegmentAlgorithmType = "SEMIAUTOMATIC" if model else "MANUAL"
    if model:
        algorithm = Dataset()
        algorithm.AlgorithmFamilyCodeSequence = _coded(
            Code(value="123110", scheme="DCM", meaning="Artificial Intelligence")
        )
        algorithm.AlgorithmName, algorithm.AlgorithmVersion = PROGRAM, f"{__version__} {model}"[:64]
        item.SegmentAlgorithmName = PROGRAM
        item.SegmentationAlgorithmIdentificationSequence = DicomSequence([algorithm])
    return item


def _citation(source: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = source.SOPClassUID, source.SOPInstanceUID
    return item


def _coded(code: Code) -> DicomSequence:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code.value, code.scheme, code.meaning
    return DicomSequence([item])
