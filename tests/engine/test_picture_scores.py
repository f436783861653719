"""PSNR, SSIM and LNCC: held to their definitions, window by window, and to what must not change them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from usfm_studio.engine.scoring.pictures import (
    Likeness,
    PictureScore,
    image_area,
    likeness,
    lncc,
    psnr,
    ssim,
    summarise_pictures,
)

PICTURES = arrays(np.uint8, st.tuples(st.integers(11, 17), st.integers(11, 19)))


def everywhere(picture):
    return np.ones(picture.shape, bool)


def noise(seed, rows=24, columns=31):
    return np.random.default_rng(seed).integers(0, 256, (rows, columns)).astype(np.uint8)


def ssim_by_hand(x, y):
    """Wang et al. 2004, equations 6 and 13: every 11 x 11 window by itself."""
    place = np.arange(-5, 6)
    window = np.exp(-(place[:, None] ** 2 + place[None] ** 2) / (2 * 1.5**2))
    window /= window.sum()
    x, y, found = x.astype(float), y.astype(float), []
    for r in range(x.shape[0] - 10):
        for c in range(x.shape[1] - 10):
            a, b = x[r : r + 11, c : c + 11], y[r : r + 11, c : c + 11]
            ma, mb = (window * a).sum(), (window * b).sum()
            va, vb = (window * (a - ma) ** 2).sum(), (window * (b - mb) ** 2).sum()
            both = (window * (a - ma) * (b - mb)).sum()
            c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
            found.append((2 * ma * mb + c1) * (2 * both + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2)))
    return np.mean(found)


def lncc_by_hand(x, y):
    found = []
    for r in range(x.shape[0] - 8):
        for c in range(x.shape[1] - 8):
            a, b = x[r : r + 9, c : c + 9].ravel(), y[r : r + 9, c : c + 9].ravel()
            found.append(np.corrcoef(a, b)[0, 1])
    return np.mean(found)


def test_ssim_is_that_of_its_paper_over_windows_that_lie_in_the_image():
    x, y = noise(0), noise(1)
    mixed = (0.6 * x + 0.4 * y).astype(np.uint8)
    assert ssim(x, mixed, everywhere(x)) == pytest.approx(ssim_by_hand(x, mixed), abs=1e-9)


def test_lncc_is_pearsons_coefficient_in_windows_of_9():
    x = noise(2)
    mixed = (0.5 * x + 0.5 * noise(3)).astype(np.uint8)
    assert lncc(x, mixed, everywhere(x)) == pytest.approx(lncc_by_hand(x, mixed), abs=1e-9)


def test_psnr_is_of_the_range_of_8_bits():
    x = np.full((12, 13), 100, np.uint8)
    assert psnr(x, x + 5, everywhere(x)) == pytest.approx(10 * np.log10(255**2 / 25))


@settings(max_examples=25, deadline=None)
@given(PICTURES)
def test_an_image_is_like_itself(picture):
    found = likeness(picture, picture, everywhere(picture))
    assert found.psnr == 100
    assert found.ssim == pytest.approx(1)
    assert found.lncc == pytest.approx(1) or (picture == picture[0, 0]).all()


@settings(max_examples=25, deadline=None)
@given(PICTURES, st.integers(0, 2**32 - 1))
def test_figures_do_not_depend_on_which_of_two_images_is_the_reference(picture, seed):
    other = np.random.default_rng(seed).integers(0, 256, picture.shape).astype(np.uint8)
    one = likeness(picture, other, everywhere(picture))
    two = likeness(other, picture, everywhere(picture))
    for name in ("psnr", "ssim", "lncc"):
        assert getattr(one, name) == pytest.approx(getattr(two, name))
        assert -1.0001 <= getattr(one, name) <= 100


def test_lncc_does_not_change_with_gain_and_offset_and_the_others_do():
    x = noise(4) // 4
    brighter = x * 2 + 50
    assert lncc(x, brighter, everywhere(x)) == pytest.approx(1)
    assert ssim(x, brighter, everywhere(x)) < 0.9


def test_only_the_part_that_shows_tissue_counts():
    picture = np.zeros((60, 80), np.uint8)
    picture[10:50, 20:70] = noise(5, 40, 50) // 2 + 60
    beside = picture.copy()
    beside[52:58, 2:18] = 255  # text outside of the sector
    area = image_area(picture)
    assert area[30, 40]
    assert not area[55, 5]
    assert psnr(beside, picture, area) == 100
    assert psnr(beside, picture, everywhere(picture)) < 30


def test_an_image_smaller_than_a_window_still_has_figures():
    x, y = noise(6, 5, 7), noise(7, 5, 7)
    found = likeness(x, y, everywhere(x))
    assert all(np.isfinite([found.psnr, found.ssim, found.lncc]))
    flat = np.full((5, 7), 9, np.uint8)
    assert likeness(flat, flat, everywhere(flat)).psnr == 100


def test_a_summary_gives_means_over_images_intervals_over_subjects_and_identity_beside():
    found = [
        PictureScore(
            image=f"{n}.png",
            subject=f"s{n // 2}",
            enhanced=Likeness(psnr=20.0 + n, ssim=0.5, lncc=0.5),
            identity=Likeness(psnr=18.0, ssim=0.4, lncc=0.3),
        )
        for n in range(24)
    ]
    scores = summarise_pictures(found)
    assert scores.values["psnr"] == pytest.approx(31.5)
    assert scores.values["psnr_identity"] == 18
    assert scores.intervals["psnr"].kind == "interval"
    assert scores.intervals["psnr"].low < 31.5 < scores.intervals["psnr"].high
    assert scores.per_subject["s1"]["psnr"] == pytest.approx(22.5)
    assert scores.per_image["3.png"]["ssim_identity"] == 0.4
