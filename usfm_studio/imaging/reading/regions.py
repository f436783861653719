"""Ultrasound regions as the file states them (PS3.3 C.8.5.5), and what is doubtful about them."""

from __future__ import annotations

import math
from collections.abc import Iterator

from usfm_studio.document.calibration import PLAUSIBLE_CM_PER_PIXEL, PLAUSIBLE_DEPTH_CM, Region, Unit
from usfm_studio.imaging.reading.elements import Elements

SEQUENCE = 0x00186011
_BOX = (0x00186018, 0x0018601A, 0x0018601C, 0x0018601E)
_NO_BOX = (0, 0, -1, -1)
_BEYOND_PX = 2
_DIFFERS = 0.01
_LARGEST = 1 << 30


def read_regions(elements: Elements) -> tuple[Region, ...]:
    """One region an item, in the file's order. What an item leaves out is 0, so that it calibrates nothing."""
    return tuple(_region(item) for item in elements.items(SEQUENCE))


def _region(item: Elements) -> Region:
    corners = [item.whole(tag, "UL") for tag in _BOX]
    box = _NO_BOX if None in corners else _sorted([c for c in corners if c is not None])
    reference = (item.whole(0x00186020, "SL"), item.whole(0x00186022, "SL"))
    return Region(
        box=box,
        spatial_format=item.whole(0x00186012) or 0,
        data_type=item.whole(0x00186014) or 0,
        flags=item.whole(0x00186016, "UL") or 0,
        units_xy=(_unit(item.whole(0x00186024)), _unit(item.whole(0x00186026))),
        delta_xy=(item.number(0x0018602C, "FD") or 0.0, item.number(0x0018602E, "FD") or 0.0),
        reference_xy=None if reference[0] is None or reference[1] is None else (reference[0], reference[1]),
        reference_value_xy=(item.number(0x00186028, "FD") or 0.0, item.number(0x0018602A, "FD") or 0.0),
    )


def _sorted(corners: list[int]) -> tuple[int, int, int, int]:
    x0, y0, x1, y1 = (max(-_LARGEST, min(_LARGEST, c)) for c in corners)
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


def _unit(code: int | None) -> int:
    return code if code is not None and code in {unit.value for unit in Unit} else Unit.NONE.value


def read_spacing_mm_xy(elements: Elements) -> tuple[float, float] | None:
    """PixelSpacing (mm, rows first in the file; PS3.3 10.7.1.3) as (x, y); None where it is absent or nonsense."""
    values = elements.numbers(0x00280030, "DS")
    if len(values) != 2 or not all(math.isfinite(v) and 0 < v < 1000 for v in values):
        return None
    return values[1], values[0]


def region_notices(
    elements: Elements,
    regions: tuple[Region, ...],
    spacing_mm_xy: tuple[float, float] | None,
    shape_rc: tuple[int, int],
) -> Iterator[str]:
    """What a person should know before trusting a length."""
    for number, region in enumerate(regions[:20], 1):
        for doubt in _doubts(region, shape_rc):
            yield f"Region {number}: {doubt}"
    if _inverted(elements):
        yield "A region's corners are in reverse order; they were sorted."
    if _ambiguous(regions):
        yield "Two regions cover the same box with different scales: no lengths there."
    if spacing_mm_xy is not None and _contradicts(regions, spacing_mm_xy):
        yield "Pixel spacing and region state different scales; the region counts."
    if 0x00280030 in elements and spacing_mm_xy is None:
        yield "The pixel spacing makes no sense and is not used."
    aspect = elements.numbers(0x00280034, "IS")
    if len(aspect) == 2 and all(math.isfinite(a) and a > 0 for a in aspect) and aspect[0] != aspect[1]:
        yield f"Pixels are not square ({aspect[0]:g} high to {aspect[1]:g} wide)."


def _doubts(region: Region, shape_rc: tuple[int, int]) -> Iterator[str]:
    rows, columns = shape_rc
    x0, y0, x1, y1 = region.box
    if region.box == _NO_BOX:
        yield "its box is not stated; it is not used."
        return
    if x0 >= columns or y0 >= rows:
        yield "its box lies outside the image."
    elif x1 >= columns + _BEYOND_PX or y1 >= rows + _BEYOND_PX:
        yield "its box is larger than the image, which may have been resized: check its scale."
    if region.spatial_format == 1 and region.units_xy == (Unit.CM, Unit.CM):
        low, high = PLAUSIBLE_CM_PER_PIXEL
        deltas = [abs(d) for d in region.delta_xy]
        if not all(math.isfinite(d) and low <= d <= high for d in deltas):
            yield "its scale is missing or implausible; it is not used."
        elif (y1 - y0 + 1) * deltas[1] > PLAUSIBLE_DEPTH_CM:
            yield f"it would be over {PLAUSIBLE_DEPTH_CM:g} cm deep; its scale is not used."


def _inverted(elements: Elements) -> bool:
    for item in elements.items(SEQUENCE, 20):
        x0, y0, x1, y1 = (item.whole(tag, "UL") for tag in _BOX)
        if (x0 is not None and x1 is not None and x1 < x0) or (y0 is not None and y1 is not None and y1 < y0):
            return True
    return False


def _ambiguous(regions: tuple[Region, ...]) -> bool:
    seen: dict[tuple[object, ...], tuple[float, float]] = {}
    for region in regions:
        if region.measures_tissue:
            key = (region.box, region.low_priority)
            if seen.setdefault(key, region.delta_xy) != region.delta_xy:
                return True
    return False


def _contradicts(regions: tuple[Region, ...], spacing_mm_xy: tuple[float, float]) -> bool:
    first = next((r for r in regions if r.measures_tissue), None)
    if first is None:
        return False
    return any(abs(abs(d) * 10 / s - 1) > _DIFFERS for d, s in zip(first.delta_xy, spacing_mm_xy, strict=True))
