"""Who trains, what is planned, and when a new model comes to propose: rules without a network."""

import dataclasses

import numpy as np
import pytest

from tests.engine.blobs import SCHEMA, snapshot
from usfm_studio.document.errors import NothingToLearn, WrongUsage
from usfm_studio.document.snapshot import Sample, SnapshotWriter
from usfm_studio.document.splits import first_subjects, fold_of, is_holdout_by_hash
from usfm_studio.engine.learning.baseline import by_subject, trivial_labels, trivial_masks
from usfm_studio.engine.learning.compare import Standing, compare, first_model, signed_rank_p
from usfm_studio.engine.learning.holdout import Sides, chosen_subjects, joined, sides_of
from usfm_studio.engine.learning.plan import fingerprint, members_share, plan


def samples(names, labels=None):
    return [
        Sample(stem=f"{n}-{i}", name=n, subject=n, rows=4, columns=5, labels=(labels[n],) if labels else None)
        for i, n in enumerate(names)
    ]


MANY = [f"p{i}" for i in range(60)]
HELD = [s for s in MANY if is_holdout_by_hash(s)]


def test_enough_hashed_subjects_are_held_out():
    sides = sides_of(samples(MANY))
    assert sides.kind == "held-out"
    assert list(sides.tested) == HELD
    assert not set(sides.train) & set(sides.tested)
    assert set(sides.train) | set(sides.tested) == set(MANY)


def test_a_subject_once_trained_on_is_never_tested_again():
    sides = sides_of(samples(MANY), trained_before=HELD[:2])
    assert list(sides.tested) == HELD[2:]


def test_few_subjects_are_cross_fitted_and_never_test_themselves():
    sides = sides_of(samples(["a", "b", "c", "d"]))
    assert sides.kind == "cross-fitted"
    assert set(sides.folds) == {"a", "b", "c", "d"}
    assert len(set(sides.folds.values())) > 1
    assert sides_of(samples(["a", "b"])).folds["a"] != sides_of(samples(["a", "b"])).folds["b"]
    assert sides_of(samples(["a", "a"])).kind == "none"


def test_subjects_with_labels_alone_teach_beside_those_that_decide():
    sides = sides_of(samples(MANY))
    more = joined(sides, ["x1", "x2", *MANY])
    assert more.tested == sides.tested
    assert set(more.train) - set(sides.train) == {s for s in ("x1", "x2") if not is_holdout_by_hash(s)}
    few = joined(sides_of(samples(["a", "b"])), ["a", "b", "x1", "x2", "x3"])
    assert set(few.folds) == set(few.train)


def test_frames_in_another_order_are_split_the_same():
    shuffled = list(np.random.default_rng(0).permutation(MANY))
    assert set(sides_of(samples(MANY)).tested) == set(sides_of(samples(shuffled)).tested)


def test_fraction_and_folds_choose_by_the_published_hashes():
    items = samples(MANY)
    assert set(chosen_subjects(items, fraction=0.2, seed=3)) == set(first_subjects(MANY, 0.2, 3))
    inside = chosen_subjects(items, folds=5, fold=1, inside=True)
    assert inside == [s for s in MANY if fold_of(s, 5) == 1]
    outside = chosen_subjects(items, folds=5, fold=1)
    assert set(inside) | set(outside) == set(MANY)
    assert set(chosen_subjects(items, folds=5, fold=1, fraction=0.5, seed=0)) == set(first_subjects(outside, 0.5, 0))


def test_each_label_has_a_subject_in_the_smallest_fraction():
    labels = {n: ("rare" if n == "p59" else "common") for n in MANY}
    assert "p59" in chosen_subjects(samples(MANY, labels), fraction=0.05)


def scores(values):
    return {f"s{i}": v for i, v in enumerate(values)}


def standing(values, segments=None):
    return Standing(by_subject=scores(values), segments=segments or {})


