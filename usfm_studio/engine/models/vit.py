"""The ViT family: encoders in the layout of BEiT (so that the published USFM checkpoint fits key for key) and plain.

timm's modules do the work and are imported when the first one is built. Here are only what timm lacks: any input size
at call time (positions are brought to each grid by timm's own rules, at every call) and features instead of classes.

Shapes: B batch, L tokens without CLS, D width, h x w the grid of patches.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from usfm_studio.engine.models.features import Encoder, Features, check_input, pool_maps
from usfm_studio.engine.models.relative_positions import resized_bias
from usfm_studio.engine.models.vit_plan import VitPlan

MEAN_AND_STD = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
}
FIRST_SCALE = 0.1
"""Layer scale of a fresh network."""


class VitEncoder(Encoder):
    """A ViT: one map at the stride of its patches; `pooled_BD` is CLS, then mean and maximum of the map.

    Tokens are those after the last block, or after the norm behind it where the plan has one: as timm's
    `forward_features` gives them.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, name: str, plan: VitPlan) -> None:
        super().__init__()
        self.name, self.plan = name, plan
        self.multiple = plan.patch
        self.channels = {plan.patch: plan.width}
        self.pooled_width = 3 * plan.width
        network = _beit(plan) if plan.family == "beit" else _plain(plan)
        self.patch_embed = network.patch_embed
        self.patch_embed.strict_img_size = False
        self.cls_token, self.blocks = network.cls_token, network.blocks
        self.pos_embed = network.pos_embed if plan.absolute else None
        self.rel_pos_bias = network.rel_pos_bias if plan.relative == "shared" else None
        self.norm = network.norm if plan.normed else nn.Identity()
        mean, std = MEAN_AND_STD[plan.pixels]
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    def forward(self, x_BCHW: Tensor) -> Features:
        """One map; see `Encoder.forward`."""
        check_input(x_BCHW, self.multiple)
        batch, _, rows, columns = x_BCHW.shape
        grid_rc = rows // self.plan.patch, columns // self.plan.patch
        tokens = self.patch_embed((x_BCHW.expand(-1, 3, -1, -1) - self.mean) / self.std)
        tokens = torch.cat((self.cls_token.expand(batch, -1, -1), tokens), 1)
        if self.pos_embed is not None:
            tokens = tokens + self._positions(grid_rc)
        tokens = self.norm(self._through(tokens, grid_rc))
        map_BDhw = tokens[:, 1:].transpose(1, 2).reshape(batch, -1, *grid_rc)
        return Features({self.plan.patch: map_BDhw}, torch.cat([tokens[:, 0], pool_maps([map_BDhw])], 1).float())

    def _through(self, tokens: Tensor, grid_rc: tuple[int, int]) -> Tensor:
        if self.plan.family == "vit":
            for block in self.blocks:
                tokens = block(tokens)
            return tokens
        shared = self.rel_pos_bias
        bias = None if shared is None else resized_bias(shared.relative_position_bias_table, self.plan.grid_rc, grid_rc)
        for block in self.blocks:
            if self.plan.relative == "each":
                block.attn.grid_rc = grid_rc
            tokens = block(tokens, shared_rel_pos_bias=bias)
        return tokens

    def _positions(self, grid_rc: tuple[int, int]) -> Tensor:
        """(1, L + 1, D)."""
        from timm.layers import resample_abs_pos_embed

        return resample_abs_pos_embed(self.pos_embed, list(grid_rc), list(self.plan.grid_rc))


def _beit(plan: VitPlan) -> Any:
    from timm.models.beit import Beit

    from usfm_studio.engine.models.grid_attention import GridAttention

    network: Any = Beit(
        img_size=(plan.patch * plan.grid_rc[0], plan.patch * plan.grid_rc[1]),
        patch_size=plan.patch,
        embed_dim=plan.width,
        depth=plan.depth,
        num_heads=plan.heads,
        mlp_ratio=(plan.hidden + 0.5) / plan.width,
        num_classes=0,
        qkv_bias=plan.bias == "qv",
        use_abs_pos_emb=plan.absolute,
        use_shared_rel_pos_bias=plan.relative == "shared",
        use_rel_pos_bias=plan.relative == "each",
        init_values=FIRST_SCALE if plan.scaled else None,
        use_fc_norm=not plan.normed,
    )
    for block in network.blocks if plan.relative == "each" else ():
        GridAttention.take_over(block.attn, plan.grid_rc)
    return network


def _plain(plan: VitPlan) -> Any:
    from timm.models.vision_transformer import VisionTransformer

    return VisionTransformer(
        img_size=(plan.patch * plan.grid_rc[0], plan.patch * plan.grid_rc[1]),
        patch_size=plan.patch,
        embed_dim=plan.width,
        depth=plan.depth,
        num_heads=plan.heads,
        mlp_ratio=(plan.hidden + 0.5) / plan.width,
        num_classes=0,
        qkv_bias=plan.bias == "qkv",
        init_values=FIRST_SCALE if plan.scaled else None,
        global_pool="token",
        final_norm=plan.normed,
    )
