"""Outlines along pixel edges and run lengths keep every pixel."""

import numpy as np
import pytest
from hypothesis import given
from scipy import ndimage

from tests.imaging.exporting import small_ids
from usfm_studio.imaging.outlines import filled, from_run_lengths, outlines, run_lengths


def shoelace(points):
    x, y = points[:, 0], points[:, 1]
    return abs((x * np.roll(y, -1) - np.roll(x, -1) * y).sum()) / 2


@given(small_ids(values=(0, 1)))
def test_run_lengths_come_back(ids):
    area = ids.astype(bool)
    assert np.array_equal(from_run_lengths(run_lengths(area), area.shape), area)


@given(small_ids(values=(0, 1)))
def test_outlines_come_back_with_their_area_and_holes_are_declared(ids):
    area = ids.astype(bool)
    outside = ndimage.label(~np.pad(area, 1), np.ones((3, 3)))[1]
    found = outlines(area)
    if found is None:
        assert outside > 1
        return
    assert outside == 1
    assert len(found) == ndimage.label(area)[1]
    assert sum(shoelace(loop) for loop in found) == area.sum()
    assert np.array_equal(filled([loop.ravel().tolist() for loop in found], area.shape), area)


@pytest.mark.parametrize("counts", [[3, 2], [-1, 16], [[15]], [16]])
def test_run_lengths_that_do_not_fill_the_image_are_refused(counts):
    with pytest.raises(ValueError, match="fill the image"):
        from_run_lengths(counts, (3, 5))


def test_an_outline_beyond_the_image_is_clipped():
    assert np.array_equal(filled([[-9, -9, 99, -9, 99, 99, -9, 99]], (3, 5)), np.ones((3, 5), bool))
    assert not filled([[50, 50, 60, 50, 60, 60]], (3, 5)).any()


@pytest.mark.parametrize("polygon", [[1, 1, 2, 2], [1, 1, 2, 2, 3], [0, 0, float("nan"), 1, 2, 2], ["a"] * 6])
def test_what_is_no_outline_is_refused(polygon):
    with pytest.raises(ValueError):  # noqa: PT011 - numpy's own words for text
        filled([polygon], (3, 5))
