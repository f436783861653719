"""NIfTI and NRRD label maps: a still as a 2D image in mm, a loop as a stack whose third axis is time.

`frames.csv` says which slices of a loop a person marked: the others are zero because nobody looked, not because there
is nothing. `spacing.csv` lists the sizes that are known: an image without one says 1 mm a pixel, as the formats have
no word for "unknown".
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from usfm_studio.document.errors import Unsupported
from usfm_studio.document.schema_file import schema_text
from usfm_studio.imaging.writing.items import Item, Work, Written, differs
from usfm_studio.imaging.writing.tables import write_labels_table, write_table
from usfm_studio.imaging.writing.whole import put

MOST_BYTES = 256 << 20


def write_nifti(work: Work, folder: Path) -> Written:
    """STEM.nii.gz a source."""
    return _write(work, folder, ".nii.gz")


def write_nrrd(work: Work, folder: Path) -> Written:
    """STEM.nrrd a source."""
    return _write(work, folder, ".nrrd")


def _write(work: Work, folder: Path, ending: str) -> Written:
    marked: list[tuple[object, ...]] = []
    spacing: list[tuple[object, ...]] = []
    for loop in work.loops(work.masked):
        first = loop[0]
        file = f"{first.stem}{ending}"
        ids = work.ids(first) if first.frame is None else _stack(work, loop)
        _write_image(ids, first, folder / file)
        marked += [(file, item.frame) for item in loop if item.frame is not None]
        if first.sample.mm_per_px_xy:
            spacing.append((file, *first.sample.mm_per_px_xy))
        work.step(len(loop))
    if marked:
        write_table(folder / "frames.csv", ("file", "frame"), marked)
    if spacing:
        write_table(folder / "spacing.csv", ("file", "mm_per_px", "mm_per_px_y"), spacing)
    put(folder / "schema.toml", schema_text(work.schema).encode())
    write_labels_table(work, folder / "labels.csv", ending)
    return Written(frames=len(work.masked))


def _stack(work: Work, loop: tuple[Item, ...]) -> NDArray[np.uint8]:
    """(frames, rows, columns) of a loop; frames that nobody marked are zero."""
    rows, columns = loop[0].sample.rows, loop[0].sample.columns
    frames = max(loop[0].frames, *((item.frame or 0) + 1 for item in loop))
    if frames * rows * columns > MOST_BYTES:
        raise Unsupported(f"Could not write {loop[0].stem}", "the loop is too large for one file", "Export as PNG.")
    stack = np.zeros((frames, rows, columns), np.uint8)
    for item in loop:
        stack[item.frame or 0] = work.ids(item)
    return stack


def _write_image(ids: NDArray[np.uint8], first: Item, path: Path) -> None:
    image = sitk.GetImageFromArray(ids)
    across = first.sample.mm_per_px_xy or (1.0, 1.0)
    image.SetSpacing(across if ids.ndim == 2 else (*across, first.seconds_per_frame or 1.0))
    try:
        sitk.WriteImage(image, str(path), useCompression=True)
        read = sitk.ReadImage(str(path))
    except RuntimeError as error:
        _probe(path, ids.size)
        raise differs(path.name) from error
    same = np.array_equal(sitk.GetArrayViewFromImage(read), ids)
    if not same or not np.allclose(read.GetSpacing(), image.GetSpacing(), rtol=1e-5):
        _probe(path, ids.size)
        raise differs(path.name)


def _probe(path: Path, size: int) -> None:
    """Raise OSError where the drive has no room: the library does not say why it failed."""
    path.unlink(missing_ok=True)
    put(path, bytes(size + 4096))
    path.unlink()
