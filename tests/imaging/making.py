"""Builders of small DICOM files and pictures, deliberately not square."""

import io
import struct
import zlib

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

from usfm_studio.imaging.reading.describe import describe
from usfm_studio.imaging.reading.dicom import open_image, read_header
from usfm_studio.imaging.reading.pixels import decode_stored
from usfm_studio.imaging.reading.source import opened

pydicom.config.settings.reading_validation_mode = 0
pydicom.config.settings.writing_validation_mode = 0

GREY = (np.arange(3 * 5, dtype=np.uint8) * 7).reshape(3, 5)
COLOUR = (np.arange(4 * 6 * 3, dtype=np.uint8) * 3).reshape(4, 6, 3)


def a_region(box=(0, 0, 4, 2), units=(3, 3), delta=(0.02, 0.03), kind=1, flags=0):
    """One item of SequenceOfUltrasoundRegions; None leaves a field out."""
    item = Dataset()
    item.RegionSpatialFormat, item.RegionDataType, item.RegionFlags = kind, 1, flags
    names = ("RegionLocationMinX0", "RegionLocationMinY0", "RegionLocationMaxX1", "RegionLocationMaxY1")
    for name, value in zip(names, box, strict=True):
        setattr(item, name, value)
    item.PhysicalUnitsXDirection, item.PhysicalUnitsYDirection = units
    item.PhysicalDeltaX, item.PhysicalDeltaY = delta
    return item


def a_dataset(pixels=GREY, *, frames=1, **fields):
    """A dataset of native pixels (rows, columns[, 3]), or (frames, rows, columns[, 3]) with `frames`."""
    shape = pixels.shape[1:] if frames > 1 else pixels.shape
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.3.1" if frames > 1 else "1.2.840.10008.5.1.4.1.1.6.1"
    ds.SOPInstanceUID, ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.2.3.1", "1.2.3.2", "1.2.3.3"
    ds.PatientName, ds.PatientID, ds.StudyDate = "Test^Phantom", "P-1", "20250102"
    ds.Rows, ds.Columns = shape[:2]
    ds.SamplesPerPixel = 3 if len(shape) == 3 else 1
    ds.PhotometricInterpretation = "RGB" if len(shape) == 3 else "MONOCHROME2"
    if len(shape) == 3:
        ds.PlanarConfiguration = 0
    ds.BitsAllocated = ds.BitsStored = 8 * pixels.itemsize
    ds.HighBit, ds.PixelRepresentation = ds.BitsStored - 1, 0
    if frames > 1:
        ds.NumberOfFrames, ds.FrameTime, ds.FrameIncrementPointer = frames, "40", 0x00181063
    ds.PixelData = pixels.tobytes() + b"\0" * (pixels.nbytes % 2)
    ds["PixelData"].VR = "OB" if pixels.itemsize == 1 else "OW"
    for name, value in fields.items():
        if value is None:
            delattr(ds, name)
        elif name == "SequenceOfUltrasoundRegions":
            setattr(ds, name, Sequence(value))
        else:
            setattr(ds, name, value)
    return ds


def bytes_of(ds, *, implicit=False, little=True):
    """The file's bytes."""
    out = io.BytesIO()
    pydicom.dcmwrite(out, ds, implicit_vr=implicit, little_endian=little, force_encoding=True)
    content = out.getvalue()
    return content if content[128:132] == b"DICM" else b"\0" * 128 + b"DICM" + content


def a_file(folder, ds=None, name="one.dcm", **more):
    """Write a dataset (or bytes) and answer its path as text."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(ds if isinstance(ds, bytes) else bytes_of(a_dataset() if ds is None else ds, **more))
    return str(path)


def compressed(streams, syntax, *, samples=1, shape=(3, 5), photometric=None, bits=8, **fields):
    """A dataset whose frames are these compressed streams, one fragment each."""
    pixels = np.zeros((*shape, 3) if samples == 3 else shape, np.uint8 if bits == 8 else np.uint16)
    ds = a_dataset(pixels, **fields)
    if len(streams) > 1:
        ds.NumberOfFrames = len(streams)
    ds.BitsStored, ds.HighBit = bits, bits - 1
    ds.file_meta.TransferSyntaxUID = syntax
    ds.PixelData = encapsulate(list(streams))
    ds["PixelData"].is_undefined_length = True
    ds["PixelData"].VR = "OB"
    if photometric:
        ds.PhotometricInterpretation = photometric
    return ds


def stored(path, index=0):
    """Samples as the file stores them, by our reader in this process."""
    with opened(str(path)) as source:
        return decode_stored(open_image(source, *read_header(source)), index).samples


def an_instance(path, **more):
    """The instance of a file that must open."""
    description = describe(str(path), **more)
    assert description.ok, description.error
    assert description.instance is not None
    return description.instance


def a_png(columns, rows, *, depth=8, kind=0, body=b"", palette=b""):
    """PNG bytes with any header, honest or not."""

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = struct.pack(">IIBBBBB", columns, rows, depth, kind, 0, 0, 0)
    plte = chunk(b"PLTE", palette) if palette else b""
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + plte + chunk(b"IDAT", zlib.compress(body)) + chunk(b"IEND", b"")
    )
