import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usfm_studio.document.prompts import Box, Click, Scribble
from usfm_studio.engine.prompting.window import (
    LEAST_SIDE,
    SIDE,
    Window,
    extent_of,
    planes,
    whole_window,
    zoom_window,
)

shapes = st.tuples(st.integers(1, 900), st.integers(1, 900))


@given(shapes)
@settings(max_examples=40, deadline=None)
def test_the_whole_window_shows_all_of_a_frame(shape_rc):
    rows, columns = whole_window(shape_rc).inside(shape_rc)
    assert (rows, columns) == (slice(0, shape_rc[0]), slice(0, shape_rc[1]))


@given(st.tuples(st.integers(100, 900), st.integers(100, 900)), st.data())
@settings(max_examples=60, deadline=None)
def test_a_zoomed_window_holds_what_it_is_for(shape_rc, data):
    x0, x1 = sorted(data.draw(st.tuples(*[st.integers(0, shape_rc[1] - 1)] * 2)))
    y0, y1 = sorted(data.draw(st.tuples(*[st.integers(0, shape_rc[0] - 1)] * 2)))
    window = zoom_window((x0, y0, x1, y1), shape_rc)
    assert window.left <= x0
    assert window.top <= y0
    assert x1 < window.left + window.side
    assert y1 < window.top + window.side
    assert window.side >= min(LEAST_SIDE, max(shape_rc))


@given(st.integers(-50, 300), st.integers(-50, 300), st.integers(96, 500), st.floats(-99, 600), st.floats(-99, 600))
@settings(max_examples=60, deadline=None)
def test_places_and_back_are_inverse(left, top, side, x, y):
    window, points = Window(left, top, side), np.array([[x, y]])
    assert window.back(window.places(points)) == pytest.approx(points)


def test_what_is_cut_and_put_back_is_where_it_was():
    frame = np.zeros((300, 420), np.float32)
    frame[100:180, 200:290] = 1
    for window in (whole_window(frame.shape), zoom_window((200, 100, 289, 179), frame.shape), Window(-40, -20, 400)):
        there = window.put(window.cut(frame, 256), frame.shape, 0.0) > 0.5
        rows, columns = window.inside(frame.shape)
        wrong = there[rows, columns] != (frame[rows, columns] > 0.5)
        assert wrong.mean() < 0.006, window


def test_prompts_are_drawn_where_they_are():
    window = Window(100, 50, 128)
    prompts = [
        Click((150.0, 100.0)),
        Click((170.0, 120.0), positive=False),
        Scribble(((110.0, 60.0), (120.0, 60.0)), positive=False),
        Box((119.5, 69.5), (139.5, 89.5)),
    ]
    drawn = planes(np.zeros((SIDE, SIDE), np.float32), np.zeros((SIDE, SIDE), np.float32), prompts, window)
    rows, columns = np.nonzero(drawn[2])
    assert (rows.mean(), columns.mean()) == pytest.approx((100.5, 100.5), abs=1)
    assert np.ptp(rows) == 10
    assert drawn[3][141, 141] == 1
    assert drawn[3][20, 25] == 1
    assert drawn[4].sum() == 40 * 40
    assert drawn[4][40:80, 40:80].all()


def test_prompts_far_away_are_drawn_nowhere():
    window = Window(0, 0, 128)
    far = [Click((1e9, -1e9)), Scribble(((1e9, 1e9), (2e9, 1e9))), Box((1e8, 1e8), (1e9, 1e9))]
    nothing = np.zeros((SIDE, SIDE), np.float32)
    assert not planes(nothing, nothing, far, window).any()


def test_the_extent_is_of_mask_and_positive_prompts():
    mask = np.zeros((100, 100), bool)
    mask[20:30, 40:50] = True
    prompts = [Click((60.0, 25.0)), Click((99.0, 99.0), positive=False), Box((10.0, 21.0), (50.0, 70.0))]
    assert extent_of(mask, prompts) == (10.0, 20.0, 60.0, 70.0)
    assert extent_of(None, prompts[1:2]) is None


def test_a_mask_at_the_frames_border_touches_nothing_but_at_the_windows_edge():
    mask = np.zeros((200, 200), bool)
    mask[:50, :50] = True
    assert not Window(-20, -20, 120).touched(mask)
    assert Window(-20, -20, 60).touched(mask)
    assert not whole_window((200, 200)).touched(np.ones((200, 200), bool))
