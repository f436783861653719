"""The instant head: exact in taking frames in and out, honest about subjects left out, the same from its arrays."""

import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.making import the_encoder
from usfm_studio.engine.learning.filters import ALL, FEW, POSITIONS, all_filters, few_filters, with_positions
from usfm_studio.engine.learning.instant import LOCATIONS, InstantHead, locations
from usfm_studio.engine.learning.ridge import BalancedRidge, rounded_rows
from usfm_studio.engine.models.features import Features
from usfm_studio.engine.models.placement import place
from usfm_studio.engine.scoring import dice

CHANNELS = {2: 6, 4: 8, 8: 10, 32: 12}


def a_scene(seed, rows=130, columns=200, segments=1):
    """Speckle with bright (segment 1) and, where wanted, half-bright (2) discs, and its mask."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 70, (rows, columns)).astype(np.uint8)
    ids = np.zeros((rows, columns), np.uint8)
    r, c = np.mgrid[:rows, :columns]
    for value in range(1, segments + 1):
        centre = rng.uniform((30, 30 + 90 * (value - 1)), (rows - 30, 80 + 90 * (value - 1)))
        disc = (r - centre[0]) ** 2 + (c - centre[1]) ** 2 < rng.uniform(12, 24) ** 2
        pixels[disc] = pixels[disc] // 3 + 230 - 110 * (value - 1)
        ids[disc] = value
    return pixels, ids


def embedded(pixels, px=256):
    x_1HW, placement = place(pixels, px)
    with torch.inference_mode():
        return the_encoder()(torch.from_numpy(x_1HW)[None]).map(lambda t: t.half()), placement, x_1HW


def taught(count, *, filters=False, segments=1, subjects=None, px=256):
    head = InstantHead(the_encoder().channels, filters=filters)
    for n in range(count):
        pixels, ids = a_scene(n, segments=segments)
        features, placement, x = embedded(pixels, px)
        head.add(f"f{n}", f"s{n % (subjects or count)}", features, placement, ids, x)
    head.solve()
    return head


def said(head, seed, segments=1):
    pixels, ids = a_scene(seed, segments=segments)
    classes, probabilities = head.predict(*embedded(pixels))
    return np.array(classes)[probabilities.argmax(0)], ids, probabilities


def test_one_frame_is_enough_for_the_next_proposal():
    answer, ids, probabilities = said(taught(1, filters=True), 50)
    assert dice(answer == 1, ids == 1) > 0.8
    assert probabilities.shape == (2, *ids.shape)
    assert probabilities.dtype == np.float32
    assert np.allclose(probabilities.sum(0), 1, atol=1e-5)


def test_several_segments_are_told_apart():
    answer, ids, _ = said(taught(4, segments=2), 60, segments=2)
    assert min(dice(answer == v, ids == v) for v in (1, 2)) > 0.7


def test_left_out_dice_is_known_for_every_frame_and_near_the_truth():
    head = taught(4, px=160)
    assert set(head.left_out) == {f"f{n}" for n in range(4)}
    for n in range(4):
        pixels, ids = a_scene(n)
        features, placement, x = embedded(pixels, 160)
        _, probabilities = head.predict(features, placement, x, head.without(f"s{n}"))
        assert head.left_out[f"f{n}"][1] == pytest.approx(dice(probabilities.argmax(0) == 1, ids == 1), abs=0.12)


def test_a_head_without_a_subject_is_the_head_that_never_saw_it():
    """In closed form: sums minus the subject's, against a fit without it. The directions are the same for both."""
    rng = np.random.default_rng(0)
    rows = [a_block(rng, n) for n in range(5)]
    every, others = BalancedRidge(), BalancedRidge()
    for n, block in enumerate(rows):
        every.add(f"f{n}", f"s{n // 2}", block)
        if n // 2 != 1:
            others.add(f"f{n}", f"s{n // 2}", block)
    like = every.solve()
    others.solve()
    expected = others.without("nobody", like)
    assert torch.allclose(every.without("s1", like).weight_EK, expected.weight_EK, atol=1e-9)


