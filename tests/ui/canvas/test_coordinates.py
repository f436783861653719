"""Image points and view points are each other's inverse, whatever the zoom, the screen and the pixel's shape."""

import math

from hypothesis import given
from hypothesis import strategies as st

from usfm_studio.ui.canvas.coordinates import Margins, Placement, fitted
from usfm_studio.ui.canvas.grid import Grid
from usfm_studio.ui.canvas.navigation import Navigation

places = st.floats(-5000, 5000)
points = st.tuples(places, places)
placements = st.builds(
    lambda scale, aspect, corner: Placement(scale=scale, aspect=aspect, corner_view=corner),
    st.floats(1 / 32, 64),
    st.floats(0.3, 3.0),
    points,
)


@given(placements, points)
def test_there_and_back_is_the_same_point(placement, xy):
    back = placement.view_to_image(placement.image_to_view(xy))
    assert math.dist(back, xy) < 1e-6


@given(placements, points)
def test_back_and_there_is_the_same_point(placement, view):
    back = placement.image_to_view(placement.view_to_image(view))
    assert math.dist(back, view) < 1e-6


def test_pixel_centres_lie_at_integers():
    placement = Placement(scale=4.0, corner_view=(10.0, 20.0))
    assert placement.image_to_view((0.0, 0.0)) == (12.0, 22.0)
    assert placement.view_to_image((10.0, 20.0)) == (-0.5, -0.5)
    assert placement.box_to_view((0, 0, 3, 2)) == (10.0, 20.0, 22.0, 28.0)


@given(placements, points, st.floats(0.1, 10))
def test_scaling_keeps_the_point_under_the_pointer(placement, about, factor):
    scaled = placement.scaled(placement.scale * factor, about)
    assert math.dist(scaled.view_to_image(about), placement.view_to_image(about)) < 1e-5


@given(placements, st.sampled_from([1.0, 1.25, 1.5, 2.0, 3.0]), st.tuples(st.floats(-0.99, 0), st.floats(-0.99, 0)))
def test_snapping_moves_by_less_than_a_device_pixel_onto_the_grid(placement, ratio, part):
    shift = (part[0] / ratio, part[1] / ratio)
    snapped = placement.snapped(ratio, shift)
    assert math.dist(snapped.corner_view, placement.corner_view) <= 0.71 / ratio + 1e-9
    grid = Grid(placement=snapped, ratio=ratio, shift=shift, size_wh=(100, 100))
    assert all(abs(v - round(v)) < 1e-6 for v in grid.to_device(snapped.corner_view))


@given(st.integers(1, 4000), st.integers(1, 4000), st.floats(0.5, 2), st.floats(0, 300), st.floats(0, 50))
def test_a_fitted_image_lies_in_what_the_margins_leave(rows, columns, aspect, left, bottom):
    placement = fitted((rows, columns), (944.0, 672.0), aspect, Margins(left=left, bottom=bottom))
    x0, y0, x1, y1 = placement.box_to_view((0, 0, columns, rows))
    assert x0 >= left - 1e-6
    assert x1 <= 944 + 1e-6
    assert y0 >= -1e-6
    assert y1 <= 672 - bottom + 1e-6
    assert math.isclose(x1 - x0, 944 - left, rel_tol=1e-6) or math.isclose(y1 - y0, 672 - bottom, rel_tol=1e-6)


@given(placements, st.tuples(st.floats(0, 400), st.floats(0, 300)), st.floats(1, 500))
def test_the_box_of_a_part_of_the_view_covers_it(placement, corner, side):
    rect = (corner[0], corner[1], corner[0] + side, corner[1] + side)
    x0, y0, x1, y1 = placement.box_to_view(placement.view_to_box(rect))
    assert x0 <= rect[0] + 1e-6
    assert y0 <= rect[1] + 1e-6
    assert x1 >= rect[2] - 1e-6
    assert y1 >= rect[3] - 1e-6


class TestNavigation:
    def a_navigation(self, shape=(346, 512), view=(944.0, 672.0), ratio=1.0):
        navigation = Navigation()
        navigation.view_is(view, ratio, (0.0, 0.0))
        navigation.show(shape, 1.0)
        return navigation

    def test_an_image_is_fitted_until_it_is_moved(self):
        navigation = self.a_navigation()
        assert math.isclose(navigation.zoom, 944 / 512)
        navigation.view_is((472.0, 672.0), 1.0, (0.0, 0.0))
        assert math.isclose(navigation.zoom, 472 / 512)
        navigation.pan_by((10.0, 0.0))
        navigation.view_is((944.0, 672.0), 1.0, (0.0, 0.0))
        assert math.isclose(navigation.zoom, 472 / 512)

    def test_what_was_in_the_middle_stays_in_the_middle(self):
        navigation = self.a_navigation()
        navigation.zoom_to(3.0)
        middle = navigation.placement.view_to_image((472.0, 336.0))
        navigation.view_is((600.0, 500.0), 1.0, (0.0, 0.0))
        assert math.dist(navigation.placement.view_to_image((300.0, 250.0)), middle) < 0.5

    def test_one_to_one_is_a_device_pixel(self):
        navigation = self.a_navigation(ratio=2.0)
        navigation.zoom_to(1.0)
        assert navigation.placement.scale == 0.5
        assert navigation.zoom == 1.0

    def test_zooming_past_one_to_one_stops_there_once(self):
        navigation = self.a_navigation()
        navigation.zoom_to(0.9)
        navigation.zoom_by(1.2, (400.0, 300.0))
        assert navigation.zoom == 1.0
        navigation.zoom_by(1.2, (400.0, 300.0))
        assert math.isclose(navigation.zoom, 1.2)

    def test_the_image_cannot_be_lost(self):
        navigation = self.a_navigation()
        navigation.pan_by((-1e6, 1e6))
        _, y0, x1, _ = navigation.placement.box_to_view((0, 0, 512, 346))
        assert x1 > 40
        assert y0 < 672 - 40

    def test_the_next_frame_of_a_loop_stays_where_the_last_one_was(self):
        navigation = self.a_navigation()
        navigation.zoom_by(2.0, (100.0, 100.0))
        before = navigation.placement
        navigation.show((346, 512), 1.0)
        assert navigation.placement == before
        navigation.show((300, 512), 1.0)
        assert navigation.fits
