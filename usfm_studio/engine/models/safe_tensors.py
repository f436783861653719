"""Tensor files from strangers: refused before a library reads them unless they are exactly what was expected.

safetensors 0.8 refuses overlaps, holes and lying lengths by itself, but accepts 300,000 empty tensors, megabytes of
metadata, any name and weights that are not numbers. The checks here close those.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from usfm_studio.document.errors import BadModel

HEADER_MOST = 1 << 20
TENSORS_MOST = 4096
BYTES_OF = {"F32": 4, "F16": 2, "BF16": 2}


class Entry(msgspec.Struct, frozen=True):
    """What a header says of one tensor; `data_offsets` count from the header's end."""

    dtype: str
    shape: tuple[int, ...]
    data_offsets: tuple[int, int]


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> str:
    """Write the file and flush it to disk; returns its sha256. The caller renames it (or its folder) into place."""
    content = save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()})
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return hashlib.sha256(content).hexdigest()


def read_tensors(path: Path, digest: str, expected: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """The tensors as float32. Raises BadModel unless the file has this digest and exactly these names and shapes."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = file.read(8)
            entries = read_header(length, file.read(HEADER_MOST + 1), size)
            _compare(entries, expected)
            end = max((entry.data_offsets[1] for entry in entries.values()), default=0)
            if size != 8 + int.from_bytes(length, "little") + end:
                raise bad("its weights file is longer or shorter than its header says")
            file.seek(0)
            content = file.read()
    except OSError as error:
        raise BadModel("The model cannot be read", error.strerror or str(error)) from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise bad("its weights are not those that its card describes", "Copy the model again from where it came.")
    try:
        tensors = {name: tensor.float() for name, tensor in load(content).items()}
    except (SafetensorError, ValueError) as error:
        raise bad(f"its weights file is damaged ({error})") from error
    for name, tensor in tensors.items():
        if not bool(torch.isfinite(tensor).all()):
            raise bad(f'the tensor "{name}" holds values that are not numbers')
    return tensors


def read_header(length: bytes, head: bytes, size: int) -> dict[str, Entry]:
    """The tensors by name, from a file's first 8 bytes, what follows, and its size. Raises BadModel."""
    count = int.from_bytes(length, "little")
    if len(length) < 8 or count > min(HEADER_MOST, size - 8):
        raise bad("its weights file has a broken header")
    if head[:count].count(b"data_offsets") > TENSORS_MOST:
        raise bad(f"its weights file has more than {TENSORS_MOST} tensors")
    try:
        body = msgspec.json.decode(head[:count], type=dict[str, msgspec.Raw])
        return {k: msgspec.json.decode(raw, type=Entry) for k, raw in body.items() if k != "__metadata__"}
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise bad(f"its weights file has a broken header ({error})") from error


def _compare(entries: Mapping[str, Entry], expected: Mapping[str, tuple[int, ...]]) -> None:
    missing, foreign = expected.keys() - entries.keys(), entries.keys() - expected.keys()
    if missing:
        raise bad(f"{len(missing)} tensors are missing, the first is {min(missing)}")
    if foreign:
        raise bad(f"{len(foreign)} tensors are foreign to its architecture, the first is {ascii(min(foreign))[:80]}")
    for name, entry in entries.items():
        if entry.shape != expected[name]:
            raise bad(f'the tensor "{name}" has the shape {entry.shape}, not {expected[name]}')
        start, end = entry.data_offsets
        if end - start != BYTES_OF.get(entry.dtype, -1) * math.prod(entry.shape):
            raise bad(f'the tensor "{name}" has an unknown type or a wrong length')


def bad(why: str, hint: str = "") -> BadModel:
    """The error that a model cannot be used."""
    return BadModel("The model cannot be used", why, hint)
