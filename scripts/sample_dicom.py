"""DICOM objects for the sample project: JPEG streams re-wrapped as ultrasound images, byte for byte the same each time.

The streams are those of the openly licensed data sets: nothing is compressed again, so nothing is lost.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import JPEGBaseline8Bit, UltrasoundImageStorage, UltrasoundMultiFrameImageStorage

NAMESPACE = uuid.UUID("5f0d7c5e-6a52-5e0b-9f0a-3a5a0b6c7d10")
FIRST_DAY = date(2024, 1, 8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What all files of one artificial patient share."""

    patient: str  # "FH-01"
    name: str  # "SAMPLE^FETAL01"
    sex: str
    day: int  # days after the first study of the sample
    description: str
    series_description: str
    body_part: str
    region_of_body: str  # ImageType value 3
    anatomy: tuple[str, str]  # SCT code and meaning
    paired: bool  # left and right
    device: tuple[str, str]  # manufacturer, model
    attribution: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One file: its JPEG streams (grey, 8 bit, all of one size) in order."""

    number: int
    rows: int
    columns: int
    streams: Sequence[bytes]
    mm_per_px: float | None = None
    frame_time_ms: float | None = None


def uid(*names: object) -> str:
    """A UID under 2.25 that depends on the names alone (PS3.5 B.2)."""
    return f"2.25.{uuid.uuid5(NAMESPACE, '/'.join(map(str, names))).int}"


def jpeg_shape(stream: bytes) -> tuple[int, int, int]:
    """(rows, columns, components) that the frame header of a baseline JPEG of 8 bits states. Raises ValueError."""
    at = 2
    while at + 10 <= len(stream) and stream[at] == 0xFF:
        marker, size = stream[at + 1], int.from_bytes(stream[at + 2 : at + 4], "big")
        if marker == 0xC0 and stream[at + 4] == 8:
            rows, columns = (int.from_bytes(stream[i : i + 2], "big") for i in (at + 5, at + 7))
            return rows, columns, stream[at + 9]
        at += 2 + size
    raise ValueError("not a baseline JPEG of 8 bits")


def write_picture(path: Path, study: Study, picture: Picture) -> None:
    """Write one object at `path`: Ultrasound Image, or Multi-frame where the picture states a frame time."""
    ds = Dataset()
    _identify(ds, study, picture)
    _describe(ds, study)
    _pixels(ds, picture)
    if picture.frame_time_ms is not None:
        _cine(ds, picture)
    if picture.mm_per_px is not None:
        ds.SequenceOfUltrasoundRegions = DicomSequence([_region(picture)])
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    ds.file_meta.ImplementationClassUID = uid("implementation")
    ds.file_meta.ImplementationVersionName = "USFM_SAMPLE_1"
    path.parent.mkdir(parents=True, exist_ok=True)
    ds.save_as(path, enforce_file_format=True)


def _identify(ds: Dataset, study: Study, picture: Picture) -> None:
    day = (FIRST_DAY + timedelta(days=study.day)).strftime("%Y%m%d")
    loop = picture.frame_time_ms is not None
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID = UltrasoundMultiFrameImageStorage if loop else UltrasoundImageStorage
    ds.SOPInstanceUID = uid(study.patient, "instance", picture.number)
    ds.StudyInstanceUID = uid(study.patient, "study")
    ds.SeriesInstanceUID = uid(study.patient, "series")
    ds.StudyID, ds.SeriesNumber, ds.InstanceNumber = "1", 1, picture.number
    ds.StudyDate = ds.SeriesDate = ds.ContentDate = day
    ds.StudyTime, ds.SeriesTime, ds.ContentTime = "090000", "090000", f"09{picture.number:02d}00"
    ds.AccessionNumber, ds.ReferringPhysicianName = "", ""
    ds.PatientName, ds.PatientID, ds.PatientSex, ds.PatientBirthDate = study.name, study.patient, study.sex, ""
    ds.PatientIdentityRemoved = "YES"
    ds.DeidentificationMethod = "Artificial identity; pictures of a published data set"
    ds.BurnedInAnnotation = "NO"


def _describe(ds: Dataset, study: Study) -> None:
    ds.Modality = "US"
    ds.ImageType = ["DERIVED", "PRIMARY", study.region_of_body, "0001"]
    ds.StudyDescription, ds.SeriesDescription = study.description, study.series_description
    ds.Manufacturer, ds.ManufacturerModelName = study.device
    ds.BodyPartExamined = study.body_part
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = study.anatomy[0], "SCT", study.anatomy[1]
    ds.AnatomicRegionSequence = DicomSequence([code])
    ds.PatientOrientation = ""
    if study.paired:
        ds.Laterality = ""  # a paired part of the body, and the source does not say which
    ds.DerivationDescription = "JPEG stream of the data set, wrapped without compressing it again"
    ds.ImageComments = study.attribution


def _pixels(ds: Dataset, picture: Picture) -> None:
    ds.Rows, ds.Columns = picture.rows, picture.columns
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 8, 8, 7
    ds.UltrasoundColorDataPresent = 0
    size = sum(map(len, picture.streams))
    ds.LossyImageCompression, ds.LossyImageCompressionMethod = "01", "ISO_10918_1"
    ds.LossyImageCompressionRatio = f"{picture.rows * picture.columns * len(picture.streams) / size:.2f}"
    ds.PixelData = encapsulate(list(picture.streams))


def _cine(ds: Dataset, picture: Picture) -> None:
    ds.NumberOfFrames = len(picture.streams)
    ds.FrameTime = f"{picture.frame_time_ms:g}"
    ds.FrameIncrementPointer = 0x00181063  # FrameTime


def _region(picture: Picture) -> Dataset:
    """The whole picture as one 2D tissue region in cm (PS3.3 C.8.5.5)."""
    assert picture.mm_per_px is not None
    region = Dataset()
    region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = 1, 1, 0
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 0, 0
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = picture.columns - 1, picture.rows - 1
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX = region.PhysicalDeltaY = round(picture.mm_per_px / 10, 9)
    return region
