import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import label

from tests.engine.prompting.test_clicker import disc
from usfm_studio.document.prompts import Box, Click, Scribble
from usfm_studio.engine.prompting.holding import DISC_PX, held

SHAPE = (40, 50)
frames = arrays(bool, SHAPE)
places = st.tuples(st.integers(0, SHAPE[1] - 1), st.integers(0, SHAPE[0] - 1))


def spot(at_xy):
    return disc(SHAPE, at_xy[1], at_xy[0], DISC_PX)


@given(frames, st.none() | frames, places, st.booleans(), st.integers(0, 60))
@settings(max_examples=100, deadline=None)
def test_a_click_holds(asked, before, at_xy, positive, reach):
    mask = held(asked, before, [Click(at_xy, positive)], reach)
    assert (mask[spot(at_xy)] == positive).all()


@given(frames, frames, places)
@settings(max_examples=80, deadline=None)
def test_a_negative_click_adds_nothing(asked, before, at_xy):
    mask = held(asked, before, [Click(at_xy, False)], 100)
    assert not (mask & ~before).any()


@given(frames, frames.filter(lambda m: m.any()), places)
@settings(max_examples=80, deadline=None)
def test_far_from_a_click_nothing_changes(asked, before, at_xy):
    mask = held(asked, before, [Click(at_xy)], 5)
    changed = (mask != before) & ~spot(at_xy)
    seen = np.zeros(SHAPE, bool)
    reach = disc(SHAPE, at_xy[1], at_xy[0], 6)
    parts, _ = label(asked ^ before, np.ones((3, 3)))
    for number in np.unique(parts[reach & (parts > 0)]):
        seen |= parts == number
    assert not (changed & ~seen).any()


def test_earlier_prompts_hold_and_the_newer_decides():
    nothing = np.zeros(SHAPE, bool)
    prompts = [Click((10.0, 10.0)), Click((30.0, 30.0), False), Click((12.0, 10.0), False)]
    mask = held(~nothing, None, prompts, 100)
    assert mask[10, 8]
    assert not mask[spot((30, 30))].any()
    assert not mask[spot((12, 10))].any()


def test_a_stroke_holds_along_its_line_and_a_box_decides_nothing():
    nothing = np.zeros(SHAPE, bool)
    mask = held(nothing, None, [Scribble(((5.0, 5.0), (25.0, 5.0)))], 100)
    assert mask[5, 5:26].all()
    assert not held(nothing, None, [Box((5.0, 5.0), (25.0, 25.0))], 100).any()


def test_the_masks_given_are_left_as_they_are():
    asked, before = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    before[5:9, 5:9] = True
    held(asked, before, [Click((20.0, 20.0))], 100)
    assert not asked.any()
    assert before.sum() == 16
