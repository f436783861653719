"""Degrading a good frame: repeatable, of the same size, worse, and nothing painted into the black."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.making import a_frame
from usfm_studio.engine.learning.degradation import STEPS, Degradation, degraded
from usfm_studio.engine.scoring.pictures import psnr

ALWAYS = replace(Degradation(), untouched=0.0)
NOTHING = replace(ALWAYS, **dict.fromkeys(STEPS, 0.0))


def a_sector():
    """A frame in a black rim that is wider than what a degradation may reach."""
    pixels = np.zeros((120, 150), np.uint8)
    pixels[40:100, 50:130] = a_frame(60, 80) // 2 + 60
    return pixels


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_draw_is_repeatable_keeps_the_size_and_leaves_the_black_black(seed):
    pixels = a_sector()
    once = degraded(pixels, ALWAYS, np.random.default_rng(seed))
    again = degraded(pixels, ALWAYS, np.random.default_rng(seed))
    assert once.shape == pixels.shape
    assert once.dtype == np.uint8
    assert np.array_equal(once, again)
    assert not once[:25].any()
    assert not once[:, :35].any()
    assert not np.array_equal(once, pixels)


@pytest.mark.parametrize("name", STEPS)
def test_each_degradation_alone_takes_something_away(name):
    pixels = a_sector()
    alone = replace(NOTHING, **{name: 1.0})
    found = degraded(pixels, alone, np.random.default_rng(1))
    assert 5 < psnr(found, pixels, pixels > 0) < 60


def test_some_frames_stay_as_they_are_so_that_good_ones_are_learned_to_be_left_alone():
    pixels = a_sector()
    same = [np.array_equal(degraded(pixels, Degradation(), np.random.default_rng(n)), pixels) for n in range(100)]
    assert 20 < sum(same) < 60


def test_every_degradation_has_its_probability_and_its_range():
    names = [field.name for field in fields(Degradation)]
    assert all(name in names for name in STEPS)
    assert all(0 < getattr(Degradation(), name) <= 1 for name in STEPS)


@pytest.mark.parametrize("shape_rc", [(1, 1), (1, 40), (40, 1), (9, 5)])
def test_the_smallest_frames_are_degraded_too(shape_rc):
    pixels = np.full(shape_rc, 128, np.uint8)
    certain = replace(NOTHING, **dict.fromkeys(STEPS, 1.0))
    assert degraded(pixels, certain, np.random.default_rng(0)).shape == shape_rc
