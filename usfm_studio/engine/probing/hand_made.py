"""The gate: the same few-shot masks from hand-made filters alone, 54 responses and 5 positions, through 1,500 random
Fourier features (Rahimi and Recht 2007). An encoder that does no better adds nothing.

Shapes: N cells, D = 59 features, P Fourier features, M answers, h, w cells.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from usfm_studio.engine.device import Device
from usfm_studio.engine.learning.filters import ALL, CELL, POSITIONS, all_filters, with_positions
from usfm_studio.engine.learning.instant import locations, to_native
from usfm_studio.engine.learning.ridge import BalancedRidge, Rows, Solution, rounded_rows
from usfm_studio.engine.probing.approval import GATE_SIZE
from usfm_studio.engine.probing.fewshot import Pair, Run, answer_of, paired, subsets, summed_up
from usfm_studio.engine.probing.frames import Folder, Frame
from usfm_studio.engine.probing.results import FewShot

FOURIER = 1500
BREADTH = 59**0.5
"""Length scale of the kernel, in deviations: the usual distance of two points is about sqrt(2 D) of them."""
LEAST_DEVIATION = 1e-3
GROUPS = 5
"""Subjects are left out in so many groups: with 1,500 features, sums for each would not fit into memory."""


@dataclass(frozen=True, slots=True)
class Lifted:
    """Standardised features through cosines of random directions; with `turn_DP` None, themselves."""

    mean_D: Tensor
    deviation_D: Tensor
    turn_DP: Tensor | None
    phase_P: Tensor | None

    def __call__(self, x_ND: Tensor) -> Tensor:
        """(N, P), or (N, D)."""
        z_ND = (x_ND - self.mean_D) / self.deviation_D
        if self.turn_DP is None or self.phase_P is None:
            return z_ND
        return torch.cos(z_ND @ self.turn_DP + self.phase_P) * 2**0.5


def hand_made(
    folder: Folder,
    device: Device,
    *,
    fourier: int = FOURIER,
    sizes: Sequence[int] = (GATE_SIZE,),
    check: Callable[[], None] = lambda: None,
) -> dict[int, FewShot]:
    """Few-shot figures of the filters on a folder; `fourier` 0 is the plain ridge. `check` may raise."""
    runs = subsets(folder.train, sizes)
    wanted = {subject for subjects in runs.values() for subject in subjects}
    cells = {
        f.sample.stem: _cells(folder, f, device) for f in folder.train if f.sample.masked and f.sample.subject in wanted
    }
    solved: dict[Run, tuple[Lifted, Solution]] = {}
    for run, subjects in runs.items():
        check()
        solved[run] = _learned(folder, subjects, cells, fourier, seed=run[1])
    pairs: list[Pair] = []
    for frame in folder.test:
        if frame.sample.masked and solved:
            check()
            pairs += _asked(folder, frame, solved, device)
    return summed_up(pairs)


def _responses(frame: Frame) -> NDArray[np.float32]:
    """(59, h, w) of the frame without its rim."""
    return with_positions(all_filters, np.ascontiguousarray(frame.x_1HW()[0][frame.placement.inside()]))


def _cells(folder: Folder, frame: Frame, device: Device) -> Rows:
    ids = frame.placement.mask(folder.mask(frame), CELL)[frame.placement.inside(CELL)]
    at_hw, classes, cells = locations(ids, frame.sample.stem)
    x_ND = torch.from_numpy(_responses(frame)[:, at_hw[:, 0], at_hw[:, 1]].T.copy())
    return rounded_rows(x_ND.to(device.kind), classes, cells)


def _learned(
    folder: Folder, subjects: Sequence[str], cells: dict[str, Rows], fourier: int, seed: int
) -> tuple[Lifted, Solution]:
    group = {subject: str(n % GROUPS) for n, subject in enumerate(subjects)}
    own = [f.sample for f in folder.train if f.sample.subject in group and f.sample.stem in cells]
    lifted = _lift([cells[s.stem].x_ND for s in own], fourier, seed)
    ridge = BalancedRidge()
    for sample in own:
        rows = cells[sample.stem]
        lifted_NP = rounded_rows(lifted(rows.x_ND.float()), rows.classes_N, rows.cells_N)
        ridge.add(sample.stem, group[sample.subject], lifted_NP)
    return lifted, ridge.solve()


def _lift(many: Sequence[Tensor], fourier: int, seed: int) -> Lifted:
    x_ND = torch.cat([x.float() for x in many])
    mean_D, deviation_D = x_ND.mean(0), x_ND.std(0).clamp_min(LEAST_DEVIATION)
    if not fourier:
        return Lifted(mean_D, deviation_D, None, None)
    rng = np.random.default_rng(seed)
    turn = rng.normal(0, 1 / BREADTH, (ALL + POSITIONS, fourier)).astype(np.float32)
    phase = rng.uniform(0, 2 * np.pi, fourier).astype(np.float32)
    device = x_ND.device
    return Lifted(mean_D, deviation_D, torch.from_numpy(turn).to(device), torch.from_numpy(phase).to(device))


def _asked(folder: Folder, frame: Frame, solved: dict[Run, tuple[Lifted, Solution]], device: Device) -> list[Pair]:
    responses = _responses(frame)
    shape_hw = responses.shape[1:]
    x_ND = torch.from_numpy(responses.reshape(len(responses), -1).T.copy()).to(device.kind)
    answers = {}
    for run, (lifted, solution) in solved.items():
        margins_EM = solution.margins().float()
        said_NM = lifted(x_ND) @ margins_EM[:-1] + margins_EM[-1]
        said_Mhw = said_NM.T.reshape(-1, *shape_hw).cpu().numpy()
        native = to_native(said_Mhw, frame.placement.native_rc)
        answers[run] = answer_of(solution.segments, native, frame.placement.native_rc)
    return paired(folder, frame, answers)
