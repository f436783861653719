import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import distance_transform_edt, label

from usfm_studio.document.prompts import Click
from usfm_studio.engine.prompting.clicker import (
    box_around,
    click_on,
    generator_for,
    largest_error,
    scribble_on,
    settle,
    stroke_px,
)
from usfm_studio.engine.prompting.skeleton import longest_path, skeleton

masks = arrays(bool, st.tuples(st.integers(1, 24), st.integers(1, 24)))
pairs = st.tuples(st.integers(1, 24), st.integers(1, 24)).flatmap(lambda s: st.tuples(arrays(bool, s), arrays(bool, s)))


def disc(shape, row, column, radius):
    r, c = np.mgrid[: shape[0], : shape[1]]
    return (r - row) ** 2 + (c - column) ** 2 <= radius**2


def depth_by_scipy(wrong):
    return distance_transform_edt(np.pad(wrong, 1))[1:-1, 1:-1]


@given(pairs)
@settings(max_examples=80, deadline=None)
def test_the_click_is_the_first_deepest_pixel_of_the_deeper_error(pair):
    reference, prediction = pair
    missed, surplus = depth_by_scipy(reference & ~prediction), depth_by_scipy(prediction & ~reference)
    error = largest_error(reference, prediction)
    if max(missed.max(), surplus.max()) == 0:
        assert error is None
        return
    positive = bool(missed.max() >= surplus.max() - 1e-6)
    depth = missed if positive else surplus
    first = np.argwhere(depth >= depth.max() - 1e-4)[0]
    assert click_on(error) == Click((float(first[1]), float(first[0])), positive)


def test_a_tie_goes_to_what_is_missed_and_the_border_bounds():
    reference, prediction = np.zeros((5, 12), bool), np.zeros((5, 12), bool)
    reference[:, :4], prediction[:, 8:] = True, True
    error = largest_error(reference, prediction)
    assert error.positive
    assert error.centre_rc == (1, 1)  # the corner's pixels would be deepest if the border did not bound
    assert error.depth.max() == 2


def test_a_pixel_once_clicked_counts_as_right():
    reference, nothing = disc((21, 21), 10, 10, 6), np.zeros((21, 21), bool)
    settled, seen = np.zeros((21, 21), bool), set()
    for _ in range(5):
        click = click_on(largest_error(reference, nothing, settled))
        assert click.at_xy not in seen
        assert reference[int(click.at_xy[1]), int(click.at_xy[0])]
        seen.add(click.at_xy)
        settle(settled, click)
    assert settled.sum() == 5


def test_no_click_where_nothing_is_wrong():
    reference = disc((21, 21), 10, 10, 6)
    assert largest_error(reference, reference) is None
    assert largest_error(reference, np.zeros_like(reference), reference) is None


@given(pairs, st.integers(0, 9))
@settings(max_examples=60, deadline=None)
def test_a_click_off_the_centre_lies_half_as_deep_at_least(pair, seed):
    error = largest_error(*pair)
    if error is None:
        return
    x, y = click_on(error, np.random.default_rng(seed)).at_xy
    assert error.depth[int(y), int(x)] >= error.depth.max() / 2


@given(masks.filter(lambda m: m.any()), st.integers(0, 50))
@settings(max_examples=80, deadline=None)
def test_a_box_is_near_the_tight_one_and_inside_the_frame(mask, segment):
    rows, columns = np.nonzero(mask.any(1))[0], np.nonzero(mask.any(0))[0]
    box = box_around(mask, generator_for("a.png", segment))
    draws = generator_for("a.png", segment).uniform(-0.05, 0.05, 4)
    width, height = columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1
    left = max(-0.5, columns[0] - 0.5 + draws[0] * width)
    bottom = min(mask.shape[0] - 0.5, rows[-1] + 0.5 + draws[3] * height)
    assert box.first_xy[0] == pytest.approx(left)
    assert box.last_xy[1] == pytest.approx(bottom)
    assert min(box.first_xy) >= -0.5
    assert box.last_xy[0] <= mask.shape[1] - 0.5


def test_the_draws_of_a_target_follow_from_its_file_and_segment():
    seed = int(hashlib.sha1(b"a.png:2").hexdigest(), 16) % 2**32
    assert generator_for("a.png", 2).uniform() == np.random.default_rng(seed).uniform()
    assert generator_for("a.png", 2).uniform() != generator_for("a.png", 3).uniform()


@given(masks)
@settings(max_examples=80, deadline=None)
def test_a_skeleton_lies_inside_and_keeps_the_parts(mask):
    thin = skeleton(mask)
    assert not (thin & ~mask).any()
    parts, count = label(mask, np.ones((3, 3)))
    large = [i for i in range(1, count + 1) if (parts == i).sum() > 4]  # Zhang and Suen erase a 2x2 block
    for i in large:
        assert label(thin & (parts == i), np.ones((3, 3)))[1] == 1


def test_the_longest_path_of_a_branched_line_leaves_the_short_branch_out():
    line = np.zeros((30, 60), bool)
    line[15, 5:55] = True
    line[10:15, 30] = True
    path = longest_path(line)
    assert len(path) == 50
    assert {tuple(path[0]), tuple(path[-1])} == {(15, 5), (15, 54)}
    assert len(longest_path(np.zeros((4, 4), bool))) == 0


def test_a_scribble_runs_along_the_thick_of_the_error():
    reference = np.zeros((256, 256), bool)
    reference[100:130, 20:230] = True
    scribble = scribble_on(largest_error(reference, np.zeros_like(reference)), generator_for("a.png", 1))
    xs, ys = zip(*scribble.points_xy, strict=True)
    assert scribble.positive
    assert 100 < max(xs) - min(xs) < 0.9 * 210
    assert abs(np.mean(ys) - 115) < 10
    again = scribble_on(largest_error(reference, np.zeros_like(reference)), generator_for("a.png", 1))
    assert again == scribble


def test_a_scribble_over_the_background_is_negative_and_settles_its_pixels():
    prediction = disc((128, 128), 64, 64, 30)
    error = largest_error(np.zeros_like(prediction), prediction)
    scribble = scribble_on(error, generator_for("b.png", 1))
    assert not scribble.positive
    settled = np.zeros_like(prediction)
    settle(settled, scribble)
    assert settled.any()
    assert stroke_px((512, 300)) == 6
    line = np.rint(np.array(scribble.points_xy)).astype(int)
    assert settled[line[:, 1], line[:, 0]].all()


def test_depth_is_exact():
    wrong = np.random.default_rng(0).random((300, 400)) < 0.999
    error = largest_error(wrong, np.zeros_like(wrong))
    assert np.allclose(error.depth, depth_by_scipy(wrong), atol=1e-4)
