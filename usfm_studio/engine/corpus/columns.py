"""What is known of each image of a corpus without opening a shard: one row an image, one array a column.

A subject, a clip (a sequence) and a source are known by digits of digests only. `PART` is what stands beside each
shard; `INDEX` is what all parts give together, with organs, subjects and sequences numbered from 0.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from usfm_studio.document.errors import Damaged

SHARED = {
    "frame": np.int32,  # position in its clip, as the source counts; 0 for a still
    "offset": np.int64,  # first byte of the image's three members in the tar
    "size": np.int32,  # bytes of the three members, headers and padding included
    "check": np.uint32,  # CRC-32 of those bytes
    "rows": np.uint16,
    "columns": np.uint16,
}
PART: dict[str, type] = {"organ": np.uint16, "subject": np.uint64, "sequence": np.uint64, **SHARED}
INDEX: dict[str, type] = {
    "organ": np.uint16,
    "subject": np.int32,
    "sequence": np.int32,
    "shard": np.int32,
    **SHARED,
    "before": np.int32,  # row of the kept frame before it in its clip; -1 where there is none
    "after": np.int32,
}
SOURCE_BYTES = 16
"""So much of a source's sha256 is remembered, to know what has been packed."""
MOST_PX = 65535
SHARD_NAME = "shard-{:06d}.tar"
PART_ENDING = ".npz"

Columns = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The rows of one shard: `columns` as PART says (organ: place in `organs`), `sources` (n, 16) uint8, `thinned`
    the frames that were left out.
    """

    shard: str
    bytes: int
    organs: tuple[str, ...]
    columns: Columns
    sources: NDArray[np.uint8]
    thinned: int = 0

    def __len__(self) -> int:
        """Number of images."""
        return len(self.columns["frame"])


def part_bytes(part: Part) -> bytes:
    """A part as the content of its file."""
    content = io.BytesIO()
    np.savez(
        content,
        allow_pickle=False,
        bytes=np.int64(part.bytes),
        organs=np.array(part.organs, np.str_),
        sources=part.sources,
        thinned=np.int64(part.thinned),
        **{f"column_{name}": part.columns[name] for name in PART},
    )
    return content.getvalue()


def part_at(path: Path) -> Part:
    """The part in a file. Raises Damaged."""
    try:
        with np.load(path, allow_pickle=False) as held:
            columns = {name: held[f"column_{name}"] for name in PART}
            if any(columns[name].dtype != kind or columns[name].ndim != 1 for name, kind in PART.items()):
                raise ValueError("a column has another type")
            if len({len(column) for column in columns.values()}) != 1:
                raise ValueError("its columns differ in length")
            return Part(
                shard=path.name.removesuffix(PART_ENDING) + ".tar",
                bytes=int(held["bytes"]),
                organs=tuple(str(name) for name in held["organs"]),
                columns=columns,
                sources=held["sources"].astype(np.uint8).reshape(-1, SOURCE_BYTES),
                thinned=int(held["thinned"]),
            )
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        hint = "Remove it and its shard, and run `pack` again."
        raise Damaged("A shard's rows cannot be read", f"{path.name} is not as it was written", hint) from error


def key_of(sequence_code: int, frame: int) -> str:
    """An image's name in its shard: 16 digits of its clip, and its place in it."""
    return f"{sequence_code:016x}_{frame:06d}"
