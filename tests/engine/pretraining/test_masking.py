import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from usfm_studio.document.errors import WrongUsage
from usfm_studio.engine.pretraining.draws import keys_B
from usfm_studio.engine.pretraining.masking import (
    MASK_PRESETS,
    Corruption,
    MaskSettings,
    band_stopped,
    filling,
    half_weights_F,
    masked_cells,
    moments,
)

SIZES = [(224, 224), (225, 224), (224, 225), (223, 225), (192, 256), (37, 64)]
FREQUENCY = [
    MaskSettings(cells="none"),
    MaskSettings(cells="none", rings="usfm", ring_share=(0.5, 0.5), stratified=False),
    MaskSettings(cells="none", rings="mfm"),
    MaskSettings(cells="none", ring_share=(0.1, 0.5), corners=False),
]
shapes = st.tuples(st.integers(32, 80), st.integers(32, 80))


def keys(n, seed=0, start=0):
    return keys_B(seed, 1, 0, torch.arange(start, start + n))


def images(n, shape_rc, seed=0):
    """Speckle that fades with depth, black outside a sector; and the sector."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(n, 1, *shape_rc, generator=generator) * torch.linspace(1, 0.3, shape_rc[0])[:, None]
    valid = torch.ones_like(x, dtype=torch.bool)
    valid[..., : shape_rc[1] // 6] = False
    return x * valid, valid


def full(half_BHF, columns):
    """The whole (B, H, W) spectrum of the half one, by Hermitian symmetry."""
    half = np.asarray(half_BHF)
    rest = [columns - c for c in range(half.shape[2], columns)]
    turned = half[:, -np.arange(half.shape[1])]
    return np.concatenate([half, turned[:, :, rest].conj()], 2)


@pytest.mark.parametrize("given_settings", FREQUENCY)
@pytest.mark.parametrize("shape_rc", SIZES)
def test_the_filter_equals_the_full_complex_one_in_double_and_is_real(shape_rc, given_settings):
    x, valid = images(2, shape_rc)
    corrupted = Corruption(given_settings)(x, valid, keys(2))
    removed = full(corrupted.removed_BHF, shape_rc[1])
    wanted = np.fft.ifft2(np.fft.fft2(x[:, 0].double().numpy()) * ~removed)
    assert np.abs(wanted.imag).max() < 1e-12
    assert np.abs(wanted.real - corrupted.x_B1HW[:, 0].numpy()).max() < 2e-6
    assert not corrupted.masked_B1HW.any()


@given(shape_rc=shapes, choice=st.sampled_from(FREQUENCY), seed=st.integers(0, 99))
def test_the_mean_stays_and_drawn_bins_lose_all_their_energy_and_others_none(shape_rc, choice, seed):
    x, valid = images(2, shape_rc, seed)
    corrupted = Corruption(choice)(x, valid, keys(2, seed))
    assert torch.allclose(corrupted.x_B1HW.double().mean((1, 2, 3)), x.double().mean((1, 2, 3)), atol=1e-6)
    before, after = (np.abs(np.fft.fft2(i[:, 0].double().numpy(), norm="ortho")) ** 2 for i in (x, corrupted.x_B1HW))
    removed = full(corrupted.removed_BHF, shape_rc[1])
    for image in range(2):
        gone, total = removed[image], before[image].sum()
        assert after[image][gone].sum() < 1e-10 * total
        assert np.allclose(before[image][~gone], after[image][~gone], rtol=0, atol=1e-6 * total)
        energy = float((x[image].double() ** 2).sum())
        left = float((corrupted.x_B1HW[image].double() ** 2).sum())
        assert energy == pytest.approx(left + before[image][gone].sum(), rel=1e-6)
        share = before[image][gone].sum() / (total - before[image][0, 0])
        assert float(corrupted.energy_removed_B[image]) == pytest.approx(share, rel=1e-4)


@settings(max_examples=25)
@given(shape_rc=shapes, seed=st.integers(0, 99), a=st.floats(-2, 2), b=st.floats(-2, 2))
def test_filtering_twice_is_filtering_once_and_sums_pass(shape_rc, seed, a, b):
    corrupt, key = Corruption(FREQUENCY[0]), keys(1, seed)
    (x, valid), (y, _) = images(1, shape_rc, seed), images(1, shape_rc, seed + 1)

    def filtered(z):
        return corrupt(z, valid, key).x_B1HW

    assert torch.allclose(filtered(filtered(x)), filtered(x), atol=2e-6)
    assert torch.allclose(filtered(a * x + b * y), a * filtered(x) + b * filtered(y), atol=1e-5)


def test_a_filtered_image_is_neither_made_absolute_nor_clipped():
    x, valid = images(4, (64, 96))
    corrupt = Corruption(FREQUENCY[0])
    there, back = corrupt(x, valid, keys(4)).x_B1HW, corrupt(-x, valid, keys(4)).x_B1HW
    assert torch.allclose(there, -back, atol=1e-6)
    assert (there < -0.01).any()
    signed = x - 0.3
    assert torch.allclose(corrupt(signed, valid, keys(4)).x_B1HW, there - 0.3, atol=1e-6)


def test_refill_puts_the_clean_image_back_outside_the_sector_alone():
    x, valid = images(2, (64, 96))
    plain = Corruption(MaskSettings(cells="none"))(x, valid, keys(2)).x_B1HW
    refilled = Corruption(MaskSettings(cells="none", sector="refill"))(x, valid.float(), keys(2)).x_B1HW
    assert torch.equal(refilled, torch.where(valid, plain, x))
    assert not torch.equal(refilled, plain)


def test_soft_edges_change_little_and_ring_less():
    x, valid = images(2, (128, 128))
    hard, soft = (Corruption(MaskSettings(cells="none", soft=s))(x, valid, keys(2)) for s in (False, True))
    assert torch.equal(hard.removed_BHF, soft.removed_BHF)
    difference = (hard.x_B1HW - soft.x_B1HW).square().mean().sqrt()
    assert 0 < difference < (hard.x_B1HW - x).square().mean().sqrt()


@given(
    shape_rc=st.tuples(st.integers(8, 130), st.integers(17, 130)), side=st.integers(2, 16),
    share=st.floats(0.01, 0.99), mode=st.sampled_from(["cells", "blocks"]), seed=st.integers(0, 99),
)  # fmt: skip
def test_the_number_of_masked_cells_is_exact(shape_rc, side, share, mode, seed):
    masked = masked_cells(MaskSettings(cells=mode, cell_px=side, cell_share=share), keys(3, seed), *shape_rc)
    assert masked.shape == (3, 1, *shape_rc)
    corners = masked[:, 0, ::side, ::side]
    cells = -(-shape_rc[0] // side) * -(-shape_rc[1] // side)
    assert corners[0].numel() == cells
    assert (corners.sum((1, 2)) == min(max(round(share * cells), 1), cells - 1)).all()
    whole = corners.repeat_interleave(side, 1).repeat_interleave(side, 2)[:, : shape_rc[0], : shape_rc[1]]
    assert torch.equal(whole, masked[:, 0])


def test_cells_are_masked_uniformly():
    masked = masked_cells(MaskSettings(cell_px=8, cell_share=0.25), keys(10_000), 40, 48)
    counts = masked[:, 0, ::8, ::8].sum(0).flatten().numpy()
    assert counts.sum() == 10_000 * 8  # round(7.5) is 8
    # Without repetition counts vary less than a multinomial's by (1 - m / G) / (1 - 1 / G).
    statistic = ((counts - counts.mean()) ** 2 / counts.mean()).sum() / (1 - 8 / 30) * (1 - 1 / 30)
    assert 1e-4 < stats.chi2.sf(statistic, 29) < 1 - 1e-4


def test_blocks_hang_together_more_than_single_cells():
    def neighbours_alike(mode):
        masked = masked_cells(MaskSettings(cells=mode, cell_px=8, cell_share=0.5), keys(300), 96, 128)[:, 0, ::8, ::8]
        return float((masked[:, 1:] == masked[:, :-1]).float().mean())

    assert neighbours_alike("cells") == pytest.approx(0.5, abs=0.03)
    assert neighbours_alike("blocks") > 0.65


def test_blocks_reach_every_cell_about_equally_often():
    masked = masked_cells(MaskSettings(cells="blocks", cell_px=8), keys(3000), 48, 64)[:, 0, ::8, ::8].float().mean(0)
    assert masked.min() > 0.55
    assert masked.max() < 0.66


@given(shape_rc=shapes, fill=st.sampled_from(["mean", "noise", "add", "mix"]), seed=st.integers(0, 99))
@settings(max_examples=25)
def test_visible_pixels_are_bit_equal_to_the_filtered_image(shape_rc, fill, seed):
    x, valid = images(3, shape_rc, seed)
    both = MaskSettings(cell_px=8, fill=fill)
    dual = Corruption(both)(x, valid, keys(3, seed))
    filtered = Corruption(both.only("frequency"))(x, valid, keys(3, seed))
    spatial = Corruption(both.only("spatial"))(x, valid, keys(3, seed))
    seen = ~dual.masked_B1HW
    assert torch.equal(dual.x_B1HW[seen], filtered.x_B1HW[seen])
    assert torch.equal(spatial.x_B1HW[seen], x[seen])
    assert torch.equal(dual.masked_B1HW, spatial.masked_B1HW)
    assert torch.equal(dual.removed_BHF, filtered.removed_BHF)
    assert not spatial.removed_BHF.any()
    assert not spatial.energy_removed_B.any()
    assert torch.equal(dual.x_B1HW[dual.masked_B1HW], spatial.x_B1HW[dual.masked_B1HW])


def filled(fill, x, valid, n_keys, **more):
    return filling(MaskSettings(fill=fill, **more), x, valid, n_keys).expand_as(x)


def test_the_mean_fill_is_the_mean_inside_the_sector():
    x, valid = images(3, (50, 70))
    for image, inside, fill in zip(x, valid, filled("mean", x, valid, keys(3)), strict=True):
        assert torch.allclose(fill, image[inside].mean(), atol=1e-6)
        assert not torch.allclose(fill, image.mean(), atol=1e-3)


def test_the_noise_fill_has_the_moments_of_the_sector_and_stays_in_range():
    x, valid = images(3, (200, 230))
    x = x * 0.4 + 0.3 * valid
    fill = filled("noise", x, valid, keys(3))
    for image, inside, drawn in zip(x, valid, fill, strict=True):
        assert float(drawn.mean()) == pytest.approx(float(image[inside].mean()), abs=0.005)
        assert float(drawn.std()) == pytest.approx(float(image[inside].std()), rel=0.03)
    bright = filled("noise", x * 2, valid, keys(3))
    assert 0 <= bright.min() < bright.max() <= 1


def test_the_add_fill_is_the_image_and_noise_of_a_drawn_share_of_its_deviation():
    x, valid = images(40, (64, 64))
    noise = filled("add", x, valid, keys(40), add_deviation=(0.25, 0.5)) - x
    _, deviation = moments(x, valid)
    share = noise.std((1, 2, 3)) / deviation.flatten()
    assert noise.mean().abs() < 0.002
    assert 0.24 < share.min() < 0.3
    assert 0.45 < share.max() < 0.52


def test_mix_gives_each_image_one_of_the_three_fills():
    x, valid = images(60, (32, 32))
    mixed = filled("mix", x, valid, keys(60))
    kinds = [
        [torch.equal(a, b) for a, b in zip(mixed, filled(fill, x, valid, keys(60)), strict=True)]
        for fill in ("mean", "noise", "add")
    ]
    assert (np.sum(kinds, 0) == 1).all()
    assert min(np.sum(kinds, 1)) >= 10


@pytest.mark.parametrize("preset", ["usfm", "ours"])
@pytest.mark.parametrize("fill", ["mean", "mix"])
def test_an_image_is_corrupted_alike_in_any_batch_and_equal_images_differ(preset, fill):
    corrupt = Corruption(msgspec.structs.replace(MASK_PRESETS[preset], fill=fill, ring_share=(0.2, 0.5)))
    x, valid = images(1, (96, 128))
    x, valid = x.repeat(6, 1, 1, 1), valid.repeat(6, 1, 1, 1)
    whole = corrupt(x, valid, keys(6))
    again = [corrupt(x[a:b], valid[a:b], keys(b - a, start=a)) for a, b in ((0, 1), (1, 4), (4, 6))]
    for name in ("masked_B1HW", "removed_BHF", "x_B1HW", "energy_removed_B"):
        assert torch.equal(getattr(whole, name), torch.cat([getattr(part, name) for part in again])), name
    for other in range(1, 6):
        assert not torch.equal(whole.masked_B1HW[0], whole.masked_B1HW[other])
    assert len({tuple(image.flatten().tolist()) for image in whole.removed_BHF}) > 3


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("mode", ["cells", "blocks"])
def test_a_gpu_draws_the_same_masks_and_fills(mode):
    corrupt = Corruption(MaskSettings(cells=mode, fill="mix", ring_share=(0.1, 0.5), soft=True))
    x, valid = images(9, (96, 128))
    here, there = corrupt(x, valid, keys(9)), corrupt(x.cuda(), valid.cuda(), keys(9).cuda())
    assert torch.equal(here.masked_B1HW, there.masked_B1HW.cpu())
    assert torch.equal(here.removed_BHF, there.removed_BHF.cpu())
    assert torch.allclose(here.x_B1HW, there.x_B1HW.cpu(), atol=1e-5)


def test_a_black_image_and_one_without_a_sector_stay_finite():
    for fill in ("mean", "noise", "add", "mix"):
        corrupt = Corruption(MaskSettings(fill=fill, cell_px=16))
        x = torch.zeros(4, 1, 64, 64)
        black = corrupt(x, torch.ones_like(x), keys(4))
        assert torch.equal(black.x_B1HW, x)
        assert not black.energy_removed_B.any()
        grey, nowhere = torch.rand(4, 1, 64, 64), torch.zeros(4, 1, 64, 64)
        assert corrupt(grey, nowhere, keys(4)).x_B1HW.isfinite().all()
    assert torch.allclose(filled("mean", grey, nowhere, keys(4))[:, 0, 0, 0], grey.mean((1, 2, 3)))


def test_half_precision_and_autocast_do_not_reach_the_filter():
    x, valid = images(2, (96, 128))
    x = x.bfloat16().float()
    corrupt = Corruption(MASK_PRESETS["usfm"])
    wanted = corrupt(x, valid, keys(2)).x_B1HW
    with torch.autocast("cpu", torch.bfloat16):
        got = corrupt(x.bfloat16(), valid, keys(2)).x_B1HW
    assert got.dtype == torch.float32
    assert torch.equal(got, wanted)


@given(columns=st.integers(2, 40), rows=st.integers(1, 9))
def test_weights_of_the_half_spectrum_count_each_bin_of_the_full_one(columns, rows):
    x = torch.rand(1, 1, rows, columns, dtype=torch.float64)
    half = torch.fft.rfft2(x[:, 0], norm="ortho").abs().square() * half_weights_F(columns, x.device)
    assert float(half.sum()) == pytest.approx(float((x**2).sum()))


def test_the_filter_takes_double_and_keeps_it():
    x, _ = images(1, (40, 50))
    removed = torch.zeros(1, 40, 26, dtype=torch.bool)
    removed[:, [3, 37]] = True
    filtered, _ = band_stopped(x.double(), removed)
    assert filtered.dtype == torch.float64
    spectrum = torch.fft.rfft2(filtered[:, 0]).abs()
    assert spectrum[removed].max() < 1e-10 < spectrum[~removed].max()


@pytest.mark.parametrize(
    "wrong",
    [
        {"rings": "none", "cells": "none"}, {"ring_share": (0.5, 0.2)}, {"ring_share": (0.0, 0.2)},
        {"cell_share": 1.0}, {"cell_px": 0}, {"ring_count": 1}, {"add_deviation": (0.5, 0.25)}, {"rings": "rings"},
        {"colour": 1},
    ],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused_when_they_are_read(wrong):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, MaskSettings)


def test_presets_survive_being_written_and_read():
    for preset in MASK_PRESETS.values():
        assert msgspec.json.decode(msgspec.json.encode(preset), type=MaskSettings) == preset


def test_an_image_of_one_cell_is_refused():
    with pytest.raises(WrongUsage, match="too small"):
        masked_cells(MaskSettings(), keys(1), 32, 32)
