"""Physical scale of an image: ultrasound regions (PS3.3 C.8.5.5) and, without them, the pixel spacing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum


class Unit(IntEnum):
    """Physical units of a region's axis (PS3.3 C.8.5.5.1.15); other codes count as NONE."""

    NONE = 0
    PERCENT = 1
    DB = 2
    CM = 3
    SECONDS = 4
    HERTZ = 5
    DB_PER_SECOND = 6
    CM_PER_SECOND = 7
    CM2 = 8
    CM2_PER_SECOND = 9
    CM3 = 10
    CM3_PER_SECOND = 11
    DEGREES = 12


PLAUSIBLE_CM_PER_PIXEL = (0.0005, 0.2)
PLAUSIBLE_DEPTH_CM = 40.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """One ultrasound region as the file states it.

    `box` is (x0, y0, x1, y1) in pixels, 0-based, inclusive, not clipped. `delta_xy` is the physical increment per
    pixel and may be negative, zero or NaN. `reference_xy` is an offset from the box's upper left corner.
    """

    box: tuple[int, int, int, int]
    spatial_format: int = 0
    data_type: int = 0
    flags: int = 0
    units_xy: tuple[int, int] = (0, 0)
    delta_xy: tuple[float, float] = (0.0, 0.0)
    reference_xy: tuple[int, int] | None = None
    reference_value_xy: tuple[float, float] = (0.0, 0.0)

    @property
    def low_priority(self) -> bool:
        """Bit 0 of RegionFlags (PS3.3 C.8.5.5.1.3)."""
        return bool(self.flags & 1)

    def holds(self, x: float, y: float) -> bool:
        """True where the point lies in the box, borders included."""
        x0, y0, x1, y1 = self.box
        return x0 <= x <= x1 and y0 <= y <= y1

    @property
    def area_px(self) -> int:
        """Size of the box in pixels."""
        x0, y0, x1, y1 = self.box
        return max(0, x1 - x0 + 1) * max(0, y1 - y0 + 1)

    @property
    def measures_tissue(self) -> bool:
        """True where lengths and areas may be taken: 2D format, both axes in cm, sound and plausible deltas."""
        dx, dy = abs(self.delta_xy[0]), abs(self.delta_xy[1])
        low, high = PLAUSIBLE_CM_PER_PIXEL
        x0, y0, x1, y1 = self.box
        return (
            self.spatial_format == 1
            and self.units_xy == (Unit.CM, Unit.CM)
            and all(math.isfinite(d) and low <= d <= high for d in (dx, dy))
            and x1 > x0 + 1
            and y1 > y0 + 1
            and (y1 - y0 + 1) * dy <= PLAUSIBLE_DEPTH_CM
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Millimetres per pixel along x (a row) and y (a column), and where that comes from."""

    mm_per_px_xy: tuple[float, float]
    source: str  # "region 1", "pixel spacing", "by hand"


def region_at(regions: tuple[Region, ...], x: float, y: float) -> tuple[int, Region] | None:
    """The region that counts at an image point, with its 1-based number; None where none does.

    Those that hold the point and measure tissue; high priority before low; then the smallest; equal boxes with
    other deltas are ambiguous and give None (PS3.3 C.8.5.5.1.3).
    """
    found = [(n, r) for n, r in enumerate(regions, 1) if r.measures_tissue and r.holds(x, y)]
    if not found:
        return None
    found.sort(key=lambda item: (item[1].low_priority, item[1].area_px))
    first = found[0]
    for other in found[1:]:
        same_box = other[1].box == first[1].box and other[1].low_priority == first[1].low_priority
        if same_box and other[1].delta_xy != first[1].delta_xy:
            return None
    return first


def scale_at(
    regions: tuple[Region, ...], spacing_mm_xy: tuple[float, float] | None, x: float, y: float
) -> Scale | None:
    """The scale that counts at an image point: region, else pixel spacing, else None."""
    at = region_at(regions, x, y)
    if at is not None:
        number, region = at
        dx, dy = region.delta_xy
        return Scale(mm_per_px_xy=(abs(dx) * 10, abs(dy) * 10), source=f"region {number}")
    if spacing_mm_xy is not None and not regions:
        return Scale(mm_per_px_xy=spacing_mm_xy, source="pixel spacing")
    return None
