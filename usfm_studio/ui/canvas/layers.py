"""The images of the view's size that the canvas is put together from, and what of them must be drawn again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QColor, QImage, QPainter

from usfm_studio.document.mask import Mask, changed_tiles
from usfm_studio.document.rasterise import Box
from usfm_studio.ui.canvas import compose
from usfm_studio.ui.canvas.contours import Loops
from usfm_studio.ui.canvas.grid import Grid
from usfm_studio.ui.canvas.outlines import draw_part, reach_of
from usfm_studio.ui.canvas.picture import Picture, WindowLevel
from usfm_studio.ui.canvas.styles import Look, SegmentStyle
from usfm_studio.ui.canvas.tracing import Segments, Tracer

_TAG_FINENESS = 3.0  # device pixels to which a tag must meet its outline


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """How the picture is shown."""

    window: WindowLevel = field(default_factory=WindowLevel)
    inverted: bool = False
    background: str = "#0B0D0F"


class PictureLayer:
    """The frame as it stands in the view."""

    def __init__(self) -> None:
        self.image = QImage()
        self._made_for: tuple[Picture | None, Shown] | None = None
        self._grid: Grid | None = None

    def refresh(self, picture: Picture | None, grid: Grid, shown: Shown) -> None:
        """Draw again what is not there yet for this picture, grid and window."""
        same = self._made_for == (picture, shown)
        if same and self._grid == grid:
            return
        moved = moved_by(self._grid, grid) if same and self._grid is not None else None
        parts: tuple[QRect, ...] = (QRect(0, 0, *grid.size_wh),)
        if moved is not None:
            self.image, parts = shifted(self.image, moved)
        elif (self.image.width(), self.image.height()) != grid.size_wh:
            self.image = QImage(*grid.size_wh, QImage.Format.Format_RGB32)
        for part in parts:
            draw_picture(self.image, part, picture, grid, shown)
        self._made_for, self._grid = (picture, shown), grid


def draw_picture(layer: QImage, part: QRect, picture: Picture | None, grid: Grid, shown: Shown) -> None:
    """A part of the picture and of the ground around it."""
    painter = QPainter(layer)
    painter.fillRect(part, QColor(shown.background))
    if picture is not None:
        picture.draw(painter, part, grid, shown.window, shown.inverted)
    painter.end()


def moved_by(before: Grid, after: Grid) -> QPoint | None:
    """Whole device pixels by which the image moved between two grids; None where more than that changed."""
    if replace(before, placement=replace(before.placement, corner_view=after.placement.corner_view)) != after:
        return None
    (x0, y0), (x1, y1) = before.to_device(before.placement.corner_view), after.to_device(after.placement.corner_view)
    x, y = round(x1 - x0), round(y1 - y0)
    whole = abs(x1 - x0 - x) < 1e-3 and abs(y1 - y0 - y) < 1e-3
    near = abs(x) < after.size_wh[0] // 2 and abs(y) < after.size_wh[1] // 2
    return QPoint(x, y) if whole and near else None


def shifted(image: QImage, by: QPoint, waiting: tuple[QRect, ...] = ()) -> tuple[QImage, tuple[QRect, ...]]:
    """A layer moved by device pixels, and the parts of it to draw: those that came into view and those waiting."""
    moved = QImage(image.size(), image.format())
    painter = QPainter(moved)
    painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Source)
    painter.drawImage(by, image)
    painter.end()
    width, height = image.width(), image.height()
    across = QRect(0 if by.x() > 0 else width + by.x(), 0, abs(by.x()), height)
    along = QRect(0, 0 if by.y() > 0 else height + by.y(), width, abs(by.y()))
    known = tuple(part.translated(by).intersected(moved.rect()) for part in waiting)
    return moved, tuple(part for part in (across, along, *known) if not part.isEmpty())


class SegmentLayer:
    """The outlines and rims of one mask as they stand in the view."""

    def __init__(self, proposed: bool) -> None:
        self.image = QImage()
        self.opacity = 1.0
        self._without = 0
        self._look = Look(proposed=proposed)
        self._segments = Segments(Mask.empty((1, 1)), (), {}, {})
        self._tracer = Tracer()
        self._grid: Grid | None = None
        self._stale: Box | None = None
        self._all_stale = True
        self._exposed: tuple[QRect, ...] = ()  # came into view when the image moved
        self._loops: list[tuple[int, Loops]] | None = None

    @property
    def mask(self) -> Mask:
        """What it shows."""
        return self._segments.mask

    @property
    def values(self) -> tuple[int, ...]:
        """The segments that it shows, hidden ones included."""
        return self._segments.values

    @property
    def empty(self) -> bool:
        """True when nothing is to be drawn."""
        return not self._segments.values

    def show(self, mask: Mask, styles: Mapping[int, SegmentStyle]) -> None:
        """Another mask, or other styles: all is drawn again."""
        self.set_without(0)
        if mask is self.mask and styles == self._segments.styles:
            return
        if mask.shape_rc != self.mask.shape_rc:
            self._tracer.forget()
        self._segments = replace(self._segments, mask=mask, styles=styles)
        self._all_stale = True
        self.settle()

    def change(self, mask: Mask, box: Box | None, also: int = 0) -> None:
        """The mask changed inside `box`; `also` is a segment that may be new. Cheap: for each event of a stroke."""
        if mask is self.mask:
            return
        values = self._segments.values
        if also and also not in values:
            values = tuple(sorted((*values, also)))
        self._segments = replace(self._segments, mask=mask, values=values)
        self._stale = _joined(self._stale, box)
        self._loops = None

    def change_to(self, mask: Mask) -> None:
        """The same mask with other tiles; finds by itself what changed."""
        if mask is self.mask:
            return
        box: Box | None = None
        for (row, column), (old, new) in changed_tiles(self.mask, mask).items():
            differs = old != new
            rows, columns = differs.any(axis=1).nonzero()[0], differs.any(axis=0).nonzero()[0]
            y, x = row * old.shape[0], column * old.shape[1]
            part = (int(columns[0]) + x, int(rows[0]) + y, int(columns[-1]) + x + 1, int(rows[-1]) + y + 1)
            box = _joined(box, part)
        self.change(mask, box)
        self._segments = replace(self._segments, values=tuple(sorted(self._tracer.sampler.areas(mask))))

    def settle(self) -> None:
        """Count the segments again, after a stroke rather than during one: rims follow their sizes."""
        areas = self._tracer.sampler.areas(self.mask)
        values = tuple(sorted(areas))
        rims = self._rims(areas)
        if any(rims[v] != self._segments.rims[v] for v in values if v in self._segments.rims):
            self._all_stale = True
        self._segments = replace(self._segments, values=values, rims=rims)
        self._loops = None

    def forget(self) -> None:
        """Another frame comes: let go of the last one's tiles."""
        self._tracer.forget()

    def set_without(self, value: int) -> None:
        """Leave one segment out (0: none): a proposal that a stroke has taken over."""
        if value != self._without:
            self._without = value
            self._all_stale = True
            self._loops = None

    def set_look(self, look: Look) -> None:
        """Another overlay mode or outline width."""
        if look != self._look:
            self._look = look
            self._all_stale = True

    @property
    def look(self) -> Look:
        """How it is drawn."""
        return self._look

    def refresh(self, grid: Grid) -> None:
        """Draw again what is stale."""
        if grid != self._grid:
            self._fit(grid)
        parts = [*self._exposed]
        if self._all_stale:
            parts = [self.image.rect()]
        elif self._stale is not None:
            parts.append(grid.covering_box(self._stale, reach_of(self._segments, self._look)))
        for part in parts:
            if not part.isEmpty():
                draw_part(self.image, part, grid, self._visible, self._tracer, self._look)
        self._all_stale, self._stale, self._exposed = False, None, ()

    def stale_rect(self, grid: Grid) -> QRect:
        """The device pixels that the next refresh will draw."""
        if self._all_stale or grid != self._grid:
            return QRect(0, 0, *grid.size_wh)
        if self._stale is None:
            return QRect()
        return grid.covering_box(self._stale, reach_of(self._segments, self._look))

    def loops(self, grid: Grid) -> list[tuple[int, Loops]]:
        """The outlines that show in the view, by value, in view points: good enough to hang tags on."""
        if grid != self._grid:
            self._fit(grid)
        if self._loops is None:
            view = grid.view_rect(QRect(0, 0, *grid.size_wh))
            self._loops = self._tracer.part(view, grid, self._visible, 0.0, _TAG_FINENESS)
        return self._loops

    def draw(self, painter: QPainter, part: QRect) -> None:
        """Put a part (device pixels) over what the painter has."""
        if not self.empty:
            painter.setOpacity(self.opacity)
            painter.drawImage(part.topLeft(), self.image, part)
            painter.setOpacity(1.0)

    @property
    def _visible(self) -> Segments:
        if not self._without:
            return self._segments
        return replace(self._segments, values=tuple(v for v in self._segments.values if v != self._without))

    def _fit(self, grid: Grid) -> None:
        """Take another grid: where the image only moved, move what is drawn and mark what came into view."""
        moved = None if self._all_stale or self._grid is None else moved_by(self._grid, grid)
        self._grid = grid
        self._loops = None
        if moved is not None:
            self.image, self._exposed = shifted(self.image, moved, self._exposed)
            return
        if (self.image.width(), self.image.height()) != grid.size_wh:
            self.image = QImage(*grid.size_wh, QImage.Format.Format_ARGB32_Premultiplied)
            self.image.fill(Qt.GlobalColor.transparent)
        self._all_stale = True
        self._segments = replace(self._segments, rims=self._rims(self._tracer.sampler.areas(self.mask)))

    def _rims(self, areas: Mapping[int, int]) -> dict[int, float]:
        if self._grid is None:
            return {}
        sx, sy = self._grid.placement.scale_xy
        return {value: compose.rim_width(area * sx * sy) for value, area in areas.items()}


def _joined(first: Box | None, second: Box | None) -> Box | None:
    if first is None or second is None:
        return first or second
    return (
        min(first[0], second[0]),
        min(first[1], second[1]),
        max(first[2], second[2]),
        max(first[3], second[3]),
    )
