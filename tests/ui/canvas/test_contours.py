"""Outlines enclose exactly the pixels of an area."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from usfm_studio.document.rasterise import polygon
from usfm_studio.ui.canvas.contours import MOST_EASED, outline
from usfm_studio.ui.canvas.outlines import to_path

areas = arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 15)), elements=st.booleans())


def _enclosed(loops, shape):
    """Pixels enclosed by an odd number of loops."""
    inside = np.zeros(shape, bool)
    for index in range(len(loops)):
        inside ^= polygon([tuple(p) for p in loops.loop(index).tolist()]).to_array(shape)
    return inside


def _signed_area(points):
    x, y = points.astype(float).T
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2)


@given(areas)
@settings(max_examples=300, deadline=None)
def test_an_exact_outline_encloses_the_area_and_nothing_else(inside):
    loops = outline(inside, smooth=False)
    assert np.array_equal(_enclosed(loops, inside.shape), inside)
    assert sum(_signed_area(loops.loop(i)) for i in range(len(loops))) == inside.sum()


@given(areas)
@settings(max_examples=200, deadline=None)
def test_exact_outlines_go_along_pixel_borders_step_by_step(inside):
    loops = outline(inside, smooth=False)
    for index in range(len(loops)):
        points = loops.loop(index)
        steps = np.roll(points, -1, axis=0) - points
        assert (np.abs(steps).sum(axis=1) == 1).all()


@given(areas)
@settings(max_examples=200, deadline=None)
def test_a_smooth_outline_stays_near_the_pixel_borders(inside):
    exact, smooth = outline(inside, smooth=False), outline(inside)
    assert np.array_equal(exact.starts, smooth.starts)
    for index in range(len(exact)):
        begin = exact.loop(index)
        middles = (begin + np.roll(begin, -1, axis=0)) / 2
        assert (np.abs(smooth.loop(index) - middles) <= MOST_EASED + 1e-5).all()


def test_an_empty_area_has_no_outline():
    assert len(outline(np.zeros((4, 5), bool))) == 0


def test_pixels_that_touch_at_a_corner_share_an_outline():
    assert len(outline(np.eye(4, dtype=bool), smooth=False)) == 1


def test_a_hole_has_an_outline_of_its_own():
    ring = np.ones((5, 6), bool)
    ring[2, 3] = False
    assert len(outline(ring, smooth=False)) == 2


def test_a_smooth_outline_of_a_disc_is_round():
    y, x = np.mgrid[:101, :121]
    loops = outline((x - 60) ** 2 + (y - 50) ** 2 <= 40**2)
    radii = np.hypot(*(loops.points - (60, 50)).T)
    assert radii.max() - radii.min() < 0.9
    assert abs(radii.mean() - 40) < 0.3


@given(areas, st.integers(2, 7))
@settings(max_examples=100, deadline=None)
def test_thinning_keeps_every_loop_and_only_points_of_it(inside, every):
    loops = outline(inside, smooth=False)
    thin = loops.thinned(every, bend=0.5)
    assert len(thin) == len(loops)
    for index in range(len(loops)):
        whole = {tuple(p) for p in loops.loop(index).tolist()}
        assert {tuple(p) for p in thin.loop(index).tolist()} <= whole
        assert np.array_equal(thin.loop(index)[0], loops.loop(index)[0])


@given(areas)
@settings(max_examples=100, deadline=None)
def test_the_painters_path_has_every_point_and_closes_each_loop(inside):
    loops = outline(inside, smooth=False)
    path = to_path(loops)
    assert path.elementCount() == len(loops.points) + len(loops)
    at = 0
    for index in range(len(loops)):
        points = loops.loop(index)
        elements = [path.elementAt(at + i) for i in range(len(points) + 1)]
        assert elements[0].isMoveTo()
        assert [(e.x, e.y) for e in elements] == [tuple(p) for p in [*points.tolist(), points[0].tolist()]]
        at += len(points) + 1


@given(areas, st.randoms())
@settings(max_examples=100, deadline=None)
def test_part_of_a_path_has_the_ways_between_kept_points_and_no_other(inside, random):
    loops = outline(inside, smooth=False)
    kept = np.array([random.random() < 0.6 for _ in loops.points], bool)
    path = to_path(loops, kept)
    drawn, before = set(), None
    for i in range(path.elementCount()):
        element = path.elementAt(i)
        if not element.isMoveTo():
            drawn.add((before, (element.x, element.y)))
        before = (element.x, element.y)
    wanted = set()
    for index in range(len(loops)):
        points, flags = loops.loop(index).tolist(), kept[loops.starts[index] : loops.starts[index + 1]]
        for i, point in enumerate(points):
            following = (i + 1) % len(points)
            if flags[i] and flags[following]:
                wanted.add((tuple(point), tuple(points[following])))
    assert drawn == wanted
