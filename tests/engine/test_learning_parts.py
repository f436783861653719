"""The pieces of a training step: views, batches, gradients, the pool, the average, the label head."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.engine.blobs import snapshot
from tests.engine.making import the_encoder
from usfm_studio.document.errors import NothingToLearn
from usfm_studio.engine.device import Device
from usfm_studio.engine.learning.augment import NO_AUGMENTATION, Augmentation, augmented, window_centre
from usfm_studio.engine.learning.calibrate import predicted_dice
from usfm_studio.engine.learning.clock import Clock, Stage
from usfm_studio.engine.learning.evaluation import Answers, pairs_of, values_of
from usfm_studio.engine.learning.labels import fit_labels
from usfm_studio.engine.learning.pool import FeaturePool
from usfm_studio.engine.learning.quick import quicken
from usfm_studio.engine.learning.samples import Batch, batches, canvas_of, place_samples, shares, subject_order
from usfm_studio.engine.learning.segmentation import Average, MaskNet, Rates, learn, mask_loss, mean_of, schedule
from usfm_studio.engine.models.decoder import UNetDecoder
from usfm_studio.engine.models.lite import LiteEncoder

CPU = Device(kind="cpu", name="test", threads=1)


def placed_blobs(tmp_path, subjects=3, frames=1, px=64):
    shot = snapshot(tmp_path, subjects, frames=frames)
    return place_samples(shot, shot.samples, px, "keep", {3: 1})


def a_net(classes=2, seed=0):
    torch.manual_seed(seed)
    encoder = LiteEncoder("usfm_lite0")
    encoder.load_state_dict(the_encoder().state_dict())
    return MaskNet(encoder, UNetDecoder(encoder.channels, classes, (16, 8, 8, 8), 1))


def test_without_draws_a_view_is_the_frame(tmp_path):
    item = placed_blobs(tmp_path, 1)[0]
    image, ids = augmented(item.image, item.classes, NO_AUGMENTATION, np.random.default_rng(0), item.image.shape)
    assert np.array_equal(image, item.image)
    assert np.array_equal(ids, item.classes)


def test_image_and_mask_move_together():
    """Pixels that are bright exactly where the mask is stay so under every draw of geometry."""
    ids = np.zeros((64, 96), np.uint8)
    ids[20:44, 30:70] = 1
    draws = Augmentation(gamma=(1, 1), depth_gain=0, blur=0, speckle=0, shadow=0)
    for seed in range(12):
        image, marked = augmented(ids * 200, ids, draws, np.random.default_rng(seed), (64, 96))
        wrong = np.count_nonzero((image > 100) != (marked == 1))
        assert wrong < 0.05 * max(1, np.count_nonzero(marked))


def test_depth_never_turns_over():
    ids = np.zeros((64, 64), np.uint8)
    ids[4:10] = 1
    centres = []
    for seed in range(40):
        _, marked = augmented(ids, ids, Augmentation(), np.random.default_rng(seed), (64, 64))
        if marked.any():
            centres.append(np.nonzero(marked)[0].mean())
    assert max(centres) < 40


def test_windows_stay_in_the_image_and_look_at_what_is_marked_half_of_the_time():
    ids = np.zeros((300, 400), np.uint8)
    ids[40:50, 350:362] = 1
    rng = np.random.default_rng(0)
    centres = np.array([window_centre(ids, rng, (96, 128)) for _ in range(400)])
    corner_xy = np.array([399 - 127 / 2, 95 / 2])
    assert (centres >= np.array([127, 95]) / 2).all()
    assert (centres <= np.array([399 - 127 / 2, 299 - 95 / 2])).all()
    near = (np.abs(centres - corner_xy) < np.array([40, 40])).all(1).mean()
    assert 0.45 < near < 0.7
    assert np.ptp(centres[:, 0]) > 200


def test_a_window_as_large_as_the_image_shows_it_whole():
    ids = np.zeros((64, 96), np.uint8)
    ids[5:9, 80:90] = 1
    draws = replace(NO_AUGMENTATION, window_px=128)
    image, marked = augmented(ids * 200, ids, draws, np.random.default_rng(1), (64, 96))
    assert np.array_equal(marked, ids)
    assert np.array_equal(image, ids * 200)


def test_batches_of_windows_have_the_window_s_size(tmp_path):
    placed = placed_blobs(tmp_path, px=96)
    batch = next(batches(placed, 2, 4, Augmentation(window_px=32), np.random.default_rng(5)))
    assert batch.x.shape == (4, 1, 32, 32)
    assert batch.target.shape == (4, 2, 16, 16)
    assert batch.target[:, 1].sum() > 0


def test_the_same_seed_draws_the_same_views(tmp_path):
    placed = placed_blobs(tmp_path)
    one, two = (next(batches(placed, 2, 4, Augmentation(), np.random.default_rng(5))) for _ in range(2))
    assert torch.equal(one.x, two.x)
    assert torch.equal(one.target, two.target)
    assert one.x.shape == (4, 1, *canvas_of(placed))
    assert torch.allclose(one.target.sum(1), torch.ones(()))


def test_every_subject_comes_equally_often(tmp_path):
    shot = snapshot(tmp_path, 3, frames=4)
    placed = place_samples(
        shot, [s for s in shot.samples if s.subject != "s00" or s.stem.endswith("0")], 64, "keep", {}
    )
    order = subject_order(placed, np.random.default_rng(0))
    drawn = [next(order).sample for _ in range(36)]
    counts = {name: sum(s.subject == name for s in drawn) for name in ("s00", "s01", "s02")}
    assert set(counts.values()) == {12}
    assert {s.stem for s in drawn} == {p.sample.stem for p in placed}


def test_shares_are_averages_of_cells():
    ids = np.zeros((1, 2, 4), np.uint8)
    ids[0, 0, 0] = 2
    found = shares(ids, 3)
    assert found.shape == (1, 3, 1, 2)
    assert found[0, :, 0, 0].tolist() == [0.75, 0, 0.25]


def test_loss_is_nothing_for_the_right_answer_and_high_for_the_wrong_one():
    target = shares(np.pad(np.ones((2, 8, 8), np.uint8), ((0, 0), (4, 4), (4, 4))), 2)
    sure = (target * 2 - 1) * 30
    assert mask_loss(sure, target) < 0.01
    assert mask_loss(-sure, target) > 5


def test_quick_gradients_are_the_library_s():
    torch.manual_seed(0)
    for rows, columns in ((64, 96), (32, 64)):
        usual, quick = a_net().encoder, a_net().encoder
        quicken(quick)
        x = torch.rand(2, 1, rows, columns)
        for encoder in (usual, quick):
            features = encoder(x)
            sum((m**2).mean() for m in features.maps.values()).backward()
        named = dict(quick.named_parameters())
        assert list(named) == [name for name, _ in usual.named_parameters()]
        for name, weight in usual.named_parameters():
            if weight.grad is not None:
                scale = weight.grad.abs().max().clamp_min(1e-4)
                assert ((weight.grad - named[name].grad) / scale).abs().max() < 2e-3, name


def test_quick_gradients_agree_with_differences():
    torch.manual_seed(0)
    from usfm_studio.engine.learning.quick import _Depthwise

    for kernel, stride, padding in ((3, 1, 1), (5, 1, 2), (5, 2, 0), (3, 2, 0)):
        side = stride * 4 + kernel
        x = torch.rand(1, 2, side, side + 1, dtype=torch.float64, requires_grad=True)
        weight = torch.rand(2, 1, kernel, kernel, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(lambda a, b, s=stride, p=padding: _Depthwise.apply(a, b, s, p), (x, weight))


def test_schedule_rises_and_falls():
    assert schedule(0.0, 0.1) < schedule(0.05, 0.1) < schedule(0.1, 0.1) == 1
    assert schedule(1.0, 0.1) == pytest.approx(0, abs=1e-9)


def test_a_stage_ends_by_steps_or_by_the_clock():
    stage = Stage(Clock(1000), 1000, max_steps=3)
    stage.steps = 2
    assert (stage.over, stage.progress, stage.expected_steps) == (False, pytest.approx(2 / 3), 3)
    stage.steps = 3
    assert stage.over
    late = Stage(Clock(10, started=-1e9), 10)
    assert not late.over
    late.steps = 3
    assert late.over


def test_frozen_parts_do_not_move_and_the_others_do(tmp_path):
    placed = placed_blobs(tmp_path)
    stream = lambda: batches(placed, 2, 2, Augmentation(), np.random.default_rng(0))  # noqa: E731
    for rates, moved in (
        (Rates(encoder=0.0), set()),
        (Rates(frozen_stages=2, depthwise=False), {2, 3, 4, 5, 6}),
        (Rates(), set(range(7))),
    ):
        net = a_net()
        before = {name: value.clone() for name, value in net.encoder.state_dict().items()}
        decoder = net.decoder.head.weight.detach().clone()
        learn(net, stream(), rates, Stage(Clock(1e6), 1e6, 2), device=CPU)
        changed = {n for n, v in net.encoder.state_dict().items() if not torch.equal(v, before[n])}
        assert {int(n.split(".")[1]) for n in changed if n.startswith("blocks")} == moved
        assert not any("running" in n for n in changed)
        assert (any("conv_dw" in n for n in changed) == rates.depthwise and bool(moved)) or not moved
        assert not torch.equal(net.decoder.head.weight, decoder)


def test_a_loss_without_a_number_ends_the_run(tmp_path):
    net = a_net()
    x = torch.full((2, 1, 64, 64), float("nan"))
    broken = iter(lambda: Batch(x, torch.full((2, 2, 32, 32), 0.5)), None)
    with pytest.raises(NothingToLearn, match="out of range"):
        learn(net, broken, Rates(encoder=0.0), Stage(Clock(1e6), 1e6, 50), device=CPU)


def test_the_pool_serves_views_of_the_wanted_subjects_alone(tmp_path):
    placed = placed_blobs(tmp_path, 3)
    net = a_net().eval()
    pool = FeaturePool(net.encoder, placed, 2, Augmentation(), np.random.default_rng(0), CPU)
    pool.fill(10, Stage(Clock(1e6), 1e6))
    assert 10 <= pool.count < 10 + 8
    batch = next(pool.batches(4, ["s01"]))
    marked = {v.target.sum().item() for v in pool.kept["f01_0"]}
    assert {t.sum().item() for t in batch.target} <= marked
    assert net(batch.x).shape == (4, 2, *batch.target.shape[2:])
    count = pool.count
    stream = pool.batches(4, ["s00", "s02"], every=2)
    for _ in range(5):
        next(stream)
    assert pool.count == count


def test_kept_features_give_what_the_encoder_gives(tmp_path):
    placed = placed_blobs(tmp_path, 1)
    net = a_net().eval()
    pool = FeaturePool(net.encoder, placed, 2, NO_AUGMENTATION, np.random.default_rng(0), CPU)
    pool.fill(1, Stage(Clock(1e6), 1e6))
    batch = next(pool.batches(1, ["s00"]))
    direct = next(batches(placed, 2, 1, NO_AUGMENTATION, np.random.default_rng(0)))
    with torch.no_grad():
        assert torch.allclose(net(batch.x), net(direct.x), atol=0.15)


def test_the_average_follows_and_can_be_put_back():
    net = a_net()
    for weight in net.encoder.parameters():
        weight.requires_grad_(False)
    average = Average(net, 0.99)
    start = net.decoder.head.weight.detach().clone()
    with torch.no_grad():
        net.decoder.head.weight.add_(1.0)
    for _ in range(50):
        average.update(net)
    average.put_into(net)
    assert torch.allclose(net.decoder.head.weight, start + 1, atol=0.05)
    assert not any(name.startswith("encoder.") for name in average.values)


def test_the_mean_of_members_is_their_mean():
    one, two = a_net(seed=0).decoder.state_dict(), a_net(seed=1).decoder.state_dict()
    mean = mean_of([one, two])
    assert torch.allclose(mean["head.weight"], (one["head.weight"] + two["head.weight"]) / 2)
    a_net().decoder.load_state_dict(mean)


def clouds(classes, count=40, width=50, seed=0, apart=1.5):
    rng = np.random.default_rng(seed)
    which = rng.integers(0, classes, count)
    which[:classes] = range(classes)
    x = rng.normal(0, 1, (count, width))
    x[:, :classes] += apart * 3 * np.eye(classes)[which]
    return x * 7 + 100, np.eye(classes)[which], [f"s{i // 2}" for i in range(count)]


def test_the_label_head_separates_clouds_and_knows_how_sure_to_be():
    x, truth, subjects = clouds(3)
    fit = fit_labels(x, truth, subjects, exclusive=True)
    assert np.allclose(fit.left_out.sum(1), 1)
    assert (fit.left_out.argmax(1) == truth.argmax(1)).mean() > 0.75
    head = fit.head(masked=False)
    with torch.no_grad():
        said = head(torch.from_numpy(x).float()).argmax(1).numpy()
    assert (said == truth.argmax(1)).all()


def test_noise_is_not_taken_for_knowledge():
    x, truth, subjects = clouds(2, count=60, apart=0.0)
    fit = fit_labels(x, truth, subjects, exclusive=True)
    loss = -np.log((fit.left_out * truth).sum(1)).mean()
    assert loss < np.log(2) + 0.15


def test_left_out_answers_do_not_know_their_subject():
    """A feature that names the subject must not help."""
    rng = np.random.default_rng(0)
    subjects = [f"s{i // 4}" for i in range(40)]
    which = np.repeat(rng.integers(0, 2, 10), 4)
    which[:8] = [0] * 4 + [1] * 4
    x = np.eye(10)[np.arange(40) // 4] * 5 + rng.normal(0, 0.01, (40, 10))
    fit = fit_labels(x, np.eye(2)[which], subjects, exclusive=True)
    assert np.abs(fit.left_out - 0.5).max() < 0.35


def test_questions_are_fitted_each_by_itself():
    x, truth, subjects = clouds(3)
    both = np.maximum(truth, np.roll(truth, 1, 1))
    fit = fit_labels(x, both, subjects, exclusive=False)
    assert ((fit.left_out > 0.5) == both).mean() > 0.85


def test_segments_are_matched_by_name(tmp_path):
    schema = snapshot(tmp_path, 1).schema
    assert values_of({1: "blob"}, schema) == {1: 3}
    assert values_of({1: "lesion"}, schema, (3,)) == {1: 3}
    assert values_of({1: "lesion", 2: "BLOB"}, schema, (3,)) == {1: 1, 2: 3}


def answers_of(shot, change):
    answers = Answers()
    for sample in shot.samples:
        reference = np.array(shot.mask(sample))
        ids = change(reference.copy())
        answers.ids[sample.stem] = ids
        answers.by_stem[sample.stem] = pairs_of(ids, reference, sample, (3,))
        answers.confidences[sample.stem] = {3: 0.9}
    return answers


def specked(ids):
    ids[:3, :3] = 3
    return ids


def test_predicted_dice_takes_off_the_bias(tmp_path):
    shot = snapshot(tmp_path, 4)
    answers = answers_of(shot, specked)
    line = predicted_dice(answers, {3: 1})["1"]
    assert line.at(0.9) == pytest.approx(np.mean([p.dice for p in answers.pairs]))
