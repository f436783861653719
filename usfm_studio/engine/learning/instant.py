"""The instant head: a closed-form answer on features that are already there, learned anew with every accepted frame.

Maps at all strides, brought to stride 4, are turned to 96 directions (PCA) and joined, where wanted, with filter
responses and the place in the image; 2,000 cells a frame, half of them near a boundary, enter a balanced ridge.

    head = InstantHead(encoder.channels)
    head.add("frame 1", "subject", features, placement, ids, x_1HW)
    head.solve()
    probabilities = head.predict(features, placement, x_1HW)

Everything is linear, so prediction turns each map into answers at its own stride and enlarges those. The directions are
found anew when the frames have doubled (`settle`), until there are 16; from then on features in full are let go.

Shapes: B = 1 frame, C channels of a map, D all channels, P directions, H, W the input, h, w its cells of 4 px, N rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from usfm_studio.document.mask import Ids
from usfm_studio.engine.learning.filters import CELL, FEW, POSITIONS, few_filters, with_positions
from usfm_studio.engine.learning.ridge import BalancedRidge, Rows, Solution, rounded_rows
from usfm_studio.engine.models.features import Features
from usfm_studio.engine.models.placement import Placement

Floats = NDArray[np.float32]

DIRECTIONS = 96
LOCATIONS = 2000
NEAR = 3.0
"""Cells from a boundary that count as near it."""
BASIS_FRAMES = 16
"""From so many frames on the directions stay."""
TURNED_AT_ONCE = 4
"""Up to so many frames `solve` itself finds the directions anew; later they wait for `settle`."""
PCA_ROWS = 400
"""Rows of a frame from which the directions are found."""
LEAST_DEVIATION = 1e-3
HARDNESS = 6.0
"""What turns answers (0 to 1) into logits: a margin of 0.5 is a probability of 0.95."""


@dataclass(frozen=True, slots=True)
class Basis:
    """Directions of a frame's channels: x @ `turn_DP` + `offset_P`."""

    turn_DP: Tensor
    offset_P: Tensor


@dataclass(frozen=True, slots=True)
class Linear:
    """Margins straight from maps: each turned to M answers at its own stride, then brought to stride 4 and added."""

    channels: Mapping[int, int]
    weight_DM: Tensor
    offset_M: Tensor

    def at(self, features: Features) -> Floats:
        """(M, H / 4, W / 4) float32 for a frame (B = 1)."""
        size, start = _cells(features), 0
        if not len(self.offset_M):
            return np.zeros((0, *size), np.float32)
        total = self.offset_M[None, :, None, None]
        for stride, width in self.channels.items():
            map_BChw, _ = _no_finer(features.maps[stride].float(), stride)
            said = functional.conv2d(map_BChw, self.weight_DM[start : start + width].T[:, :, None, None])
            total = total + functional.interpolate(said, size, mode="bilinear", align_corners=False)
            start += width
        answers: Floats = total[0].cpu().numpy()
        return answers

    @classmethod
    def together(cls, many: Sequence[Linear]) -> Linear:
        """Several over the same maps as one."""
        weight_DM = torch.cat([one.weight_DM for one in many], 1)
        return cls(many[0].channels, weight_DM, torch.cat([one.offset_M for one in many]))


