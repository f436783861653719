"""Learning labels: balanced logistic regression on frozen summaries, its strength chosen by leaving subjects out.

Shapes: N images, D width of a summary, C classes. Two seconds for 500 images, so it never needs the clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar

from usfm_studio.engine.models.label_head import LabelHead

Floats = NDArray[np.float64]

STRENGTHS = (1000.0, 300.0, 100.0, 30.0)
"""Candidates for the L2 penalty (on standardised summaries, losses summed), the strongest first."""
MOST_FOLDS = 6
MOST_DIRECTIONS = 192
TEMPERATURES = (0.2, 5.0)
SPREAD_LEAST = 1e-6


@dataclass(frozen=True, slots=True)
class LabelFit:
    """A linear head and what it said of each training image without having seen its subject.

    `weight` (C, D) and `bias` (C,) work on (x - mean) / deviation. `left_out` (N, C) are probabilities at
    `temperature`. `strength` is the chosen L2 penalty.
    """

    weight: Floats
    bias: Floats
    mean: Floats
    deviation: Floats
    temperature: float
    strength: float
    left_out: Floats

    def head(self, masked: bool) -> LabelHead:
        """The network's head. `masked`: the summaries hold means inside the marked area."""
        head = LabelHead(self.weight.shape[1], len(self.weight), masked)
        with torch.no_grad():
            head.mean_D.copy_(torch.from_numpy(self.mean))
            head.deviation_D.copy_(torch.from_numpy(self.deviation))
            head.linear.weight.copy_(torch.from_numpy(self.weight))
            head.linear.bias.copy_(torch.from_numpy(self.bias))
        return head.eval()


def fit_labels(x_ND: Floats, truth_NC: Floats, subjects: Sequence[str], *, exclusive: bool) -> LabelFit:
    """Fit a head to summaries and their truth (0 or 1; exactly one 1 a row where `exclusive`).

    Standardised; classes balanced; the L2 penalty and the temperature by the log-loss of subjects left out.
    """
    x_ND = np.asarray(x_ND, float)
    mean, deviation = x_ND.mean(0), np.maximum(x_ND.std(0), SPREAD_LEAST)
    z_NR, basis_RD = _compressed((x_ND - mean) / deviation)
    folds = _folds(subjects)
    weights = _balanced(truth_NC, exclusive)
    left_out = _left_out(z_NR, truth_NC, weights, folds, exclusive)
    losses = {s: _loss_of(logits, truth_NC, exclusive) for s, logits in left_out.items()}
    strength = min(STRENGTHS, key=lambda s: losses[s])
    temperature = _temperature(left_out[strength], truth_NC, exclusive)
    inner = _solve(z_NR, truth_NC, weights, strength, exclusive, None)
    return LabelFit(
        weight=inner[:-1].T @ basis_RD,
        bias=inner[-1],
        mean=mean,
        deviation=deviation,
        temperature=temperature,
        strength=strength,
        left_out=_probabilities(left_out[strength] / temperature, exclusive),
    )


def prior_loss(train_NC: Floats, tested_NC: Floats, *, exclusive: bool) -> Floats:
    """(N,) log-loss of always answering with the shares of the training labels: the trivial baseline."""
    share = np.clip((train_NC.sum(0) + 0.5) / (len(train_NC) + 0.5 * train_NC.shape[1]), 1e-6, 1 - 1e-6)
    if exclusive:
        return -(tested_NC * np.log(share / share.sum())).sum(1)
    losses: Floats = -(tested_NC * np.log(share) + (1 - tested_NC) * np.log1p(-share)).mean(1)
    return losses


def _compressed(z_ND: Floats) -> tuple[Floats, Floats]:
    """The widest directions: z ≈ scores @ basis, so that fits do not pay for the width. The penalty mutes the rest."""
    left, spread, basis = np.linalg.svd(z_ND, full_matrices=False)
    kept = min(MOST_DIRECTIONS, len(spread))
    return left[:, :kept] * spread[:kept], basis[:kept]


