import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usfm_studio.document.errors import WrongUsage
from usfm_studio.engine.grey import full_scale
from usfm_studio.engine.models.placement import MODES, place, place_mask, placement_for

sides = st.integers(16, 1200)
modes = st.sampled_from(MODES)
sizes_px = st.sampled_from([96, 128, 256, 320])


def a_blob(rows, columns, value=3):
    r, c = np.mgrid[:rows, :columns]
    inside = ((r - rows * 0.45) / (rows * 0.3)) ** 2 + ((c - columns * 0.55) / (columns * 0.25)) ** 2 < 1
    return inside.astype(np.uint8) * value


def one_hot(ids):
    return np.stack([(ids == v) for v in range(4)]).astype(np.float32)


def dice(a, b):
    return 2 * np.count_nonzero(a & b) / max(1, np.count_nonzero(a) + np.count_nonzero(b))


@given(rows=sides, columns=sides, mode=modes, px=sizes_px, stride=st.sampled_from([1, 2, 4]))
@settings(max_examples=60, deadline=None)
def test_what_the_network_answers_comes_back_at_native_size(rows, columns, mode, px, stride):
    x, placement = place(np.full((rows, columns), 200, np.uint8), px, mode)
    assert x.dtype == np.float32
    assert x.shape[0] == 1
    assert x.shape[1] % 32 == 0
    assert x.shape[2] % 32 == 0
    assert max(x.shape) <= px + 32
    assert np.allclose(x[0][placement.inside()], 200 / 255)
    rim = x.copy()
    rim[0][placement.inside()] = 0
    assert not rim.any()
    back = placement.back(np.ones((2, x.shape[1] // stride, x.shape[2] // stride), np.float32))
    assert back.shape == (2, rows, columns)
    assert np.allclose(back, 1)


@given(rows=st.integers(60, 900), aspect=st.floats(0.5, 2), mode=modes)
@settings(max_examples=40, deadline=None)
def test_a_mask_survives_the_way_there_and_back(rows, aspect, mode):
    ids = a_blob(rows, max(60, int(rows * aspect)))
    placed = place_mask(ids, 256, mode)
    back = placement_for(ids.shape, 256, mode).back(one_hot(placed)).argmax(0)
    assert set(np.unique(back)) == {0, 3}
    assert dice(back == 3, ids == 3) > 0.97


@given(rows=sides, columns=sides, mode=modes)
@settings(max_examples=30, deadline=None)
def test_the_mask_of_a_frame_lies_where_its_pixels_lie(rows, columns, mode):
    x, placement = place(np.full((rows, columns), 255, np.uint8), 128, mode)
    placed = placement.mask(np.ones((rows, columns), np.uint8), stride=1)
    assert np.array_equal(placed > 0, x[0] > 0)


def test_colour_deep_and_flat_pixels_of_the_same_grey_are_placed_alike():
    flat = np.random.default_rng(0).integers(0, 256, (40, 60)).astype(np.uint8)
    flat[0, 0] = 255
    wanted, _ = place(flat, 64)
    coloured, _ = place(np.repeat(flat[:, :, None], 3, 2), 64)
    deep, _ = place(flat.astype(np.uint16) * 257, 64)
    assert np.abs(coloured - wanted).max() <= 1 / 255
    assert np.abs(deep - wanted).max() <= 1 / 255


def test_white_of_a_deep_frame_is_the_end_of_its_bit_range():
    assert full_scale(np.array([[3000]], np.uint16)) == 4095
    assert full_scale(np.array([[7]], np.uint16)) == 255
    assert full_scale(np.array([[7]], np.uint8)) == 255


def test_pixels_may_be_read_only_and_not_contiguous():
    pixels = np.zeros((50, 80, 3), np.uint8)[::2, ::2]
    pixels.flags.writeable = False
    x, _ = place(pixels, 64)
    assert x.shape == (1, 64, 64)


@pytest.mark.parametrize(
    "pixels", [np.zeros((4, 4, 2), np.uint8), np.zeros((4, 4), np.float32), np.zeros((0, 4), np.uint8)]
)
def test_other_pixels_are_refused(pixels):
    with pytest.raises(WrongUsage):
        place(pixels, 64)


def test_a_foreign_way_to_place_is_refused():
    with pytest.raises(WrongUsage):
        place(np.zeros((4, 4), np.uint8), 64, "stretch")
