"""EfficientNet-Lite under timm's names, and as the published PyTorch checkpoints name it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from usfm_studio.engine.models.foreign.layout import Choice, Parts, Unfit, shapes_of
from usfm_studio.engine.models.foreign.names import Names, lite_names

LITES = ("usfm_lite0", "usfm_lite1", "usfm_lite2")
WITHIN = frozenset(("blocks", "conv_stem", "bn1"))


class _Timm:
    title = "an EfficientNet-Lite"
    marks = ("conv_stem.weight", "blocks.0.0.conv_dw.weight")

    def parts(self, tensors: Mapping[str, Tensor], choice: Choice) -> Parts:
        return Parts(encoder=_likest(tensors), tensors=tensors, within=WITHIN)

    def published(self, ours: str, parts: Parts) -> str:
        return ours


class _Published:
    title = "an EfficientNet-Lite of the published checkpoints"
    marks = ("_conv_stem.weight", "_blocks.0._depthwise_conv.weight")

    def parts(self, tensors: Mapping[str, Tensor], choice: Choice) -> Parts:
        numbers = [int(found[1]) for name in tensors if (found := re.match(r"_blocks\.(\d{1,4})\.", name))]
        renamed = in_timm_names(tensors, 1 + max(numbers, default=-1))
        within = WITHIN | {"_blocks"}
        return Parts(encoder=_likest(renamed), tensors=renamed, within=within, blocks=1 + max(numbers, default=-1))

    def published(self, ours: str, parts: Parts) -> str:
        return _names_for(parts.blocks).published(ours)


TIMM, PUBLISHED = _Timm(), _Published()


def in_timm_names(tensors: Mapping[str, Tensor], blocks: int) -> dict[str, Tensor]:
    """The same tensors under timm's names; unknown ones keep theirs. Raises Unfit for another number of blocks."""
    names = _names_for(blocks)
    return {names.ours(name) or name: tensor for name, tensor in tensors.items()}


def _names_for(blocks: int) -> Names:
    for name in LITES:
        repeats = _repeats(name)
        if sum(repeats) == blocks:
            return lite_names(repeats)
    raise Unfit(f"it has {blocks} blocks, which none of Lite0, Lite1 and Lite2 has")


def _repeats(name: str) -> list[int]:
    """Blocks of each stage."""
    places = (name.split(".")[1:3] for name in shapes_of(name) if name.startswith("blocks."))
    blocks = {(int(stage), int(i)) for stage, i in places}
    stages = 1 + max(stage for stage, _ in blocks)
    return [sum(stage == of for of, _ in blocks) for stage in range(stages)]


def _likest(tensors: Mapping[str, Tensor]) -> str:
    """The Lite of which the most tensors are there, in their shapes."""

    def fitting(name: str) -> int:
        wanted = shapes_of(name)
        fit = sum(n in tensors and tuple(tensors[n].shape) == shape for n, shape in wanted.items())
        return fit - sum(n not in tensors for n in wanted)

    return max(LITES, key=fitting)