def a_block(rng, seed, count=200, width=12):
    classes = rng.integers(0, 3, count).astype(np.uint8)
    x = rng.normal(0, 1, (count, width)) + classes[:, None] * np.linspace(-1, 1, width)
    return rounded_rows(torch.from_numpy(x).float(), classes, np.ones(count, np.float32))


def test_the_ridge_is_the_weighted_least_squares_solution():
    rng = np.random.default_rng(1)
    block = a_block(rng, 0)
    ridge = BalancedRidge()
    ridge.add("f", "s", block)
    solution = ridge.solve()
    x = np.hstack([block.x_ND.double().numpy(), np.ones((200, 1))])
    y = np.eye(3)[block.classes_N]
    w = (1 / (3 * np.bincount(block.classes_N)))[block.classes_N]
    variance = np.mean((w @ x[:, :-1] ** 2) - (w @ x[:, :-1]) ** 2)
    penalty = np.diag([*[solution.penalty * variance] * 12, 1e-9])
    expected = np.linalg.solve((x * w[:, None]).T @ x + penalty, (x * w[:, None]).T @ y)
    assert np.allclose(solution.weight_EK.numpy(), expected, atol=1e-4)


@settings(max_examples=12, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9)), min_size=1, max_size=12), st.integers(0, 4))
def test_taking_frames_out_and_in_again_leaves_the_same_head(acts, kept):
    """Frames come, are corrected and go; in the end only the last version of those that stayed counts."""
    blocks = {seed: a_block(np.random.default_rng(seed), seed) for seed in range(10)}
    moved, fresh, last = BalancedRidge(), BalancedRidge(), {}
    for frame, seed in acts:
        moved.add(f"f{frame}", f"s{frame // 2}", blocks[seed])
        last[frame] = seed
    last[kept] = kept
    moved.add(f"f{kept}", f"s{kept // 2}", blocks[kept])
    for frame in [f for f in last if f != kept and f % 2]:
        moved.remove(f"f{frame}")
        del last[frame]
    for frame, seed in last.items():
        fresh.add(f"f{frame}", f"s{frame // 2}", blocks[seed])
    assert set(moved.frames) == set(fresh.frames)
    assert torch.allclose(moved.solve().weight_EK, fresh.solve().weight_EK, atol=1e-5)


def test_saved_arrays_predict_the_same(tmp_path):
    head = taught(3, filters=True)
    np.savez(tmp_path / "head.npz", **head.state())
    with np.load(tmp_path / "head.npz") as state:
        again = InstantHead.of_state(dict(state))
    pixels, _ = a_scene(70)
    first, second = head.predict(*embedded(pixels)), again.predict(*embedded(pixels))
    assert first[0] == second[0]
    assert np.allclose(first[1], second[1], atol=1e-5)


def test_directions_found_one_by_one_end_as_those_of_all_frames_at_once():
    """Frames come one by one, idle moments between them; then all the same frames at once."""
    together, one_by_one = taught(8, px=96), InstantHead(the_encoder().channels, filters=False)
    turned = []
    for n in range(8):
        pixels, ids = a_scene(n)
        features, placement, _ = embedded(pixels, 96)
        one_by_one.add(f"f{n}", f"s{n}", features, placement, ids)
        one_by_one.solve()
        turned.append(one_by_one.settle())
    assert turned == [False] * 7 + [True]  # the first, second and fourth frame turn at once
    assert torch.allclose(one_by_one.basis.turn_DP, together.basis.turn_DP, atol=1e-5)
    assert torch.allclose(one_by_one.solution.weight_EK, together.solution.weight_EK, atol=1e-4)


def test_an_empty_mask_teaches_that_there_may_be_nothing():
    head = InstantHead(the_encoder().channels, filters=False)
    pixels, ids = a_scene(0)
    features, placement, _ = embedded(pixels)
    head.add("empty", "s0", features, placement, np.zeros_like(ids))
    head.solve()
    assert head.predict(features, placement)[0] == (0,)
    head.add("marked", "s1", features, placement, ids)
    head.solve()
    assert head.predict(features, placement)[0] == (0, 1)


