"""Corruption of clean images: a band-stop filter first, filled cells second.

    x~ = (1 - M) x_f + M fill,    x_f = irfft2(rfft2(x) * keep)

The encoder normalises last, by itself. Everything runs on the device over the whole batch; each image has its own draw,
a function of its key alone (`draws.py`). The filtered image is neither made absolute nor clipped: it may leave 0..1.

Shapes: B batch, H rows, W columns, F = W // 2 + 1 columns of the half spectrum, G cells, K rings. x is grey, 0..1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

import msgspec
import torch
from torch import Tensor

from usfm_studio.document.errors import WrongUsage
from usfm_studio.engine.pretraining.draws import bits_BN, integers_BN, normal_BN, smallest_BN, uniform_BN
from usfm_studio.engine.pretraining.rings import RingTable, drawn_rings_BK, ring_table

Branch = Literal["dual", "spatial", "frequency"]
Fill = Literal["mean", "noise", "add", "mix"]
Pair = tuple[float, float]

_RING_COUNT, _RINGS, _CELLS, _SHAPES, _CORNERS, _KIND, _DEVIATION, _NOISE = range(8)
"""The streams of `draws.py` that a corruption uses: one a purpose."""
_RECTANGLES = 32
"""Rectangles drawn an image in mode `blocks`; what they leave open is filled by single cells."""


class MaskSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How images are corrupted. Raises ValueError where values make no sense.

    `rings` chooses the rings of `rings.py` (`none`: no filter) and `ring_count`, `protect_cycles`, `corners` shape
    `geometric` ones; `ring_share` is the share removed, drawn uniformly between the two for each image (`mfm`: always
    one side); `stratified` draws two thirds of them below 64 cycles; `soft` gives them raised-cosine edges. `sector`:
    `refill` puts the clean image back outside the valid region, where the filter rings. `cells`: none, single ones or
    rectangular `blocks`; `cell_px` their side, `cell_share` the share masked. `add_deviation` is the range of the noise
    of fill `add`, in deviations of the image.
    """

    rings: Literal["none", "usfm", "mfm", "geometric"] = "geometric"
    ring_count: int = 12
    protect_cycles: float = 4.0
    corners: bool = True
    ring_share: Pair = (0.3, 0.3)
    stratified: bool = True
    soft: bool = False
    sector: Literal["filtered", "refill"] = "filtered"
    cells: Literal["none", "cells", "blocks"] = "cells"
    cell_px: int = 32
    cell_share: float = 0.6
    fill: Fill = "mean"
    add_deviation: Pair = (0.25, 0.5)

    def __post_init__(self) -> None:
        low, high = self.ring_share
        if self.rings == self.cells == "none":
            raise ValueError("rings and cells are both none: nothing would be corrupted")
        if not 0 < low <= high < 1 or not 0 < self.cell_share < 1:
            raise ValueError("ring_share rises within 0..1, and cell_share lies within, both ends excluded")
        if self.ring_count < 2 or self.protect_cycles <= 0 or self.cell_px < 1:
            raise ValueError("ring_count is at least 2, protect_cycles above 0, cell_px at least 1")
        if not 0 < self.add_deviation[0] <= self.add_deviation[1]:
            raise ValueError("add_deviation rises from above 0")

    def only(self, branch: Branch) -> MaskSettings:
        """The same settings with one branch alone, for ablations; `dual` changes nothing. Raises ValueError."""
        if branch == "spatial":
            return msgspec.structs.replace(self, rings="none")
        return msgspec.structs.replace(self, cells="none") if branch == "frequency" else self


MASK_PRESETS: dict[str, MaskSettings] = {
    # The paper as far as known: A2MIM's cells (32 px, 0.6, mean) and the published band-stop with half of its rings.
    "usfm": MaskSettings(rings="usfm", ring_share=(0.5, 0.5), stratified=False),
    "ours": MaskSettings(sector="refill"),
}


@dataclass(frozen=True, slots=True)
class Corrupted:
    """What `Corruption` makes of a batch.

    `x_B1HW` float32; `masked_B1HW` bool, the pixels of masked cells; `removed_BHF` bool, the bins of drawn rings;
    `energy_removed_B` float32, their share (0..1) of the image's energy without its mean.
    """

    x_B1HW: Tensor
    masked_B1HW: Tensor
    removed_BHF: Tensor
    energy_removed_B: Tensor


