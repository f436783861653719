"""Where the image lies in the view: image points to view points and back.

Image points (x, y) have pixel centres at integers: the first pixel's centre is (0, 0), its upper left corner
(-0.5, -0.5). View points are logical pixels from the widget's upper left corner. A device pixel is 1/ratio of one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from usfm_studio.document.rasterise import XY, Box

LARGEST_ZOOM = 64.0  # device pixels per image pixel
SMALLEST_ZOOM = 1 / 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Margins:
    """Room at the view's edges that the image keeps clear of (a drawer that covers the canvas), logical pixels."""

    left: float = 0.0
    top: float = 0.0
    right: float = 0.0
    bottom: float = 0.0


NO_MARGINS = Margins()


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Scale and position of an image in the view.

    `scale` is logical pixels per image row; `aspect` the width of an image pixel over its height; `corner_view` the
    view point of the image's upper left corner.
    """

    scale: float = 1.0
    aspect: float = 1.0
    corner_view: XY = (0.0, 0.0)

    @property
    def scale_xy(self) -> XY:
        """Logical pixels per image pixel along x and y."""
        return self.scale * self.aspect, self.scale

    def image_to_view(self, xy: XY) -> XY:
        """The view point of an image point."""
        sx, sy = self.scale_xy
        return self.corner_view[0] + (xy[0] + 0.5) * sx, self.corner_view[1] + (xy[1] + 0.5) * sy

    def view_to_image(self, view_xy: XY) -> XY:
        """The image point under a view point; inverse of `image_to_view`."""
        sx, sy = self.scale_xy
        return (view_xy[0] - self.corner_view[0]) / sx - 0.5, (view_xy[1] - self.corner_view[1]) / sy - 0.5

    def box_to_view(self, box: Box) -> tuple[float, float, float, float]:
        """(left, top, right, bottom) in the view of a box of whole pixels."""
        x0, y0 = self.image_to_view((box[0] - 0.5, box[1] - 0.5))
        x1, y1 = self.image_to_view((box[2] - 0.5, box[3] - 0.5))
        return x0, y0, x1, y1

    def view_to_box(self, rect: tuple[float, float, float, float]) -> Box:
        """The smallest box of whole pixels that covers (left, top, right, bottom) of the view."""
        x0, y0 = self.view_to_image((rect[0], rect[1]))
        x1, y1 = self.view_to_image((rect[2], rect[3]))
        return math.floor(x0 + 0.5), math.floor(y0 + 0.5), math.ceil(x1 + 0.5), math.ceil(y1 + 0.5)

    def holding(self, image_xy: XY, view_xy: XY) -> Placement:
        """Moved so that an image point lies under a view point."""
        now = self.image_to_view(image_xy)
        x, y = self.corner_view
        return replace(self, corner_view=(x + view_xy[0] - now[0], y + view_xy[1] - now[1]))

    def scaled(self, scale: float, about_view: XY) -> Placement:
        """At another scale, with the image point under `about_view` kept there."""
        kept = self.view_to_image(about_view)
        return replace(self, scale=scale).holding(kept, about_view)

    def snapped(self, ratio: float, shift: XY = (0.0, 0.0)) -> Placement:
        """Moved by less than a device pixel so that the image's corner lies on one.

        `ratio` is device pixels per logical pixel; `shift` the view point of the device grid's origin.
        """
        x, y = self.corner_view
        return replace(self, corner_view=(_on_grid(x, ratio, shift[0]), _on_grid(y, ratio, shift[1])))


def fitted(
    shape_rc: tuple[int, int], view_wh: XY, aspect: float = 1.0, margins: Margins = NO_MARGINS, most: float = math.inf
) -> Placement:
    """The largest placement (up to scale `most`) that shows the whole image, centred in what the margins leave."""
    rows, columns = shape_rc
    width = max(1.0, view_wh[0] - margins.left - margins.right)
    height = max(1.0, view_wh[1] - margins.top - margins.bottom)
    scale = min(width / (columns * aspect), height / rows, most)
    return centred(shape_rc, view_wh, scale, aspect, margins)


def centred(
    shape_rc: tuple[int, int], view_wh: XY, scale: float, aspect: float = 1.0, margins: Margins = NO_MARGINS
) -> Placement:
    """The image at a scale, its centre in the middle of what the margins leave."""
    rows, columns = shape_rc
    middle = (margins.left + view_wh[0] - margins.right) / 2, (margins.top + view_wh[1] - margins.bottom) / 2
    placed = Placement(scale=scale, aspect=aspect)
    return placed.holding(((columns - 1) / 2, (rows - 1) / 2), middle)


def within_zoom(scale: float, ratio: float) -> float:
    """A scale held to the smallest and largest zoom."""
    return min(max(scale, SMALLEST_ZOOM / ratio), LARGEST_ZOOM / ratio)


def _on_grid(value: float, ratio: float, shift: float) -> float:
    return round((value - shift) * ratio) / ratio + shift
