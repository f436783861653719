import copy

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from usfm_studio.engine.models.features import Features
from usfm_studio.engine.pretraining.draws import keys_B
from usfm_studio.engine.pretraining.losses import (
    LOSS_PRESETS,
    FeatureLoss,
    LossSettings,
    RecoveryLoss,
    frequency_loss,
    gradient_norms,
    patch_moments,
    spatial_loss,
)
from usfm_studio.engine.pretraining.masking import MASK_PRESETS, Corrupted, Corruption, MaskSettings

shapes = st.tuples(st.integers(32, 60), st.integers(32, 60))


def generator(seed):
    return torch.Generator().manual_seed(seed)


def a_batch(n=3, shape_rc=(48, 64), seed=0, masks=None):
    """Clean images, their sector and how they are corrupted."""
    x = torch.rand(n, 1, *shape_rc, generator=generator(seed))
    valid = torch.ones_like(x, dtype=torch.bool)
    valid[..., : shape_rc[1] // 5] = False
    corrupt = Corruption(masks or MaskSettings(cell_px=8))
    return x, valid, corrupt(x, valid, keys_B(seed, 0, 0, torch.arange(n)))


@given(shape_rc=shapes, seed=st.integers(0, 99), focal=st.sampled_from([0.0, 1.0]), norm=st.booleans())
def test_a_perfect_recovery_costs_nothing_and_has_a_finite_gradient(shape_rc, seed, focal, norm):
    x, valid, corrupted = a_batch(2, shape_rc, seed)
    loss = RecoveryLoss(LossSettings(focal=focal, norm_target=norm, patch_px=8))
    y = x.clone()
    if norm:
        mean, deviation = patch_moments(x, 8)
        y = (x - mean) / deviation
    parts = loss(y.requires_grad_(), x, corrupted, valid)
    assert parts.total.item() == 0
    parts.total.backward()
    assert y.grad.isfinite().all()
    assert torch.allclose(loss.image(y, x), x, atol=1e-6)


def test_pixels_count_where_they_are_masked_and_inside_the_sector():
    x, valid, corrupted = a_batch()
    difference = torch.rand(x.shape, generator=generator(1)) - 0.5
    found = spatial_loss(difference, corrupted.masked_B1HW, valid)
    for image, masked, inside, value in zip(difference, corrupted.masked_B1HW, valid, found, strict=True):
        assert float(value) == pytest.approx(float(image[masked & inside].abs().mean()), rel=1e-5)
    elsewhere = torch.where(corrupted.masked_B1HW & valid, difference, 9.0)
    assert torch.equal(spatial_loss(elsewhere, corrupted.masked_B1HW, valid), found)


def test_without_a_masked_cell_the_whole_sector_counts_and_without_a_sector_nothing():
    difference = torch.rand(2, 1, 8, 9)
    valid = torch.zeros(2, 1, 8, 9)
    valid[0, :, 2:5] = 1
    found = spatial_loss(difference, torch.zeros(2, 1, 8, 9, dtype=torch.bool), valid)
    assert float(found[0]) == pytest.approx(float(difference[0, :, 2:5].mean()), rel=1e-5)
    assert float(found[1]) == 0


def by_hand(difference, removed, valid, focal, bins):
    """The frequency loss over the full spectrum in double, image by image."""
    found = []
    for image, half, inside in zip(difference.double(), removed, valid, strict=True):
        rows, columns = image.shape[-2:]
        modulus = np.abs(np.fft.fft2((image * inside)[0].numpy())) / np.sqrt(rows * columns)
        gone = np.zeros((rows, columns), bool)
        for v in range(rows):
            for u in range(columns):
                gone[v, u] = half[v, u] if u < half.shape[1] else half[-v % rows, columns - u]
        if bins == "all":
            gone[:] = True
        weight = np.log(1 + modulus) / np.log(1 + modulus[gone]).max()
        found.append((modulus[gone] * weight[gone] ** focal).mean())
    return found


@pytest.mark.parametrize("shape_rc", [(32, 32), (33, 32), (32, 33), (35, 37), (32, 48)])
@pytest.mark.parametrize("focal", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("bins", ["removed", "all"])
def test_the_frequency_loss_is_the_mean_over_the_full_spectrum(shape_rc, focal, bins):
    x, valid, corrupted = a_batch(2, shape_rc)
    difference = torch.rand(x.shape, generator=generator(2)) - 0.4
    found = frequency_loss(difference, corrupted.removed_BHF, valid, focal, bins)
    assert found.tolist() == pytest.approx(by_hand(difference, corrupted.removed_BHF, valid, focal, bins), rel=1e-5)


@given(shape_rc=shapes, seed=st.integers(0, 99), focal=st.sampled_from([0.0, 1.0]))
def test_what_changes_outside_removed_bins_does_not_count(shape_rc, seed, focal):
    x, _, corrupted = a_batch(2, shape_rc, seed)
    everywhere = torch.ones_like(x)
    difference = torch.rand(x.shape, generator=generator(seed + 1)).double()
    other = torch.fft.rfft2(torch.rand(x.shape, generator=generator(seed + 2)).double()[:, 0])
    change = torch.fft.irfft2(other.masked_fill(corrupted.removed_BHF, 0), s=shape_rc)[:, None]
    before, after = (
        frequency_loss(d, corrupted.removed_BHF, everywhere, focal) for d in (difference, difference + change)
    )
    assert torch.allclose(before, after, rtol=1e-9)
    assert (frequency_loss(difference + change, corrupted.removed_BHF, everywhere, bins="all") > before).all()


def test_what_lies_outside_the_sector_does_not_count():
    x, valid, corrupted = a_batch()
    y = torch.rand(x.shape, generator=generator(3))
    loss = RecoveryLoss(LOSS_PRESETS["usfm"])
    assert torch.equal(loss(y, x, corrupted, valid).total, loss(torch.where(valid, y, 7.0), x, corrupted, valid).total)


@pytest.mark.parametrize("focal", [0.0, 1.0])
@pytest.mark.parametrize("columns", [8, 9])
def test_gradients_are_right_in_double(columns, focal):
    difference = (torch.rand(2, 1, 7, columns, generator=generator(4)) - 0.5).double().requires_grad_()
    removed = torch.rand(2, 7, columns // 2 + 1, generator=generator(5)) < 0.5
    masked = torch.rand(2, 1, 7, columns, generator=generator(6)) < 0.5
    valid = torch.rand(2, 1, 7, columns, generator=generator(7)) < 0.8
    assert torch.autograd.gradcheck(lambda d: spatial_loss(d, masked, valid), difference)
    if focal == 0:  # a focal weight has no gradient, so numbers cannot agree with it
        assert torch.autograd.gradcheck(lambda d: frequency_loss(d, removed, valid), difference)
        return
    (found,) = torch.autograd.grad(frequency_loss(difference, removed, valid, focal).sum(), difference)
    modulus = torch.fft.rfft2((difference * valid)[:, 0], norm="ortho").abs().detach()
    weight = torch.log1p(modulus)
    weight = weight / (weight * removed).amax((1, 2), keepdim=True)
    twice = torch.full((columns // 2 + 1,), 2.0).double()
    twice[0] = twice[-1] = 1
    if columns % 2:
        twice[-1] = 2

    def fixed_weight(d):
        modulus = torch.fft.rfft2((d * valid)[:, 0], norm="ortho").abs()
        return (modulus * weight * removed * twice).sum((1, 2)) / (removed * twice).sum((1, 2))

    assert torch.autograd.gradcheck(fixed_weight, difference)
    (wanted,) = torch.autograd.grad(fixed_weight(difference).sum(), difference)
    assert torch.allclose(found, wanted)


def test_an_image_is_measured_alike_in_any_batch():
    x, valid, corrupted = a_batch(4)
    y = torch.rand(x.shape, generator=generator(3))
    loss = RecoveryLoss(LOSS_PRESETS["usfm"])
    whole = loss(y, x, corrupted, valid)
    for i in range(4):
        one = slice(i, i + 1)
        alone = Corrupted(
            corrupted.x_B1HW[one],
            corrupted.masked_B1HW[one],
            corrupted.removed_BHF[one],
            corrupted.energy_removed_B[one],
        )
        part = loss(y[one], x[one], alone, valid[one])
        assert torch.allclose(part.spatial_B, whole.spatial_B[one], rtol=1e-6)
        assert torch.allclose(part.frequency_B, whole.frequency_B[one], rtol=1e-6)


def test_one_branch_alone_costs_nothing_of_the_other():
    x, valid, corrupted = a_batch(masks=MASK_PRESETS["ours"].only("spatial"), shape_rc=(64, 96))
    y = torch.rand(x.shape, generator=generator(3), requires_grad=True)
    parts = RecoveryLoss(LOSS_PRESETS["ours"])(y, x, corrupted, valid)
    assert not parts.frequency_B.any()
    assert torch.allclose(parts.total, parts.spatial_B.mean())
    assert float(parts.frequency_weight) == LOSS_PRESETS["ours"].frequency_weight
    parts.total.backward()
    assert y.grad.isfinite().all()


def test_a_picture_made_in_inference_does_not_stop_the_learning_after_it():
    with torch.inference_mode():
        a_batch(shape_rc=(39, 58))
    x, valid, corrupted = a_batch(shape_rc=(39, 58))
    y = torch.rand(x.shape, requires_grad=True)
    RecoveryLoss(LOSS_PRESETS["usfm"])(y, x, corrupted, valid).total.backward()
    assert y.grad.any()


def test_half_precision_ends_before_the_spectrum():
    x, valid, corrupted = a_batch()
    y = torch.rand(x.shape, generator=generator(3)).bfloat16()
    loss = RecoveryLoss(LOSS_PRESETS["usfm"])
    with torch.autocast("cpu", torch.bfloat16):
        parts = loss(y, x, corrupted, valid)
    assert parts.total.dtype == torch.float32
    assert torch.equal(parts.total, loss(y.float(), x, corrupted, valid).total)


def test_normed_patches_have_mean_0_and_deviation_1():
    x = torch.rand(2, 1, 37, 45)
    mean, deviation = patch_moments(x, 16)
    patch = ((x - mean) / deviation)[0, 0, 16:32, :16]
    assert abs(float(patch.mean())) < 1e-5
    assert float(patch.std(correction=0)) == pytest.approx(1, abs=1e-3)
    edge = x[1, 0, 32:, 32:]
    assert float(mean[1, 0, -1, -1]) == pytest.approx(float(edge.mean()), rel=1e-5)


class Tiny(nn.Module):
    """Something with a last layer."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last = nn.Conv2d(1, 8, 5, padding=2), nn.Conv2d(8, 1, 1)

    def forward(self, x):
        return self.last(torch.tanh(self.first(x)))


def steps(net, loss, optimiser, numbers):
    parts = []
    for number in numbers:
        x, valid, corrupted = a_batch(2, seed=number)
        part = loss(net(corrupted.x_B1HW), x, corrupted, valid, net.last.weight)
        optimiser.zero_grad()
        part.total.backward()
        optimiser.step()
        parts.append(part)
    return parts


def a_run(balance_steps):
    net = Tiny()
    return net, RecoveryLoss(LossSettings(balance_steps=balance_steps)), torch.optim.SGD(net.parameters(), 0.05)


def test_both_gradients_are_brought_to_one_norm_at_the_last_layer_then_the_weight_stays():
    net, loss, optimiser = a_run(balance_steps=12)
    assert loss.balancing
    parts = steps(net, loss, optimiser, range(20))
    assert not loss.balancing
    assert float(parts[0].gradient_ratio) == pytest.approx(1)
    weights = [float(part.frequency_weight) for part in parts]
    assert len(set(weights[:12])) == 12
    assert len(set(weights[11:])) == 1
    x, valid, corrupted = a_batch(2, seed=30)
    y = net(corrupted.x_B1HW)
    norms = []
    for value in (
        spatial_loss(y - x, corrupted.masked_B1HW, valid).mean(),
        frequency_loss(y - x, corrupted.removed_BHF, valid, 1.0).mean(),
    ):
        net.zero_grad()
        value.backward(retain_graph=True)
        norms.append(float(net.last.weight.grad.norm()))
    part = loss(y, x, corrupted, valid, net.last.weight)
    assert float(part.gradient_ratio) == pytest.approx(weights[-1] * norms[1] / norms[0], rel=1e-4)
    assert part.total.item() == pytest.approx(
        float(part.spatial_B.mean() + weights[-1] * part.frequency_B.mean()), rel=1e-5
    )


@pytest.mark.parametrize("stop", [5, 12, 15])
def test_a_restored_balance_goes_on_as_if_nothing_had_happened(stop):
    net, loss, optimiser = a_run(balance_steps=12)
    steps(net, loss, optimiser, range(stop))
    kept = copy.deepcopy(loss.state_dict())
    fresh = RecoveryLoss(LossSettings(balance_steps=12))
    fresh.load_state_dict(kept)
    other, other_optimiser = copy.deepcopy(net), None
    other_optimiser = torch.optim.SGD(other.parameters(), 0.05)
    ours = steps(net, loss, optimiser, range(stop, 20))
    theirs = steps(other, fresh, other_optimiser, range(stop, 20))
    assert [float(p.frequency_weight) for p in ours] == [float(p.frequency_weight) for p in theirs]
    assert torch.equal(net.last.weight, other.last.weight)


def test_the_balance_waits_for_every_call_of_a_step_and_ignores_calls_that_do_not_learn():
    loss = RecoveryLoss(LossSettings(balance_steps=2), calls_per_step=3)
    net = Tiny()
    x, valid, corrupted = a_batch(2)
    with torch.no_grad():
        assert loss(net(x), x, corrupted, valid).gradient_ratio.isnan()
    loss.eval()
    loss(net(x), x, corrupted, valid)
    loss.train()
    for _ in range(6):
        assert loss.balancing
        loss(net(x), x, corrupted, valid, net.last.weight)
    assert not loss.balancing


def test_a_loss_that_is_not_a_number_does_not_spoil_the_balance():
    net, loss, optimiser = a_run(balance_steps=12)
    steps(net, loss, optimiser, range(3))
    x, valid, corrupted = a_batch(2)
    before = loss.norms.clone()
    bad = loss(net(x * torch.nan), x, corrupted, valid, net.last.weight)
    assert not bad.total.isfinite()
    assert torch.equal(loss.norms, before)


def test_gradient_norms_leave_the_graph_for_the_step():
    net = Tiny()
    y = net(torch.rand(1, 1, 9, 9))
    norms = gradient_norms(y.abs().mean(), 3 * y.abs().mean(), net.last.weight)
    assert float(norms[1] / norms[0]) == pytest.approx(3)
    y.mean().backward()
    assert net.last.weight.grad is not None


@pytest.mark.parametrize("wrong", [{"focal": -1}, {"balance_steps": -1}, {"bins": "some"}, {"patch_px": 0}, {"a": 1}])
def test_settings_that_make_no_sense_are_refused_when_they_are_read(wrong):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, LossSettings)


def features(seed, n=2, width=6):
    return Features({16: torch.randn(n, width, 4, 6, generator=generator(seed))}, torch.zeros(n, 1))


def test_features_are_compared_on_masked_cells_and_teach_the_student_alone():
    loss = FeatureLoss({8: 3, 16: 6}, 16)
    student, teacher = features(1), features(2)
    for tensor in (student.maps[16], teacher.maps[16]):
        tensor.requires_grad_()
    masked = torch.zeros(2, 1, 64, 96, dtype=torch.bool)
    masked[0, :, :32, :32] = True
    value_B = loss(student, teacher, masked)
    assert value_B.shape == (2,)
    assert ((value_B >= 0) & (value_B <= 2)).all()
    value_B.sum().backward()
    assert teacher.maps[16].grad is None
    moved = student.maps[16].grad.abs().sum(1) > 0
    assert moved[0, :2, :2].all()
    assert not moved[0, 2:].any()
    assert moved[1].all()  # nothing masked: all cells


def test_features_can_be_learned_and_equal_ones_everywhere_earn_nothing():
    torch.manual_seed(0)
    loss = FeatureLoss({16: 6}, 16)
    student, teacher = features(1), features(2)
    masked = torch.ones(2, 1, 64, 96, dtype=torch.bool)
    flat = Features({16: torch.ones(2, 6, 4, 6)}, torch.zeros(2, 1))
    assert torch.allclose(loss(student, flat, masked), torch.ones(2), atol=1e-5)
    fit = student.map(lambda m: m.clone().requires_grad_())
    optimiser = torch.optim.Adam([*loss.parameters(), fit.maps[16]], 0.02)
    before = loss(fit, teacher, masked).mean().item()
    for _ in range(150):
        optimiser.zero_grad()
        loss(fit, teacher, masked).mean().backward()
        optimiser.step()
    assert before > 0.7
    assert loss(fit, teacher, masked).mean().item() < 0.1
