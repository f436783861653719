"""Small pictures of frames for lists, kept in the cache folder by the digest of their source."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import cv2
import imagecodecs
import numpy as np
from numpy.typing import NDArray

from usfm_studio.document.frame import Instance
from usfm_studio.imaging.reading.frames import frame_pixels, pixel_digest

QUALITY = 85
_LOW, _HIGH = 0.5, 99.5


def thumbnail(instance: Instance, index: int, size_px: int, folder: Path) -> Path:
    """Path of a JPEG whose longer side has at most `size_px` pixels; made if it is not there yet."""
    if instance.digest:
        path = folder / f"{instance.digest[:32]}-{index}-{size_px}.jpg"
        if path.is_file():
            return path
    pixels, _ = frame_pixels(instance, index)
    if not instance.digest:
        path = folder / f"{pixel_digest(pixels)[:32]}-p-{size_px}.jpg"
    small = shrunk(to_8_bit_shown(pixels), size_px)
    folder.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(f".{os.getpid()}.tmp")
    beside.write_bytes(imagecodecs.jpeg8_encode(small, level=QUALITY))
    beside.replace(path)
    return path


def to_8_bit_shown(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """uint16 greys stretched between their 0.5 and 99.5 percentiles; uint8 as they are."""
    if pixels.dtype == np.uint8:
        return pixels
    low, high = np.percentile(pixels[::4, ::4], (_LOW, _HIGH))
    scaled = (pixels.astype(np.float32) - low) * (255 / max(1.0, high - low))
    return np.clip(scaled, 0, 255).astype(np.uint8)


def shrunk(pixels: NDArray[np.uint8], size_px: int) -> NDArray[np.uint8]:
    """The picture with its longer side at most `size_px`, by area averaging."""
    rows, columns = pixels.shape[:2]
    scale = min(1.0, size_px / max(rows, columns))
    shape = max(1, round(columns * scale)), max(1, round(rows * scale))
    return np.ascontiguousarray(cv2.resize(pixels, shape, interpolation=cv2.INTER_AREA))
