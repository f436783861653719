"""The one scale that counts for a whole segment, or none."""

from __future__ import annotations

from dataclasses import dataclass

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
    rows, columns = np.nonzero(area)
    if not rows.size:
        return None
    groups = np.zeros(rows.size, np.int64)
    for region in instance.regions:
        x0, y0, x1, y1 = region.box
        inside = (x0 <= columns) & (columns <= x1) & (y0 <= rows) & (rows <= y1)
        groups = np.unique(groups * 2 + inside, return_inverse=True)[1]
    firsts = np.unique(groups, return_index=True)[1]  # pixels that lie in the same regions have the same scale
    found = [instance.scale_at(float(columns[i]), float(rows[i])) for i in firsts.tolist()]
    scales = [scale for scale in found if scale is not None]
    if len(scales) != len(found) or len({scale.mm_per_px_xy for scale in scales}) > 1:
        return None
    sources = sorted({scale.source for scale in scales})
    return Scale(mm_per_px_xy=scales[0].mm_per_px_xy, source=", ".join(sources))