def test_enough_subjects_promote_what_is_not_clearly_worse():
    old = [0.8] * 12
    assert compare(standing([0.83] * 12), standing(old), masks=True).promoted
    assert compare(standing([0.795] * 12), standing(old), masks=True).promoted
    verdict = compare(standing([0.75] * 12), standing(old), masks=True)
    assert not verdict.promoted
    assert "12 subjects" in verdict.reason
    assert verdict.share_above == 0


def test_a_fallen_segment_refuses():
    new, old = standing([0.85] * 8, {1: 0.95, 2: 0.70}), standing([0.8] * 8, {1: 0.85, 2: 0.75})
    verdict = compare(new, old, masks=True)
    assert not verdict.promoted
    assert "segment 2" in verdict.reason
    assert compare(standing([0.85] * 8, {1: 0.95, 2: 0.73}), old, masks=True).promoted


def test_one_more_failure_passes_and_two_do_not():
    old = standing([0.55, 0.55, 0.8, 0.8, 0.8, 0.8, 0.8])
    assert compare(standing([0.45, 0.55, 0.9, 0.9, 0.9, 0.9, 0.9]), old, masks=True).promoted
    assert not compare(standing([0.45, 0.45, 0.95, 0.95, 0.95, 0.95, 0.95]), old, masks=True).promoted


def test_few_subjects_need_a_gain_and_no_fall():
    verdict = compare(standing([0.82, 0.81]), standing([0.8, 0.8]), masks=True)
    assert verdict.promoted
    assert "too few subjects to be sure" in verdict.reason
    assert not compare(standing([0.8, 0.8]), standing([0.8, 0.8]), masks=True).promoted
    assert not compare(standing([0.95, 0.69]), standing([0.7, 0.8]), masks=True).promoted


def test_nothing_in_common_or_a_single_subject_keeps_the_old():
    assert not compare(Standing(by_subject={"a": 0.9}), Standing(by_subject={"b": 0.1}), masks=True).promoted
    assert not compare(standing([0.9]), standing([0.1]), masks=True).promoted


def test_only_common_subjects_count():
    new = Standing(by_subject={"a": 0.9, "b": 0.9, "c": 0.0})
    verdict = compare(new, Standing(by_subject={"a": 0.8, "b": 0.8, "d": 1.0}), masks=True)
    assert (verdict.promoted, verdict.subjects) == (True, 2)


def test_a_first_model_must_beat_the_trivial_one():
    assert first_model(scores([0.6, 0.6]), scores([0.5, 0.5]), what="nothing").promoted
    assert not first_model(scores([0.4, 0.5]), scores([0.5, 0.5]), what="nothing").promoted
    assert first_model({}, {}, what="nothing").promoted


def test_labels_know_no_half():
    assert compare(standing([-0.2] * 7), standing([-0.9] * 7), masks=False).promoted


def test_the_rank_test_is_reported():
    assert signed_rank_p(np.zeros(5)) is None
    assert signed_rank_p(np.full(5, 0.1)) == pytest.approx(0.0625)


def test_the_mean_mask_never_saw_who_it_is_held_against(tmp_path):
    shot = snapshot(tmp_path, 4)
    sides = Sides(kind="held-out", train=("s00", "s01"), tested=("s02", "s03"))
    pairs = trivial_masks(shot, shot.samples, sides, (3,))
    assert {p.subject for p in pairs} == {"s02", "s03"}
    assert all(0 <= score <= 1 for score in by_subject(pairs).values())
    alone = Sides(kind="cross-fitted", train=("s00", "s01"), tested=("s00", "s01"), folds={"s00": 0, "s01": 1})
    (first, second) = trivial_masks(shot, shot.of_subjects(["s00", "s01"]), alone, (3,))
    assert first.dice == pytest.approx(second.dice)  # each is the other's guess


def test_label_shares_are_the_trivial_answer():
    labels = {"a": "x", "b": "x", "c": "y", "d": "x"}
    sides = Sides(kind="held-out", train=("a", "b", "c"), tested=("d",))
    found = trivial_labels(samples(list(labels), labels), sides, ("x", "y"), True)
    assert found["d"] == pytest.approx(np.log(2.5 / 4))


