"""Grey, small enough, never enlarged; and frames that repeat are thinned."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.corpus.making import speckle
from usfm_studio.document.errors import Unreadable
from usfm_studio.engine.corpus.preparing import grey_of, prepared
from usfm_studio.engine.corpus.thinning import Thinner, difference_hash


def test_the_long_side_shrinks_by_area_and_nothing_is_enlarged():
    pixels = np.repeat(np.repeat(speckle(1, 50, 100), 4, 0), 4, 1)
    grey, valid = prepared(pixels, 100)
    assert grey.shape == valid.shape == (50, 100)
    assert np.array_equal(grey, speckle(1, 50, 100))
    small, _ = prepared(speckle(2, 30, 41), 256)
    assert np.array_equal(small, speckle(2, 30, 41))


def test_colour_and_12_bits_become_grey():
    colour = np.stack([speckle(n) for n in range(3)], 2)
    wanted = colour.astype(float) @ [0.299, 0.587, 0.114]
    assert np.abs(grey_of(colour) - wanted).max() <= 1
    deep = speckle(3).astype(np.uint16) * 16 + 15
    deep[0, 0] = 4095
    assert np.abs(grey_of(deep).astype(int)[1:] - speckle(3)[1:]).max() <= 1


@pytest.mark.parametrize("shades", [1, 2, 4])
def test_a_mask_or_an_empty_picture_is_refused(shades):
    pixels = (speckle(4) % shades).astype(np.uint8)
    with pytest.raises(Unreadable, match="empty or a mask"):
        prepared(pixels, 256)
    prepared(speckle(4) % 5, 256)


def test_the_hash_looks_at_slopes_from_left_to_right():
    ramp = np.tile(np.arange(0, 252, 7, dtype=np.uint8), (16, 1))
    assert difference_hash(ramp) == 2**64 - 1
    assert difference_hash(ramp[:, ::-1]) == 0
    assert difference_hash(np.zeros((5, 5), np.uint8)) == 0
    half = ramp.copy()
    half[:8] = half[:8, ::-1]
    assert difference_hash(half) == 2**32 - 1


def with_bits(bits):
    """An image of 8 x 9 whose hash has these 64 bits."""
    rows = np.array([(bits >> 8 * (7 - row)) & 255 for row in range(8)])
    ups = np.unpackbits(rows.astype(np.uint8)[:, None], axis=1).astype(int)
    steps = np.cumsum(np.where(ups == 1, 9, -9), axis=1)
    return (128 + np.concatenate([np.zeros((8, 1), int), steps], 1)).astype(np.uint8)


@given(st.integers(0, 2**64 - 1))
def test_every_hash_can_be_made(bits):
    assert difference_hash(with_bits(bits)) == bits


def test_a_frame_goes_when_it_is_within_4_bits_of_the_last_kept_one():
    thinner = Thinner()
    assert thinner.keeps("a", with_bits(0))
    assert not thinner.keeps("a", with_bits(0b1111))
    assert thinner.keeps("a", with_bits(0b11111))
    assert not thinner.keeps("a", with_bits(0b1))  # 4 bits from the last kept, 1 from the first
    assert thinner.keeps("b", with_bits(0b1))  # another clip
    assert thinner.keeps("a", with_bits(0))


@given(st.lists(st.integers(0, 2**64 - 1), max_size=30))
def test_kept_neighbours_differ_and_left_out_ones_have_a_twin(hashes):
    thinner, kept = Thinner(), []
    for bits in hashes:
        if thinner.keeps("a", with_bits(bits)):
            assert not kept or (kept[-1] ^ bits).bit_count() > 4
            kept.append(bits)
        else:
            assert (kept[-1] ^ bits).bit_count() <= 4
