"""A frame of an instance, decoded: the door from an `Instance` to its pixels.

The files used last stay open with their header and frame index, so that the next frame of a loop costs one read and
one codec call. A file that was touched meanwhile is opened anew, and its digest checked again.
"""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from contextlib import ExitStack
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usfm_studio.document.errors import NotFound, Unreadable
from usfm_studio.document.frame import Instance
from usfm_studio.imaging.paths import native
from usfm_studio.imaging.reading.dicom import DicomImage, open_image, read_header
from usfm_studio.imaging.reading.pixels import decode_shown
from usfm_studio.imaging.reading.source import Source, opened, version_of
from usfm_studio.imaging.reading.still import Picture, decode_picture, is_picture, read_picture

_OPEN = 4
_HELD_BYTES = 128 << 20
_HASHED = 256 << 20
"""Larger files are not hashed again: that would take longer than a request may; their headers are compared."""


class _OpenFile:
    """One open file: its source, and what was found in it."""

    def __init__(self, instance: Instance) -> None:
        self._stack = ExitStack()
        try:
            self.source: Source = self._stack.enter_context(opened(instance.path, instance.member))
            self._check(instance)
            self.content = _opened_content(self.source)
        except BaseException:
            self._stack.close()
            raise

    def _check(self, instance: Instance) -> None:
        if not instance.digest or self.source.size > _HASHED:
            return
        if self.source.sha256() != instance.digest:
            raise Unreadable(
                f"Could not show {instance.name}",
                "the file is not the one that was imported: it was changed since",
                "Bring the original file back; annotations are kept.",
            )

    @property
    def held_bytes(self) -> int:
        """Bytes kept in memory rather than on the drive."""
        inner = self.content.container.source if isinstance(self.content, DicomImage) else self.source
        return inner.size if hasattr(inner.handle, "getbuffer") else 0

    def decoded(self, index: int) -> tuple[NDArray[Any], str]:
        if isinstance(self.content, Picture):
            return decode_picture(self.source, self.content, index)
        return decode_shown(self.content, index)

    def close(self) -> None:
        self._stack.close()


def _opened_content(source: Source) -> Picture | DicomImage:
    head = source.read_at(0, 132)
    if head[128:132] != b"DICM" and is_picture(head):
        return read_picture(source)
    return open_image(source, *read_header(source))


class _OpenFiles:
    """The files used last, by path, member and wanted digest."""

    def __init__(self) -> None:
        self._files: OrderedDict[tuple[str, str, str], _OpenFile] = OrderedDict()

    def get(self, instance: Instance) -> _OpenFile:
        key = (instance.path, instance.member, instance.digest)
        file = self._files.pop(key, None)
        if file is not None and file.source.version != _version(instance):
            file.close()
            file = None
        if file is None:
            file = _OpenFile(instance)
        self._files[key] = file
        while len(self._files) > 1 and (len(self._files) > _OPEN or self._held() > _HELD_BYTES):
            self._files.popitem(last=False)[1].close()
        return file

    def _held(self) -> int:
        return sum(file.held_bytes for file in self._files.values())


def _version(instance: Instance) -> tuple[int, ...]:
    try:
        return version_of(os.stat(native(instance.path)))  # noqa: PTH116 (an odd name is no Path)
    except (OSError, ValueError):
        return ()


_files = _OpenFiles()


def frame_pixels(instance: Instance, index: int) -> tuple[NDArray[Any], str]:
    """(pixels, decoder) of one frame, as `decode_shown`. Raises Unreadable, NotFound where the file changed or left."""
    if not 0 <= index < instance.frames:
        raise NotFound(f"{instance.name} has no frame {index + 1}", f"it has {instance.frames}")
    pixels, decoder = _files.get(instance).decoded(index)
    expected = (instance.rows, instance.columns, *((3,) if instance.samples == 3 else ()))
    wanted = np.uint16 if instance.bits > 8 else np.uint8
    if pixels.shape != expected or pixels.dtype != wanted:
        raise Unreadable(f"Could not show {instance.name}", "its picture is not what its header says")
    return pixels, decoder


def pixel_digest(pixels: NDArray[Any]) -> str:
    """sha256 of pixels in C order, little endian."""
    return hashlib.sha256(np.ascontiguousarray(pixels).data).hexdigest()
