import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from usfm_studio.document.errors import WrongUsage
from usfm_studio.engine.pretraining.draws import keys_B
from usfm_studio.engine.pretraining.rings import KEPT, drawn_rings_BK, ring_edges, ring_ids, ring_table

SIZES = [(224, 224), (225, 224), (224, 225), (223, 225), (192, 256), (37, 64)]
sides = st.integers(32, 140)


def radius(rows, columns):
    """Of each bin of the half spectrum, written apart from the code under test."""
    y = np.array([min(i, rows - i) / rows for i in range(rows)])
    x = np.arange(columns // 2 + 1) / columns
    return 2 * np.hypot(y[:, None], x[None])


@pytest.mark.parametrize("shape_rc", SIZES)
@pytest.mark.parametrize("corners", [True, False])
def test_each_bin_is_in_the_ring_between_its_edges_or_in_none(shape_rc, corners):
    ids = ring_ids(*shape_rc, corners=corners)
    edges, r = ring_edges(min(shape_rc), "geometric", corners=corners), radius(*shape_rc)
    assert ids.dtype == np.int16
    assert ids.shape == (shape_rc[0], shape_rc[1] // 2 + 1)
    for ring in range(12):
        inside = ids == ring
        assert inside.any()
        assert r[inside].min() > edges[ring] - 1e-9
        assert r[inside].max() <= edges[ring + 1] + 1e-9
    outside = (r <= edges[0] + 1e-9) | (r > edges[-1] + 1e-9)
    assert np.array_equal(ids == KEPT, outside)
    assert not corners or np.array_equal(ids == KEPT, r <= edges[0] + 1e-9)


@given(rows=sides, columns=sides, protect=st.floats(1, 5))
def test_edges_rise_by_at_least_a_bin_from_the_protected_disc_to_the_corner(rows, columns, protect):
    shorter = min(rows, columns)
    edges = ring_edges(shorter, "geometric", protect=protect)
    assert edges[0] == pytest.approx(2 * protect / shorter)
    assert edges[-1] == pytest.approx(2**0.5)
    assert len(edges) == 13
    assert np.diff(edges).min() >= 2 / shorter - 1e-9


def test_geometric_edges_grow_in_one_ratio_where_bins_allow():
    edges = ring_edges(512, "geometric", count=6)
    assert np.allclose(edges[1:] / edges[:-1], (2**0.5 / edges[0]) ** (1 / 6))


def test_the_published_rings_are_13_at_224_and_never_reach_the_corners():
    radii = ring_edges(224, "usfm") * 112
    assert np.allclose(radii, [8, 10, 12, 15, 18, 22, 27, 33, 41, 51, 63, 78, 94, 110])
    ids = ring_ids(224, 224, "usfm")
    assert ids.max() == 12
    assert ids[112, 112] == ids[0, 0] == ids[8, 0] == KEPT
    assert ids[9, 0] == 0


def test_the_circle_of_mfm_parts_all_bins_but_the_mean():
    ids = ring_ids(64, 80, "mfm")
    r = radius(64, 80) * 32
    assert ids[0, 0] == KEPT
    ids[0, 0] = 0
    assert np.array_equal(ids == 1, r > 16)
    assert np.array_equal(ids == 0, r <= 16)


@given(side=sides, preset=st.sampled_from(["geometric", "usfm", "mfm"]))
def test_rings_of_a_square_are_alike_in_rows_and_columns(side, preset):
    half = ring_ids(side, side, preset)
    full = np.zeros((side, side), int)
    full[:, : half.shape[1]] = half
    mirrored = half[(-np.arange(side)) % side]
    full[:, half.shape[1] :] = mirrored[:, [side - c for c in range(half.shape[1], side)]]
    centred = np.roll(full, (side // 2, side // 2), (0, 1))
    if side % 2 == 0:  # the lone row and column of -Nyquist have no partner
        centred = centred[1:, 1:]
    assert np.array_equal(centred, np.rot90(centred))


def keys(n, seed=0):
    return keys_B(seed, 0, 0, torch.arange(n))


@given(count=st.integers(1, 11), stratified=st.booleans(), seed=st.integers(0, 99))
def test_exactly_the_wanted_number_of_rings_is_drawn(count, stratified, seed):
    table = ring_table(96, 128)
    drawn = drawn_rings_BK(table, keys(8, seed), 0, torch.full((8,), count), stratified)
    assert drawn.shape == (8, 12)
    assert (drawn.sum(1) == count).all()


def test_each_image_may_lose_another_number_of_rings():
    counts = torch.arange(1, 12)
    drawn = drawn_rings_BK(ring_table(224, 224), keys(11), 0, counts, stratified=True)
    assert torch.equal(drawn.sum(1), counts)


@pytest.mark.parametrize("side", [192, 224])
def test_nine_rings_lie_below_64_cycles(side):
    assert ring_table(side, side).low_K.tolist() == [True] * 9 + [False] * 3


def test_a_stratified_draw_takes_two_thirds_from_low_rings_and_any_other_draw_all_alike():
    table, wanted = ring_table(224, 224), torch.full((6000,), 4)
    stratified = drawn_rings_BK(table, keys(6000), 0, wanted, stratified=True)
    assert (stratified[:, :9].sum(1) >= 3).all()
    share = stratified.float().mean(0)
    # 3 of 9 low ones, then 1 of the 9 others: each low ring 1/3 + 6/9 * 1/9, each high one 1/9.
    assert (share[:9] - (1 / 3 + 2 / 27)).abs().max() < 0.03
    assert (share[9:] - 1 / 9).abs().max() < 0.02
    plain = drawn_rings_BK(table, keys(6000), 0, wanted, stratified=False).float().mean(0)
    assert (plain - 1 / 3).abs().max() < 0.03


def test_removed_bins_are_those_of_drawn_rings():
    table = ring_table(37, 64)
    drawn = drawn_rings_BK(table, keys(5), 0, torch.full((5,), 4), stratified=False)
    removed, ids = table.removed_BHF(drawn), ring_ids(37, 64)
    for image, rings in zip(removed, drawn, strict=True):
        assert np.array_equal(image.numpy(), np.isin(ids, np.flatnonzero(rings.numpy())))


def test_soft_edges_fall_over_one_bin_and_agree_with_hard_ones_elsewhere():
    table = ring_table(128, 128)
    drawn = torch.zeros(1, 12, dtype=torch.bool)
    drawn[0, 5] = True
    keep, r = table.kept_BHF(drawn)[0].numpy(), radius(128, 128)
    inner, outer = ring_edges(128, "geometric")[5:7]
    bins = (r - inner) * 64, (outer - r) * 64  # how far inside, in bins
    within = np.minimum(*bins)
    wanted = np.where(within >= 0.5, 0, np.where(within <= -0.5, 1, 0.5 * (1 - np.sin(np.pi * within))))
    assert np.allclose(keep, wanted, atol=1e-6)
    assert ((keep > 0.01) & (keep < 0.99)).any()


def test_soft_edges_between_two_drawn_rings_do_not_show():
    table = ring_table(128, 128)
    keep = table.kept_BHF(torch.ones(1, 12, dtype=torch.bool))[0]
    hard = ring_table(128, 128).removed_BHF(torch.ones(1, 12, dtype=torch.bool))[0]
    far = torch.from_numpy(radius(128, 128) > ring_edges(128, "geometric")[0] + 1 / 128)
    assert (keep[far & hard] == 0).all()
    assert keep[0, 0] == 1


@pytest.mark.parametrize(("side", "preset"), [(7, "geometric"), (16, "usfm"), (18, "usfm")])
def test_an_image_too_small_for_two_rings_is_refused(side, preset):
    with pytest.raises(WrongUsage, match="too small"):
        ring_edges(side, preset)


def test_small_images_get_fewer_rings_rather_than_empty_ones():
    for side in (12, 16, 20, 22):
        ids = ring_ids(side, side)
        assert set(ids[ids != KEPT].tolist()) == set(range(int(ids.max()) + 1))
        assert ids.max() < 11
