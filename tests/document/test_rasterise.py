"""Shapes become the pixels whose centres they hold, wherever they lie between pixels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usfm_studio.document.mask import Mask
from usfm_studio.document.rasterise import disc, paint_spans, polygon, stroke, stroke_on

SHAPE = (61, 83)
near = st.floats(-12, 95, allow_nan=False, width=32)
points = st.tuples(near, near)
radii = st.floats(0.5, 30)


def _distance(a, b):
    """Distance of each pixel centre of SHAPE to the line from a to b."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(float)
    (ax, ay), (bx, by) = a, b
    length2 = (bx - ax) ** 2 + (by - ay) ** 2
    t = np.zeros_like(x) if length2 == 0 else np.clip(((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length2, 0, 1)
    return np.hypot(x - ax - t * (bx - ax), y - ay - t * (by - ay))


def _ends(a, b):
    own = np.zeros(SHAPE, bool)
    for x, y in (a, b):
        row, column = int(np.floor(y + 0.5)), int(np.floor(x + 0.5))
        if 0 <= row < SHAPE[0] and 0 <= column < SHAPE[1]:
            own[row, column] = True
    return own


@given(points, points, radii)
@settings(max_examples=200, deadline=None)
def test_a_stroke_holds_every_pixel_centre_within_its_radius_and_no_other(a, b, radius):
    got = stroke(a, b, radius).to_array(SHAPE)
    distance = _distance(a, b)
    assert got[distance < radius - 1e-6].all()
    extra = got & (distance > radius + 1e-6)
    if radius < 0.7072:  # thin strokes also take the pixels of their ends, and what joins them in a row
        assert (distance[extra] < 1.6).all()
    else:
        assert not extra.any()
    assert got[_ends(a, b)].all()


@given(points, points, radii)
@settings(max_examples=200, deadline=None)
def test_a_step_of_the_brush_adds_what_its_start_did_not_cover(a, b, radius):
    step, start = stroke_on(a, b, radius).to_array(SHAPE), disc(a, radius).to_array(SHAPE)
    assert not (step & start).any()
    assert np.array_equal(step | start, stroke(a, b, radius).to_array(SHAPE))


@given(st.lists(points, min_size=3, max_size=9))
@settings(max_examples=200, deadline=None)
def test_a_polygon_holds_the_centres_inside_it_by_the_even_odd_rule(corners):
    got = polygon(corners).to_array(SHAPE)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(float)
    crossings, unsure = np.zeros(SHAPE, int), np.zeros(SHAPE, bool)
    for (ax, ay), (bx, by) in zip(corners, corners[1:] + corners[:1], strict=True):
        if ay > by:
            ax, ay, bx, by = bx, by, ax, ay
        rows = (y >= ay) & (y < by)
        at = ax + (y - ay) * ((bx - ax) / (by - ay) if by > ay else 0)
        crossings += rows & (at <= x)
        unsure |= rows & (np.abs(at - x) < 1e-6)
    wanted = crossings % 2 == 1
    assert np.array_equal(got[~unsure], wanted[~unsure])


def test_polygons_that_share_an_edge_share_no_pixel_and_leave_no_gap():
    left, right = polygon([(2, 1), (40, 9), (33, 50), (5, 44)]), polygon([(40, 9), (70, 3), (66, 58), (33, 50)])
    whole = polygon([(2, 1), (40, 9), (70, 3), (66, 58), (33, 50), (5, 44)])
    a, b = left.to_array(SHAPE), right.to_array(SHAPE)
    assert not (a & b).any()
    assert np.array_equal(a | b, whole.to_array(SHAPE))


@pytest.mark.parametrize("corners", [[], [(1, 1)], [(1, 1), (9, 9)], [(3.2, 3.2), (3.4, 3.2), (3.3, 3.4)]])
def test_a_polygon_without_a_pixel_centre_inside_covers_nothing(corners):
    spans = polygon(corners)
    assert spans.box is None
    assert spans.area_px == 0


@pytest.mark.parametrize("centre", [(10.0, 10.0), (10.49, 9.51), (10.5, 10.5), (9.6, 10.4)])
def test_a_one_pixel_brush_paints_the_pixel_under_the_pointer(centre):
    got = disc(centre, 0.5).to_array(SHAPE)
    assert got[int(np.floor(centre[1] + 0.5)), int(np.floor(centre[0] + 0.5))]
    assert 1 <= got.sum() <= 4


@given(points, points)
@settings(max_examples=100, deadline=None)
def test_a_thin_stroke_has_no_gaps(a, b):
    from scipy.ndimage import label

    got = stroke(a, b, 0.5).to_array(SHAPE)
    assert label(got, np.ones((3, 3)))[1] <= 1


class TestPainting:
    def test_only_the_tiles_that_change_are_new_objects(self):
        mask = Mask.from_array(np.full((600, 700), 3, np.uint8))
        painted = paint_spans(mask, disc((100.0, 100.0), 20), 2)
        assert painted.mask.tile((0, 0)) is not mask.tile((0, 0))
        assert all(painted.mask.tile(i) is mask.tile(i) for i in mask.tiles if i != (0, 0))
        assert painted.box == (80, 80, 121, 121)

    def test_pixels_of_segments_that_may_not_be_replaced_stay(self):
        ids = np.zeros(SHAPE, np.uint8)
        ids[:, 40:] = 7
        painted = paint_spans(Mask.from_array(ids), disc((40.0, 30.0), 10), 2, replaces=(0, 2)).mask.to_array()
        covered = disc((40.0, 30.0), 10).to_array(SHAPE)
        assert (painted[covered & (ids == 0)] == 2).all()
        assert (painted[:, 40:] == 7).all()

    def test_painting_what_is_there_already_changes_nothing(self):
        mask = paint_spans(Mask.empty(SHAPE), disc((20.0, 20.0), 8), 4).mask
        again = paint_spans(mask, disc((20.0, 20.0), 7), 4)
        assert again.mask is mask
        assert again.box is None

    def test_a_shape_outside_the_frame_changes_nothing(self):
        mask = Mask.empty(SHAPE)
        assert paint_spans(mask, disc((-50.0, 20.0), 8), 4).mask is mask

    @given(points, points, st.floats(0.5, 400), st.integers(0, 3), st.sampled_from([None, (0,), (0, 1), (2,)]))
    @settings(max_examples=100, deadline=None)
    def test_tiles_hold_what_an_array_would(self, a, b, radius, value, replaces):
        ids = (np.arange(520 * 300).reshape(520, 300) // 997 % 4).astype(np.uint8)
        spans = stroke((a[0] * 3, a[1] * 5), (b[0] * 3, b[1] * 5), radius)
        painted = paint_spans(Mask.from_array(ids), spans, value, replaces)
        wanted = ids.copy()
        where = spans.to_array(ids.shape)
        if replaces is not None:
            where &= np.isin(ids, replaces)
        wanted[where] = value
        assert np.array_equal(painted.mask.to_array(), wanted)
        changed = np.argwhere(wanted != ids)
        if changed.size:
            x0, y0, x1, y1 = painted.box
            assert (changed >= (y0, x0)).all()
            assert (changed < (y1, x1)).all()
        else:
            assert painted.box is None

    @given(st.lists(points, min_size=3, max_size=6))
    @settings(max_examples=50, deadline=None)
    def test_erasing_takes_back_a_polygon(self, corners):
        spans = polygon(corners)
        painted = paint_spans(Mask.empty(SHAPE), spans, 5).mask
        assert painted.area_px(5) == spans.clipped(SHAPE).area_px
        assert paint_spans(painted, spans, 0).mask.same_as(Mask.empty(SHAPE))