class InstantHead:
    """See the module. `channels` are the encoder's widths by stride; `filters` joins the hand-made channels."""

    def __init__(self, channels: Mapping[int, int], *, filters: bool = True, directions: int = DIRECTIONS) -> None:
        self.channels = dict(sorted(channels.items()))
        self.filters = filters
        self.directions = min(directions, sum(channels.values()))
        self.basis: Basis | None = None
        self.solution: Solution | None = None
        self._ridge = BalancedRidge()
        self._raw: dict[str, tuple[str, Rows, Tensor | None]] = {}
        self._based_on = 0

    @property
    def frames(self) -> tuple[str, ...]:
        """The keys of the frames that it learns from."""
        return tuple(dict.fromkeys((*self._ridge.frames, *self._raw)))

    @property
    def left_out(self) -> Mapping[str, Mapping[int, float]]:
        """By frame, the Dice of each segment it has, as estimated without its subject; empty with one subject."""
        return self._ridge.left_out

    @classmethod
    def on(cls, basis: Basis, channels: Mapping[int, int], *, filters: bool = True) -> InstantHead:
        """A head without frames whose directions are given, and stay: what it answers follows from its frames alone."""
        head = cls(channels, filters=filters, directions=basis.turn_DP.shape[1])
        head.basis, head._based_on = basis, BASIS_FRAMES
        return head

    def add(
        self,
        key: str,
        subject: str,
        features: Features,
        placement: Placement,
        ids: Ids,
        x_1HW: Floats | None = None,
    ) -> None:
        """Learn from a frame (B = 1) and its mask at native size; `x_1HW` is the encoder's input, for the filters.

        The frame replaces the one that had this key. `solve` must follow before it counts.
        """
        self.add_rows(key, subject, *self.cells(key, features, placement, ids, x_1HW))

    def cells(
        self, key: str, features: Features, placement: Placement, ids: Ids, x_1HW: Floats | None = None
    ) -> tuple[Rows, Tensor | None]:
        """What `add_rows` takes of a frame; arguments as of `add`."""
        at_hw, classes, cells = locations(placement.mask(ids, CELL)[placement.inside(CELL)], key)
        hand = self._hand(x_1HW, placement)
        x_ND = sampled(features, placement, at_hw)
        hand_NF = None if hand is None else torch.from_numpy(hand[:, at_hw[:, 0], at_hw[:, 1]].T).to(x_ND.device)
        return rounded_rows(x_ND, classes, cells), hand_NF

    def add_rows(self, key: str, subject: str, rows: Rows, hand_NF: Tensor | None = None) -> None:
        """As `add`, of a frame whose cells were taken before (`cells`, or `cells_of` where there are no filters)."""
        if self.basis is not None:
            self._take(key, subject, rows, hand_NF)
        if self._based_on < BASIS_FRAMES:
            self._raw[key] = subject, rows, hand_NF

    def remove(self, key: str) -> None:
        """Forget a frame."""
        self._ridge.remove(key)
        self._raw.pop(key, None)

    def solve(self) -> None:
        """Make the answer that follows from all frames so far. Raises ValueError where there are none."""
        if not self.frames:
            raise ValueError("there is nothing to learn from")
        if self.basis is None or (self._has_doubled() and len(self._raw) <= TURNED_AT_ONCE):
            self._turn()
        self.solution = self._ridge.solve()

    def settle(self) -> bool:
        """Find the directions anew where the frames have doubled since; True where that was so. For an idle moment:
        a third of a second of one core at most."""
        if not self.frames or not self._has_doubled():
            return False
        self._turn()
        self.solution = self._ridge.solve()
        return True

    def _has_doubled(self) -> bool:
        return bool(self._raw) and len(self._raw) >= 2 * self._based_on

    def without(self, subject: str) -> Solution:
        """The solution had the subject never been seen: what it says of the subject's frames is honest.

        Raises ValueError before `solve`, and where there is no other subject.
        """
        if self.solution is None:
            raise ValueError("the head has not been solved")
        return self._ridge.without(subject, self.solution)

    def predict(
        self,
        features: Features,
        placement: Placement,
        x_1HW: Floats | None = None,
        solution: Solution | None = None,
    ) -> tuple[tuple[int, ...], Floats]:
        """(classes, probabilities (K, rows, columns) float32 at native size), the background first; they sum to 1."""
        solution = solution or self.solution
        if solution is None:
            raise ValueError("the head has not been solved")
        margins = self.margins(features, placement, solution, x_1HW)
        logits = np.concatenate([np.zeros((1, *margins.shape[1:]), np.float32), HARDNESS * margins])
        raised = np.exp(logits - logits.max(0))
        return (0, *solution.segments), raised / raised.sum(0)

    def margins(
        self, features: Features, placement: Placement, solution: Solution, x_1HW: Floats | None = None
    ) -> Floats:
        """(segments, rows, columns) float32 at native size: what each segment's answer is above the background's.

        The answer of a pixel is the segment with the largest margin above 0.
        """
        cells = self.linear(solution).at(features)[:, *placement.inside(CELL)]
        hand = self._hand(x_1HW, placement)
        if hand is not None:
            part = solution.margins()[self.directions : -1].float().cpu().numpy()
            cells = cells + np.tensordot(part.T, hand, 1)
        return to_native(cells, placement.native_rc)

    def linear(self, solution: Solution) -> Linear:
        """What the solution does with the encoder's maps; what it does with filters is not in it."""
        if self.basis is None:
            raise ValueError("the head has not been solved")
        margins = solution.margins().float()
        turned = margins[: self.directions]
        weight_DM = self.basis.turn_DP @ turned
        return Linear(self.channels, weight_DM, self.basis.offset_P @ turned + margins[-1])

    def state(self) -> dict[str, NDArray[Any]]:
        """What `predict` needs, as plain arrays to be saved. Raises ValueError before `solve`."""
        if self.solution is None or self.basis is None:
            raise ValueError("the head has not been solved")
        return {
            "strides": np.array(list(self.channels)),
            "channels": np.array(list(self.channels.values())),
            "filters": np.array(self.filters),
            "turn": self.basis.turn_DP.cpu().numpy(),
            "offset": self.basis.offset_P.cpu().numpy(),
            "classes": np.array(self.solution.classes),
            "weight": self.solution.weight_EK.cpu().numpy(),
            "shift": np.array(self.solution.shift),
            "penalty": np.array(self.solution.penalty),
        }

    @classmethod
    def of_state(cls, state: Mapping[str, NDArray[Any]]) -> InstantHead:
        """A head that predicts as the one whose `state` this is. It has no frames: what is added begins anew."""
        channels = dict(zip(state["strides"].tolist(), state["channels"].tolist(), strict=True))
        head = cls(channels, filters=bool(state["filters"]), directions=state["turn"].shape[1])
        head.basis = Basis(torch.from_numpy(state["turn"]), torch.from_numpy(state["offset"]))
        head.solution = Solution(
            tuple(int(v) for v in state["classes"]),
            torch.from_numpy(state["weight"]),
            float(state["shift"]),
            float(state["penalty"]),
        )
        return head

    def _hand(self, x_1HW: Floats | None, placement: Placement) -> Floats | None:
        """(29, h, w) of the frame without its rim."""
        if not self.filters:
            return None
        if x_1HW is None:
            raise ValueError("the head was made with filters: it needs the encoder's input, too")
        return with_positions(few_filters, np.ascontiguousarray(x_1HW[0][placement.inside()]))

    def _take(self, key: str, subject: str, rows: Rows, hand_NF: Tensor | None) -> None:
        assert self.basis is not None
        turned = rows.x_ND.float() @ self.basis.turn_DP + self.basis.offset_P
        joined = turned if hand_NF is None else torch.cat([turned, hand_NF.float()], 1)
        self._ridge.add(key, subject, rounded_rows(joined, rows.classes_N, rows.cells_N))

    def _turn(self) -> None:
        """Find the directions anew, and turn the frames that are still known in full."""
        self.basis = directions_of([rows.x_ND for _, rows, _ in self._raw.values()], self.channels, self.directions)
        self._ridge = BalancedRidge()
        for key, (subject, rows, hand_NF) in self._raw.items():
            self._take(key, subject, rows, hand_NF)
        self._based_on = len(self._raw)
        if self._based_on >= BASIS_FRAMES:
            self._raw.clear()


