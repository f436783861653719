"""Masks carried through a made-up loop, by the real encoder: what holds whatever the picture shows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usfm_studio.document.errors import WrongUsage
from usfm_studio.engine.device import choose_device
from usfm_studio.engine.models.catalogue import shipped_encoder
from usfm_studio.engine.models.checkpoint import load_model
from usfm_studio.engine.models.predictor import Predictor
from usfm_studio.engine.propagation import baselines
from usfm_studio.engine.propagation.carrying import carry
from usfm_studio.engine.scoring import dice

ROWS, COLUMNS = 120, 160


def disc(x, y=60, radius=22):
    r, c = np.mgrid[:ROWS, :COLUMNS]
    return ((r - y) ** 2 + (c - x) ** 2 < radius**2).astype(np.uint8)


def frame(ids, seed=0):
    """A dark disc in speckle, over tissue that gets darker with depth."""
    rng = np.random.default_rng(seed)
    tissue = np.linspace(90, 50, ROWS)[:, None] * np.ones(COLUMNS)
    return rng.rayleigh(np.where(ids, 8, tissue)).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def encoder():
    return Predictor(load_model(shipped_encoder()), choose_device("cpu", 1))


def test_a_disc_that_jumps_is_found_where_copying_and_flow_lose_it(encoder):
    truth = [disc(x) for x in (40, 60, 95, 120)]
    frames = [frame(ids, seed) for seed, ids in enumerate(truth)]
    carried = carry(frames, {0: truth[0]}, encoder)
    ours = np.mean([dice(one.ids == 1, ids == 1) for one, ids in zip(carried[1:], truth[1:], strict=True)])
    copied = np.mean(
        [dice(c == 1, ids == 1) for c, ids in zip(baselines.copied(4, {0: truth[0]})[1:], truth[1:], strict=True)]
    )
    assert ours > 0.7
    assert ours > copied + 0.3


def test_where_nothing_moves_the_mask_is_kept(encoder):
    ids = disc(70)
    still = frame(ids)
    carried = carry([still, still, still], {1: ids}, encoder)
    assert all(dice(one.ids == 1, ids == 1) > 0.9 for one in carried)
    assert not any(one.flagged for one in carried)


def test_key_frames_keep_their_masks_to_the_pixel(encoder):
    first, last = disc(50), disc(100)
    last[10:14, 10:14] = 7
    carried = carry([frame(first), frame(disc(75), 1), frame(last, 2)], {0: first, 2: last}, encoder)
    assert np.array_equal(carried[0].ids, first)
    assert np.array_equal(carried[2].ids, last)
    assert [one.is_key for one in carried] == [True, False, True]
    assert not carried[1].ids.flags.writeable


def test_a_frame_without_the_segment_is_handed_back(encoder):
    ids = disc(70)
    carried = carry([frame(ids), np.zeros((ROWS, COLUMNS), np.uint8)], {0: ids}, encoder)
    assert carried[1].flagged


@pytest.mark.parametrize(
    ("shapes", "keys", "why"),
    [
        ([(ROWS, COLUMNS)], {0: disc(50)}, "one frame only"),
        ([(ROWS, COLUMNS), (ROWS, 80)], {0: disc(50)}, "another size"),
        ([(ROWS, COLUMNS)] * 2, {2: disc(50)}, "frames 0 to 1"),
        ([(ROWS, COLUMNS)] * 2, {-1: disc(50)}, "frames 0 to 1"),
        ([(ROWS, COLUMNS)] * 2, {0: disc(50)[:80]}, "its mask is 160x80"),
        ([(ROWS, COLUMNS)] * 2, {0: disc(50) * 0}, "nothing is marked"),
        ([(ROWS, COLUMNS)] * 2, {}, "no key frame"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(encoder, shapes, keys, why):
    with pytest.raises(WrongUsage, match=why):
        carry([np.zeros(shape, np.uint8) for shape in shapes], keys, encoder)


@given(st.integers(30, 130), st.integers(30, 90), st.integers(30, 130), st.integers(30, 90), st.integers(2, 9))
@settings(max_examples=25, deadline=None)
def test_a_blend_is_exact_at_both_ends_and_lies_between_them(x0, y0, x1, y1, count):
    keys = {0: disc(x0, y0), count - 1: disc(x1, y1)}
    blended = baselines.interpolated(count, keys)
    assert np.array_equal(blended[0], keys[0])
    assert np.array_equal(blended[-1], keys[count - 1])
    for n, ids in enumerate(blended[1:-1], 1):
        share = n / (count - 1)
        expected = disc(x0 + share * (x1 - x0), y0 + share * (y1 - y0))
        assert dice(ids == 1, expected == 1) > 0.93


def test_flow_keeps_a_mask_that_does_not_move():
    ids = disc(70)
    flowed = baselines.flowed([frame(ids)] * 3, {0: ids})
    assert all(dice(one == 1, ids == 1) > 0.98 for one in flowed)
