"""Nearest neighbours and the linear layer against their definitions."""

import numpy as np
import pytest
import torch

from usfm_studio.engine.probing.labels import PENALTIES, by_line, by_neighbours, standardised


def clouds(seed=0, count=60, width=8, classes=3, apart=1.5):
    rng = np.random.default_rng(seed)
    which = np.arange(count) % classes
    centres = rng.normal(0, apart, (classes, width))
    return centres[which] + rng.normal(0, 1, (count, width)), np.eye(classes)[which]


def test_neighbours_vote_by_the_rule():
    x, truth = clouds()
    train, test = x[:45], x[45:]
    shares = by_neighbours(train, truth[:45], test)
    for row, found in zip(test, shares, strict=True):
        alike = [float(row @ t / np.linalg.norm(row) / np.linalg.norm(t)) for t in train]
        votes = np.zeros(3)
        for n in sorted(range(45), key=lambda n: -alike[n])[:20]:
            votes += np.exp(alike[n] / 0.07) * truth[n]
        assert found == pytest.approx(votes / votes.sum())


def test_fewer_images_than_neighbours_all_vote():
    x, truth = clouds(count=9)
    assert by_neighbours(x[:6], truth[:6], x[6:]).sum(1) == pytest.approx(1)


@pytest.mark.parametrize("exclusive", [True, False])
def test_the_line_is_where_no_slope_is_left(exclusive):
    """Balanced log-loss plus the penalty, differentiated by torch at the answer."""
    x, truth = clouds(seed=1)
    truth = truth if exclusive else np.hstack([truth, 1 - truth[:, :1]])
    x, _ = standardised(x, x)
    eyes = np.vstack([np.zeros(x.shape[1]), np.eye(x.shape[1])])
    said, penalty = by_line(x, truth, [f"s{n // 2}" for n in range(len(x))], eyes, exclusive=exclusive)
    logits = np.log(said) if exclusive else np.log(said) - np.log1p(-said)
    bias, weight = logits[0], logits[1:] - logits[0]
    w = torch.tensor(weight, requires_grad=True)
    b = torch.tensor(bias, requires_grad=True)
    z, t = torch.tensor(x) @ w + b, torch.tensor(truth)
    if exclusive:
        each = -(torch.log_softmax(z, 1) * t).sum(1)
        loss = sum(each[t[:, c] == 1].mean() for c in range(t.shape[1])) / t.shape[1]
        weight_in_use = w - w.mean(1, keepdim=True)  # a shift of all classes alike changes no probability
    else:
        each = torch.nn.functional.binary_cross_entropy_with_logits(z, t, reduction="none")
        halves = [each[t[:, c] == v, c].mean() for c in range(t.shape[1]) for v in (0, 1)]
        loss, weight_in_use = sum(halves) / 2 / t.shape[1], w
    (loss + penalty / 2 * (weight_in_use**2).sum()).backward()
    assert w.grad.abs().max() < 1e-3
    assert b.grad.abs().max() < 1e-3


def test_the_penalty_follows_what_can_be_learned():
    """Labels of chance want the strongest penalty; clear ones a weak one."""
    x, truth = clouds(seed=2, count=90, apart=4)
    subjects = [f"s{n}" for n in range(90)]
    _, clear = by_line(x, truth, subjects, x, exclusive=True)
    noise = np.random.default_rng(3).permutation(truth)
    _, chance = by_line(
        np.random.default_rng(4).normal(size=(90, 40)), noise, subjects, np.zeros((1, 40)), exclusive=True
    )
    assert clear < chance
    assert chance >= 1
    assert {clear, chance} <= set(PENALTIES)


def test_images_of_one_subject_are_never_on_both_inner_sides():
    """Each subject has a vector of its own, repeated, and labels of chance: who tests on itself finds them perfect."""
    rng = np.random.default_rng(5)
    vectors, labels = rng.normal(size=(30, 60)), np.eye(2)[rng.integers(0, 2, 30)]
    x, truth = np.repeat(vectors, 4, 0), np.repeat(labels, 4, 0)
    _, penalty = by_line(x, truth, [f"s{n // 4}" for n in range(120)], x, exclusive=True)
    assert penalty >= 1
