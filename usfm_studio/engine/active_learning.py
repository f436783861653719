"""Which frames to annotate next (protocol 2.7), from what an encoder makes of them. No torch here.

While a model is weak, the most different frames teach most (k-centre); once it is good, those where it is unsure, each
from another cluster. At most one frame a subject.

Shapes: N frames that wait, M frames that are done, D the width of an embedding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NOISE = (0.8, 1.2)
"""What a rank is multiplied with: the frames that rank next to each other take turns."""
ROUNDS = 20
LEAST_DEVIATION = 1e-6


@dataclass(frozen=True, slots=True)
class Choice:
    """A frame by its index, and how much it is wanted: 0 to 1, the largest first."""

    index: int
    score: float


def standardised(x_ND: Floats, done_MD: Floats) -> tuple[Floats, Floats]:
    """Both with mean 0 and deviation 1 in each direction, over all frames; divided by √D, so that distances compare."""
    every = np.concatenate([x_ND, done_MD]).astype(np.float64)
    scaled = (every - every.mean(0)) / np.maximum(every.std(0), LEAST_DEVIATION) / np.sqrt(every.shape[1])
    return scaled[: len(x_ND)], scaled[len(x_ND) :]


def k_centre(x_ND: Floats, done_MD: Floats, subjects: Sequence[str], count: int) -> list[Choice]:
    """The frames that lie farthest from all that is done or chosen, one after the other (greedy k-centre).

    Where nothing is done, the first is the one nearest to the middle of all. Scores are distances, of the first 1.
    """
    free = np.ones(len(x_ND), bool)
    names = np.array(subjects, object)
    far_N = _nearest(x_ND, done_MD)
    chosen: list[Choice] = []
    while len(chosen) < count and free.any():
        if np.isinf(far_N).all():
            middle = ((x_ND - x_ND.mean(0)) ** 2).sum(1)
            best, distance = int(np.where(free, middle, np.inf).argmin()), 0.0
        else:
            best = int(np.where(free, far_N, -1.0).argmax())
            distance = float(far_N[best])
        chosen.append(Choice(best, distance))
        far_N = np.minimum(far_N, _nearest(x_ND, x_ND[best : best + 1]))
        free &= names != names[best]
    return _scaled(chosen, first_is_typical=len(done_MD) == 0)


def unsure_and_different(
    x_ND: Floats, certainty_N: Floats, subjects: Sequence[str], count: int, rng: np.random.Generator
) -> list[Choice]:
    """The least certain frame of each of twice as many clusters as frames are wanted, the least certain of these first.

    Certainty counts by rank, times noise, so that scores are 0 to 1 whatever its scale is.
    """
    if not len(x_ND) or count <= 0:
        return []
    surer_NN = certainty_N[None] - certainty_N[:, None]
    rank_N = (surer_NN > 0).mean(1) + (surer_NN == 0).mean(1) / 2
    score_N = rank_N * rng.uniform(*NOISE, len(x_ND)) / NOISE[1]
    cluster_N = clusters(x_ND, 2 * count, rng)
    chosen: list[Choice] = []
    taken: set[str] = set()
    while len(chosen) < count and len(taken) < len(set(subjects)):
        for index in _tops(score_N, cluster_N, subjects, taken):
            if len(chosen) < count and subjects[index] not in taken:
                chosen.append(Choice(index, float(score_N[index])))
                taken.add(subjects[index])
    return sorted(chosen, key=lambda choice: -choice.score)


def clusters(x_ND: Floats, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """k-means (started by k-means++): the cluster of each frame."""
    count = min(count, len(x_ND))
    centres = x_ND[[int(rng.integers(len(x_ND)))]]
    while len(centres) < count:
        away = _nearest(x_ND, centres) ** 2
        chance = away / away.sum() if away.sum() > 0 else np.full(len(x_ND), 1 / len(x_ND))
        centres = np.concatenate([centres, x_ND[[int(rng.choice(len(x_ND), p=chance))]]])
    cluster_N = _squares(x_ND, centres).argmin(1)
    for _ in range(ROUNDS):
        for k in range(count):
            if (cluster_N == k).any():
                centres[k] = x_ND[cluster_N == k].mean(0)
        moved = _squares(x_ND, centres).argmin(1)
        if (moved == cluster_N).all():
            break
        cluster_N = moved
    return cluster_N


def _tops(score_N: Floats, cluster_N: NDArray[np.int64], subjects: Sequence[str], taken: set[str]) -> list[int]:
    """The best frame of each cluster among subjects that have none yet, best first."""
    found = []
    for k in np.unique(cluster_N):
        own = [int(i) for i in np.flatnonzero(cluster_N == k) if subjects[int(i)] not in taken]
        if own:
            found.append(max(own, key=lambda i: score_N[i]))
    return sorted(found, key=lambda i: -score_N[i])


def _squares(x_ND: Floats, centres_MD: Floats) -> Floats:
    """(N, M) squared distances."""
    squares = (x_ND**2).sum(1)[:, None] - 2 * x_ND @ centres_MD.T + (centres_MD**2).sum(1)
    return np.maximum(squares, 0.0)


def _nearest(x_ND: Floats, centres_MD: Floats) -> Floats:
    """(N,) the distance to the nearest centre; inf where there is none."""
    if not len(centres_MD):
        return np.full(len(x_ND), np.inf)
    return np.sqrt(_squares(x_ND, centres_MD).min(1))


def _scaled(chosen: Sequence[Choice], *, first_is_typical: bool) -> list[Choice]:
    most = max((choice.score for choice in chosen), default=0.0)
    scaled = [Choice(choice.index, min(1.0, choice.score / most) if most > 0 else 1.0) for choice in chosen]
    return [Choice(scaled[0].index, 1.0), *scaled[1:]] if scaled and first_is_typical else scaled
