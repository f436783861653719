"""Labels from frozen vectors: nearest neighbours, and a linear layer whose penalty is chosen by subjects left out.

Shapes: N images that teach, M images to be told, D width of a vector, C classes. Truth is 0 or 1: one 1 a row where the
classes exclude each other, else a yes/no question each.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize

from usfm_studio.document.splits import deal_folds

Floats = NDArray[np.float64]

NEIGHBOURS = 20
WARMTH = 0.07
PENALTIES = tuple(10.0**power for power in range(2, -5, -1))
"""L2 on standardised vectors beside the mean loss, the strongest first."""
INNER_FOLDS = 3
LEAST_DEVIATION = 1e-6
LEAST_PROBABILITY = 1e-9


def standardised(train_ND: Floats, test_MD: Floats) -> tuple[Floats, Floats]:
    """Both by the mean and deviation of the first."""
    mean, deviation = train_ND.mean(0), np.maximum(train_ND.std(0), LEAST_DEVIATION)
    return (train_ND - mean) / deviation, (test_MD - mean) / deviation


def by_neighbours(train_ND: Floats, truth_NC: Floats, test_MD: Floats) -> Floats:
    """(M, C): share of the votes of the 20 nearest by cosine, each worth exp(similarity / 0.07)."""
    near_MN = _unit(test_MD) @ _unit(train_ND).T
    count = min(NEIGHBOURS, near_MN.shape[1])
    chosen = np.argpartition(-near_MN, count - 1, axis=1)[:, :count]
    votes = np.exp((np.take_along_axis(near_MN, chosen, 1) - 1) / WARMTH)
    shares: Floats = (votes[..., None] * truth_NC[chosen]).sum(1) / votes.sum(1, keepdims=True)
    return shares


def by_line(
    train_ND: Floats, truth_NC: Floats, subjects: Sequence[str], test_MD: Floats, *, exclusive: bool
) -> tuple[Floats, float]:
    """((M, C) probabilities, the penalty): logistic regression, classes balanced; the penalty with the least log-loss
    on the subjects of three inner folds."""
    folds = deal_folds(subjects, INNER_FOLDS)
    fold_N = np.array([folds[s] for s in subjects])
    losses = np.zeros(len(PENALTIES))
    for fold in np.unique(fold_N):
        inside = fold_N == fold
        if inside.all():
            break
        weights = _balanced(truth_NC[inside], exclusive)
        for n, fitted in enumerate(_path(train_ND[~inside], truth_NC[~inside], PENALTIES, exclusive)):
            losses[n] += float(
                (_losses(_logits(train_ND[inside], fitted), truth_NC[inside], exclusive) * weights).sum()
            )
    best = int(losses.argmin())
    fitted = _path(train_ND, truth_NC, PENALTIES[: best + 1], exclusive)[-1]
    return _probabilities(_logits(test_MD, fitted), exclusive), PENALTIES[best]


def _path(x_ND: Floats, truth_NC: Floats, penalties: Sequence[float], exclusive: bool) -> list[Floats]:
    """(D + 1, C) coefficients for each penalty, the last row without any; each fit begins where the former ended.

    Solved along the directions that the images span, which loses nothing.
    """
    left, spread, basis = np.linalg.svd(x_ND, full_matrices=False)
    kept = spread > spread[0] * 1e-10
    z = torch.from_numpy(np.hstack([left[:, kept] * spread[kept], np.ones((len(x_ND), 1))]))
    weights = torch.from_numpy(_balanced(truth_NC, exclusive) / len(truth_NC))
    truth = torch.from_numpy(truth_NC)
    start, found = np.zeros((z.shape[1], truth_NC.shape[1])), []
    for penalty in penalties:
        start = _fitted(z, truth, weights, penalty, exclusive, start)
        found.append(np.vstack([basis[kept].T @ start[:-1], start[-1:]]))
    return found


def _fitted(
    z: torch.Tensor, truth: torch.Tensor, weights: torch.Tensor, penalty: float, exclusive: bool, start: Floats
) -> Floats:
    def objective(flat: Floats) -> tuple[float, Floats]:
        w = torch.from_numpy(flat.reshape(start.shape))
        logits = z @ w
        if exclusive:
            log_p = torch.log_softmax(logits, 1)
            loss, slope = -(weights * (log_p * truth).sum(1, keepdim=True)).sum(), log_p.exp() - truth
        else:
            each = torch.nn.functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
            loss, slope = (weights * each).sum(), torch.sigmoid(logits) - truth
        down = z.T @ (weights * slope)
        down[:-1] += penalty * w[:-1]
        return float(loss + penalty / 2 * (w[:-1] ** 2).sum()), down.numpy().ravel()

    settings = {"maxiter": 200, "ftol": 1e-7, "gtol": 1e-5}
    solved = minimize(objective, start.ravel(), jac=True, method="L-BFGS-B", options=settings).x
    return np.asarray(solved).reshape(start.shape)


def _balanced(truth_NC: Floats, exclusive: bool) -> Floats:
    """(N, 1), or (N, C) for questions: weights that give every class, or both answers, the same sum; N in all."""
    count, present = len(truth_NC), truth_NC.sum(0)
    if exclusive:
        many = max(1, int((present > 0).sum()))
        return (truth_NC * (count / (many * np.maximum(present, 1)))).sum(1, keepdims=True)
    yes, no = count / (2 * np.maximum(present, 1)), count / (2 * np.maximum(count - present, 1))
    return (truth_NC * yes + (1 - truth_NC) * no) / truth_NC.shape[1]


def _losses(logits: Floats, truth_NC: Floats, exclusive: bool) -> Floats:
    p = np.maximum(_probabilities(logits, exclusive), LEAST_PROBABILITY)
    if exclusive:
        return -(np.log(p) * truth_NC).sum(1, keepdims=True)
    losses: Floats = -(truth_NC * np.log(p) + (1 - truth_NC) * np.log(np.maximum(1 - p, LEAST_PROBABILITY)))
    return losses


def _logits(x: Floats, fitted: Floats) -> Floats:
    return x @ fitted[:-1] + fitted[-1]


def _probabilities(logits: Floats, exclusive: bool) -> Floats:
    if not exclusive:
        return 1 / (1 + np.exp(-np.clip(logits, -60, 60)))
    raised = np.exp(logits - logits.max(1, keepdims=True))
    shares: Floats = raised / raised.sum(1, keepdims=True)
    return shares


def _unit(x: Floats) -> Floats:
    lengths = np.linalg.norm(x, axis=1, keepdims=True)
    scaled: Floats = x / np.maximum(lengths, LEAST_DEVIATION)
    return scaled
