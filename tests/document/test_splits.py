"""Who trains and who tests."""

import hashlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usfm_studio.document.splits import deal_folds, first_subjects, fold_of, is_holdout_by_hash, split_holdout

subjects = st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=60, unique=True)


def test_a_subset_is_what_anyone_can_recompute():
    names = [f"s{i}" for i in range(37)]
    ordered = sorted(names, key=lambda s: hashlib.sha1(f"4:{s}".encode()).hexdigest())
    assert first_subjects(names, 0.2, 4) == ordered[: math.ceil(0.2 * 37)]


def test_seven_percent_of_a_hundred_is_seven():
    assert len(first_subjects([str(i) for i in range(100)], 0.07, 0)) == 7


@given(subjects, st.floats(0.01, 1), st.floats(0.01, 1), st.integers(0, 4))
def test_subsets_are_nested(names, one, other, seed):
    small, large = sorted((one, other))
    assert set(first_subjects(names, small, seed)) <= set(first_subjects(names, large, seed))


@given(st.data())
def test_every_class_has_a_subject_and_subsets_stay_nested(data):
    names = [f"s{i}" for i in range(data.draw(st.integers(3, 40)))]
    classes = {s: [data.draw(st.sampled_from("abc"))] for s in names}
    small = first_subjects(names, 0.05, 0, classes)
    large = first_subjects(names, 0.3, 0, classes)
    assert {c for s in small for c in classes[s]} == {c for s in names for c in classes[s]}
    assert set(small) <= set(large)


def test_folds_and_holdout_follow_their_hashes():
    assert fold_of("hc18-001", 5) == int(hashlib.sha1(b"fold:hc18-001").hexdigest(), 16) % 5
    assert is_holdout_by_hash("x") == (int(hashlib.sha1(b"holdout:x").hexdigest(), 16) % 5 == 0)


@given(subjects, subjects)
def test_new_subjects_change_nobodys_side(first, more):
    names = list(dict.fromkeys(first))[:25]
    grown = [*names, *(s for s in more if s not in names)][:29]
    _, before = split_holdout(names)
    _, after = split_holdout(grown)
    assert set(before) <= set(after)


@given(subjects)
def test_no_subject_is_on_both_sides_and_none_is_lost(names):
    train, holdout = split_holdout(names)
    assert sorted(train + holdout) == sorted(set(names))
    assert len(holdout) <= 30


def held_out_names(count: int) -> list[str]:
    return [name for i in range(2000) if is_holdout_by_hash(name := f"p{i}")][:count]


def test_a_subject_once_trained_on_is_never_held_out_again():
    name = held_out_names(1)[0]
    assert split_holdout([name, "b"], trained_before=[name])[1] == []


def test_the_only_subject_of_a_class_trains():
    one, two = held_out_names(2)
    train, holdout = split_holdout([one, two, "plain-1"], classes_of={one: ["rare"]})
    assert one in train
    assert two in holdout


def test_a_class_held_out_whole_gives_its_longest_known_subject_back():
    one, two = held_out_names(2)
    train, holdout = split_holdout([one, two], classes_of={one: ["rare"], two: ["rare"]})
    assert train == [one]
    assert holdout == [two]


@pytest.mark.parametrize("count", [2, 3, 6, 20])
def test_cross_fitting_never_puts_all_subjects_in_one_fold(count):
    for start in range(30):
        folds = deal_folds(f"{start}-{i}" for i in range(count))
        assert len(set(folds.values())) > 1
