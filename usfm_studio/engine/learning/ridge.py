"""Ridge regression on one-hot classes, all of it from sums of products, so that a frame more costs its own rows alone.

Every class weighs the same. Without one subject the sums are the sums minus the subject's: that is how the penalty is
chosen (by the squared error on subjects left out), and how much the background must be preferred (by their Dice).

Shapes: N rows (cells of a frame), D their width, E = D + 1 with the constant last, K classes, S subjects.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Candidates, in units of a feature's mean variance. The squared error would take stronger ones, which mark less."""
USUAL_PENALTY = 1e-2
SHIFTS = tuple(round(-0.3 + 0.05 * n, 2) for n in range(19))
"""Candidates for what the background's answer is raised by."""
USUAL_SHIFT = 0.1
MOST_LEFT_OUT = 24
"""More subjects than these are left out in groups: the choice needs no more, and the time does not grow."""
BACKGROUND = 0


@dataclass(frozen=True, slots=True)
class Rows:
    """Cells of one frame: features `x_ND` (half precision), their class, and how many cells each stands for."""

    x_ND: Tensor
    classes_N: NDArray[np.uint8]
    cells_N: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Solution:
    """`weight_EK` maps (features, 1) to the answer of each of `classes` (0 is the background and comes first).

    A cell is the class with the largest answer, once `shift` is added to the background's.
    """

    classes: tuple[int, ...]
    weight_EK: Tensor
    shift: float
    penalty: float

    def margins(self) -> Tensor:
        """(E, segments): what each segment's answer is above the background's, `shift` taken off."""
        marked = [n for n, value in enumerate(self.classes) if value != BACKGROUND]
        background_E1 = self.weight_EK[:, :1] if BACKGROUND in self.classes else torch.zeros_like(self.weight_EK[:, :1])
        margins = self.weight_EK[:, marked] - background_E1
        margins[-1] -= self.shift
        return margins

    @property
    def segments(self) -> tuple[int, ...]:
        """The classes but for the background, in the order of `margins`."""
        return tuple(value for value in self.classes if value != BACKGROUND)


@dataclass(slots=True)
class BalancedRidge:
    """Rows by frame, and by subject and class the sums of products; see the module."""

    frames: dict[str, tuple[str, Rows]] = field(default_factory=dict)
    sums: dict[str, dict[int, Tensor]] = field(default_factory=dict)
    left_out: dict[str, Mapping[int, float]] = field(default_factory=dict)

    def add(self, key: str, subject: str, rows: Rows) -> None:
        """Take in a frame's rows; those that it had before are taken out."""
        self.remove(key)
        self.frames[key] = subject, rows
        own = self.sums.setdefault(subject, {})
        for value, product in _products(rows).items():
            own[value] = own[value] + product if value in own else product

    def remove(self, key: str) -> None:
        """Take a frame out again, if it is in."""
        if key not in self.frames:
            return
        subject, rows = self.frames.pop(key)
        self.left_out.pop(key, None)
        own = self.sums[subject]
        for value, product in _products(rows).items():
            own[value] = own[value] - product
            if own[value][-1, -1] < 0.5:
                del own[value]
        if not own:
            del self.sums[subject]

    def solve(self) -> Solution:
        """The solution over all frames. Afterwards `left_out` holds, by frame, the Dice of each segment as a solution
        without the frame's subject answers it (estimated on the rows). Raises ValueError without frames."""
        total = _added(self.sums.values())
        if not total:
            raise ValueError("there is nothing to learn from")
        groups = self._groups()
        if len(groups) < 2:
            return Solution(tuple(sorted(total)), _solved(total, (USUAL_PENALTY,))[0], USUAL_SHIFT, USUAL_PENALTY)
        penalty, without = self._penalty(total, groups)
        shift = self._shift(sorted(total), groups, without)
        return Solution(tuple(sorted(total)), _solved(total, (penalty,))[0], shift, penalty)

    def without(self, subject: str, like: Solution) -> Solution:
        """What `like` would be had the subject never been seen. Raises ValueError where nobody else was."""
        rest = _added(own for name, own in self.sums.items() if name != subject)
        if not rest:
            raise ValueError("there is nothing to learn from without this subject")
        return Solution(tuple(sorted(rest)), _solved(rest, (like.penalty,))[0], like.shift, like.penalty)

    def _groups(self) -> list[list[str]]:
        names = sorted(self.sums)  # not in the order of coming: what comes back after it was taken out changes nothing
        count = min(len(names), MOST_LEFT_OUT)
        return [names[start::count] for start in range(count)]

    def _penalty(self, total: Mapping[int, Tensor], groups: Sequence[Sequence[str]]) -> tuple[float, list[Tensor]]:
        """The best penalty, and the weights (E, K) with it without each group."""
        classes = sorted(total)
        share = {value: 1 / (len(classes) * float(total[value][-1, -1])) for value in classes}
        errors, solved = torch.zeros(len(PENALTIES), dtype=torch.float64), []
        for group in groups:
            own = _added(self.sums[name] for name in group)
            rest = {value: total[value] - own[value] if value in own else total[value] for value in classes}
            rest = {value: product for value, product in rest.items() if product[-1, -1] > 0.5}
            weights_PEK = _widened(_solved(rest, PENALTIES), sorted(rest), classes)
            errors += _errors(weights_PEK, own, classes, share).cpu()
            solved.append(weights_PEK)
        best = int(errors.argmin())
        return PENALTIES[best], [weights_PEK[best] for weights_PEK in solved]

    def _shift(self, classes: list[int], groups: Sequence[Sequence[str]], without: Sequence[Tensor]) -> float:
        group_of = {name: number for number, group in enumerate(groups) for name in group}
        dices: dict[str, Mapping[int, NDArray[np.float64]]] = {}
        for key, (subject, rows) in self.frames.items():
            dices[key] = _dices(rows, without[group_of[subject]], classes)
        every = [curve for by_segment in dices.values() for curve in by_segment.values()]
        best = int(np.argmax(np.mean(every, 0))) if every else SHIFTS.index(USUAL_SHIFT)
        self.left_out = {
            key: {value: float(curve[best]) for value, curve in by_segment.items()} for key, by_segment in dices.items()
        }
        return SHIFTS[best]


