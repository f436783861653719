"""Which frames next: different ones while the model is weak, unsure ones later, never two of a subject."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usfm_studio.engine.active_learning import Choice, clusters, k_centre, standardised, unsure_and_different

NONE = np.zeros((0, 2))
WAITING = st.lists(
    st.tuples(st.floats(-9, 9), st.floats(-9, 9), st.integers(0, 6), st.floats(0, 1)), min_size=1, max_size=25
)


def arrays(waiting):
    x_ND = np.array([[x, y] for x, y, *_ in waiting])
    return x_ND, [f"s{subject}" for *_, subject, _ in waiting], np.array([c for *_, c in waiting])


def sound(chosen: list[Choice], subjects, count):
    picked = [subjects[choice.index] for choice in chosen]
    assert len(picked) == len(set(picked)) == min(count, len(set(subjects)))
    scores = [choice.score for choice in chosen]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)


@given(WAITING, st.integers(1, 8), st.integers(0, 3))
@settings(max_examples=40, deadline=None)
def test_each_subject_gives_one_frame_at_most_and_scores_fall(waiting, count, done):
    x_ND, subjects, certainty = arrays(waiting)
    sound(k_centre(x_ND, x_ND[:done], subjects, count), subjects, count)
    sound(unsure_and_different(x_ND, certainty, subjects, count, np.random.default_rng(0)), subjects, count)


def test_what_lies_farthest_from_all_that_is_done_and_chosen_comes_first():
    x_ND = np.array([[0.0, 0], [1, 0], [9, 0], [9, 1], [0, 5]])
    done = np.array([[0.0, 0]])
    chosen = k_centre(x_ND, done, list("abcde"), 3)
    assert [choice.index for choice in chosen] == [3, 4, 1]
    assert chosen[0].score == 1
    assert chosen[1].score == pytest.approx(5 / np.hypot(9, 1))


def test_where_nothing_is_done_the_most_typical_frame_comes_first():
    x_ND = np.array([[0.0, 0], [5, 5], [10, 10], [4, 6], [0, 10]])
    assert k_centre(x_ND, NONE, list("abcde"), 2)[0] == Choice(3, 1.0)


def test_of_frames_that_look_alike_only_the_least_certain_is_taken():
    """Two heaps: the heap of certain frames has its turn although all of the other are less certain."""
    rng = np.random.default_rng(0)
    x_ND = np.concatenate([rng.normal(0, 0.01, (10, 2)), rng.normal(8, 0.01, (10, 2))])
    certainty = np.concatenate([np.linspace(0.1, 0.3, 10), np.linspace(0.7, 0.9, 10)])
    chosen = unsure_and_different(x_ND, certainty, [f"s{n}" for n in range(20)], 1, np.random.default_rng(1))
    assert chosen[0].index < 10
    assert len(set(clusters(x_ND, 2, np.random.default_rng(0))[:10])) == 1
    assert len(set(clusters(x_ND, 2, np.random.default_rng(0)))) == 2


def test_noise_lets_neighbours_in_rank_take_turns_and_a_seed_repeats_it():
    x_ND, certainty, subjects = np.zeros((20, 2)), np.linspace(0, 1, 20), [f"s{n}" for n in range(20)]
    firsts = [
        unsure_and_different(x_ND, certainty, subjects, 1, np.random.default_rng(seed))[0].index for seed in range(20)
    ]
    assert len(set(firsts)) > 1
    assert max(firsts) < 10
    again = unsure_and_different(x_ND, certainty, subjects, 1, np.random.default_rng(3))[0].index
    assert again == firsts[3]


def test_directions_count_alike_whatever_their_scale():
    x_ND = np.array([[1e6, 0], [2e6, 1], [3e6, 0]])
    scaled, done = standardised(x_ND, NONE)
    assert done.shape == (0, 2)
    assert scaled.std(0) * np.sqrt(2) == pytest.approx([1, 1])