class Corruption:
    """Corrupts batches by `settings`. Ring tables are made once a size and device; there is no other state."""

    def __init__(self, settings: MaskSettings) -> None:
        self.settings = settings
        self._tables: dict[tuple[int, int, torch.device], RingTable] = {}

    @torch.no_grad()
    def __call__(self, x_B1HW: Tensor, valid_B1HW: Tensor, keys_B: Tensor) -> Corrupted:
        """The corrupted batch. `valid_B1HW` bool or 0/1, the sector; `keys_B` of `draws.keys_B`, all on one device.

        Raises WrongUsage for an image that is too small for two rings or two cells.
        """
        settings = self.settings
        with torch.autocast(x_B1HW.device.type, enabled=False):
            x_B1HW, valid_B1HW = x_B1HW.float(), valid_B1HW.bool()
            filtered_B1HW, removed_BHF, energy_B = self._filtered(x_B1HW, keys_B)
            if settings.rings != "none" and settings.sector == "refill":
                filtered_B1HW = torch.where(valid_B1HW, filtered_B1HW, x_B1HW)
            if settings.cells == "none":
                return Corrupted(filtered_B1HW, torch.zeros_like(valid_B1HW), removed_BHF, energy_B)
            masked_B1HW = masked_cells(settings, keys_B, x_B1HW.shape[2], x_B1HW.shape[3])
            fill = filling(settings, x_B1HW, valid_B1HW, keys_B)
            return Corrupted(torch.where(masked_B1HW, fill, filtered_B1HW), masked_B1HW, removed_BHF, energy_B)

    def _filtered(self, x_B1HW: Tensor, keys_B: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        batch, _, rows, columns = x_B1HW.shape
        if self.settings.rings == "none":
            removed_BHF = x_B1HW.new_zeros(batch, rows, columns // 2 + 1, dtype=torch.bool)
            return x_B1HW, removed_BHF, x_B1HW.new_zeros(batch)
        table = self._table(rows, columns, x_B1HW.device)
        drawn_BK = self._drawn(table, keys_B)
        removed_BHF = table.removed_BHF(drawn_BK)
        keep_BHF = table.kept_BHF(drawn_BK) if self.settings.soft else None
        filtered_B1HW, energy_B = band_stopped(x_B1HW, removed_BHF, keep_BHF)
        return filtered_B1HW, removed_BHF, energy_B

    def _drawn(self, table: RingTable, keys_B: Tensor) -> Tensor:
        if self.settings.rings == "mfm":
            return drawn_rings_BK(table, keys_B, _RINGS, torch.ones_like(keys_B), stratified=False)
        low, high = self.settings.ring_share
        share_B = low + (high - low) * uniform_BN(keys_B, _RING_COUNT, 1)[:, 0]
        count_B = (share_B * table.count).round().to(torch.int64).clamp(1, table.count - 1)
        return drawn_rings_BK(table, keys_B, _RINGS, count_B, self.settings.stratified)

    def _table(self, rows: int, columns: int, device: torch.device) -> RingTable:
        key = rows, columns, device
        if key not in self._tables:
            s = self.settings
            assert s.rings != "none"
            table = ring_table(rows, columns, s.rings, s.ring_count, s.protect_cycles, s.corners)
            self._tables[key] = table.to(device)
        return self._tables[key]


def band_stopped(x_B1HW: Tensor, removed_BHF: Tensor, keep_BHF: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The filtered images, and the share (B,) of each one's energy without its mean that `removed_BHF` holds.

    Bins of `removed_BHF` are set to 0, or all are multiplied by `keep_BHF` where that is given (soft edges).
    """
    rows, columns = x_B1HW.shape[-2:]
    spectrum_BHF = torch.fft.rfft2(x_B1HW[:, 0])
    energy_BHF = torch.view_as_real(spectrum_BHF).square().sum(-1) * half_weights_F(columns, x_B1HW.device)
    energy_BHF[:, 0, 0] = 0
    all_B, removed_B = energy_BHF.sum((1, 2)), (energy_BHF * removed_BHF).sum((1, 2))
    if keep_BHF is None:
        spectrum_BHF.masked_fill_(removed_BHF, 0)
    else:
        spectrum_BHF *= keep_BHF
    filtered_B1HW = torch.fft.irfft2(spectrum_BHF, s=(rows, columns))[:, None]
    return filtered_B1HW, removed_B / all_B.clamp_min(torch.finfo(all_B.dtype).tiny)


@cache
def half_weights_F(columns: int, device: torch.device) -> Tensor:
    """(F,) float32: how often `rfft2`'s columns stand in the full spectrum, 2 but for the first and Nyquist's."""
    with torch.inference_mode(False):  # kept for later calls, and a tensor of inference cannot learn
        weights_F = torch.full((columns // 2 + 1,), 2.0, device=device)
        weights_F[0] = 1
        if columns % 2 == 0:
            weights_F[-1] = 1
        return weights_F


def masked_cells(settings: MaskSettings, keys_B: Tensor, rows: int, columns: int) -> Tensor:
    """(B, 1, H, W) bool: the masked pixels, exactly round(share * G) of the G = ceil(H / b) * ceil(W / b) cells each.

    At least one cell is masked and one is not. Raises WrongUsage where there is only one cell.
    """
    side = settings.cell_px
    grid_rc = -(-rows // side), -(-columns // side)
    cells = grid_rc[0] * grid_rc[1]
    if cells < 2:
        raise WrongUsage(
            "The image is too small to mask", f"it has {rows}x{columns} pixels, a cell {side}", "Use smaller cells."
        )
    count = min(max(round(settings.cell_share * cells), 1), cells - 1)
    order_BG = bits_BN(keys_B, _CELLS, cells)
    if settings.cells == "blocks":
        order_BG = _block_order_BG(order_BG, keys_B, grid_rc)
    grid_Bhw = smallest_BN(order_BG, count).view(-1, *grid_rc)
    pixels_BHW = grid_Bhw.repeat_interleave(side, 1).repeat_interleave(side, 2)
    return pixels_BHW[:, None, :rows, :columns]


def _block_order_BG(random_BG: Tensor, keys_B: Tensor, grid_rc: tuple[int, int]) -> Tensor:
    """(B, G) words whose smallest are rectangles in the order they were drawn, cells of the last one at random.

    So whatever number is taken, all but one rectangle are whole, and the surplus goes back at random. Sides come from
    a table of whole numbers: floating point could round differently on another device.
    """
    device = keys_B.device
    shapes_S2 = torch.tensor(_block_shapes(grid_rc), device=device)
    shape_BT2 = shapes_S2[integers_BN(keys_B, _SHAPES, _RECTANGLES, len(shapes_S2))]
    # They may hang over the grid's edges: else cells near them would be masked less often than others.
    places_BT2 = torch.tensor(grid_rc, device=device) + shape_BT2 - 1
    corner_BT2 = integers_BN(keys_B, _CORNERS, 2 * _RECTANGLES, places_BT2.flatten(1)).view_as(shape_BT2)
    corner_BT2 = corner_BT2 - shape_BT2 + 1
    inside = [
        (along >= corner_BT2[..., axis, None]) & (along < (corner_BT2 + shape_BT2)[..., axis, None])
        for axis, along in enumerate(torch.arange(side, device=device) for side in grid_rc)
    ]
    covered_BTG = (inside[0][..., :, None] & inside[1][..., None, :]).flatten(2)
    number_T1 = torch.arange(_RECTANGLES, device=device)[:, None]
    first_BG = torch.where(covered_BTG, number_T1, _RECTANGLES).amin(1)
    return (first_BG << 56) | ((random_BG >> 8) & ((1 << 56) - 1))


def _block_shapes(grid_rc: tuple[int, int]) -> list[tuple[int, int]]:
    """Sides of rectangles: a 16th to a quarter of the grid, at most 3.3 times longer than wide (BEiT's limit)."""
    cells = grid_rc[0] * grid_rc[1]
    sides = [(r, c) for r in range(1, grid_rc[0] + 1) for c in range(1, grid_rc[1] + 1)]
    fitting = [(r, c) for r, c in sides if cells <= 16 * r * c <= 4 * cells and max(r, c) <= 3.3 * min(r, c)]
    return fitting or [(1, 1)]


def filling(settings: MaskSettings, x_B1HW: Tensor, valid_B1HW: Tensor, keys_B: Tensor) -> Tensor:
    """What masked pixels show: (B, 1, 1, 1) for fill `mean`, else (B, 1, H, W).

    Mean and deviation are those of the valid pixels, or of all where none is valid. `mean` is the image's mean;
    `noise` is normal with its mean and deviation, clipped to 0..1; `add` is the image plus normal noise of a share of
    its deviation, drawn for each image; `mix` draws one of the three for each image.
    """
    mean_B111, deviation_B111 = moments(x_B1HW, valid_B1HW)
    if settings.fill == "mean":
        return mean_B111
    noise_B1HW = normal_BN(keys_B, _NOISE, x_B1HW[0].numel()).view_as(x_B1HW)
    low, high = settings.add_deviation
    scale_B111 = (low + (high - low) * uniform_BN(keys_B, _DEVIATION, 1)).view(-1, 1, 1, 1) * deviation_B111
    if settings.fill == "add":
        return torch.addcmul(x_B1HW, noise_B1HW, scale_B111)
    drawn_B1HW = torch.addcmul(mean_B111, noise_B1HW, deviation_B111).clamp_(0, 1)
    if settings.fill == "noise":
        return drawn_B1HW
    kind_B111 = integers_BN(keys_B, _KIND, 1, 3).view(-1, 1, 1, 1)
    added_B1HW = torch.addcmul(x_B1HW, noise_B1HW, scale_B111)
    return torch.where(kind_B111 == 0, mean_B111, torch.where(kind_B111 == 1, drawn_B1HW, added_B1HW))


def moments(x_B1HW: Tensor, valid_B1HW: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation (B, 1, 1, 1) of the valid pixels of each image; of all its pixels where none is valid."""
    weight = valid_B1HW.to(x_B1HW.dtype)
    area = weight.sum((2, 3), keepdim=True)
    weight, area = torch.where(area > 0, weight, 1), torch.where(area > 0, area, x_B1HW[0].numel())
    mean = (x_B1HW * weight).sum((2, 3), keepdim=True) / area
    deviation = ((x_B1HW - mean).square_() * weight).sum((2, 3), keepdim=True).div_(area).sqrt_()
    return mean, deviation
