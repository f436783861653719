"""How many more subjects: right where the law is known, and silent where it cannot tell."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usfm_studio.engine.scoring.learning_curve import EXPONENTS, FARTHEST, Point, fitted, more_subjects

LAW = {"a": st.floats(0.6, 1.0), "b": st.floats(0.2, 0.6), "c": st.sampled_from(EXPONENTS[5:55].tolist())}


def points_of(a, b, c, sizes, error=0.0, tested=20):
    return [Point(subjects=n, score=a - b * n**-c, error=error, tested=tested) for n in sizes]


@given(**LAW)
@settings(max_examples=25, deadline=None)
def test_a_law_without_noise_is_found_again(a, b, c):
    sizes = [3, 6, 12, 24, 48]
    curve = fitted(sizes, np.array([[p.score for p in points_of(a, b, c, sizes)]]), [1.0] * 5)
    assert curve.at(96)[0] == pytest.approx(a - b * 96**-c, abs=2e-3)


@given(**LAW, ahead=st.floats(1.05, 3.5))
@settings(max_examples=25, deadline=None)
def test_the_number_of_subjects_is_that_at_which_the_law_reaches_the_target(a, b, c, ahead):
    wanted = math.floor(24 * ahead)
    more = more_subjects(points_of(a, b, c, [3, 6, 12, 24]), a - b * wanted**-c)
    assert abs(more.subjects - (wanted - 24)) <= 2 + 0.05 * wanted
    assert more.low <= more.subjects <= more.high


def test_a_target_that_is_reached_needs_nobody_more():
    more = more_subjects(points_of(0.95, 0.5, 0.7, [5, 10, 20], error=0.002), 0.8)
    assert (more.subjects, more.low, more.high) == (0, 0, 0)


def test_two_sizes_tell_nothing_however_many_runs_there_are():
    more = more_subjects(points_of(0.95, 0.5, 0.7, [5, 5, 10, 10]), 0.93)
    assert (more.subjects, more.low, more.high) == (None, None, None)
    assert "3 different numbers" in more.why


def test_nothing_is_foretold_far_beyond_what_was_tried():
    points = points_of(0.95, 0.5, 0.3, [5, 10, 20], error=0.001)
    far = 0.95 - 0.5 * (20 * (FARTHEST + 1)) ** -0.3
    assert more_subjects(points, far).subjects is None
    assert more_subjects(points, 0.97).subjects is None, "never reached"


def test_scores_that_scatter_tell_nothing():
    more = more_subjects(points_of(0.9, 0.5, 0.7, [5, 10, 20], error=0.05), 0.86)
    assert more.subjects is None
    assert "scatter" in more.why


@given(st.integers(0, 99))
@settings(max_examples=8, deadline=None)
def test_the_interval_grows_with_the_errors(seed):
    def width(error):
        more = more_subjects(points_of(0.95, 0.8, 0.9, [4, 8, 16, 32], error=error), 0.93, seed=seed)
        return math.inf if more.high is None else more.high - more.low

    assert width(0.0) <= width(0.001) <= width(0.01)


@given(st.lists(st.tuples(st.integers(1, 60), st.floats(0, 1), st.floats(0, 0.2)), max_size=8), st.floats(0, 1.2))
@settings(max_examples=25, deadline=None)
def test_whatever_the_points_the_answer_is_whole_or_none(points, target):
    more = more_subjects([Point(subjects=n, score=s, error=e, tested=5) for n, s, e in points], target)
    given = (more.subjects, more.low, more.high)
    assert given == (None, None, None) or all(isinstance(x, int) and x >= 0 for x in given)
    assert (more.subjects is None) == bool(more.why)
