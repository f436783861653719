"""A safetensors file written frame by frame, whole or not at all. Format: huggingface.co/docs/safetensors."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np
from numpy.typing import NDArray

from usfm_studio.project import files
from usfm_studio.project.trouble import explained

KINDS: Mapping[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2")}
ALIGNED = 8


class TensorFile:
    """Tensors (frames, ...) that grow together. Use as a context: what is not finished leaves nothing behind.

    Each tensor grows in a file of its own beside `out`; `finish` joins them behind the header and renames.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self.frames = 0
        self._parts: dict[str, tuple[str, tuple[int, ...], IO[bytes], Path]] = {}
        self._whole = self._beside()

    def _beside(self) -> Path:
        return self.out.with_name(f".{self.out.name}.{uuid.uuid4().hex[:8]}.{os.getpid()}.tmp")

    def tensor(self, name: str, kind: str, shape: tuple[int, ...]) -> None:
        """Begin a tensor: `kind` F32 or F16, `shape` that of one frame. Raises DiskFull, ReadOnly, NotFound."""
        place = self._beside()
        try:
            self._parts[name] = (kind, tuple(shape), place.open("xb"), place)
        except OSError as error:
            raise self._failed(error) from error

    def add(self, values: Mapping[str, NDArray[Any]]) -> None:
        """One frame's part of each tensor. Raises ValueError for another shape, DiskFull."""
        for name, (kind, shape, file, _) in self._parts.items():
            array = np.ascontiguousarray(values[name], KINDS[kind])
            if array.shape != shape:
                raise ValueError(f"{name} is {array.shape}, not {shape}")
            try:
                file.write(array.tobytes())
            except OSError as error:
                raise self._failed(error) from error
        self.frames += 1

    def finish(self, metadata: Mapping[str, str]) -> None:
        """Write the file under its name, replacing an older one. Raises DiskFull, ReadOnly."""
        try:
            with self._whole.open("xb") as whole:
                whole.write(self._header(metadata))
                for _, _, file, place in self._parts.values():
                    file.close()
                    with place.open("rb") as part:
                        shutil.copyfileobj(part, whole, 1 << 20)
                    place.unlink()
                files.sync_file(whole)
            files.rename(self._whole, self.out)
        except OSError as error:
            raise self._failed(error) from error

    def _header(self, metadata: Mapping[str, str]) -> bytes:
        body: dict[str, Any] = {"__metadata__": dict(metadata)}
        end = 0
        for name, (kind, shape, _, _) in self._parts.items():
            size = self.frames * int(np.prod(shape, dtype=np.int64)) * KINDS[kind].itemsize
            body[name] = {"dtype": kind, "shape": [self.frames, *shape], "data_offsets": [end, end + size]}
            end += size
        text = json.dumps(body).encode()
        text += b" " * (-len(text) % ALIGNED)
        return len(text).to_bytes(8, "little") + text

    def _failed(self, error: OSError) -> Exception:
        return explained(error, f"{self.out.name} could not be written")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for _, _, file, place in self._parts.values():
            file.close()
            place.unlink(missing_ok=True)
        self._whole.unlink(missing_ok=True)
