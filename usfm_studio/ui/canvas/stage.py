"""All that the canvas shows, put together: picture, proposed and accepted segments, furniture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from PySide6.QtCore import QPointF, QRect, QRectF
from PySide6.QtGui import QPainter, QRegion

from usfm_studio.document.mask import Mask
from usfm_studio.ui.canvas import furniture
from usfm_studio.ui.canvas.coordinates import Margins
from usfm_studio.ui.canvas.furniture import DepthScale, Furniture, Room
from usfm_studio.ui.canvas.grid import Grid
from usfm_studio.ui.canvas.layers import PictureLayer, SegmentLayer, Shown
from usfm_studio.ui.canvas.picture import Picture
from usfm_studio.ui.canvas.styles import Overlay, SegmentStyle
from usfm_studio.ui.canvas.texts import CornerTexts
from usfm_studio.ui.shell import theme


@dataclass(slots=True)
class Stage:
    """Holds what is shown; `stale` tells what to repaint, `refresh` makes it, `paint` repaints it."""

    picture: Picture | None = None
    picture_layer: PictureLayer = field(default_factory=PictureLayer)
    accepted: SegmentLayer = field(default_factory=lambda: SegmentLayer(proposed=False))
    proposed: SegmentLayer = field(default_factory=lambda: SegmentLayer(proposed=True))
    furniture: Furniture = field(default_factory=Furniture)
    corner: CornerTexts = field(default_factory=CornerTexts)
    depth: DepthScale | None = None
    shows_texts: bool = True
    styles: Mapping[int, SegmentStyle] = field(default_factory=dict)
    confidences: Mapping[int, float] = field(default_factory=dict)
    overlay: Overlay = Overlay.FULL
    peeking: bool = False
    opacity: float = 1.0
    arrival: float = 1.0
    """How far a new proposal has faded in, 0 to 1."""
    tags_stale: bool = True

    def show_masks(
        self,
        accepted: Mask,
        proposed: Mask | None,
        styles: Mapping[int, SegmentStyle],
        confidences: Mapping[int, float],
    ) -> None:
        """Other masks, styles or confidences."""
        self.styles, self.confidences = dict(styles), dict(confidences)
        self.accepted.show(accepted, self.styles)
        self.proposed.show(proposed or Mask.empty(accepted.shape_rc), self.styles)
        self.tags_stale = True

    @property
    def drawn(self) -> Overlay:
        """What is drawn of segments now: thin lines while a person peeks, be they shown or hidden otherwise."""
        return Overlay.PEEK if self.peeking else self.overlay

    def update_looks(self) -> None:
        """Take overlay mode, opacity and the theme's outline width over into the layers of segments."""
        width = theme.tokens().outline_px
        for layer in (self.accepted, self.proposed):
            layer.set_look(replace(layer.look, overlay=self.drawn, outline_px=width))
            layer.opacity = self.opacity * (self.arrival if layer is self.proposed else 1.0)

    def stale(self, grid: Grid) -> QRegion:
        """The part of the view that changed masks will change."""
        region = QRegion()
        for layer in (self.accepted, self.proposed):
            rect = layer.stale_rect(grid)
            if not rect.isEmpty():
                region = region.united(to_view(rect, grid))
        return region

    def refresh(self, grid: Grid, shown: Shown) -> None:
        """Bring the layers up to date."""
        self.update_looks()
        self.picture_layer.refresh(self.picture, grid, replace(shown, background=theme.tokens().canvas))
        self.proposed.refresh(grid)
        self.accepted.refresh(grid)

    def paint(self, painter: QPainter, region: QRegion, grid: Grid) -> None:
        """Everything in a region of the view as it was refreshed, furniture last. The painter is in logical pixels."""
        bounds = QRectF(region.boundingRect())
        part = grid.covering((bounds.left(), bounds.top(), bounds.right(), bounds.bottom()))
        painter.save()
        on_grid(painter, grid)
        painter.drawImage(part.topLeft(), self.picture_layer.image, part)
        if self.picture is not None:
            self.proposed.draw(painter, part)
            self.accepted.draw(painter, part)
        painter.restore()
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.TextAntialiasing)
        self.furniture.draw(painter, region)

    def settle(self, grid: Grid, view: QRectF, margins: Margins, view_line: str, pointer: QPointF | None) -> QRegion:
        """Put the furniture where it belongs now; what of the view that changes. Not during a stroke."""
        room = Room(
            view=view,
            margins=margins,
            corner=self.corner,
            view_line=view_line if self.picture is not None else "",
            placement=grid.placement,
            rows=self.picture.shape_rc[0] if self.picture is not None else 0,
            depth=self.depth,
            shows_texts=self.shows_texts and self.picture is not None,
        )
        changed = self.furniture.settle_room(room)
        if not changed.isEmpty() or self.tags_stale:
            changed = changed.united(self._settle_tags(grid, view))
            self.tags_stale = False
        return changed.united(self.furniture.name_tag(pointer, 0))

    def _settle_tags(self, grid: Grid, view: QRectF) -> QRegion:
        wanted = []
        if self.picture is not None and self.drawn is not Overlay.NONE:
            wanted = [
                *furniture.tagged(self.proposed.loops(grid), self.styles, self.confidences),
                *furniture.tagged(self.accepted.loops(grid), self.styles, None),
            ]
        return self.furniture.settle_tags(wanted, view)


def on_grid(painter: QPainter, grid: Grid) -> None:
    """Turn a widget's painter to whole device pixels, as the layers have them."""
    painter.scale(1 / grid.ratio, 1 / grid.ratio)
    device = painter.deviceTransform()
    painter.translate(-_fraction(device.dx()), -_fraction(device.dy()))


def _fraction(value: float) -> float:
    part = value - round(value)
    return 0.0 if abs(part) < 1e-6 else value - int(value // 1)


def to_view(rect: QRect, grid: Grid) -> QRect:
    """Whole logical pixels that cover a rectangle of device pixels."""
    x0, y0, x1, y1 = grid.view_rect(rect)
    return QRectF(x0, y0, x1 - x0, y1 - y0).toAlignedRect()