def test_the_fingerprint_sees_what_is_there(tmp_path):
    shot = snapshot(tmp_path, 3, frames=2, labels=True)
    marks = fingerprint(shot, shot.samples)
    assert (marks.frames, marks.subjects, marks.masked, marks.labelled) == (6, 3, 6, 6)
    assert marks.segments == (3,)
    assert marks.labels == ("large", "small")
    assert not marks.sided
    assert 0.02 < marks.median_share < 0.4


def test_a_structure_that_keeps_to_a_side_forbids_mirroring(tmp_path):
    writer = SnapshotWriter(tmp_path, SCHEMA)
    for n in range(5):
        ids = np.zeros((20, 40), np.uint8)
        ids[5:15, 1 + n : 9 + n] = 3
        sample = Sample(stem=f"f{n}", name=f"f{n}", subject=f"s{n}", rows=20, columns=40)
        writer.add(sample, np.zeros((20, 40), np.uint8), ids)
    shot = writer.finish()
    marks = fingerprint(shot, shot.samples)
    assert marks.sided
    assert plan(marks, budget_s=60).augmentation.flip == 0


def test_the_task_follows_the_data(tmp_path):
    shot = snapshot(tmp_path, 8, labels=True)
    marks = fingerprint(shot, shot.samples)
    assert plan(marks, budget_s=60).task == "both"
    assert plan(marks, task="labels", budget_s=60).segments == ()
    only = plan(marks, task="segmentation", budget_s=60)
    assert (only.labels, only.classes) == ((), 2)
    both = plan(marks, label_encoder="abc", budget_s=60)
    assert (both.label_encoder, both.rates.encoder > 0) == ("abc", True)
    assert (plan(marks, budget_s=60).label_encoder, plan(marks, budget_s=60).rates.encoder) == ("", 0)
    assert (only.label_encoder, only.rates.encoder > 0) == ("", True)
    assert plan(dataclasses.replace(marks, subjects=2), task="segmentation", budget_s=60).rates.encoder == 0


def test_small_targets_are_learned_larger_through_windows(tmp_path):
    shot = snapshot(tmp_path, 8)
    marks = fingerprint(shot, shot.samples)
    large = plan(dataclasses.replace(marks, median_share=0.2), budget_s=60)
    small = plan(dataclasses.replace(marks, median_share=0.01), budget_s=60)
    assert (large.input_px, large.augmentation.window_px) == (256, 0)
    assert (small.input_px, small.augmentation.window_px) == (384, 256)


def test_members_of_a_cross_fitting_get_what_they_can_use():
    assert members_share(86) == pytest.approx(0.75, abs=0.01)
    assert members_share(480) == pytest.approx(0.3)
    assert members_share(10) == 0.75


@pytest.mark.parametrize(
    ("changed", "task", "why"),
    [
        ({"segments": (), "labels": ()}, "auto", "nothing"),
        ({"segments": (), "masked": 4}, "segmentation", "no frame has anything marked"),
        ({"segments": (), "masked": 0}, "segmentation", "no frame is done"),
        ({"labels": ("large",)}, "labels", 'every labelled frame is "large"'),
    ],
)
def test_what_is_missing_is_said(tmp_path, changed, task, why):
    shot = snapshot(tmp_path, 3, labels=True)
    marks = dataclasses.replace(fingerprint(shot, shot.samples), **changed)
    with pytest.raises(NothingToLearn) as caught:
        plan(marks, task=task, budget_s=60)
    assert why in str(caught.value)
    assert caught.value.hint


def test_foreign_tasks_and_options_are_refused(tmp_path):
    shot = snapshot(tmp_path, 3)
    marks = fingerprint(shot, shot.samples)
    for given in ({"task": "dance"}, {"options": {"tune": "harder"}}, {"options": {"colour": 1}}):
        with pytest.raises(WrongUsage):
            plan(marks, budget_s=60, **given)
