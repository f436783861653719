"""A frame as a small picture with outlines on it: the model's dashed, the person's thin and white."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QImage

from usfm_studio.document.schema import Schema
from usfm_studio.ui.shell.theme import colour

LONGEST = 360


def overlay_picture(
    pixels: NDArray[np.uint8] | NDArray[np.uint16],
    ids: NDArray[np.uint8] | None,
    reference: NDArray[np.uint8],
    schema: Schema,
    *,
    solid: bool = False,
) -> QImage:
    """At most 360 px long. `ids` are the model's; with `solid` the reference is drawn in the segments' colours."""
    step = max(1, -(-max(pixels.shape[:2]) // LONGEST))
    small = pixels[::step, ::step]
    rgb = _as_rgb(small)
    marked = reference[::step, ::step]
    if solid:
        _paint_edges(rgb, marked, schema, dash=0)
    else:
        edge = _edges(marked > 0)
        rgb[_thick(edge)] = (0, 0, 0)
        rgb[edge] = (255, 255, 255)
        if ids is not None:
            _paint_edges(rgb, ids[::step, ::step], schema, dash=6)
    rgb = np.ascontiguousarray(rgb)
    rows, columns = rgb.shape[:2]
    return QImage(rgb.data, columns, rows, 3 * columns, QImage.Format.Format_RGB888).copy()


def _as_rgb(pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> NDArray[np.uint8]:
    if pixels.dtype == np.uint8:
        bright = pixels.astype(np.uint8)
    else:
        bright = (pixels.astype(np.float32) * (255.0 / max(1, int(pixels.max())))).astype(np.uint8)
    return np.repeat(bright[:, :, None], 3, axis=2) if bright.ndim == 2 else bright.copy()


def _paint_edges(rgb: NDArray[np.uint8], ids: NDArray[np.uint8], schema: Schema, *, dash: int) -> None:
    rows, columns = np.indices(ids.shape)
    on = ((rows + columns) // dash % 3 < 2) if dash else np.ones(ids.shape, bool)
    for value in np.unique(ids):
        segment = schema.segment(int(value)) if value else None
        if segment is None:
            continue
        edge = _edges(ids == value)
        ink = colour(segment.shown_colour)
        thick = _thick(edge)
        rgb[_thick(thick)] = (0, 0, 0)
        rgb[thick & on] = (ink.red(), ink.green(), ink.blue())


def _edges(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    inner = mask.copy()
    inner[1:] &= mask[:-1]
    inner[:-1] &= mask[1:]
    inner[:, 1:] &= mask[:, :-1]
    inner[:, :-1] &= mask[:, 1:]
    return mask & ~inner


def _thick(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    wide = mask.copy()
    wide[1:] |= mask[:-1]
    wide[:-1] |= mask[1:]
    wide[:, 1:] |= mask[:, :-1]
    wide[:, :-1] |= mask[:, 1:]
    return wide
