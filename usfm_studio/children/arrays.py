"""Arrays that parent and child both see. The parent owns a few reused blocks; a child only attaches.

On Linux a block is an anonymous memfd: the kernel frees it with its last holder, so nothing can be left behind. Its
size is sealed, so that no child can shrink it under the parent. Elsewhere it is `multiprocessing.shared_memory`.
A new block costs 45 times a copy into a used one (page faults), hence the pool.
"""

from __future__ import annotations

import contextlib
import fcntl
import math
import mmap
import os
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing import resource_tracker, shared_memory
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

HAS_MEMFD = hasattr(os, "memfd_create")
SMALLEST = 64 * 1024
FREE_BYTES = 256 * 1024 * 1024
"""Bytes of free blocks that a pool keeps for reuse."""
ATTACHED = 16
"""Mappings that a child keeps."""


@dataclass(frozen=True, slots=True)
class ArrayRef:
    """Where an array lies: `memfd:PID:FD:INODE:BYTES` or `shm:NAME:BYTES`, its shape and numpy dtype name."""

    handle: str
    shape: tuple[int, ...]
    dtype: str

    def to_json(self) -> dict[str, Any]:
        """As JSON values, for a message's body."""
        return {"handle": self.handle, "shape": list(self.shape), "dtype": self.dtype}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> ArrayRef:
        """Inverse of `to_json`. Raises ValueError on anything else."""
        try:
            shape = tuple(int(n) for n in body["shape"])
            dtype = np.dtype(str(body["dtype"]))
            handle = str(body["handle"])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError("this is no reference to an array") from error
        if any(n < 0 for n in shape) or dtype.hasobject:
            raise ValueError("this is no reference to an array")
        return cls(handle, shape, dtype.name)

    @property
    def nbytes(self) -> int:
        """Bytes that the array takes."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


class _Block(Protocol):
    handle: str
    nbytes: int

    def buffer(self) -> Any: ...

    def close(self) -> None: ...


class _MemfdBlock:
    def __init__(self, nbytes: int) -> None:
        self.nbytes = nbytes
        self._fd = os.memfd_create("usfm", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(self._fd, nbytes)
        fcntl.fcntl(self._fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
        self._map = mmap.mmap(self._fd, nbytes)
        self.handle = f"memfd:{os.getpid()}:{self._fd}:{os.fstat(self._fd).st_ino}:{nbytes}"

    def buffer(self) -> mmap.mmap:
        return self._map

    def close(self) -> None:
        os.close(self._fd)  # the mapping goes with the last array that shows it


class _SharedBlock:
    def __init__(self, nbytes: int) -> None:
        self._shared = shared_memory.SharedMemory(create=True, size=nbytes)
        self.nbytes = nbytes
        self.handle = f"shm:{self._shared.name}:{nbytes}"
        _own_names.add(self._shared.name)

    def buffer(self) -> Any:
        return self._shared.buf

    def close(self) -> None:
        self._shared.unlink()
        _own_names.discard(self._shared.name)
        _let_go(self._shared)


def _let_go(shared: shared_memory.SharedMemory) -> None:
    with contextlib.suppress(BufferError):  # an array still shows it: the mapping goes with the process
        shared.close()


class ArrayPool:
    """The parent's blocks. Safe from several threads."""

    def __init__(self, free_bytes: int = FREE_BYTES, *, memfd: bool = HAS_MEMFD) -> None:
        self._make: type[_MemfdBlock] | type[_SharedBlock] = _MemfdBlock if memfd else _SharedBlock
        self._free_bytes = free_bytes
        self._free: list[_Block] = []
        self._used: dict[str, _Block] = {}
        self._lock = threading.Lock()

    def give(self, shape: tuple[int, ...], dtype: DTypeLike) -> tuple[ArrayRef, NDArray[Any]]:
        """An array of this shape, contents undefined, and its reference. It is the caller's until `give_back`."""
        kind = np.dtype(dtype)
        nbytes = math.prod(shape) * kind.itemsize
        with self._lock:
            block = self._take_free(nbytes) or self._make(_rounded(nbytes))
            self._used[block.handle] = block
        return ArrayRef(block.handle, shape, kind.name), _shaped(block.buffer(), shape, kind)

    def array(self, ref: ArrayRef) -> NDArray[Any]:
        """The array of a reference that is out. Raises KeyError when it was given back."""
        return _shaped(self._used[ref.handle].buffer(), ref.shape, np.dtype(ref.dtype))

    def give_back(self, ref: ArrayRef) -> None:
        """Let the block be reused. Only when no child works on it any longer (`Ticket.when_released`)."""
        with self._lock:
            block = self._used.pop(ref.handle, None)
            if block is None:
                return
            self._free.append(block)
            while sum(b.nbytes for b in self._free) > self._free_bytes:
                self._free.pop(0).close()

    @property
    def blocks(self) -> int:
        """How many blocks there are, used and free."""
        return len(self._used) + len(self._free)

    def close(self) -> None:
        """Let go of all blocks. Arrays that are still shown stay readable."""
        with self._lock:
            for block in (*self._free, *self._used.values()):
                block.close()
            self._free.clear()
            self._used.clear()

    def _take_free(self, nbytes: int) -> _Block | None:
        fitting = [b for b in self._free if nbytes <= b.nbytes <= 4 * _rounded(nbytes)]
        if not fitting:
            return None
        block = min(fitting, key=lambda b: b.nbytes)
        self._free.remove(block)
        return block


