"""ViTs under timm's names: BEiT (USFM's official layout among them) and plain ViT (TinyUSFM, DeiT, MAE, DINO)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from torch import Tensor

from usfm_studio.engine.models.foreign.layout import Choice, Parts, Unfit, in_words
from usfm_studio.engine.models.vit_plan import Bias, Family, Relative, VitPlan, name_of

HEAD_WIDTH = 64
TINY_USFM = (192, 12)
"""TinyUSFM's width and heads: its heads are 16 wide, where all others' are 64 (timm's ViT-Ti has 3)."""
WITHIN = frozenset(
    (
        "blocks", "patch_embed", "cls_token", "pos_embed", "rel_pos_bias", "norm_pre", "reg_token", "dist_token",
        "mask_attn", "rope",
    )
)  # fmt: skip
SHARED_TABLE = "rel_pos_bias.relative_position_bias_table"
OWN_TABLE = "attn.relative_position_bias_table"
IMAGENET_ASSUMED = "input scaled by ImageNet's mean and deviation, which the file does not tell"


class _Timm:
    title = "a vision transformer"
    marks = ("patch_embed.proj.weight", "blocks.0.attn.qkv.weight")

    def parts(self, tensors: Mapping[str, Tensor], choice: Choice) -> Parts:
        return parts_of(tensors, choice)

    def published(self, ours: str, parts: Parts) -> str:
        return ours


TIMM = _Timm()


def parts_of(tensors: Mapping[str, Tensor], choice: Choice) -> Parts:
    """The encoder of tensors under timm's names. Raises Unfit."""
    plan, assumed = _plan(tensors, choice)
    return Parts(
        encoder=name_of(plan),
        tensors=tensors,
        within=WITHIN,
        assumed=assumed,
        blocks=plan.depth,
        title=_title(plan),
        input_px=plan.patch * plan.grid_rc[0],
    )


def _title(plan: VitPlan) -> str:
    if plan.relative == "shared":
        return "BEiT with one table of relative positions, USFM's official layout"
    if plan.relative == "each":
        return "BEiT with a table of relative positions a block"
    return "TinyUSFM's layout" if (plan.width, plan.heads) == TINY_USFM else "a plain vision transformer"


def _plan(tensors: Mapping[str, Tensor], choice: Choice) -> tuple[VitPlan, tuple[str, ...]]:
    width, patch = _width_and_patch(tensors)
    ends = {name.partition(".")[2].partition(".")[2] for name in tensors if name.startswith("blocks.")}
    relative: Relative = "shared" if SHARED_TABLE in tensors else "each" if OWN_TABLE in ends else ""
    beit = bool(relative) or bool({"gamma_1", "gamma_2", "attn.q_bias", "attn.v_bias"} & ends)
    family: Family = "beit" if beit else "vit"
    absolute = "pos_embed" in tensors
    if not absolute and not relative:
        raise Unfit("the tensor {} is missing", SHARED_TABLE if beit else "pos_embed")
    table = _table(tensors, relative)
    heads, assumed = _heads(width, table, choice)
    bias: Bias = ("qv" if ends & {"attn.q_bias", "attn.v_bias"} else "") if beit else "qkv"
    bias = "" if not beit and "attn.qkv.bias" not in ends else bias
    try:
        plan = VitPlan(
            family=family,
            width=width,
            depth=_depth(tensors),
            heads=heads,
            hidden=_hidden(tensors, width),
            patch=patch,
            grid_rc=_grid(tensors, table, relative),
            absolute=absolute,
            relative=relative,
            bias=bias,
            scaled=bool(ends & {"gamma_1", "gamma_2", "ls1.gamma", "ls2.gamma"}),
            # where one table is shared, the public code reads tokens before the norm of pre-training
            normed=relative != "shared" and bool({"norm.weight", "norm.bias"} & tensors.keys()),
            pixels=choice.pixels or "imagenet",
        )
    except ValueError as error:
        raise Unfit(str(error)) from error
    return plan, assumed if choice.pixels else (*assumed, IMAGENET_ASSUMED)


def _width_and_patch(tensors: Mapping[str, Tensor]) -> tuple[int, int]:
    kernel = tensors.get("patch_embed.proj.weight")
    if kernel is None:
        raise Unfit("the tensor {} is missing", "patch_embed.proj.weight")
    if kernel.ndim != 4 or kernel.shape[1] != 3 or kernel.shape[2] != kernel.shape[3]:
        raise Unfit(_shaped(kernel, "width x 3 x patch x patch"), "patch_embed.proj.weight")
    return int(kernel.shape[0]), int(kernel.shape[2])


def _depth(tensors: Mapping[str, Tensor]) -> int:
    numbers = [int(found[1]) for name in tensors if (found := re.match(r"blocks\.(\d{1,4})\.", name))]
    if not numbers:
        raise Unfit("the tensor {} is missing", "blocks.0.attn.qkv.weight")
    return max(numbers) + 1


def _hidden(tensors: Mapping[str, Tensor], width: int) -> int:
    kernel = tensors.get("blocks.0.mlp.fc1.weight")
    return int(kernel.shape[0]) if kernel is not None and kernel.ndim == 2 else 4 * width


def _table(tensors: Mapping[str, Tensor], relative: Relative) -> Tensor | None:
    if not relative:
        return None
    name = SHARED_TABLE
    if relative == "each":
        name = min(name for name in tensors if name.startswith("blocks.") and name.endswith(OWN_TABLE))
    table = tensors[name]
    if table.ndim != 2 or _side(int(table.shape[0]) - 3, lambda side: (2 * side - 1) ** 2) is None:
        raise Unfit(_shaped(table, "((2 side - 1)^2 + 3) x heads"), name)
    return table


def _grid(tensors: Mapping[str, Tensor], table: Tensor | None, relative: Relative) -> tuple[int, int]:
    """Of the trained size: from the table, else from the absolute positions; square, as no shape tells otherwise."""
    if table is not None:
        side = _side(int(table.shape[0]) - 3, lambda side: (2 * side - 1) ** 2)
    else:
        positions = tensors["pos_embed"]
        side = _side(int(positions.shape[1]) - 1, lambda side: side**2) if positions.ndim == 3 else None
        if side is None:
            raise Unfit(_shaped(positions, "1 x (side^2 + 1) x width"), "pos_embed")
    assert side is not None
    return side, side


def _side(cells: int, area: object) -> int | None:
    assert callable(area)
    guesses = range(1, min(512, math.isqrt(max(0, cells)) + 2))
    return next((side for side in guesses if area(side) == cells), None)


def _heads(width: int, table: Tensor | None, choice: Choice) -> tuple[int, tuple[str, ...]]:
    if table is not None:
        return int(table.shape[1]), ()
    if choice.heads is not None:
        return choice.heads, ()
    if width == TINY_USFM[0]:
        return TINY_USFM[1], ("12 heads, as TinyUSFM has (the file does not tell; timm's ViT-Ti has 3)",)
    if width % HEAD_WIDTH:
        raise Unfit(f"its heads cannot be told from a width of {width}", hint="State them with --heads.")
    return width // HEAD_WIDTH, (f"{width // HEAD_WIDTH} heads of {HEAD_WIDTH} (the file does not tell)",)


def _shaped(tensor: Tensor, wanted: str) -> str:
    return f"the tensor {{}} has the shape {in_words(tensor.shape)}, not {wanted}"
