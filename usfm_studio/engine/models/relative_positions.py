"""A table of relative positions on another grid than the one that it was trained on.

timm's rule (geometrically spaced sources, linear between them) is linear in the table and works on rows and columns
apart. So its two matrices are asked of timm once a grid, and the table goes through them at every call: the bias
follows the weights while they learn, with their gradient, and nothing that depends on weights is ever kept.

Shapes: a table is (cells, heads), cells = (2 h - 1) (2 w - 1) + 3 for a grid of h x w patches; the last three rows are
CLS to patch, patch to CLS, CLS to CLS. L = h w.
"""

from __future__ import annotations

import warnings
from functools import lru_cache

import torch
from torch import Tensor

EXTRA = 3


def cells_of(grid_rc: tuple[int, int]) -> int:
    """Rows of a grid's table."""
    return (2 * grid_rc[0] - 1) * (2 * grid_rc[1] - 1) + EXTRA


def resized_table(table: Tensor, window_rc: tuple[int, int], grid_rc: tuple[int, int]) -> Tensor:
    """(cells, heads) for `grid_rc`, from a table trained on `window_rc`; the table itself where they are the same."""
    if grid_rc == window_rc:
        return table
    rows_ai, columns_bj = (m.to(table) for m in _matrices(window_rc, grid_rc))
    heads = table.shape[1]
    offsets_ijh = table[:-EXTRA].reshape(2 * window_rc[0] - 1, 2 * window_rc[1] - 1, heads)
    offsets_abh = torch.einsum("ai,ijh,bj->abh", rows_ai, offsets_ijh, columns_bj)
    return torch.cat([offsets_abh.reshape(-1, heads), table[-EXTRA:]])


def bias_of(table: Tensor, grid_rc: tuple[int, int]) -> Tensor:
    """(heads, L + 1, L + 1) from the grid's own table: [h, i, j] for query i and key j, CLS first.

    Equal to indexing with timm's `gen_relative_position_index`, without an index of L x L.
    """
    rows, columns = grid_rc
    area, heads = rows * columns, table.shape[1]
    offsets_abh = table[:-EXTRA].view(2 * rows - 1, 2 * columns - 1, heads)
    windows_rcHkl = offsets_abh.unfold(0, rows, 1).unfold(1, columns, 1)  # [r, c, h, k, l] = offsets[r + k, c + l]
    bias = table.new_empty(heads, area + 1, area + 1)
    bias[:, 1:, 1:] = windows_rcHkl.flip(3, 4).permute(2, 0, 1, 3, 4).reshape(heads, area, area)
    bias[:, :1, 1:] = table[-3, :, None, None]
    bias[:, 1:, :1] = table[-2, :, None, None]
    bias[:, 0, 0] = table[-1]
    return bias


def resized_bias(table: Tensor, window_rc: tuple[int, int], grid_rc: tuple[int, int]) -> Tensor:
    """The bias (heads, L + 1, L + 1) of a grid, from a table (cells, heads) trained on another one."""
    return bias_of(resized_table(table, window_rc, grid_rc), grid_rc)


@lru_cache(maxsize=256)
def _matrices(window_rc: tuple[int, int], grid_rc: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """(2 h' - 1, 2 h - 1) and (2 w' - 1, 2 w - 1): what timm's filter does along each side."""
    return _along(window_rc[0], grid_rc[0]), _along(window_rc[1], grid_rc[1])


@lru_cache(maxsize=256)
@torch.inference_mode(mode=False)  # what is kept here must serve training too
@torch.no_grad()
def _along(window: int, grid: int) -> Tensor:
    """Along one side, read off from timm's filter of square tables: one "head" for each source row."""
    from timm.layers import resize_rel_pos_bias_table

    source, target = 2 * window - 1, 2 * grid - 1
    rows_ijk = torch.eye(source)[:, None, :].expand(-1, source, -1)
    tables = torch.cat([rows_ijk.reshape(source * source, source), torch.zeros(EXTRA, source)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its meshgrid
        # one column is enough, since the tables are constant along rows; it also lets timm move rows as it does
        # where columns alone change
        resized = resize_rel_pos_bias_table(
            tables, (grid, 1), (target + EXTRA, source), old_window_size=(window, window)
        )  # fmt: skip
    return resized[:-EXTRA].view(target, source).contiguous()
