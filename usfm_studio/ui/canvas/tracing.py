"""The outlines of a mask's segments in view points: of a part of the view, or whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from usfm_studio.document.mask import Mask
from usfm_studio.document.rasterise import Box
from usfm_studio.ui.canvas.contours import Loops, outline
from usfm_studio.ui.canvas.grid import Grid, Rect
from usfm_studio.ui.canvas.picture import PIXELS_SHOW_FROM
from usfm_studio.ui.canvas.sampling import Sampler, step_for
from usfm_studio.ui.canvas.styles import SegmentStyle, style_of

POINT_EVERY = 6.0
"""Device pixels between two points of an outline, where it hardly bends."""
_BEND = 0.3  # device pixels that count as a bend
_EASE_MARGIN = 4  # samples around what is drawn, so that easing does not feel the cut


@dataclass(frozen=True, slots=True)
class Segments:
    """What a layer shows: a mask, the values to draw, their styles and the widths of their rims."""

    mask: Mask
    values: tuple[int, ...]
    styles: Mapping[int, SegmentStyle]
    rims: Mapping[int, float]

    @property
    def drawn(self) -> list[int]:
        """The values that are not hidden."""
        return [value for value in self.values if style_of(self.styles, value).visible]


class Tracer:
    """Traces outlines; keeps those of whole segments until the mask changes."""

    def __init__(self) -> None:
        self.sampler = Sampler()
        self._kept: dict[tuple[int, int], Loops] = {}
        self._kept_of: Mask | None = None

    def forget(self) -> None:
        """Another frame comes."""
        self.sampler.forget()
        self._kept.clear()
        self._kept_of = None

    def part(
        self, rect: Rect, grid: Grid, segments: Segments, reach: float, fineness: float = 1.0
    ) -> list[tuple[int, Loops]]:
        """For each value that shows in a part of the view: its outlines there.

        Where the part cuts a segment, its outline runs along the cut, `reach` logical pixels outside. `fineness` is
        how many device pixels a sample may cover. Where pixels show, the outlines follow their borders. A part that
        holds the whole frame gets what is kept of it.
        """
        step, pitch = _sampling(grid, fineness)
        margin = reach + _EASE_MARGIN * pitch / grid.ratio
        grown = (rect[0] - margin, rect[1] - margin, rect[2] + margin, rect[3] + margin)
        smooth = min(grid.placement.scale_xy) < PIXELS_SHOW_FROM
        box = grid.placement.view_to_box(grown)
        if smooth and _holds(box, segments.mask) and (fineness == 1.0 or self._keeps(segments, grid)):
            return self.whole(grid, segments)
        return list(self._traced(segments, segments.drawn, box, step, smooth, pitch, grid))

    def whole(self, grid: Grid, segments: Segments) -> list[tuple[int, Loops]]:
        """For each value: its outlines in the whole frame, always smooth, each beginning where it began before."""
        step, pitch = _sampling(grid, 1.0)
        if self._kept_of is not segments.mask:
            self._kept.clear()
            self._kept_of = segments.mask
        rows, columns = segments.mask.shape_rc
        missing = [value for value in segments.drawn if (value, step) not in self._kept]
        if missing:
            ids, _ = self.sampler.part(segments.mask, (0, 0, columns, rows), step)
            for value in missing:
                self._kept[value, step] = outline(ids == value)
        found = [(value, self._kept[value, step]) for value in segments.drawn]
        return [(value, _in_view(loops, (0, 0), step, pitch, grid)) for value, loops in found if len(loops)]

    def _keeps(self, segments: Segments, grid: Grid) -> bool:
        step, _ = _sampling(grid, 1.0)
        return self._kept_of is segments.mask and all((value, step) in self._kept for value in segments.drawn)

    def _traced(
        self, segments: Segments, values: list[int], box: Box, step: int, smooth: bool, pitch: float, grid: Grid
    ) -> Iterable[tuple[int, Loops]]:
        ids, corner = self.sampler.part(segments.mask, box, step)
        if not ids.size:
            return
        for value in values:
            loops = outline(ids == value, smooth)
            if len(loops):
                yield value, _in_view(loops, corner, step, pitch, grid)


def _holds(box: Box, mask: Mask) -> bool:
    """Whether a box of the image holds all of it."""
    rows, columns = mask.shape_rc
    return box[0] <= 0 and box[1] <= 0 and box[2] >= columns and box[3] >= rows


def _sampling(grid: Grid, fineness: float) -> tuple[int, float]:
    """Image pixels per sample, and device pixels per sample."""
    fx, fy = grid.pixels_per_image_pixel
    step = step_for(max(fx, fy) / fineness)
    return step, step * min(fx, fy)


def _in_view(loops: Loops, corner: tuple[int, int], step: int, pitch: float, grid: Grid) -> Loops:
    thin = loops.thinned(int(POINT_EVERY / pitch), _BEND / pitch)
    sx, sy = grid.placement.scale_xy
    middle = (step - 1) / 2
    offset = grid.placement.image_to_view((corner[0] + middle, corner[1] + middle))
    return thin.mapped((sx * step, sy * step), offset)
