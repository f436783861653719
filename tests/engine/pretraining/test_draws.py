import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from usfm_studio.engine.pretraining.draws import bits_BN, integers_BN, keys_B, normal_BN, smallest_BN, uniform_BN

WORD = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15


def splitmix(state):
    """The published mixer, in whole numbers."""
    z = state & WORD
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & WORD
    return z ^ (z >> 31)


def unsigned(tensor):
    return [int(v) & WORD for v in tensor.flatten()]


def some_keys(n=4, seed=0, step=0, rank=0):
    return keys_B(seed, step, rank, torch.arange(n))


def test_the_mixer_of_the_tests_gives_the_published_sequence_of_splitmix64():
    assert [splitmix(1234567 + i * GOLDEN) for i in (1, 2, 3)] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
    ]


@given(key=st.integers(-(2**63), 2**63 - 1), stream=st.integers(0, 99), n=st.integers(1, 9))
def test_words_are_splitmix64_started_from_key_and_stream(key, stream, n):
    start = splitmix(key + splitmix((stream + 1) * GOLDEN))
    wanted = [splitmix(start + i * GOLDEN) for i in range(1, n + 1)]
    assert unsigned(bits_BN(torch.tensor([key]), stream, n)) == wanted


@given(
    seed=st.integers(0, 2**31), step=st.integers(0, 10**9), rank=st.integers(0, 999), cut=st.integers(0, 7),
    stream=st.integers(0, 9),
)  # fmt: skip
def test_an_images_draw_does_not_depend_on_the_batch_it_is_in(seed, step, rank, cut, stream):
    index = torch.arange(7)
    whole = normal_BN(keys_B(seed, step, rank, index), stream, 11)
    parts = [normal_BN(keys_B(seed, step, rank, part), stream, 11) for part in (index[:cut], index[cut:]) if len(part)]
    assert torch.equal(whole, torch.cat(parts))
    longer = normal_BN(keys_B(seed, step, rank, index), stream, 30)
    assert torch.equal(whole, longer[:, :11])


def test_seed_step_rank_and_index_each_change_the_key_and_are_not_added_up():
    keys = [
        int(keys_B(seed, step, rank, torch.tensor([index])))
        for seed in range(6)
        for step in range(6)
        for rank in range(6)
        for index in range(6)
    ]
    assert len(set(keys)) == 6**4


def test_uniform_numbers_fill_the_unit_interval_evenly_and_streams_do_not_agree():
    u = uniform_BN(some_keys(50), 0, 2000)
    assert float(u.min()) >= 0
    assert float(u.max()) < 1
    counts = np.histogram(u.numpy(), bins=64, range=(0, 1))[0]
    assert stats.chisquare(counts).pvalue > 1e-4
    other = uniform_BN(some_keys(50), 1, 2000)
    assert abs(np.corrcoef(u.flatten(), other.flatten())[0, 1]) < 0.01
    assert abs(np.corrcoef(u[:, 1:].flatten(), u[:, :-1].flatten())[0, 1]) < 0.01


def test_normal_numbers_are_normal():
    z = normal_BN(some_keys(50), 3, 2001).numpy()
    assert stats.kstest(z.ravel(), "norm").pvalue > 1e-4
    assert abs(np.corrcoef(z[:, 1:].ravel(), z[:, :-1].ravel())[0, 1]) < 0.01


@given(below=st.integers(1, 50))
def test_integers_stay_below_their_limit_and_reach_all_values(below):
    drawn = integers_BN(some_keys(40), 2, 100, below)
    assert set(drawn.flatten().tolist()) == set(range(below))


@given(n=st.integers(1, 80), data=st.data())
def test_exactly_as_many_of_the_smallest_are_taken_as_asked_for(n, data):
    counts = torch.tensor(data.draw(st.lists(st.integers(0, n), min_size=3, max_size=3)))
    words = bits_BN(some_keys(3), 5, n)
    taken = smallest_BN(words, counts)
    assert torch.equal(taken.sum(1), counts)
    for row, chosen in zip(words, taken, strict=True):
        if chosen.any() and not chosen.all():
            assert row[chosen].max() < row[~chosen].min()


@pytest.mark.slow  # imports torch once more
def test_another_process_with_other_threads_draws_the_same():
    code = (
        "import torch; torch.set_num_threads(3)\n"
        "from usfm_studio.engine.pretraining.draws import keys_B, normal_BN\n"
        "print(normal_BN(keys_B(5, 6, 7, torch.arange(3)), 1, 9).view(torch.int32).flatten().tolist())"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    here = normal_BN(keys_B(5, 6, 7, torch.arange(3)), 1, 9).view(torch.int32).flatten().tolist()
    assert told.stdout.strip() == str(here)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_gpu_draws_the_same_bits():
    for draw in (bits_BN, uniform_BN, normal_BN):
        there = draw(keys_B(1, 2, 3, torch.arange(9, device="cuda")), 4, 999)
        assert torch.equal(there.cpu(), draw(keys_B(1, 2, 3, torch.arange(9)), 4, 999))
