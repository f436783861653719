"""BEiT and ViT as Hugging Face's transformers names them. Query, key and value become timm's one tensor."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from usfm_studio.engine.models.foreign import vits
from usfm_studio.engine.models.foreign.layout import Choice, Parts, Unfit, in_words
from usfm_studio.engine.models.foreign.names import HUGGING_FACE, QUERY_KEY_VALUE, attention_part
from usfm_studio.engine.models.foreign.reading import plain

MOST_BLOCKS = 64


class _Beit:
    title = "a vision transformer under Hugging Face's names"
    marks = ("embeddings.patch_embeddings.projection.weight", "encoder.layer.0.attention.attention.query.weight")

    def parts(self, tensors: Mapping[str, Tensor], choice: Choice) -> Parts:
        try:
            parts = vits.parts_of(in_timm_names(tensors), choice)
            return replace(parts, title=f"{parts.title}, under Hugging Face's names")
        except Unfit as error:
            raise Unfit(
                error.words, HUGGING_FACE.published(error.tensor), error.hint, absolute=error.absolute
            ) from error

    def published(self, ours: str, parts: Parts) -> str:
        found = re.fullmatch(r"blocks\.(\d+)\.attn\.(qkv\.weight|qkv\.bias|q_bias|v_bias)", ours)
        if found is None:
            return HUGGING_FACE.published(ours)
        part = "value" if found[2] == "v_bias" else "query"
        return attention_part(int(found[1]), part, "weight" if found[2] == "qkv.weight" else "bias")


BEIT = _Beit()


def in_timm_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors under timm's names; unknown ones keep theirs. Raises Unfit."""
    renamed = {HUGGING_FACE.ours(name) or name: tensor for name, tensor in tensors.items()}
    numbers = [int(found[1]) for name in tensors if (found := re.match(r"encoder\.layer\.(\d{1,4})\.", name))]
    blocks = 1 + max(numbers, default=-1)
    if blocks > MOST_BLOCKS:
        raise Unfit(f"it has {blocks} blocks")
    key_bias = any(attention_part(n, "key", "bias") in tensors for n in range(blocks))
    for n in range(blocks):
        renamed |= _attention(tensors, n, key_bias=key_bias)
        for part in QUERY_KEY_VALUE:
            for leaf in ("weight", "bias"):
                renamed.pop(attention_part(n, part, leaf), None)
    return renamed


def _attention(tensors: Mapping[str, Tensor], block: int, *, key_bias: bool) -> dict[str, Tensor]:
    """One block's `attn.qkv.weight`, and `qkv.bias` (ViT) or `q_bias` and `v_bias` (BEiT, whose keys have none)."""
    at = f"blocks.{block}.attn"
    made = {f"{at}.qkv.weight": _joined(tensors, block, "weight")}
    if key_bias:
        return {**made, f"{at}.qkv.bias": _joined(tensors, block, "bias")}
    for part, ours in (("query", "q_bias"), ("value", "v_bias")):
        tensor = tensors.get(attention_part(block, part, "bias"))
        if tensor is not None:
            made[f"{at}.{ours}"] = tensor
    return made


def _joined(tensors: Mapping[str, Tensor], block: int, leaf: str) -> Tensor:
    names = [attention_part(block, part, leaf) for part in QUERY_KEY_VALUE]
    found: list[Tensor] = []
    for name in names:
        tensor = tensors.get(name)
        if tensor is None:
            raise Unfit("the tensor {} is missing", name)
        if found and tensor.shape != found[0].shape:
            shape, wanted = in_words(tensor.shape), in_words(found[0].shape)
            raise Unfit(f"the tensor {{}} has the shape {shape}, not {wanted}", name)
        if not plain(tensor) or tensor.stride() != torch.empty(tensor.shape, device="meta").stride():
            raise Unfit("the tensor {} does not hold plain numbers", name)
        found.append(tensor)
    return torch.cat(found)
