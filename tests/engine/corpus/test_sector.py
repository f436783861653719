"""The valid region: boxes first, else what is bright enough, else everything."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from usfm_studio.document.calibration import Region
from usfm_studio.engine.corpus.sector import tissue_boxes, valid_sector


def a_fan(rows=120, columns=160):
    y, x = np.mgrid[:rows, :columns]
    away = np.hypot(y + 20, x - columns / 2)
    return (away > 40) & (away < 130) & (np.abs(x - columns / 2) < 0.7 * (y + 20))


def a_region(box, units=(3, 3), delta=(0.03, 0.03), kind=1):
    return Region(box=box, spatial_format=kind, units_xy=units, delta_xy=delta)


def test_the_fan_is_found_and_its_holes_are_filled_and_letters_beside_it_are_not():
    fan = a_fan()
    grey = np.where(fan, 90, 0).astype(np.uint8)
    grey[60:80, 70:90] = 0  # a cyst
    grey[2:8, 2:20] = 200  # a text
    grey[110:, 150:] = 8  # not brighter than 8
    found = valid_sector(grey)
    assert found.dtype == np.bool_
    assert not (fan & ~found).any()
    assert np.count_nonzero(found & ~fan) < 0.01 * found.size  # the closing rounds corners off
    assert not found[:10, :25].any()
    assert not found[111:, 151:].any()


def test_speckle_with_gaps_of_a_few_pixels_is_one_piece():
    grey = np.zeros((60, 80), np.uint8)
    grey[10:50:4, 10:70:4] = 100
    found = valid_sector(grey)
    assert found[12:46, 12:66].all()
    assert not found[:6].any()


def test_a_small_piece_means_everything():
    grey = np.zeros((50, 50), np.uint8)
    grey[:20, :20] = 100  # 16 %
    assert valid_sector(grey).all()
    grey[:20, :26] = 100  # 20.8 %
    assert np.count_nonzero(valid_sector(grey)) == 20 * 26
    assert valid_sector(np.zeros((9, 7), np.uint8)).all()


def test_boxes_go_before_pixels():
    grey = np.full((50, 80), 100, np.uint8)
    found = valid_sector(grey, [(10, 5, 29, 24), (40, 0, 200, 9)])
    assert np.count_nonzero(found) == 20 * 20 + 40 * 10
    assert found[5, 10]
    assert not found[4, 10]
    assert valid_sector(grey, [(90, 60, 120, 70)]).all()


def test_boxes_are_calibrated_2d_regions_scaled_with_the_image():
    regions = [a_region((10, 20, 109, 119)), a_region((0, 0, 5, 5), kind=2), a_region((0, 0, 9, 9), units=(0, 0))]
    assert tissue_boxes(regions, (200, 400), (100, 200)) == [(5, 10, 54, 59)]
    assert tissue_boxes(regions, (200, 400), (200, 400)) == [(10, 20, 109, 119)]
    assert tissue_boxes([a_region((0, 0, 400, 200))], (200, 400), (200, 400)) == [(0, 0, 400, 200)]


def test_a_box_outside_the_image_was_not_meant_for_it():
    regions = [a_region((84, 31, 595, 414)), a_region((0, 0, 50, 50))]
    assert tissue_boxes(regions, (240, 320), (240, 320)) == []


@given(st.integers(0, 2**32), st.integers(1, 40), st.integers(1, 40))
def test_any_image_has_a_sector_of_a_fifth_or_more(seed, rows, columns):
    rng = np.random.default_rng(seed)
    grey = np.where(rng.random((rows, columns)) < rng.random(), rng.integers(0, 256, (rows, columns)), 0)
    found = valid_sector(grey.astype(np.uint8))
    assert found.shape == (rows, columns)
    assert np.count_nonzero(found) >= 0.2 * found.size
