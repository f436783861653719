"""Which encoder a file's tensors are: the architecture from names and shapes, every tensor of it found, the rest named.

Nothing is loaded in part. A tensor that the architecture needs and the file lacks is an error with its name; one that
belongs to the encoder and that we would have to leave out is an error too, since features would not be the encoder's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from usfm_studio.engine.models.checkpoint import COUNTER
from usfm_studio.engine.models.foreign import hugging_face, lites, vits
from usfm_studio.engine.models.foreign.layout import Choice, Layout, Parts, Unfit, in_words, shapes_of
from usfm_studio.engine.models.foreign.reading import plain, refused

HINT = (
    "Known are encoders as USFM, TinyUSFM, BEiT and plain ViT name them (timm and Hugging Face), and EfficientNet-Lite."
)
WRAPPERS = frozenset(
    (
        "module", "model", "state_dict", "model_state_dict", "model_state", "backbone", "encoder", "image_encoder",
        "transformer", "net", "network", "beit", "vit",
    )
)  # fmt: skip
"""Words before a tensor's name that only say where it lay."""
RECOMPUTED = ("relative_position_index", COUNTER)
"""Buffers that are made anew, never loaded."""

LAYOUTS: tuple[Layout, ...] = (vits.TIMM, hugging_face.BEIT, lites.TIMM, lites.PUBLISHED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """An encoder found in a file.

    `encoder` is its name for `build_encoder`; `tensors` are exactly those that it needs, under its own names.
    `spare` counts the other tensors by the group they are in. `assumed` says in words what the file does not tell.
    `input_px` is the size of the images that it was trained on, where its positions show it.
    """

    layout: str
    encoder: str
    tensors: dict[str, Tensor]
    spare: dict[str, int]
    assumed: tuple[str, ...]
    input_px: int | None


def recognise(path: Path, tensors: Mapping[str, Tensor], choice: Choice | None = None) -> Recognised:
    """The encoder in the file. `choice` states what a file does not tell. Raises BadModel."""
    layout, prefix = _layout(path, tensors)
    inside = {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    outside = [name for name in tensors if not name.startswith(prefix)]
    try:
        parts = layout.parts(inside, choice or Choice())
        found = _all_of(parts, lambda name: prefix + layout.published(name, parts))
    except Unfit as error:
        raise refused(path, f"as {layout.title}, {error.why(prefix)}", error.hint) from error
    spare = Counter(_group(name) for name in outside)
    spare.update(_group(name) for name in parts.tensors if name not in found and not _ignored(name, parts))
    return Recognised(
        layout=parts.title or layout.title,
        input_px=parts.input_px,
        encoder=parts.encoder,
        tensors=found,
        spare=dict(sorted(spare.items())),
        assumed=parts.assumed,
    )


def _layout(path: Path, tensors: Mapping[str, Tensor]) -> tuple[Layout, str]:
    """The layout whose mark is there, and what stands before its names."""
    for rank in range(max(len(layout.marks) for layout in LAYOUTS)):
        found = {
            (name[: len(name) - len(mark)], layout)
            for layout in LAYOUTS
            for mark in layout.marks[rank : rank + 1]
            for name in tensors
            if name == mark or name.endswith(f".{mark}")
        }
        if found:
            return _the_one(path, found)
    raise refused(path, "it holds no encoder that this program knows", HINT)


def _the_one(path: Path, found: set[tuple[str, Layout]]) -> tuple[Layout, str]:
    likely = [(prefix, layout) for prefix, layout in found if set(prefix.split(".")[:-1]) <= WRAPPERS]
    chosen = likely if likely else list(found)
    if len(chosen) > 1:
        shown = ", ".join(sorted(ascii(prefix.rstrip(".") or "the file itself")[1:-1][:40] for prefix, _ in chosen)[:5])
        raise refused(path, f"it holds {len(chosen)} encoders ({shown})", "Save the one that is meant alone.")
    (prefix, layout) = chosen[0]
    return layout, prefix


def _all_of(parts: Parts, published: Callable[[str], str]) -> dict[str, Tensor]:
    """Exactly the tensors of the architecture, all there and of the right shape. Raises Unfit."""
    wanted = shapes_of(parts.encoder)
    missing = [name for name in wanted if name not in parts.tensors]
    if missing:
        raise Unfit(f"the tensor {{}} is missing{_and_more(missing)}", published(missing[0]), absolute=True)
    for name, shape in wanted.items():
        tensor = parts.tensors[name]
        if tuple(tensor.shape) != shape:
            why = f"the tensor {{}} has the shape {in_words(tensor.shape)}, not {in_words(shape)}"
            raise Unfit(why, published(name), absolute=True)
        if not plain(tensor):
            raise Unfit("the tensor {} does not hold plain numbers", published(name), absolute=True)
        if not bool(torch.isfinite(tensor).all()):
            raise Unfit("the tensor {} holds values that are not numbers", published(name), absolute=True)
    for name in parts.tensors:
        if name not in wanted and not _ignored(name, parts) and _group(name) in parts.within:
            why = "its tensor {} belongs to a layer that this program's encoders do not have"
            raise Unfit(why, published(name), absolute=True)
    return {name: parts.tensors[name] for name in wanted}


def _ignored(name: str, parts: Parts) -> bool:
    """True for what is computed anew, and for BEiT's key bias where it is written out: it is zero by design."""
    if name.endswith(RECOMPUTED):
        return True
    return name.endswith(".k_bias") and plain(parts.tensors[name]) and not bool(parts.tensors[name].any())


def _and_more(names: list[str]) -> str:
    return f" ({len(names)} are)" if len(names) > 1 else ""


def _group(name: str) -> str:
    return ascii(name.partition(".")[0])[1:-1][:40]
