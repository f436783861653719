"""The header of the image that a segmentation refers to, checked before anything cites it."""

from __future__ import annotations

import re
import struct
import warnings

import pydicom
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID

from usfm_studio.document.errors import NotFound, Unreadable, Unsupported
from usfm_studio.imaging.reading.source import opened
from usfm_studio.imaging.writing.items import Item

CITED = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
MAY_BE_EMPTY = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "AccessionNumber",
    "ReferringPhysicianName", "StudyID",
)  # fmt: skip
"""Type 2: present, but empty where the source says nothing."""
COPIED = (
    *MAY_BE_EMPTY, "StudyInstanceUID", "StudyDescription", "IssuerOfPatientID", "PatientAge", "PatientSize",
    "PatientWeight", "PatientIdentityRemoved", "DeidentificationMethod", "LossyImageCompression",
    "LossyImageCompressionRatio", "LossyImageCompressionMethod",
)  # fmt: skip
"""What an object takes over from its source: patient, study, and how the pixels were compressed."""
_LOOKED_AT = ("Modality", "Manufacturer", "ManufacturerModelName", "Rows", "Columns", "NumberOfFrames")
_LEGAL = {
    "PatientBirthDate": (re.compile(r"\d{8}"), "."),
    "StudyDate": (re.compile(r"\d{8}"), "."),
    "StudyTime": (re.compile(r"\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?"), ":"),
}
"""Dates and times: the form of today, and the mark that the form of 1988 had between its parts."""
_LOSSY = frozenset(
    f"1.2.840.10008.1.2.4.{n}"
    for n in ("50", "51", "81", "91", "112", "203", "100", "101", "102", "103", "104", "105", "106", "107", "108")
)


def source_header(item: Item) -> Dataset:
    """The source's attributes without its pixels. Raises Unsupported with the reason why no object can cite it."""
    what = f"No DICOM segmentation of {item.stem}"
    if not item.path:
        raise Unsupported(what, "its source file is not known")
    try:
        with opened(item.path, item.member) as source, warnings.catch_warnings(), disable_value_validation():
            warnings.simplefilter("ignore")
            source.handle.seek(0)
            ds = _modern(pydicom.dcmread(source.handle, stop_before_pixels=True))
            found = {name: str(ds.get(name, "")) for name in CITED}
            shape = int(ds.get("Rows", 0)), int(ds.get("Columns", 0))
    except (Unreadable, NotFound) as error:
        raise Unsupported(what, error.why or "its source cannot be read", error.hint) from error
    except InvalidDicomError as error:
        raise Unsupported(what, "its source is no DICOM file", "Export it as PNG or NIfTI.") from error
    except (AttributeError, TypeError, ValueError, RuntimeError, OSError, EOFError, KeyError, struct.error) as error:
        raise Unsupported(what, "the header of its source cannot be read") from error
    for name, uid in found.items():
        if not uid or not UID(uid).is_valid:
            raise Unsupported(what, f"its source has no valid {name}", "Export it as PNG or NIfTI.")
    if shape != (item.sample.rows, item.sample.columns):
        raise Unsupported(what, "its source is of another size than the mask")
    return ds


def _modern(source: Dataset) -> Dataset:
    """The attributes needed, in the forms that are legal today: texts as Unicode, dates and times without marks."""
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    for name in (*CITED, *COPIED, *_LOOKED_AT):
        if name in source:
            ds.add(source[name])
    for name in MAY_BE_EMPTY:
        if name not in ds:
            setattr(ds, name, "")
    for name, (legal, mark) in _LEGAL.items():
        text = str(ds.get(name) or "").strip().replace(mark, "")
        setattr(ds, name, text if legal.fullmatch(text) else "")
    sex = str(ds.PatientSex or "").strip()[:1].upper()  # some write the word
    ds.PatientSex = sex if sex in ("M", "F", "O") else ""
    meta = source.file_meta
    for name in ("SOPInstanceUID", "SOPClassUID"):
        if not ds.get(name):
            setattr(ds, name, meta.get(f"MediaStorage{name}", ""))
    if not ds.get("LossyImageCompression"):
        ds.LossyImageCompression = "01" if meta.get("TransferSyntaxUID") in _LOSSY else "00"
    return ds
