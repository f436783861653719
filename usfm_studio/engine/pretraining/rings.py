"""Rings of the spectrum: which bins belong together, and which rings an image loses.

The radius of a bin is r = sqrt(f_y^2 + f_x^2) / 0.5 with frequencies in cycles a pixel: 1 is Nyquist, sqrt(2) the
corner. A *cycle* here is one period in the shorter side of the image, N pixels long: 2 / N of r, one bin there.

Presets:
- `geometric`: edges from the protected disc (4 cycles) to the corner, in constant ratio, each ring at least a bin wide.
- `usfm`: the published band-stop class, where it works: radii 8, then + min(int(0.25 R), 16) up to N / 2. Its disc
  and the corners are never removed.
- `mfm`: one circle of radius 16 (Xie et al. 2023, masked frequency modelling); either side of it is removed. Unlike
  theirs the mean stays: bin 0 is in no ring.

Shapes: H rows, W columns, F = W // 2 + 1 columns of the half spectrum, K rings, B batch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from usfm_studio.document.errors import WrongUsage
from usfm_studio.engine.pretraining.draws import bits_BN, smallest_BN

RingPreset = Literal["usfm", "mfm", "geometric"]
KEPT = -1
"""The id of bins in no ring."""
LOW_CYCLES = 64.0
"""Rings whose middle lies below this hold nearly all that can be recovered of ultrasound images."""
_CORNER = math.sqrt(2)
_HAIR = 1e-9
"""Bins that lie on an edge, but for rounding, must fall alike along rows and columns."""
_BASE, _GROWTH, _WIDEST, _CIRCLE = 8, 0.25, 16, 16


@dataclass(frozen=True, slots=True)
class RingTable:
    """The rings of one image size, on one device.

    `ids_HF` int64, `KEPT` or 0..K-1. With soft edges, bins within half a bin of an edge belong partly, by `blend_HF`
    (float32, 0 to 0.5), to a neighbour `others_HF`. `low_K` marks rings below `LOW_CYCLES`.
    """

    ids_HF: Tensor
    others_HF: Tensor
    blend_HF: Tensor
    low_K: Tensor

    @property
    def count(self) -> int:
        """K, the number of rings."""
        return len(self.low_K)

    def to(self, device: torch.device) -> RingTable:
        """The same table on another device."""
        return RingTable(*(t.to(device) for t in (self.ids_HF, self.others_HF, self.blend_HF, self.low_K)))

    def removed_BHF(self, drawn_BK: Tensor) -> Tensor:
        """(B, H, F) bool: bins whose ring is drawn. `drawn_BK` bool."""
        return _looked_up(drawn_BK, self.ids_HF)

    def kept_BHF(self, drawn_BK: Tensor) -> Tensor:
        """(B, H, F) float32: the factor of each bin with soft edges, 0 inside drawn rings, 1 outside."""
        own, other = (_looked_up(drawn_BK, ids).float() for ids in (self.ids_HF, self.others_HF))
        return 1 - torch.lerp(own, other, self.blend_HF)


def ring_ids(
    rows: int, columns: int, preset: RingPreset = "geometric", count: int = 12, protect: float = 4, corners: bool = True
) -> NDArray[np.int16]:
    """(rows, columns // 2 + 1) int16: the ring of each bin of `rfft2`, `KEPT` where none can be drawn.

    `count`, `protect` (cycles) and `corners` (up to sqrt(2), else to Nyquist) shape `geometric` alone. Raises
    WrongUsage for an image too small for two rings.
    """
    edges = ring_edges(min(rows, columns), preset, count, protect, corners)
    return _ids(_radius(rows, columns), edges)


def ring_edges(
    shorter: int, preset: RingPreset, count: int = 12, protect: float = 4, corners: bool = True
) -> NDArray[np.float64]:
    """The K + 1 rising edges in units of r; ring i holds the bins with edge i < r <= edge i + 1."""
    cycle = 2 / shorter
    if preset == "geometric":
        edges = _geometric_edges(cycle, count, protect, _CORNER if corners else 1.0)
    elif preset == "usfm":
        edges = _published_edges(shorter) * cycle
    else:
        edges = np.array([0, _CIRCLE * cycle, _CORNER])
    if len(edges) < 3 or np.any(np.diff(edges) <= 0):
        raise WrongUsage("The image is too small for rings", f"its shorter side has {shorter} pixels", "Choose more.")
    return edges


def ring_table(
    rows: int, columns: int, preset: RingPreset = "geometric", count: int = 12, protect: float = 4, corners: bool = True
) -> RingTable:
    """The rings of a size, on the CPU; arguments as for `ring_ids`."""
    shorter = min(rows, columns)
    edges = ring_edges(shorter, preset, count, protect, corners)
    radius = _radius(rows, columns)
    ids = _ids(radius, edges).astype(np.int64)
    nearest = np.abs(radius[..., None] - edges).argmin(-1)
    # Half of a raised cosine on either side of an edge: 0.5 at the edge, 0 half a bin away.
    away = np.abs(radius - edges[nearest]) * shorter / 2
    blend = np.where(away < 0.5, 0.5 * (1 - np.sin(np.pi * away)), 0)
    others = np.where(radius - _HAIR > edges[nearest], nearest - 1, nearest)
    others[others >= len(edges) - 1] = KEPT
    blend[(nearest == len(edges) - 1) & (edges[-1] == _CORNER)] = 0  # nothing lies beyond to blend with
    others[0, 0], blend[0, 0] = KEPT, 0
    low = np.sqrt(edges[:-1] * edges[1:]) * shorter / 2 < LOW_CYCLES
    return RingTable(*(torch.from_numpy(a) for a in (ids, others.astype(np.int64), blend.astype(np.float32), low)))


def drawn_rings_BK(table: RingTable, keys_B: Tensor, stream: int, count_B: Tensor, stratified: bool) -> Tensor:
    """(B, K) bool: exactly `count_B` rings of each image, without repetition.

    With `stratified`, at least two thirds (rounded up) are low ones, as far as there are so many: the outer rings of
    ultrasound images are nearly empty, and a draw of them alone teaches nothing.
    """
    first_BK, second_BK = bits_BN(keys_B, stream, 2 * table.count).chunk(2, 1)
    if not stratified:
        return smallest_BN(first_BK, count_B)
    wanted_B = ((2 * count_B + 2) // 3).minimum(table.low_K.sum())
    largest, smallest = torch.iinfo(torch.int64).max, torch.iinfo(torch.int64).min
    low_BK = smallest_BN(first_BK.masked_fill(~table.low_K, largest), wanted_B)
    return smallest_BN(second_BK.masked_fill(low_BK, smallest), count_B)


def _radius(rows: int, columns: int) -> NDArray[np.float64]:
    return np.asarray(np.sqrt(np.fft.fftfreq(rows)[:, None] ** 2 + np.fft.rfftfreq(columns)[None] ** 2) / 0.5)


def _ids(radius: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.int16]:
    ids = np.searchsorted(edges, radius - _HAIR) - 1
    ids[(ids >= len(edges) - 1) | (radius == 0)] = KEPT
    return ids.astype(np.int16)


def _geometric_edges(cycle: float, count: int, protect: float, top: float) -> NDArray[np.float64]:
    first = protect * cycle
    count = min(count, int((top - first) / cycle))
    edges = [first]
    for i in range(1, count + 1):
        edges.append(max(first * (top / first) ** (i / count), edges[-1] + cycle))
    return np.array([*edges[:-1], top]) if count > 0 else np.array(edges)


def _published_edges(shorter: int) -> NDArray[np.float64]:
    radii = [float(_BASE)]
    while (wider := radii[-1] + min(int(_GROWTH * radii[-1]), _WIDEST)) <= shorter / 2:
        radii.append(wider)
    return np.array(radii)


def _looked_up(drawn_BK: Tensor, ids_HF: Tensor) -> Tensor:
    # One column more for the bins in no ring: their id -1 is the last.
    padded = torch.nn.functional.pad(drawn_BK, (0, 1))
    flat = ids_HF.reshape(-1).remainder(padded.shape[1])
    return padded.index_select(1, flat).view(len(padded), *ids_HF.shape)
