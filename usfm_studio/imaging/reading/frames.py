"""A frame of an instance, decoded: the door from an `Instance` to its pixels."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usfm_studio.document.errors import NotFound, Unreadable
from usfm_studio.document.frame import Instance
from usfm_studio.imaging.reading.dicom import open_image, read_header
from usfm_studio.imaging.reading.pixels import decode_shown
from usfm_studio.imaging.reading.source import Source, opened
from usfm_studio.imaging.reading.still import decode_picture, is_picture, read_picture

_KEPT = 64


class _Known:
    """Files whose digest was checked, by path, member and version: a loop is hashed once, not once a frame."""

    def __init__(self) -> None:
        self.digests: OrderedDict[tuple[object, ...], str] = OrderedDict()

    def digest(self, source: Source, path: str, member: str) -> str:
        key = (path, member, *source.version)
        if key not in self.digests:
            self.digests[key] = source.sha256()
            while len(self.digests) > _KEPT:
                self.digests.popitem(last=False)
        return self.digests[key]


_known = _Known()


def frame_pixels(instance: Instance, index: int) -> tuple[NDArray[Any], str]:
    """(pixels, decoder) of one frame, as `decode_shown`. Raises Unreadable, NotFound where the file changed or left."""
    if not 0 <= index < instance.frames:
        raise NotFound(f"{instance.name} has no frame {index + 1}", f"it has {instance.frames}")
    with opened(instance.path, instance.member) as source:
        if instance.digest and _known.digest(source, instance.path, instance.member) != instance.digest:
            raise Unreadable(
                f"Could not show {instance.name}",
                "the file is not the one that was imported: it was changed since",
                "Bring the original file back; annotations are kept.",
            )
        pixels, decoder = _decoded(source, index)
    expected = (instance.rows, instance.columns, *((3,) if instance.samples == 3 else ()))
    wanted = np.uint16 if instance.bits > 8 else np.uint8
    if pixels.shape != expected or pixels.dtype != wanted:
        raise Unreadable(f"Could not show {instance.name}", "its picture is not what its header says")
    return pixels, decoder


def _decoded(source: Source, index: int) -> tuple[NDArray[Any], str]:
    head = source.read_at(0, 132)
    if head[128:132] != b"DICM" and is_picture(head):
        return decode_picture(source, read_picture(source), index)
    return decode_shown(open_image(source, *read_header(source)), index)


def pixel_digest(pixels: NDArray[Any]) -> str:
    """sha256 of pixels in C order, little endian."""
    return hashlib.sha256(np.ascontiguousarray(pixels).data).hexdigest()