def _rounded(nbytes: int) -> int:
    """The next size with three leading binary digits: at most a quarter is wasted, and blocks fit again."""
    if nbytes <= SMALLEST:
        return SMALLEST
    step = 1 << max(0, nbytes.bit_length() - 3)
    return -(-nbytes // step) * step


def _shaped(buffer: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    return np.frombuffer(buffer, dtype, math.prod(shape)).reshape(shape)


_attached: OrderedDict[str, Any] = OrderedDict()
_attaching = threading.Lock()


def attach(ref: ArrayRef) -> NDArray[Any]:
    """The array of a reference, in a child: a writable view of the parent's block.

    Raises ValueError when the reference is none, does not fit its block, or the block is gone.
    """
    with _attaching:
        buffer = _attached.get(ref.handle)
        if buffer is None:
            buffer = _attached[ref.handle] = _open(ref.handle)
            while len(_attached) > ATTACHED:
                _attached.popitem(last=False)
        _attached.move_to_end(ref.handle)
    if ref.nbytes > len(buffer):
        raise ValueError("the array is larger than its block")
    return _shaped(buffer, ref.shape, np.dtype(ref.dtype))


def _open(handle: str) -> Any:
    kind, _, rest = handle.partition(":")
    try:
        if kind == "memfd":
            pid, fd, inode, size = (int(part) for part in rest.split(":"))
            return _open_memfd(f"/proc/{pid}/fd/{fd}", inode, size)
        if kind == "shm":
            name, nbytes = rest.split(":")
            return _open_shared(name, int(nbytes))
    except OSError as error:
        raise ValueError("the shared array is gone") from error
    raise ValueError("this is no reference to an array")


def _open_memfd(path: str, inode: int, nbytes: int) -> mmap.mmap:
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        if os.fstat(fd).st_ino != inode:
            raise ValueError("the shared array is gone")
        return mmap.mmap(fd, nbytes)
    finally:
        os.close(fd)


def _open_shared(name: str, nbytes: int) -> Any:
    shared = shared_memory.SharedMemory(name=name)
    if name not in _own_names:  # Python 3.11's tracker would remove the parent's block when this child ends
        resource_tracker.unregister(f"/{name}" if os.name == "posix" else name, "shared_memory")
    _mappings.append(shared)
    buffer: Any = shared.buf
    return buffer[:nbytes]


_mappings: list[shared_memory.SharedMemory] = []
_own_names: set[str] = set()
