"""Who is drawn when: organs, then subjects, then frames, as one endless reproducible stream.

Each draw is a function of (seed, epoch, its number) alone: a counter goes through SplitMix64's finaliser (Steele, Lea,
Flood 2014). So any slice of the stream costs the same, and neither resuming nor the number of ranks changes a draw.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usfm_studio.document.errors import NothingToLearn
from usfm_studio.engine.corpus.index import CorpusIndex

CHUNK = 1 << 17
_GOLDEN, _A, _B = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_WIDE = (1 << 64) - 1


def organ_shares(counts: Sequence[int] | NDArray[Any], alpha: float, draws: int, cap: float) -> NDArray[np.float64]:
    """Share of each organ in an epoch of `draws`, for organs of `counts` images: n^alpha / sum n^alpha.

    alpha 0 gives equal shares, 1 proportional ones. No image is expected more than `cap` times: share x draws / n <=
    cap. What an organ may not have goes to the others by the same rule, until nothing changes. Shares sum to 1; an
    organ without images gets 0. Raises ValueError where draws > cap x images, or nothing is there to draw.
    """
    n = np.asarray(counts, np.float64)
    if not n.sum() > 0 or draws < 1:
        raise ValueError("there is nothing to draw from")
    most = cap * n / draws
    if most.sum() < 1 - 1e-12:
        raise ValueError(f"{draws} draws need more than {cap} of each of {int(n.sum())} images")
    weights = np.where(n > 0, np.power(np.maximum(n, 1.0), alpha), 0.0)
    capped = n == 0
    shares = np.zeros(len(n))
    while not capped.all():
        free = ~capped
        shares[free] = max(0.0, 1.0 - most[capped].sum()) * weights[free] / weights[free].sum()
        over = free & (shares > most)
        if not over.any():
            break
        capped |= over
        shares[capped] = most[capped]
    return shares


class EpochSampler:
    """Draws rows of a corpus with repetition; an epoch is `draws` of them (default: as many as there are images).

    An organ by its share (`organ_shares`), in it a subject, of the subject's frames of that organ one: both uniform.
    `draws` is lowered to cap x images where it is more. Raises NothingToLearn for an empty corpus.
    """

    def __init__(
        self, index: CorpusIndex, seed: int = 0, alpha: float = 0.5, cap: float = 10.0, draws: int | None = None
    ) -> None:
        if not len(index):
            raise NothingToLearn("There is nothing to draw from", "the corpus holds no images", "Pack some first.")
        self.seed = seed
        self.draws = min(draws or len(index), int(cap * len(index))) or 1
        organ = np.asarray(index.organ, np.int64)
        group = (organ << 32) | index.subject
        self._order = np.argsort(group, kind="stable").astype(np.int32)
        group = group[self._order]
        first = np.flatnonzero(np.concatenate([[True], group[1:] != group[:-1]]))
        self._first = first
        self._frames = np.diff(np.append(first, len(group)))
        organ_of_group = group[first] >> 32
        organs = len(index.organs)
        self._first_group = np.searchsorted(organ_of_group, np.arange(organs))
        self._groups = np.bincount(organ_of_group, minlength=organs)
        self.shares = organ_shares(np.bincount(organ, minlength=organs), alpha, self.draws, cap)
        self._limits = np.cumsum(self.shares)
        self._limits[np.flatnonzero(self.shares)[-1] :] = np.inf  # rounding must not lead past the last organ

    def __len__(self) -> int:
        """Draws of an epoch, all ranks together."""
        return self.draws

    def rows(self, epoch: int, rank: int = 0, ranks: int = 1, start: int = 0) -> NDArray[np.int64]:
        """What one rank draws in an epoch, in order: draws start + rank, start + rank + ranks, … of the one stream.

        `start` counts draws of all ranks together that are behind us, so a run may go on with another number of
        ranks. All ranks get equally many; what does not go round at the end of the epoch is left out.
        """
        if not (0 <= rank < ranks and start >= 0):
            raise ValueError(f"rank {rank} of {ranks}, start {start}")
        each = max(0, self.draws - start) // ranks
        found = np.empty(each, np.int64)
        for at in range(0, each, CHUNK):
            many = min(CHUNK, each - at)
            numbers = start + rank + ranks * np.arange(at, at + many, dtype=np.uint64)
            found[at : at + many] = self._drawn(epoch, numbers.astype(np.uint64))
        return found

    def _drawn(self, epoch: int, numbers: NDArray[np.uint64]) -> NDArray[np.int64]:
        key = _key(self.seed, epoch)
        u_organ, u_subject, u_frame = (_uniform(key, numbers * np.uint64(3) + np.uint64(level)) for level in range(3))
        organ = np.searchsorted(self._limits, u_organ, side="right")
        group = self._first_group[organ] + (u_subject * self._groups[organ]).astype(np.int64)
        place = self._first[group] + (u_frame * self._frames[group]).astype(np.int64)
        return self._order[place].astype(np.int64)


def _key(seed: int, epoch: int) -> np.uint64:
    mixed = np.array([seed & _WIDE], np.uint64)
    mixed = _mix(_mix(mixed * _GOLDEN + _GOLDEN) + np.array([epoch & _WIDE], np.uint64) * _A)
    return np.uint64(mixed[0])


def _uniform(key: np.uint64, numbers: NDArray[np.uint64]) -> NDArray[np.float64]:
    """float64 in [0, 1), 53 bits each."""
    bits = _mix(key + (numbers + np.uint64(1)) * _GOLDEN) >> np.uint64(11)
    return bits.astype(np.float64) * (1.0 / (1 << 53))


def _mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    with np.errstate(over="ignore"):
        x = (x ^ (x >> np.uint64(30))) * _A
        x = (x ^ (x >> np.uint64(27))) * _B
        return x ^ (x >> np.uint64(31))
