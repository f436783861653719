"""timm's BEiT attention with a table of its own, on any grid. Imports timm: to be imported when one is built."""

from __future__ import annotations

from timm.models.beit import Attention
from torch import Tensor

from usfm_studio.engine.models.relative_positions import resized_bias


class GridAttention(Attention):
    """The table belongs to `trained_rc` and is brought to `grid_rc`, the grid of the input at hand."""

    trained_rc: tuple[int, int]
    grid_rc: tuple[int, int]

    @classmethod
    def take_over(cls, attention: Attention, trained_rc: tuple[int, int]) -> None:
        """Let timm's attention, as it was built, be one of these."""
        attention.__class__ = cls
        attention.trained_rc = attention.grid_rc = trained_rc

    def _get_rel_pos_bias(self) -> Tensor:
        return resized_bias(self.relative_position_bias_table, self.trained_rc, self.grid_rc)[None]
