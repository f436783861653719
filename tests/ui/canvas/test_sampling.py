"""A part of a mask at the view's resolution equals the same part of the whole array."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usfm_studio.document.mask import Mask
from usfm_studio.document.rasterise import disc, paint_spans
from usfm_studio.ui.canvas.sampling import Sampler, counts_of, step_for

SHAPE = (530, 700)
IDS = (np.random.default_rng(7).random(SHAPE) < 0.001).astype(np.uint8) * 9
IDS[100:300, 200:600] = 3
MASK = Mask.from_array(IDS)


@given(
    st.integers(-50, 720), st.integers(-50, 560), st.integers(0, 800), st.integers(0, 600), st.sampled_from([1, 2, 8])
)
@settings(max_examples=150, deadline=None)
def test_a_part_holds_the_largest_id_under_each_sample(x, y, width, height, step):
    part, (left, top) = Sampler().part(MASK, (x, y, x + width, y + height), step)
    padded = np.zeros((768, 768), np.uint8)
    padded[: SHAPE[0], : SHAPE[1]] = IDS
    rows, columns = part.shape
    wanted = padded[top : top + rows * step, left : left + columns * step]
    wanted = wanted.reshape(rows, step, columns, step).max(axis=(1, 3)) if part.size else wanted[:0, :0]
    assert np.array_equal(part, wanted)
    x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + width, SHAPE[1]), min(y + height, SHAPE[0])
    if x0 < x1 and y0 < y1:
        assert left <= x0
        assert top <= y0
        assert left + columns * step >= x1
        assert top + rows * step >= y1


def test_samples_follow_the_mask_when_a_tile_changes():
    sampler = Sampler()
    box = (0, 0, 700, 530)
    sampler.part(MASK, box, 4)
    changed = paint_spans(MASK, disc((50.0, 50.0), 10), 200).mask
    assert (sampler.part(changed, box, 4)[0] == 200).any()
    assert not (sampler.part(MASK, box, 4)[0] == 200).any()


def test_areas_are_counted_by_segment():
    sampler = Sampler()
    assert sampler.areas(MASK) == {3: int((IDS == 3).sum()), 9: int((IDS == 9).sum())}
    erased = paint_spans(MASK, disc((350.0, 200.0), 30), 0).mask
    assert sampler.areas(erased)[3] == erased.area_px(3)


@pytest.mark.parametrize("likely", [(), (3,), (9, 3), (4,)])
def test_counts_do_not_depend_on_what_was_likely(likely):
    tile = MASK.tile((0, 0))
    assert counts_of(tile, likely) == counts_of(tile, ())


@pytest.mark.parametrize(("pixels", "step"), [(4.0, 1), (1.0, 1), (0.51, 1), (0.5, 2), (0.164, 4), (0.01, 64)])
def test_samples_are_no_larger_than_a_device_pixel(pixels, step):
    assert step_for(pixels) == step