def rounded_rows(x_ND: Tensor, classes_N: NDArray[np.uint8], cells_N: NDArray[np.float32]) -> Rows:
    """Rows in half precision: sums are made of the rounded ones, so that a frame can be taken out exactly."""
    return Rows(x_ND.half().contiguous(), classes_N, cells_N)


def _products(rows: Rows) -> dict[int, Tensor]:
    """By class, (E, E) float64: the sum over its rows of the product of (features, 1) with itself."""
    x_NE = torch.cat([rows.x_ND.float(), rows.x_ND.new_ones((len(rows.x_ND), 1)).float()], 1)
    found = {}
    for value in np.unique(rows.classes_N):
        part = x_NE[torch.from_numpy(np.flatnonzero(rows.classes_N == value)).to(x_NE.device)]
        found[int(value)] = (part.T @ part).double()
    return found


def _added(many: Iterable[Mapping[int, Tensor]]) -> dict[int, Tensor]:
    total: dict[int, Tensor] = {}
    for own in many:
        for value, product in own.items():
            total[value] = total[value] + product if value in total else product
    return total


def _solved(total: Mapping[int, Tensor], penalties: Sequence[float]) -> Tensor:
    """(P, E, K) weights for each penalty; the classes of `total` in ascending order, each with the same weight."""
    classes = sorted(total)
    shares = [1 / (len(classes) * float(total[value][-1, -1])) for value in classes]
    product_EE = sum((total[v] * s for v, s in zip(classes, shares, strict=True)), torch.zeros(()).double())
    answer_EK = torch.stack([total[v][:, -1] * s for v, s in zip(classes, shares, strict=True)], 1)
    spread = product_EE.diagonal()[:-1] - product_EE[:-1, -1] ** 2
    penalty_E = torch.full_like(product_EE[0], max(float(spread.mean()), 1e-9))
    penalty_E[-1] = 1e-9
    scale_P = torch.tensor(penalties, dtype=torch.float64, device=product_EE.device)
    factors = torch.linalg.cholesky(product_EE + torch.diag_embed(scale_P[:, None] * penalty_E))
    return torch.cholesky_solve(answer_EK.expand(len(penalties), -1, -1), factors)


def _widened(weights_PEK: Tensor, classes: Sequence[int], wanted: Sequence[int]) -> Tensor:
    """The weights with zeros for classes that the rest had not."""
    if list(classes) == list(wanted):
        return weights_PEK
    wide = weights_PEK.new_zeros((*weights_PEK.shape[:2], len(wanted)))
    wide[:, :, [wanted.index(value) for value in classes]] = weights_PEK
    return wide


def _errors(
    weights_PEK: Tensor, own: Mapping[int, Tensor], classes: Sequence[int], share: Mapping[int, float]
) -> Tensor:
    """(P,): squared error of the answers on rows that are known by their sums alone, each class with its share."""
    errors = weights_PEK.new_zeros(len(weights_PEK))
    for value, product_EE in own.items():
        squares = (weights_PEK * (product_EE @ weights_PEK)).sum((1, 2))
        hits = weights_PEK[:, :, classes.index(value)] @ product_EE[:, -1]
        errors += share[value] * (product_EE[-1, -1] - 2 * hits + squares)
    return errors


def _dices(rows: Rows, weight_EK: Tensor, classes: Sequence[int]) -> dict[int, NDArray[np.float64]]:
    """By segment that the frame has: Dice for each of `SHIFTS`, every row counted for the cells it stands for."""
    present = [int(v) for v in np.unique(rows.classes_N) if v != BACKGROUND]
    if not present:
        return {}
    weight = weight_EK.float()
    answers = (rows.x_ND.float() @ weight[:-1] + weight[-1]).cpu().numpy()
    segments = [n for n, value in enumerate(classes) if value != BACKGROUND]
    best = np.array(classes)[segments][answers[:, segments].argmax(1)]
    margin = answers[:, segments].max(1) - (answers[:, classes.index(0)] if 0 in classes else 0.0)
    taken = margin > np.array(SHIFTS)[:, None]
    found = {}
    for value in present:
        truth, said = rows.classes_N == value, taken & (best == value)
        both = (said & truth) @ rows.cells_N
        found[value] = 2 * both / np.maximum(said @ rows.cells_N + rows.cells_N[truth].sum(), 1e-9)
    return found