def locations(ids_hw: Ids, key: str) -> tuple[NDArray[np.int64], NDArray[np.uint8], Floats]:
    """(N, 2) cells, their classes, and how many cells each stands for; half near a boundary where there is one.

    At most 2,000; the same for the same `key`.
    """
    rng = np.random.default_rng(list(key.encode("utf-8", "surrogatepass")) or 0)
    near = _near_boundary(ids_hw).ravel()
    half = min(int(near.sum()), max(LOCATIONS // 2, LOCATIONS - int((~near).sum())))
    chosen, cells = [], []
    for side, wanted in ((np.flatnonzero(near), half), (np.flatnonzero(~near), LOCATIONS - half)):
        taken = side if len(side) <= wanted else rng.choice(side, wanted, replace=False)
        chosen.append(np.sort(taken))
        cells.append(np.full(len(taken), len(side) / max(len(taken), 1), np.float32))
    flat = np.concatenate(chosen)
    at_hw = np.stack(np.unravel_index(flat, ids_hw.shape), 1)
    return at_hw, ids_hw.ravel()[flat], np.concatenate(cells)


def _near_boundary(ids_hw: Ids) -> NDArray[np.bool_]:
    inner = np.ones(ids_hw.shape, np.uint8)
    down, across = ids_hw[1:] != ids_hw[:-1], ids_hw[:, 1:] != ids_hw[:, :-1]
    inner[1:][down], inner[:-1][down] = 0, 0
    inner[:, 1:][across], inner[:, :-1][across] = 0, 0
    if inner.all():
        return np.zeros(ids_hw.shape, bool)
    return np.asarray(cv2.distanceTransform(inner, cv2.DIST_L2, 5) < NEAR)


def cells_of(key: str, features: Features, placement: Placement, ids: Ids) -> Rows:
    """The rows of a frame (B = 1) for `add_rows`, without filters."""
    at_hw, classes, cells = locations(placement.mask(ids, CELL)[placement.inside(CELL)], key)
    return rounded_rows(sampled(features, placement, at_hw), classes, cells)


def directions_of(rows: Sequence[Tensor], channels: Mapping[int, int], wanted: int) -> Basis:
    """PCA of some rows (N, D) of every frame; each map has the same say, however many channels it has."""
    x_ND = torch.cat([part[:: max(1, len(part) // PCA_ROWS)].float() for part in rows])
    mean_D, deviation_D = x_ND.mean(0), x_ND.std(0).clamp_min(LEAST_DEVIATION)
    widths = [width for _, width in sorted(channels.items())]
    say_D = torch.cat([x_ND.new_full((width,), width**-0.5) for width in widths]) / deviation_D
    z_ND = (x_ND - mean_D) * say_D
    spread_D, turn_DD = torch.linalg.eigh(z_ND.T @ z_ND / len(z_ND))
    turn_DP = turn_DD[:, -wanted:].flip(1)
    scale = spread_D[-1].clamp_min(1e-12).rsqrt()
    turn_DP = say_D[:, None] * turn_DP * scale
    return Basis(turn_DP, -mean_D @ turn_DP)


def sampled(features: Features, placement: Placement, at_hw: NDArray[np.int64]) -> Tensor:
    """(N, D) float32: every map at these cells of the frame, linear between its own cells."""
    top, left = placement.offset_rc[0] // CELL, placement.offset_rc[1] // CELL
    parts = []
    for stride, map_BChw in sorted(features.maps.items()):
        map_BChw, stride = _no_finer(map_BChw.float(), stride)
        size = torch.tensor([map_BChw.shape[3], map_BChw.shape[2]], device=map_BChw.device)
        at_xy = torch.from_numpy((at_hw + 0.5 + (top, left))[:, ::-1].copy()).to(map_BChw.device).float()
        grid_N2 = at_xy * (CELL / stride) / size * 2 - 1
        taken = functional.grid_sample(map_BChw, grid_N2[None, None], padding_mode="border", align_corners=False)
        parts.append(taken[0, :, 0].T)
    return torch.cat(parts, 1)


def to_native(answers_Mhw: Floats, native_rc: tuple[int, int]) -> Floats:
    """(M, rows, columns), linear between the cells."""
    native = np.zeros((len(answers_Mhw), *native_rc), np.float32)
    for n, answer in enumerate(answers_Mhw):
        native[n] = cv2.resize(answer, native_rc[::-1], interpolation=cv2.INTER_LINEAR)
    return native


def _cells(features: Features) -> tuple[int, int]:
    stride, map_BChw = next(iter(features.maps.items()))
    return map_BChw.shape[2] * stride // CELL, map_BChw.shape[3] * stride // CELL


def _no_finer(map_BChw: Tensor, stride: int) -> tuple[Tensor, int]:
    """The map at stride 4 where its own is finer."""
    return (map_BChw, stride) if stride >= CELL else (functional.avg_pool2d(map_BChw, CELL // stride), CELL)


def width_of(head: InstantHead) -> int:
    """Features of a row: directions, and the filters' channels where they are joined."""
    return head.directions + (FEW + POSITIONS if head.filters else 0)