def test_a_frame_that_is_all_segment_is_learned_from():
    head = InstantHead(the_encoder().channels, filters=False)
    pixels, ids = a_scene(0)
    features, placement, _ = embedded(pixels)
    head.add("full", "s0", features, placement, np.ones_like(ids))
    head.solve()
    classes, probabilities = head.predict(features, placement)
    assert (np.array(classes)[probabilities.argmax(0)] == 1).all()


def test_without_frames_there_is_nothing_to_solve():
    with pytest.raises(ValueError, match="nothing to learn"):
        InstantHead({4: 8}, filters=False).solve()


def test_predicting_through_maps_is_predicting_through_cells():
    """Answers made at each stride and then enlarged equal those of features enlarged first."""
    torch.manual_seed(0)
    pixels, ids = a_scene(3)
    _, placement = place(pixels, 256)
    rows, columns = placement.size_rc
    maps = {s: torch.randn(1, c, rows // s, columns // s) for s, c in CHANNELS.items()}
    features = Features(maps, torch.zeros(1, 1))
    head = InstantHead(CHANNELS, filters=False, directions=20)
    head.add("f", "s", features, placement, ids)
    head.solve()
    shape = rows // 4, columns // 4
    pooled = torch.nn.functional.avg_pool2d(maps[2], 2)
    enlarged = [torch.nn.functional.interpolate(m, shape, mode="bilinear") for m in (pooled, *list(maps.values())[1:])]
    x_ND = torch.cat(enlarged, 1)[0].flatten(1).T
    turned = x_ND @ head.basis.turn_DP + head.basis.offset_P
    margins = head.solution.margins().float()
    expected = (turned @ margins[:-1] + margins[-1]).T.reshape(1, *shape)
    assert np.allclose(head.linear(head.solution).at(features), expected.numpy(), atol=1e-4)


@given(st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_locations_are_few_half_near_a_boundary_and_always_the_same(seed):
    rng = np.random.default_rng(seed)
    rows, columns = rng.integers(1, 90, 2)
    ids = np.zeros((rows, columns), np.uint8)
    r, c = np.mgrid[:rows, :columns]
    ids[(r - rows / 2) ** 2 + (c - columns / 3) ** 2 < rng.uniform(0, rows) ** 2] = 3
    at, classes, cells = locations(ids, f"frame {seed}")
    assert len(at) == min(LOCATIONS, ids.size)
    assert len({tuple(p) for p in at.tolist()}) == len(at)
    assert (classes == ids[at[:, 0], at[:, 1]]).all()
    assert cells.sum() == pytest.approx(ids.size, rel=1e-4)
    again = locations(ids, f"frame {seed}")
    assert (again[0] == at).all()


def test_filters_have_the_channels_that_they_promise():
    x_HW = np.random.default_rng(0).random((64, 96), dtype=np.float32)
    assert with_positions(few_filters, x_HW).shape == (FEW + POSITIONS, 16, 24) == (29, 16, 24)
    assert with_positions(all_filters, x_HW).shape == (ALL + POSITIONS, 16, 24) == (59, 16, 24)
    flat = with_positions(all_filters, np.full((64, 96), 0.5, np.float32))
    assert np.isfinite(flat).all()
    assert np.allclose(flat[1:8], 0, atol=1e-4)  # no slope, no curvature, no deviation where nothing is


@pytest.mark.slow
def test_a_frame_more_takes_a_fifth_of_a_second_of_two_cores():
    """Processor time, so that neighbours do not count; half of the 400 ms that two cores have in 200 ms."""
    head = taught(16, filters=True)
    pixels, ids = a_scene(99)
    features, placement, x = embedded(pixels)
    begun = time.process_time()
    head.add("one more", "s99", features, placement, ids, x)
    head.solve()
    assert time.process_time() - begun < 0.4
