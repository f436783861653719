"""The ViT family: encoders in the layout of BEiT, so that the published USFM checkpoint fits key for key.

timm's `Beit` does the work and is imported when the first one is built. Here are only what timm lacks: any input
size at call time (the table of relative positions is resized once a size) and features instead of classes.

Shapes: B batch, L tokens without CLS, D width, h x w the grid of patches.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from usfm_studio.engine.models.features import Encoder, Features, check_input, pool_maps

PATCH = 16
TRAINED_PX = 224
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class VitEncoder(Encoder):
    """A BEiT-like encoder: one map at stride 16; `pooled_BD` is CLS, then mean and maximum of the map."""

    mean: Tensor
    std: Tensor

    def __init__(self, name: str, width: int, heads: int) -> None:
        super().__init__()
        from timm.models.beit import Beit

        self.name = name
        self.channels = {PATCH: width}
        self.pooled_width = 3 * width
        network: Any = Beit(
            img_size=TRAINED_PX,
            patch_size=PATCH,
            embed_dim=width,
            num_heads=heads,
            num_classes=0,
            use_abs_pos_emb=False,
            use_shared_rel_pos_bias=True,
            init_values=0.1,
            use_fc_norm=True,
        )
        self.patch_embed = network.patch_embed
        self.patch_embed.strict_img_size = False
        self.cls_token, self.rel_pos_bias, self.blocks = network.cls_token, network.rel_pos_bias, network.blocks
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1), persistent=False)
        self._resized: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}

    def forward(self, x_BCHW: Tensor) -> Features:
        """One map; see `Encoder.forward`."""
        check_input(x_BCHW)
        batch, _, rows, columns = x_BCHW.shape
        grid_rc = rows // PATCH, columns // PATCH
        tokens = self.patch_embed((x_BCHW.expand(-1, 3, -1, -1) - self.mean) / self.std)
        tokens = torch.cat((self.cls_token.expand(batch, -1, -1), tokens), 1)
        bias = self._bias(grid_rc)
        for block in self.blocks:
            tokens = block(tokens, shared_rel_pos_bias=bias)
        map_BDhw = tokens[:, 1:].transpose(1, 2).reshape(batch, -1, *grid_rc)
        return Features({PATCH: map_BDhw}, torch.cat([tokens[:, 0], pool_maps([map_BDhw])], 1).float())

    def _bias(self, grid_rc: tuple[int, int]) -> Tensor:
        """(heads, L + 1, L + 1). Sizes other than the trained one use a resized copy of the table, without gradient."""
        if grid_rc == tuple(self.rel_pos_bias.window_size):
            return self.rel_pos_bias()
        table = self.rel_pos_bias.relative_position_bias_table.detach().float().cpu()
        made_of, bias = self._resized.get(grid_rc, (None, None))
        if bias is None or made_of is None or not torch.equal(made_of, table):
            bias = resized_bias(table, self.rel_pos_bias.window_size, grid_rc)
            self._resized[grid_rc] = table.clone(), bias
        return bias.to(self.cls_token)


def resized_bias(table: Tensor, window_rc: tuple[int, int], grid_rc: tuple[int, int]) -> Tensor:
    """The bias (heads, L + 1, L + 1) of a grid, from a table (cells, heads) trained on another one, by timm's rule."""
    from timm.layers import resize_rel_pos_bias_table
    from timm.models.beit import gen_relative_position_index

    cells = (2 * grid_rc[0] - 1) * (2 * grid_rc[1] - 1) + 3
    table = resize_rel_pos_bias_table(table, grid_rc, (cells, table.shape[1]), old_window_size=window_rc)
    index = gen_relative_position_index(grid_rc)
    return table[index.view(-1)].view(*index.shape, -1).permute(2, 0, 1).contiguous()
