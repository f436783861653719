"""The one scale that counts for a whole segment, or none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from usfm_studio.document.calibration import Scale
from usfm_studio.document.frame import Instance


@dataclass(frozen=True, slots=True)
class Measured:
    """A number with its unit and where its scale comes from ("region 1", "pixel spacing", empty for pixels)."""

    value: float
    unit: str
    source: str = ""


def scale_of(area: NDArray[np.bool_], instance: Instance) -> Scale | None:
    """The scale that holds for every pixel of `area` (rows, columns); None where one has none or another.

    Regions may differ as long as their scaling is the same: a flow box inside a tissue region (PS3.3 C.8.5.5.1.3).
    """
    scales: list[Scale | None] = []
    for x0, y0, x1, y1 in _cells(area.shape[0], area.shape[1], instance):
        if area[y0:y1, x0:x1].any():
            scales.append(instance.scale_at(float(x0), float(y0)))
    found = [scale for scale in scales if scale is not None]
    if not found or len(found) != len(scales) or len({scale.mm_per_px_xy for scale in found}) > 1:
        return None
    sources = sorted({scale.source for scale in found})
    return Scale(mm_per_px_xy=found[0].mm_per_px_xy, source=", ".join(sources))


def _cells(rows: int, columns: int, instance: Instance) -> Iterator[tuple[int, int, int, int]]:
    """Boxes (x0, y0, x1, y1; ends exclusive) whose pixels all lie in the same regions, and so have one scale."""
    xs = {0, columns, *(x for r in instance.regions for x in (r.box[0], r.box[2] + 1))}
    ys = {0, rows, *(y for r in instance.regions for y in (r.box[1], r.box[3] + 1))}
    across = sorted(x for x in xs if 0 <= x <= columns)
    down = sorted(y for y in ys if 0 <= y <= rows)
    for y0, y1 in pairwise(down):
        for x0, x1 in pairwise(across):
            yield x0, y0, x1, y1
