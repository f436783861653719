"""NIfTI and NRRD label maps: a still as a 2D image in mm, a loop as a stack whose third axis is time.

`frames.csv` says which slices of a loop a person marked: the others are zero because nobody looked, not because there
is nothing. `spacing.csv` lists the sizes that are known: an image without one says 1 mm a pixel, as the formats have
no word for "unknown". Slices are packed one by one, so that a long loop needs no more memory than a still.
"""

from __future__ import annotations

import gzip
import io
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from usfm_studio.document.mask import Ids
from usfm_studio.document.schema_file import schema_text
from usfm_studio.imaging.writing.items import Item, Work, Written, differs
from usfm_studio.imaging.writing.tables import write_labels_table, write_table
from usfm_studio.imaging.writing.whole import put

Head = Callable[[tuple[int, ...], tuple[float, ...]], bytes]
"""(sizes, spacing), both as columns, rows[, frames] -> what stands before the voxels."""
_NIFTI = struct.Struct("<i10s18sihcB 8h 3f 4h 8f 3f h2B 4f 2i 80s24s 2h 6f 12f 16s4s 4x")
_UINT8, _LABELS, _MILLIMETRES = 2, 1002, 2


def write_nifti(work: Work, folder: Path) -> Written:
    """STEM.nii.gz a source (NIfTI-1, unsigned 8 bit)."""
    return _write(work, folder, ".nii.gz", lambda *shape: (b"", nifti_head(*shape)))


def write_nrrd(work: Work, folder: Path) -> Written:
    """STEM.nrrd a source (NRRD 4, gzip)."""
    return _write(work, folder, ".nrrd", lambda *shape: (nrrd_head(*shape), b""))


def _write(
    work: Work,
    folder: Path,
    ending: str,
    heads: Callable[[tuple[int, ...], tuple[float, ...]], tuple[bytes, bytes]],
) -> Written:
    """`heads` gives what stands before the packed part, and what is packed before the voxels."""
    marked: list[tuple[object, ...]] = []
    spacing: list[tuple[object, ...]] = []
    for loop in work.loops(work.masked):
        first, file = loop[0], f"{loop[0].stem}{ending}"
        plain, packed = heads(*_grid(loop))
        put(folder / file, plain + _packed(packed, work, loop))
        _compare(folder / file, plain, packed, work, loop)
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


def _grid(loop: tuple[Item, ...]) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """(sizes, spacing) as columns, rows[, frames]; mm, and seconds where they are known."""
    first = loop[0]
    sizes, spacing = (first.sample.columns, first.sample.rows), first.sample.mm_per_px_xy or (1.0, 1.0)
    if first.frame is None:
        return sizes, spacing
    return (*sizes, _frames(loop)), (*spacing, first.seconds_per_frame or 1.0)


def _frames(loop: tuple[Item, ...]) -> int:
    return max(loop[0].frames, *((item.frame or 0) + 1 for item in loop))


def _slices(work: Work, loop: tuple[Item, ...]) -> Iterator[Ids]:
    """The ids of each frame of the source in order; zeros for those that nobody marked."""
    by_frame = {item.frame or 0: item for item in loop}
    for index in range(_frames(loop) if loop[0].frame is not None else 1):
        item = by_frame.get(index)
        yield work.ids(item) if item else np.zeros((loop[0].sample.rows, loop[0].sample.columns), np.uint8)


def _packed(head: bytes, work: Work, loop: tuple[Item, ...]) -> bytes:
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, mtime=0, compresslevel=6) as packer:
        packer.write(head)
        for ids in _slices(work, loop):
            packer.write(ids.tobytes())
    return buffer.getvalue()


def _compare(path: Path, plain: bytes, packed: bytes, work: Work, loop: tuple[Item, ...]) -> None:
    """Read the file again, slice by slice."""
    try:
        with path.open("rb") as file:
            same = file.read(len(plain)) == plain
            with gzip.GzipFile(fileobj=file, mode="rb") as unpacked:
                same = same and unpacked.read(len(packed)) == packed
                for ids in _slices(work, loop):
                    same = same and unpacked.read(ids.size) == ids.tobytes()
                same = same and not unpacked.read(1)
    except (gzip.BadGzipFile, EOFError) as error:
        raise differs(path.name) from error
    if not same:
        raise differs(path.name)


def nifti_head(sizes: tuple[int, ...], spacing: tuple[float, ...]) -> bytes:
    """The 352 bytes before the voxels of a NIfTI-1 file with labels, axes as in DICOM (left, posterior)."""
    dims = [len(sizes), *sizes] + [1] * (7 - len(sizes))
    steps = [1.0, *spacing] + [1.0] * (7 - len(spacing))
    left, back, on = -spacing[0], -spacing[1], steps[3]
    return _NIFTI.pack(
        348, b"", b"", 0, 0, b"r", 0,
        *dims,
        0.0, 0.0, 0.0,
        _LABELS, _UINT8, 8, 0,
        *steps,
        352.0, 1.0, 0.0,
        0, 0, _MILLIMETRES,
        0.0, 0.0, 0.0, 0.0, 0, 0,
        b"USFM Studio segment ids; third axis: frames", b"",
        1, 1,
        0.0, 0.0, 1.0, 0.0, 0.0, 0.0,
        left, 0.0, 0.0, 0.0, 0.0, back, 0.0, 0.0, 0.0, 0.0, on, 0.0,
        b"", b"n+1\0",
    )  # fmt: skip


def nrrd_head(sizes: tuple[int, ...], spacing: tuple[float, ...]) -> bytes:
    """The text before the voxels of an NRRD file."""
    count = len(sizes)
    axes = [f"({','.join(repr(step) if i == j else '0' for j in range(count))})" for i, step in enumerate(spacing)]
    lines = [
        "NRRD0004",
        "type: unsigned char",
        f"dimension: {count}",
        "space: left-posterior-superior" if count == 3 else f"space dimension: {count}",
        f"sizes: {' '.join(map(str, sizes))}",
        f"space directions: {' '.join(axes)}",
        f"kinds: {' '.join(['domain'] * count)}",
        "encoding: gzip",
        f"space origin: ({','.join(['0'] * count)})",
    ]
    return ("\n".join(lines) + "\n\n").encode()
