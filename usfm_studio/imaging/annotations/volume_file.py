"""Voxels of NIfTI-1 and NRRD files, slice by slice: a long loop needs no more memory than one of its frames.

What this does not read (detached headers, other packings) is left to SimpleITK, which reads files whole.
"""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)  # each thread reserves memory, and the reader's is limited

_NIFTI_TYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8"}
_NRRD_TYPES = {
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"), "i1": ("signed char", "int8", "int8_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"), "i4": ("int", "signed int", "int32", "int32_t"),
    "f4": ("float",), "f8": ("double",),
}  # fmt: skip
_LONGEST_HEAD = 1 << 16
_LONGEST_OFFSET = 1 << 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """What a file states of its voxels. `sizes` are columns, rows[, frames], trailing ones left out.

    `dtype` is None where SimpleITK has to read the file; else the voxels begin at `offset`.
    """

    path: Path
    sizes: tuple[int, ...]
    dtype: np.dtype[Any] | None = None
    offset: int = 0
    packed_whole: bool = False  # the whole file is one gzip stream
    packed_voxels: bool = False  # what follows `offset` is one
    slope: float = 1.0
    intercept: float = 0.0

    def slices(self) -> Iterator[NDArray[Any]]:
        """(rows, columns) values, one frame after the other. Raises ValueError where the file is cut off or damaged."""
        if self.dtype is None:
            yield from self._by_library()
            return
        rows, columns = self.sizes[1], self.sizes[0]
        wanted = rows * columns * self.dtype.itemsize
        try:
            with _opened(self.path, self.packed_whole) as file:
                file.read(self.offset) if self.packed_whole else file.seek(self.offset)
                stream = gzip.GzipFile(fileobj=file) if self.packed_voxels else file
                for _ in range(self.sizes[2] if len(self.sizes) > 2 else 1):
                    content = stream.read(wanted)
                    if len(content) != wanted:
                        raise ValueError("it is cut off")
                    values = np.frombuffer(content, self.dtype).reshape(rows, columns)
                    yield values if (self.slope, self.intercept) == (1.0, 0.0) else values * self.slope + self.intercept
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise ValueError("it is damaged") from error

    def _by_library(self) -> Iterator[NDArray[Any]]:
        try:
            image = sitk.ReadImage(str(self.path))
        except RuntimeError as error:
            raise ValueError("it is damaged or too large") from error
        yield from sitk.GetArrayViewFromImage(image).reshape(-1, self.sizes[1], self.sizes[0])


def volume_of(path: Path) -> Volume:
    """The header of a NIfTI or NRRD file. Raises ValueError where it is none, OSError where it cannot be opened."""
    try:
        packed = path.name.casefold().endswith(".gz")
        with _opened(path, packed) as file:
            head = file.read(_LONGEST_HEAD)
        known = _nrrd(path, head) if head.startswith(b"NRRD") else _nifti(path, head, packed)
    except (gzip.BadGzipFile, EOFError, zlib.error, struct.error, ArithmeticError) as error:
        raise ValueError("it is damaged or no NIfTI or NRRD file") from error
    return known or _by_library(path)


def _opened(path: Path, packed: bool) -> gzip.GzipFile | io.BufferedReader:
    return gzip.open(path, "rb") if packed else path.open("rb")


def _nifti(path: Path, head: bytes, packed: bool) -> Volume | None:
    """NIfTI-1 in one file, either byte order; None for anything else."""
    if len(head) < 352 or head[344:348] != b"n+1\0":
        return None
    order = next((o for o in "<>" if struct.unpack_from(f"{o}i", head)[0] == 348), "")
    if not order:
        return None
    dims = struct.unpack_from(f"{order}8h", head, 40)
    kind, _ = struct.unpack_from(f"{order}2h", head, 70)
    offset, slope, intercept = struct.unpack_from(f"{order}3f", head, 108)
    if kind not in _NIFTI_TYPES or not 1 <= dims[0] <= 7:
        return None
    if not 0 <= offset <= _LONGEST_OFFSET:
        raise ValueError("its voxels lie nowhere")
    plain = slope == 0 or not np.isfinite([slope, intercept]).all()
    return Volume(
        path=path,
        sizes=_sizes(dims[1 : dims[0] + 1]),
        dtype=np.dtype(f"{order}{_NIFTI_TYPES[kind]}"),
        offset=max(352, int(offset)),
        packed_whole=packed,
        slope=1.0 if plain else slope,
        intercept=0.0 if plain else intercept,
    )


def _nrrd(path: Path, head: bytes) -> Volume | None:
    """NRRD with its voxels behind the header, raw or gzip; None for anything else."""
    text, end, _ = head.replace(b"\r\n", b"\n").partition(b"\n\n")
    offset = head.find(b"\n\n") + 2
    fields = dict(_field(line) for line in text.decode("ascii", "replace").split("\n")[1:] if ": " in line)
    name = next((code for code, names in _NRRD_TYPES.items() if fields.get("type", "").casefold() in names), None)
    encoding = fields.get("encoding", "").casefold()
    odd = {"data file", "datafile", "line skip", "lineskip", "byte skip", "byteskip"} & fields.keys()
    if (
        not end
        or offset < 2
        or name is None
        or encoding not in ("raw", "gzip", "gz")
        or odd
        or b"\r\n" in head[:offset]
    ):
        return None
    order = ">" if fields.get("endian", "little").casefold() == "big" else "<"
    return Volume(
        path=path,
        sizes=_sizes(int(n) for n in fields.get("sizes", "").split()),
        dtype=np.dtype(f"{order}{name}"),
        offset=offset,
        packed_voxels=encoding != "raw",
    )


def _field(line: str) -> tuple[str, str]:
    key, _, value = line.partition(": ")
    return key.strip().casefold(), value.strip()


def _by_library(path: Path) -> Volume:
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise ValueError("it is damaged or no NIfTI or NRRD file") from error
    if reader.GetNumberOfComponents() != 1:
        raise ValueError("it holds several numbers a voxel")
    return Volume(path=path, sizes=_sizes(reader.GetSize()))


def _sizes(sizes: Any) -> tuple[int, ...]:
    """Without trailing ones, so that a still is the same in 2 and in 4 dimensions."""
    kept = [int(n) for n in sizes]
    if any(n < 1 for n in kept) or len(kept) < 2:
        raise ValueError("it states no sound size")
    while len(kept) > 2 and kept[-1] == 1:
        kept.pop()
    return tuple(kept)
