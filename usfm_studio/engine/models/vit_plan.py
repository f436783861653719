"""What a vision transformer of ours is made of. No torch here.

A card names an encoder of the catalogue (`usfm_base`), or, for one that was imported and is none of these, its whole
architecture: `vit-w192-d12-h12-m768-p16-g14x14-absolute-qkv-norm`. So every card says by itself what is to be built,
also where training changed the encoder and it travels inside a model.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Family = Literal["beit", "vit"]
Relative = Literal["", "shared", "each"]
Bias = Literal["", "qv", "qkv"]
Pixels = Literal["imagenet", "half"]

PATCHES = (8, 16)
MOST_WEIGHTS = 700_000_000
"""Of the blocks. The largest published plain ViT with patches of 16 px (ViT-H) has 630 million."""

_NAME = re.compile(
    r"(?P<family>beit|vit)-w(?P<width>\d{1,4})-d(?P<depth>\d{1,2})-h(?P<heads>\d{1,3})-m(?P<hidden>\d{1,5})"
    r"-p(?P<patch>\d{1,2})-g(?P<rows>\d{1,3})x(?P<columns>\d{1,3})(?P<absolute>-absolute)?"
    r"(-(?P<relative>shared|each))?(-(?P<bias>qv|qkv))?(?P<scaled>-scale)?(?P<normed>-norm)?(-(?P<pixels>half))?"
)


class VitPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A ViT under timm's tensor names: those of `Beit` (family beit) or of `VisionTransformer` (family vit).

    `width` of a token, `hidden` of the perceptron, `patch` in pixels, `grid_rc` of patches that it was trained on.
    Positions: `absolute` ones (one a patch), `relative` ones (one table `shared` by the blocks, or one for `each`), or
    both. `bias` of the query, key and value; `scaled`: layer scale; `normed`: a norm after the last block. `pixels`:
    what it was trained to see, grey 0..1 minus the mean of ImageNet over its deviation, or (x - 0.5) / 0.5.
    """

    family: Family
    width: Annotated[int, Meta(ge=16, le=2048)]
    depth: Annotated[int, Meta(ge=1, le=64)] = 12
    heads: Annotated[int, Meta(ge=1, le=128)]
    hidden: Annotated[int, Meta(ge=16, le=16384)]
    patch: int = 16
    grid_rc: tuple[int, int] = (14, 14)
    absolute: bool = False
    relative: Relative = ""
    bias: Bias = ""
    scaled: bool = False
    normed: bool = False
    pixels: Pixels = "imagenet"

    def __post_init__(self) -> None:
        """Raise ValueError for what cannot be built."""
        weights = self.depth * self.width * (4 * self.width + 2 * self.hidden)
        reasons = [
            (not 16 <= self.width <= 2048, f"{self.width} channels"),
            (not 1 <= self.depth <= 64, f"{self.depth} blocks"),
            (self.heads < 1 or self.width % self.heads != 0, f"{self.heads} heads do not divide {self.width} channels"),
            (not 16 <= self.hidden <= 16384, f"a perceptron {self.hidden} wide"),
            (self.patch not in PATCHES, f"its patches are {self.patch} px, not 8 or 16"),
            (not all(1 <= side <= 128 for side in self.grid_rc), f"a grid of {self.grid_rc}"),
            (not self.absolute and not self.relative, "it has no positions"),
            (self.family == "vit" and bool(self.relative), "a plain ViT has no relative positions"),
            (self.bias == ("qv" if self.family == "vit" else "qkv"), f"no {self.bias} bias in a {self.family}"),
            (weights > MOST_WEIGHTS, f"it has {weights // 1_000_000} million weights"),
        ]
        for wrong, why in reasons:
            if wrong:
                raise ValueError(why)

    @property
    def name(self) -> str:
        """The architecture as one word; `plan_of` reads it."""
        parts = [
            f"{self.family}-w{self.width}-d{self.depth}-h{self.heads}-m{self.hidden}-p{self.patch}",
            f"g{self.grid_rc[0]}x{self.grid_rc[1]}",
            "absolute" if self.absolute else "",
            self.relative,
            self.bias,
            "scale" if self.scaled else "",
            "norm" if self.normed else "",
            "half" if self.pixels == "half" else "",
        ]
        return "-".join(part for part in parts if part)


def official(width: int, heads: int) -> VitPlan:
    """The layout of the published USFM checkpoint: BEiT with one shared table, at any width."""
    return VitPlan(
        family="beit", width=width, heads=heads, hidden=4 * width, relative="shared", bias="qv", scaled=True
    )  # fmt: skip


VITS = {"usfm_tiny": official(192, 3), "usfm_small": official(384, 6), "usfm_base": official(768, 12)}
"""Of the catalogue."""


def plan_of(name: str) -> VitPlan | None:
    """The ViT that a name means, or None where it names another kind of encoder (or nothing that can be built)."""
    if name in VITS:
        return VITS[name]
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    part = found.groupdict()
    body = {
        "family": part["family"],
        **{name: int(part[name]) for name in ("width", "depth", "heads", "hidden", "patch")},
        "grid_rc": (int(part["rows"]), int(part["columns"])),
        **{name: part[name] is not None for name in ("absolute", "scaled", "normed")},
        **{name: part[name] or "" for name in ("relative", "bias")},
        "pixels": part["pixels"] or "imagenet",
    }
    try:
        plan = msgspec.convert(body, VitPlan)
    except msgspec.ValidationError:
        return None
    return plan if plan.name == name else None


def name_of(plan: VitPlan) -> str:
    """The catalogue's name for a plan where it has one, else the plan in one word."""
    return next((name for name, known in VITS.items() if known == plan), plan.name)
