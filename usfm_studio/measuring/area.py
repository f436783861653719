"""Areas of segments, in physical units where the image states a scale that counts for the whole segment."""

from __future__ import annotations

from dataclasses import dataclass

from usfm_studio.document.calibration import Scale
from usfm_studio.document.frame import Instance
from usfm_studio.document.mask import TILE, Mask

MM2_PER_CM2 = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """An area with its unit (`mm²`, or `px` without a scale that counts) and where the scale comes from."""

    value: float
    unit: str
    source: str = ""


def area_of(mask: Mask, value: int, instance: Instance) -> Area:
    """Area of one segment: pixels times the size of a pixel (PS3.3 C.8.5.5, both axes).

    In pixels where no scale counts at all corners of the segment's box, or not the same one.
    """
    pixels = mask.area_px(value)
    scale = _scale_over(mask, value, instance)
    if scale is None or not pixels:
        return Area(value=float(pixels), unit="px")
    sx, sy = scale.mm_per_px_xy
    return Area(value=pixels * sx * sy, unit="mm²", source=scale.source)


def area_words(mask: Mask, value: int, instance: Instance) -> str:
    """`26.5 cm²`, `51.6 mm²` or `1 840 px`; empty where nothing is marked."""
    area = area_of(mask, value, instance)
    if not area.value:
        return ""
    if area.unit == "px":
        return f"{area.value:,.0f} px".replace(",", " ")
    if area.value >= MM2_PER_CM2:
        return f"{area.value / MM2_PER_CM2:.1f} cm²"
    return f"{area.value:.1f} mm²"


def _scale_over(mask: Mask, value: int, instance: Instance) -> Scale | None:
    box = _box(mask, value)
    if box is None:
        return None
    x0, y0, x1, y1 = box
    found = {instance.scale_at(x, y) for x in (x0, x1) for y in (y0, y1)}
    return found.pop() if len(found) == 1 else None


def _box(mask: Mask, value: int) -> tuple[int, int, int, int] | None:
    """(x0, y0, x1, y1) inclusive of one segment, from its tiles."""
    boxes = []
    for (tile_row, tile_column), tile in mask.tiles.items():
        on = tile == value
        rows, columns = on.any(axis=1).nonzero()[0], on.any(axis=0).nonzero()[0]
        if rows.size:
            top, left = tile_row * TILE, tile_column * TILE
            boxes.append((left + columns[0], top + rows[0], left + columns[-1], top + rows[-1]))
    if not boxes:
        return None
    return (
        int(min(b[0] for b in boxes)), int(min(b[1] for b in boxes)),
        int(max(b[2] for b in boxes)), int(max(b[3] for b in boxes)),
    )  # fmt: skip
