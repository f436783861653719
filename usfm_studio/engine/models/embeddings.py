"""Features that were computed once, kept in memory and on disk: a new model over the same encoder starts from them.

Kept in half precision; the fresh answer is rounded alike, so that a hit gives the same bits as a miss. The folder is a
cache: written by whoever computes, safe to delete at any time, the files used longest ago go first.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import uuid
import zlib
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import psutil
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from usfm_studio.engine.models.features import Encoder, Features

MEMORY_MOST = 1 << 30
DISK_MOST = 5 << 30
ENDING = ".emb"
MAGIC = b"USFMEMB1"


def embedding_key(pixels: str, shape: Sequence[int], encoder: str, *settings: object) -> str:
    """A key from digests: of the pixels, of the encoder; and from all that changes how the one goes into the other."""
    parts = (pixels, tuple(shape), encoder, *settings)
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def weights_digest(encoder: Encoder) -> str:
    """What an encoder is, by its architecture and weights: models over one encoder share its embeddings."""
    found = hashlib.sha256(encoder.name.encode())
    for name, tensor in encoder.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            found.update(name.encode())
            found.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy())
    return found.hexdigest()


def memory_budget() -> int:
    """Bytes for embeddings in memory: an eighth of what is free, at most 1 GB."""
    return min(MEMORY_MOST, int(psutil.virtual_memory().available) // 8)


def rounded(features: Features) -> Features:
    """Features as they are kept: half precision, on the CPU."""
    return features.map(lambda tensor: tensor.detach().to("cpu", torch.float16).contiguous())


class EmbeddingCache:
    """Features of single frames (B = 1) by key. Safe from several threads and processes on one folder."""

    def __init__(
        self, folder: Path | None = None, memory_bytes: int | None = None, disk_bytes: int = DISK_MOST
    ) -> None:
        self.folder = folder
        self._memory_bytes = memory_budget() if memory_bytes is None else memory_bytes
        self._disk_bytes = disk_bytes
        self._held: OrderedDict[str, Features] = OrderedDict()
        self._held_bytes = 0
        self._on_disk = -1
        self._guard = threading.Lock()

    def keep_in(self, folder: Path | None) -> None:
        """Read and write another folder from now on; what is held in memory stays."""
        if folder != self.folder:
            self.folder, self._on_disk = folder, -1

    def get(self, key: str) -> Features | None:
        """The features in half precision, or None."""
        with self._guard:
            held = self._held.get(key)
            if held is not None:
                self._held.move_to_end(key)
                return held
        read = self._read(key)
        if read is not None:
            self._hold(key, read)
        return read

    def put(self, key: str, features: Features) -> None:
        """Keep features that `rounded` gave. What cannot be written is kept in memory alone."""
        self._hold(key, features)
        if self.folder is not None:
            with contextlib.suppress(OSError):
                self._write(self.folder, key, features)

    def clear_memory(self) -> None:
        """Let go of all that is held in memory."""
        with self._guard:
            self._held.clear()
            self._held_bytes = 0

    def _hold(self, key: str, features: Features) -> None:
        size = _size(features)
        if size > self._memory_bytes:
            return
        with self._guard:
            if key in self._held:
                self._held_bytes -= _size(self._held.pop(key))
            self._held[key] = features
            self._held_bytes += size
            while self._held_bytes > self._memory_bytes:
                self._held_bytes -= _size(self._held.popitem(last=False)[1])

    def _path(self, folder: Path, key: str) -> Path:
        return folder / key[:2] / f"{key}{ENDING}"

    def _read(self, key: str) -> Features | None:
        if self.folder is None:
            return None
        path = self._path(self.folder, key)
        try:
            features = _parsed(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError, LookupError, SafetensorError):
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return features

    def _write(self, folder: Path, key: str, features: Features) -> None:
        content = _written(features)
        path = self._path(folder, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(f".{uuid.uuid4().hex[:8]}.tmp")
        try:
            beside.write_bytes(content)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
        with self._guard:
            if self._on_disk < 0:
                self._on_disk = sum(size for _, size, _ in _files(folder))
            else:
                self._on_disk += len(content)
            if self._on_disk > self._disk_bytes:
                self._on_disk = _thin(folder, self._disk_bytes * 9 // 10)


def _size(features: Features) -> int:
    return sum(t.numel() * t.element_size() for t in (*features.maps.values(), features.pooled_BD))


def _written(features: Features) -> bytes:
    tensors: dict[str, Tensor] = {f"stride_{stride}": m for stride, m in features.maps.items()}
    body = save({**tensors, "pooled": features.pooled_BD})
    return MAGIC + zlib.crc32(body).to_bytes(4, "little") + body


def _parsed(content: bytes) -> Features:
    body = content[len(MAGIC) + 4 :]
    if content[: len(MAGIC)] != MAGIC or zlib.crc32(body) != int.from_bytes(content[len(MAGIC) :][:4], "little"):
        raise ValueError("a torn file")
    tensors = load(body)
    pooled_BD = tensors.pop("pooled")
    return Features({int(name.removeprefix("stride_")): tensor for name, tensor in tensors.items()}, pooled_BD)


def _files(folder: Path) -> list[tuple[float, int, Path]]:
    """(time of last use, bytes, path) of every file in the cache, leftovers of killed writers among them."""
    found = []
    for path in folder.glob("??/*"):
        with contextlib.suppress(OSError):
            status = path.stat()
            found.append((status.st_mtime, status.st_size, path))
    return found


def _thin(folder: Path, most: int) -> int:
    """Delete what was used longest ago until at most `most` bytes are left; returns what is left."""
    files = sorted(_files(folder))
    left = sum(size for _, size, _ in files)
    for _, size, path in files:
        if left <= most:
            break
        with contextlib.suppress(OSError):
            path.unlink()
            left -= size
    return left
