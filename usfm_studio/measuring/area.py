"""Areas of segments, in physical units where one scale holds for all of a segment, else in pixels."""

from __future__ import annotations

import numpy as np

from usfm_studio.document.frame import Instance
from usfm_studio.document.mask import Ids
from usfm_studio.measuring.scale import Measured, scale_of

CM2_FROM_MM2 = 100.0
"""From here on an area reads better in cm²."""


def area_mm2(ids: Ids, value: int, instance: Instance) -> Measured:
    """Area of one segment of `ids` (rows, columns): number of pixels times the size of one, in "mm²"; else in "px"."""
    area = ids == value
    count = float(np.count_nonzero(area))
    scale = scale_of(area, instance)
    if scale is None:
        return Measured(count, "px")
    x, y = scale.mm_per_px_xy
    return Measured(count * x * y, "mm²", scale.source)


def area(ids: Ids, value: int, instance: Instance) -> Measured:
    """The same for people: in "cm²" from 100 mm² on."""
    measured = area_mm2(ids, value, instance)
    if measured.unit == "mm²" and measured.value >= CM2_FROM_MM2:
        return Measured(measured.value / 100.0, "cm²", measured.source)
    return measured


def area_words(ids: Ids, value: int, instance: Instance) -> str:
    """`26.5 cm²`, `51.6 mm²` or `1 840 px`; empty where nothing is marked."""
    measured = area(ids, value, instance)
    if not measured.value:
        return ""
    if measured.unit == "px":
        return f"{measured.value:,.0f} px".replace(",", " ")
    return f"{measured.value:.1f} {measured.unit}"
