"""Where the image lies as a person moves and scales it: fitted to the view until they do."""

from __future__ import annotations

from dataclasses import replace

from usfm_studio.document.rasterise import XY
from usfm_studio.ui.canvas.coordinates import NO_MARGINS, Margins, Placement, centred, fitted, within_zoom
from usfm_studio.ui.canvas.grid import Grid

_KEPT_IN_VIEW = 48.0  # logical pixels of the image that stay in the view however far it is moved


class Navigation:
    """Placement of the current image in a view of some size; all changes keep it on the device grid."""

    def __init__(self) -> None:
        self._shape: tuple[int, int] = (1, 1)
        self._aspect = 1.0
        self._view: XY = (1.0, 1.0)
        self._ratio = 1.0
        self._shift: XY = (0.0, 0.0)
        self._margins = NO_MARGINS
        self._placement = Placement()
        self.fits = True

    @property
    def placement(self) -> Placement:
        """Where the image lies now."""
        return self._placement

    @property
    def grid(self) -> Grid:
        """The same on the screen's pixels; layers cover the view and a pixel more where it begins between two."""
        extra = 1 if self._shift != (0.0, 0.0) else 0
        width, height = (max(1, round(side * self._ratio + 0.49)) + extra for side in self._view)
        return Grid(placement=self._placement, ratio=self._ratio, shift=self._shift, size_wh=(width, height))

    @property
    def zoom(self) -> float:
        """Device pixels per image pixel: 1.0 shows each image pixel as one pixel of the screen."""
        return self._placement.scale * self._ratio

    @property
    def margins(self) -> Margins:
        """Room that the image keeps clear of."""
        return self._margins

    def show(self, shape_rc: tuple[int, int], aspect: float) -> None:
        """Another image. One of the same shape stays where the last one was; another is fitted."""
        if (shape_rc, aspect) != (self._shape, self._aspect):
            self._shape, self._aspect = shape_rc, aspect
            self.fit()

    def view_is(self, view_wh: XY, ratio: float, shift: XY) -> None:
        """The view's size in logical pixels and its device grid. Unless fitted, what is in the middle stays there."""
        if (view_wh, ratio, shift) == (self._view, self._ratio, self._shift):
            return
        middle = self._placement.view_to_image((self._view[0] / 2, self._view[1] / 2))
        self._view, self._ratio, self._shift = view_wh, ratio, shift
        if self.fits:
            self.fit()
        else:
            self._place(self._placement.holding(middle, (view_wh[0] / 2, view_wh[1] / 2)))

    def keep_clear(self, margins: Margins) -> None:
        """Room at the edges that something else covers."""
        if margins != self._margins:
            self._margins = margins
            if self.fits:
                self.fit()

    def fit(self) -> None:
        """The whole image, as large as it goes."""
        self.fits = True
        placement = fitted(self._shape, self._view, self._aspect, self._margins)
        self._placement = placement.snapped(self._ratio, self._shift)

    def zoom_to(self, zoom: float) -> None:
        """So many device pixels per image pixel, centred."""
        self.fits = False
        scale = within_zoom(zoom / self._ratio, self._ratio)
        self._place(centred(self._shape, self._view, scale, self._aspect, self._margins))

    def zoom_by(self, factor: float, about_view: XY) -> None:
        """Scaled about a view point. Where the factor leads past 100 %, it stops there once."""
        scale = within_zoom(self._placement.scale * factor, self._ratio)
        before, after = self.zoom, scale * self._ratio
        if min(before, after) < 0.999 and max(before, after) > 1.001 and abs(after - 1) < 0.2:
            scale = 1 / self._ratio
        self.fits = False
        self._place(self._placement.scaled(scale, about_view))

    def pan_by(self, offset: XY) -> None:
        """Moved by logical pixels."""
        self.fits = False
        x, y = self._placement.corner_view
        self._place(replace(self._placement, corner_view=(x + offset[0], y + offset[1])))

    def hold(self, image_xy: XY, at_view: XY) -> None:
        """Moved so that an image point lies under a view point."""
        self.fits = False
        self._place(self._placement.holding(image_xy, at_view))

    def _place(self, placement: Placement) -> None:
        left, top, right, bottom = placement.box_to_view((0, 0, self._shape[1], self._shape[0]))
        x, y = placement.corner_view
        x += max(0.0, _KEPT_IN_VIEW - right) - max(0.0, left - (self._view[0] - _KEPT_IN_VIEW))
        y += max(0.0, _KEPT_IN_VIEW - bottom) - max(0.0, top - (self._view[1] - _KEPT_IN_VIEW))
        self._placement = replace(placement, corner_view=(x, y)).snapped(self._ratio, self._shift)
