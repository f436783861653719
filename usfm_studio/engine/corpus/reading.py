"""One image of a corpus by its row: one read, checked, decoded. Safe in forked and spawned workers."""

from __future__ import annotations

import os
import zlib
from collections import OrderedDict
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from usfm_studio.document.errors import Unreadable
from usfm_studio.engine.corpus.index import CorpusIndex
from usfm_studio.engine.corpus.shards import BLOCK, ENDINGS

MOST_OPEN = 64
"""Shards that are held open at once."""


class CorpusReader:
    """Reads images of a corpus; one reader a thread. Files are opened when first needed, in each process for itself."""

    def __init__(self, index: CorpusIndex) -> None:
        self.index = index
        self._process = os.getpid()
        self._open: OrderedDict[int, int] = OrderedDict()

    def read(self, row: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """(grey, valid) of one row: (rows, columns) uint8 and bool.

        Raises Unreadable, naming shard and key, where the shard is missing or short or the image is damaged.
        """
        row = int(row)
        span = self._span(row)
        members = self._members(row, span)
        shape = int(self.index.rows[row]), int(self.index.columns[row])
        grey_rc, sector_rc = (_decoded(member) for member in members[:2])
        if grey_rc is None or sector_rc is None or grey_rc.shape != shape or sector_rc.shape != shape:
            raise self._unreadable(row, "the image is damaged")
        return grey_rc, sector_rc > 0

    def close(self) -> None:
        """Close what this process has opened."""
        if self._process == os.getpid():
            for handle in self._open.values():
                os.close(handle)
        self._open.clear()

    def __getstate__(self) -> dict[str, Any]:
        """Another process opens its own files."""
        return {"index": self.index}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["index"])  # type: ignore[misc]

    def _span(self, row: int) -> bytes:
        size, offset = int(self.index.size[row]), int(self.index.offset[row])
        try:
            span = _read_at(self._handle(int(self.index.shard[row])), size, offset)
        except FileNotFoundError as error:
            raise self._unreadable(row, "the shard is not there") from error
        except (OSError, OverflowError) as error:
            raise self._unreadable(row, "the drive does not answer") from error
        if len(span) != size:
            raise self._unreadable(row, "the shard is shorter than the index says")
        return span

    def _members(self, row: int, span: bytes) -> list[bytes]:
        """The bodies of the three members; their names and the checksum must be those that the index states."""
        key, bodies, at = self.index.key(row), [], 0
        for ending in ENDINGS:
            name, size = _header(span[at : at + BLOCK])
            if name != (key + ending).encode() or at + BLOCK + size > len(span):
                raise self._unreadable(row, "another thing stands at its place")
            bodies.append(span[at + BLOCK : at + BLOCK + size])
            at += BLOCK + size + -size % BLOCK
        if zlib.crc32(span) != int(self.index.check[row]):
            raise self._unreadable(row, "the image is damaged")
        return bodies

    def _handle(self, shard: int) -> int:
        if self._process != os.getpid():  # a fork: the parent's descriptors are its own to close
            self._process, self._open = os.getpid(), OrderedDict()
        if shard not in self._open:
            path = self.index.folder / self.index.shards[shard]
            self._open[shard] = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0))
            if len(self._open) > MOST_OPEN:
                os.close(self._open.popitem(last=False)[1])
        self._open.move_to_end(shard)
        return self._open[shard]

    def _unreadable(self, row: int, why: str) -> Unreadable:
        shard = self.index.shards[self.index.shard[row]]
        return Unreadable(f"Could not read {self.index.key(row)} of {shard}", why, "The corpus can be packed again.")


def _header(block: bytes) -> tuple[bytes, int]:
    """(name, size) that a tar header states; (b"", 0) for what is none."""
    try:
        return block[:100].rstrip(b"\0"), int(block[124:135] or b"-", 8)
    except ValueError:
        return b"", 0


def _decoded(png: bytes) -> NDArray[np.uint8] | None:
    image: NDArray[np.uint8] | None = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)
    return image


def _read_at(handle: int, size: int, offset: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(handle, size, offset)
    os.lseek(handle, offset, os.SEEK_SET)
    return os.read(handle, size)
