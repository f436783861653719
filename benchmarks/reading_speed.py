"""Claims: headers of at least 300 uncompressed stills a second; a frame of a loop costs one read and one codec call.

Everything through the real reader process, pixels in shared memory; beside it pydicom's `pixel_array`, which decodes a
whole loop to show one frame. Run: `OMP_WAIT_POLICY=PASSIVE python benchmarks/reading_speed.py`.
"""

import os
import statistics
import tempfile
import time
import warnings
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset

from usfm_studio.imaging.client import Reader
from usfm_studio.imaging.description import descriptions_from

FILES = 600
LOOP = Path(__file__).parents[1] / "tests" / "data" / "dicom" / "jpeg_loop_422.dcm"


def write_stills(folder: Path) -> list[str]:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.6.1", "1.2.3"
    ds.PatientID, ds.StudyDate, ds.Modality = "P", "20250101", "US"
    ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PhotometricInterpretation = 384, 512, 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    region = Dataset()
    region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = 1, 1, 0
    region.RegionLocationMinX0 = region.RegionLocationMinY0 = 0
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 511, 383
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX = region.PhysicalDeltaY = 0.03
    ds.SequenceOfUltrasoundRegions = [region]
    ds.PixelData = np.zeros((384, 512), np.uint8).tobytes()
    paths = [folder / f"{n:04}.dcm" for n in range(FILES)]
    ds.save_as(paths[0], enforce_file_format=True)
    for path in paths[1:]:
        path.write_bytes(paths[0].read_bytes())
    return [str(path) for path in paths]


def headers(paths: list[str], workers: int, digest: bool) -> float:
    reader = Reader(workers=workers)
    try:
        for _ in range(workers):
            reader.describe(paths[: 60 * workers]).result(60)
        began = time.perf_counter()
        reader.describe(paths, digest=digest).result(120)
        return FILES / (time.perf_counter() - began)
    finally:
        reader.close()


def frame_ms() -> tuple[float, float]:
    reader = Reader()
    try:
        instance = descriptions_from(reader.describe([LOOP], digest=True).result(60))[0].instance
        assert instance is not None
        taken = []
        for index in (*range(instance.frames), *range(instance.frames)):
            began = time.perf_counter()
            reader.release(reader.pixels(instance, index).result(60))
            taken.append((time.perf_counter() - began) * 1000)
        return statistics.median(taken), max(taken[instance.frames :])
    finally:
        reader.close()


def main() -> None:
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        paths = write_stills(Path(folder))
        began = time.perf_counter()
        for path in paths:
            pydicom.dcmread(path, stop_before_pixels=True)
        alone = FILES / (time.perf_counter() - began)
        print(f"{'headers':34}{'files/s':>9}{'ratio':>7}")
        print(f"{'pydicom alone, no value looked at':34}{alone:9.0f}{1:7.2f}")
        for workers, digest in ((1, False), (2, False), (1, True)):
            speed = headers(paths, workers, digest)
            name = f"reader, {workers} process{'es' if workers > 1 else ''}{', hashed' if digest else ''}"
            print(f"{name:34}{speed:9.0f}{speed / alone:7.2f}")
    began = time.perf_counter()
    pydicom.dcmread(LOOP).pixel_array[29]
    whole = (time.perf_counter() - began) * 1000
    median, worst = frame_ms()
    print(f"\n{'one frame of 30, 320x240 JPEG':34}{'ms':>9}{'ratio':>7}")
    print(f"{'pixel_array of the loop':34}{whole:9.1f}{1:7.2f}")
    print(f"{'reader, median (worst)':34}{median:9.1f}{median / whole:7.2f}   ({worst:.1f})")


if __name__ == "__main__":
    main()
