"""How other programs name the tensors of an encoder, and how timm does.

Published names are patterns with `{n}` for the number of a block. Each layout can be read both ways, so that an error
names a tensor as the file does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Names:
    """One layout: published pattern -> timm's pattern, and the inverse."""

    pairs: Mapping[str, str]
    _back: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._back.update({ours: published for published, ours in self.pairs.items()})

    def ours(self, published: str) -> str | None:
        """timm's name, or None for a tensor that the layout does not know."""
        return _through(self.pairs, published)

    def published(self, ours: str) -> str:
        """The name in the file."""
        return _through(self._back, ours) or ours


def _through(table: Mapping[str, str], name: str) -> str | None:
    if name in table:
        return table[name]
    number = re.search(r"\.(\d{1,4})\.", name)
    if number is None:
        return None
    pattern = f"{name[: number.start(1)]}{{n}}{name[number.end(1) :]}"
    return table[pattern].replace("{n}", number[1]) if pattern in table else None


def _both(published: str, ours: str) -> dict[str, str]:
    return {f"{published}.{leaf}": f"{ours}.{leaf}" for leaf in ("weight", "bias")}


_LAYER, _BLOCK = "encoder.layer.{n}", "blocks.{n}"
HUGGING_FACE = Names(
    {
        "embeddings.cls_token": "cls_token",
        "embeddings.mask_token": "mask_token",
        "embeddings.position_embeddings": "pos_embed",
        **_both("embeddings.patch_embeddings.projection", "patch_embed.proj"),
        "encoder.relative_position_bias.relative_position_bias_table": "rel_pos_bias.relative_position_bias_table",
        f"{_LAYER}.attention.attention.relative_position_bias.relative_position_bias_table": (
            f"{_BLOCK}.attn.relative_position_bias_table"
        ),
        **_both(f"{_LAYER}.layernorm_before", f"{_BLOCK}.norm1"),
        **_both(f"{_LAYER}.layernorm_after", f"{_BLOCK}.norm2"),
        **_both(f"{_LAYER}.attention.output.dense", f"{_BLOCK}.attn.proj"),
        **_both(f"{_LAYER}.intermediate.dense", f"{_BLOCK}.mlp.fc1"),
        **_both(f"{_LAYER}.output.dense", f"{_BLOCK}.mlp.fc2"),
        f"{_LAYER}.lambda_1": f"{_BLOCK}.gamma_1",
        f"{_LAYER}.lambda_2": f"{_BLOCK}.gamma_2",
        **_both("layernorm", "norm"),
        **_both("pooler.layernorm", "fc_norm"),
    }
)
"""transformers' BeitModel (and ViTModel), but for query, key and value, which timm keeps in one tensor."""
QUERY_KEY_VALUE = ("query", "key", "value")


def attention_part(block: int, part: str, leaf: str) -> str:
    """transformers' name of a block's query, key or value."""
    return f"encoder.layer.{block}.attention.attention.{part}.{leaf}"


_OUTER = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
_FIRST = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
_INNER = {
    "_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2", "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}  # fmt: skip
_LEAVES = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def lite_names(repeats: Sequence[int]) -> Names:
    """The names of the published EfficientNet-Lite checkpoints; `repeats` are the blocks of each stage.

    They count all blocks in one row and name layers by their place in a block; the first block has no expansion.
    """
    layers = dict(_OUTER)
    places = [f"blocks.{stage}.{i}" for stage, count in enumerate(repeats) for i in range(count)]
    for number, place in enumerate(places):
        table = _INNER if number else _FIRST
        layers |= {f"_blocks.{number}.{published}": f"{place}.{ours}" for published, ours in table.items()}
    return Names({f"{a}.{leaf}": f"{b}.{leaf}" for a, b in layers.items() for leaf in _LEAVES})
