"""Scores against cases worked out by hand, and against slow, independent code."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from usfm_studio.engine import scoring
from usfm_studio.engine.scoring import LabelledImage


def rectangle(shape, y0, y1, x0, x1):
    mask = np.zeros(shape, bool)
    mask[y0:y1, x0:x1] = True
    return mask


def slow_hd95(a, b):
    """By exhaustive distance transforms, written apart from the code under test."""

    def edge(mask):
        return mask & ~ndimage.binary_erosion(mask, ndimage.generate_binary_structure(2, 1), border_value=0)

    ea, eb = edge(a), edge(b)
    to_b, to_a = ndimage.distance_transform_edt(~eb), ndimage.distance_transform_edt(~ea)
    return max(np.percentile(to_b[ea], 95), np.percentile(to_a[eb], 95))


def test_dice_by_hand():
    a, b = rectangle((5, 7), 0, 2, 0, 4), rectangle((5, 7), 0, 2, 2, 6)
    assert scoring.dice(a, b) == pytest.approx(2 * 4 / 16)
    nothing = np.zeros((5, 7), bool)
    assert scoring.dice(nothing, nothing) == 1
    assert scoring.dice(a, nothing) == 0


def test_boundary_counts_the_border_of_the_image_as_outside():
    full = np.ones((4, 5), bool)
    expected = np.ones((4, 5), bool)
    expected[1:3, 1:4] = False
    assert np.array_equal(scoring.boundary(full), expected)


def test_distances_by_hand():
    a, b = rectangle((30, 50), 5, 6, 5, 6), rectangle((30, 50), 9, 10, 8, 9)  # 3 right, 4 down
    assert scoring.hd95(a, b) == pytest.approx(5)
    assert scoring.hd95(a, b, (2.0, 0.5)) == pytest.approx(np.hypot(6, 2))
    nothing = np.zeros((30, 50), bool)
    assert scoring.hd95(a, nothing) == pytest.approx(np.hypot(30, 50))
    assert scoring.hd95(nothing, nothing) == 0
    assert scoring.nsd(nothing, nothing) == 1
    assert scoring.nsd(a, nothing) == 0
    assert scoring.nsd(a, b, tolerance=4.9) == 0
    assert scoring.nsd(a, b, tolerance=5.0) == 1


def test_percentiles_are_directed_and_the_larger_one_counts():
    """A far speck of 1 pixel in 100 is lost in one direction's percentile, and counts in the other's only if 5 %."""
    reference = rectangle((200, 200), 50, 51, 10, 110)
    predicted = reference.copy()
    predicted[190, 190] = True
    assert scoring.hd95(predicted, reference) == 0
    few = rectangle((200, 200), 50, 51, 10, 20)
    predicted = few.copy()
    predicted[150, 15] = True  # 1 of 11 boundary pixels: the 95th percentile lies between 0 and 100
    assert scoring.hd95(predicted, few) == pytest.approx(np.percentile([0] * 10 + [100], 95))


def test_tolerance_is_one_percent_of_the_root_of_the_area():
    reference, moved = rectangle((346, 512), 100, 200, 100, 300), rectangle((346, 512), 100, 200, 103, 303)
    assert scoring.nsd(moved, reference) == 1
    moved = rectangle((346, 512), 100, 200, 106, 306)
    assert scoring.nsd(moved, reference) < 1


blobs = hnp.arrays(bool, (24, 31), elements=st.booleans()).map(lambda noise: ndimage.median_filter(noise, 5))


@settings(max_examples=60, deadline=None)
@given(blobs, blobs)
def test_distances_agree_with_slow_code(a, b):
    if a.any() and b.any():
        assert scoring.hd95(a, b) == pytest.approx(slow_hd95(a, b))
    assert scoring.hd95(a, b) == pytest.approx(scoring.hd95(b, a))
    assert scoring.nsd(a, b) == pytest.approx(scoring.nsd(b, a))
    assert 0 <= scoring.nsd(a, b) <= 1
    assert scoring.dice(a, b) == scoring.dice(b, a)
    assert scoring.dice(a, a) == 1
    assert scoring.hd95(a, a) == 0


def pairs_of(*images, subject=None):
    found = []
    for i, (predicted, reference) in enumerate(images):
        name = subject[i] if subject else f"s{i}"
        found += scoring.score_image(predicted, reference, (1, 2), image=f"i{i}", subject=name)
    return found


def test_empty_references_count_in_dice_all_alone():
    empty = np.zeros((6, 8), np.uint8)
    one = rectangle((6, 8), 0, 2, 0, 4).astype(np.uint8)
    scores = scoring.mask_scores(pairs_of((one, one), (one, empty), (empty, one)))
    # pairs: (1,1)=1 (1,2)=empty,right (2,1)=empty,wrong (2,2)=right (3,1)=missed (3,2)=right
    assert scores["dice"] == pytest.approx((1 + 0) / 2)
    assert scores["dice_all"] == pytest.approx((1 + 1 + 0 + 1 + 0 + 1) / 6)
    assert scores["false_positive"] == pytest.approx(1 / 4)
    assert scores["dice_below_half"] == pytest.approx(1 / 2)
    assert scores["hd95"] == pytest.approx((0 + 10) / 2)
    assert scores["nsd"] == pytest.approx(1 / 2)
    assert scores["dice_median"] == pytest.approx(0.5)


def test_nothing_to_score_is_none_not_zero():
    scores = scoring.mask_scores([])
    assert scores["dice"] is None
    assert scoring.label_scores([], ("a", "b"))["macro_f1"] is None


def test_millimetres_use_the_scale_of_each_axis():
    a = rectangle((40, 40), 10, 20, 10, 20).astype(np.uint8)
    b = rectangle((40, 40), 14, 24, 10, 20).astype(np.uint8)
    (pair,) = scoring.score_image(a, b, (1,), image="i", subject="s", mm_per_px_xy=(0.1, 0.5))
    assert pair.hd95 == pytest.approx(4)
    assert pair.hd95_mm == pytest.approx(2)
    assert pair.nsd_1mm < 1


def test_masks_of_other_sizes_are_refused():
    with pytest.raises(ValueError, match="cannot be compared"):
        scoring.score_image(np.zeros((3, 4), np.uint8), np.zeros((4, 3), np.uint8), (1,), image="i", subject="s")


def labelled(truths, rows, subjects=None):
    return [
        LabelledImage(
            image=str(i), subject=subjects[i] if subjects else str(i), truth=(t,) if isinstance(t, str) else t,
            probabilities=tuple(p),
        )
        for i, (t, p) in enumerate(zip(truths, rows, strict=True))
    ]  # fmt: skip


def test_label_figures_by_hand():
    images = labelled("aabb", [(0.9, 0.1), (0.4, 0.6), (0.3, 0.7), (0.2, 0.8)])
    scores = scoring.label_scores(images, ("a", "b"))
    f1_a, f1_b = 2 * 1 / (2 + 1), 2 * 2 / (2 + 3)
    assert scores["macro_f1"] == pytest.approx((f1_a + f1_b) / 2)
    assert scores["balanced_accuracy"] == pytest.approx((0.5 + 1) / 2)
    assert scores["accuracy"] == pytest.approx(0.75)
    assert scores["auroc"] == pytest.approx(1)  # b: .7 .8 above .1 .6
    assert scores["brier"] == pytest.approx((0.02 + 0.72 + 0.18 + 0.08) / 4)
    assert scores["log_loss"] == pytest.approx(-np.mean(np.log([0.9, 0.4, 0.7, 0.8])))
    # bins of width 1/15: 0.9 -> [13], 0.6 -> [9], 0.7 -> [10], 0.8 -> [12]
    assert scores["ece"] == pytest.approx((0.1 + 0.6 + 0.3 + 0.2) / 4)


def test_a_class_never_predicted_scores_zero_and_one_that_never_occurs_is_left_out():
    images = labelled("aab", [(0.9, 0.1, 0), (0.8, 0.2, 0), (0.7, 0.3, 0)])
    scores = scoring.label_scores(images, ("a", "b", "c"))
    assert scores["macro_f1"] == pytest.approx((0.8 + 0) / 2)


def test_ties_count_half():
    images = labelled("ab", [(0.5, 0.5), (0.5, 0.5)])
    assert scoring.label_scores(images, ("a", "b"))["auroc"] == pytest.approx(0.5)
    images = labelled("aa", [(0.5, 0.5), (0.5, 0.5)])
    assert scoring.label_scores(images, ("a", "b"))["auroc"] is None


def test_several_labels_are_questions():
    images = labelled([("x", "y"), ("x",), ()], [(0.9, 0.8), (0.9, 0.7), (0.2, 0.1)])
    scores = scoring.label_scores(images, ("x", "y"), exclusive=False)
    assert scores["macro_f1"] == pytest.approx((1 + 2 / 3) / 2)
    assert scores["accuracy"] == pytest.approx(5 / 6)
    assert scores["auroc"] == pytest.approx(1)


def test_floor_is_what_perfect_calibration_shows():
    rng = np.random.default_rng(1)
    p = rng.uniform(0.5, 1, 400)
    truth = np.where(rng.random(400) < p, "b", "a")
    scores = scoring.label_scores(labelled(truth, np.stack([1 - p, p], 1)), ("a", "b"))
    assert 0.01 < scores["ece_floor"] < 0.1
    assert abs(scores["ece"] - scores["ece_floor"]) < 0.03


def test_subjects_are_redrawn_whole():
    draws = scoring.subject_draws(7)
    assert draws.shape == (2000, 7)
    assert (draws.sum(axis=1) == 7).all()
    assert np.array_equal(draws, scoring.subject_draws(7))


def test_interval_is_over_subjects_and_a_range_below_ten():
    values, few = [0.2, 0.4, 0.9], ["a", "a", "b"]
    interval = scoring.mean_interval(values, few)
    assert (interval.kind, interval.low, interval.high) == ("range", pytest.approx(0.3), 0.9)
    many = [f"s{i}" for i in range(20) for _ in range(2)]
    values = np.repeat(np.linspace(0, 1, 20), 2).tolist()
    interval = scoring.mean_interval(values, many)
    alone = scoring.mean_interval(values[::2], many[::2])
    assert interval.kind == "interval"
    assert interval.pair == pytest.approx(alone.pair)  # a second image of a subject is no second subject
    assert interval.low < 0.5 < interval.high
    assert scoring.mean_interval([], []) is None


def test_summary_has_images_subjects_and_intervals():
    one = rectangle((6, 8), 0, 2, 0, 4).astype(np.uint8)
    empty = np.zeros_like(one)
    pairs = pairs_of((one, one), (empty, one), (one, one), subject=["a", "a", "b"])
    images = labelled("xyx", [(0.9, 0.1), (0.2, 0.8), (0.6, 0.4)], ["a", "a", "b"])
    scores = scoring.summarise(pairs, images, ("x", "y"))
    body = scores.to_json()
    assert body["per_subject"]["a"]["dice"] == pytest.approx(0.5)
    assert body["per_subject"]["b"]["dice_all"] == 1
    assert body["per_image"]["i1"]["dice"] == 0
    assert body["interval"]["dice"] == [0.5, 1.0]
    assert body["interval_kind"] == "range"
    assert body["macro_f1"] == 1


def test_bootstrap_of_label_figures_brackets_them():
    rng = np.random.default_rng(0)
    truth = rng.choice(["a", "b", "c"], 60)
    rows = rng.dirichlet((1, 1, 1), 60)
    rows[np.arange(60), [("abc").index(t) for t in truth]] += 0.6
    rows /= rows.sum(1, keepdims=True)
    scores = scoring.summarise((), labelled(truth, rows), ("a", "b", "c"))
    for name in ("macro_f1", "auroc", "brier", "balanced_accuracy"):
        interval = scores.intervals[name]
        assert interval.kind == "interval"
        assert interval.low <= scores.values[name] <= interval.high