def _folds(subjects: Sequence[str]) -> NDArray[np.int64]:
    """(N,) fold of each image: one a subject for few, else subjects dealt in turn."""
    names = {name: i for i, name in enumerate(dict.fromkeys(subjects))}
    count = min(MOST_FOLDS, len(names))
    return np.array([names[s] % count for s in subjects])


def _balanced(truth_NC: Floats, exclusive: bool) -> Floats:
    """Weight of each image (N, 1), or of each answer (N, C), that gives every class the same sum."""
    count = len(truth_NC)
    if exclusive:
        sizes = np.maximum(truth_NC.sum(0), 1)
        return (truth_NC * (count / (truth_NC.shape[1] * sizes))).sum(1, keepdims=True)
    yes = np.maximum(truth_NC.sum(0), 1)
    no = np.maximum(count - truth_NC.sum(0), 1)
    return truth_NC * (count / (2 * yes)) + (1 - truth_NC) * (count / (2 * no))


def _left_out(
    z: Floats, truth: Floats, weights: Floats, folds: NDArray[np.int64], exclusive: bool
) -> dict[float, Floats]:
    """Logits of each image by strength, its fold left out; each fit starts where the stronger one ended."""
    logits = {strength: np.zeros_like(truth) for strength in STRENGTHS}
    for fold in np.unique(folds):
        inside, fitted = folds == fold, None
        if inside.all():
            return logits
        for strength in STRENGTHS:
            fitted = _solve(z[~inside], truth[~inside], weights[~inside], strength, exclusive, fitted)
            logits[strength][inside] = z[inside] @ fitted[:-1] + fitted[-1]
    return logits


def _solve(z: Floats, truth: Floats, weights: Floats, strength: float, exclusive: bool, start: Floats | None) -> Floats:
    """(R + 1, C) coefficients, the last row without penalty: weighted log-loss plus strength / 2 * |w|²."""
    shape = z.shape[1] + 1, truth.shape[1]
    padded = torch.from_numpy(np.hstack([z, np.ones((len(z), 1))]))  # torch's products do not spin on a busy machine

    def objective(flat: Floats) -> tuple[float, Floats]:
        w = flat.reshape(shape)
        logits = (padded @ torch.from_numpy(w)).numpy()
        p = _probabilities(logits, exclusive)
        slope = (padded.T @ torch.from_numpy(weights * (p - truth))).numpy()
        slope[:-1] += strength * w[:-1]
        loss = _log_loss(logits, truth, exclusive) * weights
        return float(loss.sum() + strength / 2 * (w[:-1] ** 2).sum()), slope.ravel()

    begin = np.zeros(shape) if start is None else start
    settings = {"maxiter": 100, "ftol": 1e-6, "gtol": 1e-3}
    found = minimize(objective, begin.ravel(), jac=True, method="L-BFGS-B", options=settings)
    solution: Floats = found.x.reshape(shape)
    return solution


def _log_loss(logits: Floats, truth: Floats, exclusive: bool) -> Floats:
    """(N, 1) for exclusive classes, (N, C) for questions."""
    if exclusive:
        top = logits.max(1, keepdims=True)
        total = top + np.log(np.exp(logits - top).sum(1, keepdims=True))
        return total - (logits * truth).sum(1, keepdims=True)
    losses: Floats = np.logaddexp(0, logits) - logits * truth
    return losses


def _probabilities(logits: Floats, exclusive: bool) -> Floats:
    if not exclusive:
        return 1 / (1 + np.exp(-np.clip(logits, -60, 60)))
    raised = np.exp(logits - logits.max(1, keepdims=True))
    shares: Floats = raised / raised.sum(1, keepdims=True)
    return shares


def _loss_of(logits: Floats, truth: Floats, exclusive: bool) -> float:
    """Log-loss at the best temperature: the ranking of strengths should not hang on the scale of the logits."""
    temperature = _temperature(logits, truth, exclusive)
    return float(_log_loss(logits / temperature, truth, exclusive).mean())


def _temperature(logits: Floats, truth: Floats, exclusive: bool) -> float:
    low, high = np.log(TEMPERATURES)
    found = minimize_scalar(
        lambda t: float(_log_loss(logits / np.exp(t), truth, exclusive).mean()), bounds=(low, high), method="bounded"
    )
    return float(np.exp(found.x))
