"""Organs, subjects, frames: the shares of the specification, and one stream whoever asks for it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.corpus.making import an_index
from usfm_studio.document.errors import NothingToLearn
from usfm_studio.engine.corpus.sampler import CHUNK, EpochSampler, organ_shares

COUNTS = [1000, 5000, 50, 20000]
SIGMAS = 4  # of some hundred comparisons


@pytest.mark.parametrize(
    ("alpha", "wanted"),
    [
        (0, [0.3269, 0.3269, 0.0192, 0.3269]),
        (0.5, [0.1272, 0.2845, 0.0192, 0.5690]),
        (1, [0.0384, 0.1919, 0.0019, 0.7678]),
    ],
)
def test_shares_of_the_specification(alpha, wanted):
    assert organ_shares(COUNTS, alpha, 26_050, 10) == pytest.approx(wanted, abs=5e-5)


counts = st.lists(st.integers(0, 10**6), min_size=1, max_size=12).filter(lambda n: sum(n) > 0)


@given(counts, st.floats(0, 1), st.floats(1, 20), st.floats(0.01, 1))
def test_shares_sum_to_one_and_no_image_is_expected_too_often(counts, alpha, cap, part):
    n = np.array(counts)
    draws = max(1, int(part * cap * n.sum()))
    q = organ_shares(n, alpha, draws, cap)
    assert q.sum() == pytest.approx(1)
    assert (q >= 0).all()
    assert (q[n == 0] == 0).all()
    assert (q * draws <= cap * n * (1 + 1e-9)).all()
    free = (q * draws < cap * n * (1 - 1e-9)) & (n > 0)
    ratio = q[free] / n[free].astype(float) ** alpha
    if free.any():
        assert np.ptp(ratio) <= 1e-9 * ratio.max()  # those below the cap share by the one rule
        capped = ~free & (n > 0)
        assert (q[capped] <= ratio.max() * n[capped].astype(float) ** alpha * (1 + 1e-9)).all()


def test_too_many_draws_are_refused_and_an_epoch_is_shortened(tmp_path):
    with pytest.raises(ValueError, match="need more than"):
        organ_shares([10, 10], 0.5, 201, 10)
    with pytest.raises(ValueError, match="nothing"):
        organ_shares([0, 0], 0.5, 10, 10)
    assert len(EpochSampler(an_index(tmp_path, {"a": [10], "b": [10]}), cap=10, draws=500)) == 200
    empty = an_index(tmp_path / "empty", {})
    with pytest.raises(NothingToLearn):
        EpochSampler(empty)


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    """Three organs; in the first a subject of 1000 frames beside some of one."""
    organs = {"liver": [1000, 1, 1, 1, 7], "breast": [3] * 40, "heart": [25] * 12}
    return an_index(tmp_path_factory.mktemp("index"), organs)


def within(seen, share, draws):
    return np.abs(seen - share * draws) <= SIGMAS * np.sqrt(draws * share * (1 - share)) + 1


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_organs_subjects_and_frames_come_as_often_as_they_should(index, alpha):
    sampler = EpochSampler(index, seed=3, alpha=alpha, cap=1e9, draws=200_000)
    rows = sampler.rows(0)
    organ, subject = index.organ[rows], index.subject[rows]
    assert within(np.bincount(organ, minlength=3), sampler.shares, 200_000).all()
    for number in range(3):
        mine = subject[organ == number]
        subjects, seen = np.unique(mine, return_counts=True)
        assert len(subjects) == len(np.unique(index.subject[index.organ == number]))
        assert within(seen, 1 / len(subjects), len(mine)).all()
    of_the_large = rows[(organ == index.organ[0]) & (subject == index.subject[0])]
    frames, seen = np.unique(of_the_large, return_counts=True)
    assert len(frames) > 990
    assert within(seen, 1 / 1000, len(of_the_large)).all()


def test_a_subject_of_1000_frames_is_drawn_as_often_as_one_of_1(index):
    rows = EpochSampler(index, cap=1e9, draws=100_000).rows(1)
    liver = index.subject[rows[index.organ[rows] == index.organs.index("liver")]]
    seen = np.bincount(liver)
    seen = seen[seen > 0]
    assert len(seen) == 5
    assert within(seen, 0.2, len(liver)).all()


@given(st.integers(0, 2**31), st.integers(0, 50), st.integers(1, 8), st.integers(0, 1600))
def test_ranks_share_one_stream_and_resume_anywhere(index, seed, epoch, ranks, start):
    sampler = EpochSampler(index, seed=seed)
    whole = sampler.rows(epoch)
    assert len(whole) == len(sampler) == len(index)
    slices = [sampler.rows(epoch, rank, ranks, start) for rank in range(ranks)]
    assert len({len(part) for part in slices}) == 1
    together = np.stack(slices, 1).ravel()
    wanted = whole[start:]
    assert np.array_equal(together, wanted[: len(wanted) // ranks * ranks])
    assert np.array_equal(sampler.rows(epoch, start=start), wanted)


def test_the_stream_is_the_same_beyond_one_chunk(index):
    sampler = EpochSampler(index, cap=1e9, draws=3 * CHUNK + 5)
    whole = sampler.rows(4)
    assert np.array_equal(sampler.rows(4, start=CHUNK - 3), whole[CHUNK - 3 :])
    assert np.array_equal(sampler.rows(4, 1, 2), whole[1 : 3 * CHUNK + 4 : 2])


def test_seeds_and_epochs_differ_and_nothing_else_does(index):
    streams = {(s, e): EpochSampler(index, seed=s).rows(e).tobytes() for s in range(4) for e in range(4)}
    assert len(set(streams.values())) == 16
    assert EpochSampler(index, seed=2).rows(3).tobytes() == streams[2, 3]
    with pytest.raises(ValueError, match="rank 2 of 2"):
        EpochSampler(index).rows(0, 2, 2)


def test_streams_of_neighbouring_seeds_and_epochs_have_nothing_in_common(tmp_path):
    index = an_index(tmp_path, {"a": [1] * 4096})
    base = EpochSampler(index, seed=0).rows(0)
    for other in (EpochSampler(index, seed=1).rows(0), EpochSampler(index, seed=0).rows(1)):
        assert abs(np.corrcoef(base, other)[0, 1]) < SIGMAS / 64
        assert np.mean(base == other) < 0.01
    assert abs(np.corrcoef(base[1:], base[:-1])[0, 1]) < SIGMAS / 64


def test_the_stream_is_pinned(tmp_path):
    """A checkpoint names a position in this stream: a change of it breaks every resume."""
    index = an_index(tmp_path, {"a": [2, 5, 1], "b": [9], "c": [4] * 6})
    assert EpochSampler(index, seed=11).rows(5)[:12].tolist() == [15, 7, 12, 9, 24, 27, 16, 1, 35, 10, 0, 14]
