"""What is said of a layout of names, and of the encoder that a file in this layout turns out to hold."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Literal, Protocol

import torch
from torch import Tensor

from usfm_studio.engine.models.checkpoint import COUNTER
from usfm_studio.engine.models.encoder import build_encoder


class Unfit(Exception):
    """The tensors are not those of an encoder. `words` holds a place `{}` for the tensor's name in the file.

    The name is that behind the file's prefix, or, `absolute`, the whole one.
    """

    def __init__(self, words: str, tensor: str = "", hint: str = "", *, absolute: bool = False) -> None:
        super().__init__(words, tensor)
        self.words, self.tensor, self.hint, self.absolute = words, tensor, hint, absolute

    def why(self, prefix: str) -> str:
        """In words; a stranger's name is written in plain signs and cut short."""
        name = self.tensor if self.absolute else prefix + self.tensor
        return self.words.replace("{}", ascii(name)[1:-1][:120])


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a file does not tell, stated by whoever imports it. `pixels`: what a ViT was trained to see."""

    heads: int | None = None
    pixels: Literal["imagenet", "half"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """An encoder's name for `build_encoder`, and the file's tensors under timm's names.

    `within` are groups (first words of names) that belong to the encoder itself: what is spare there is an error.
    `title` says more of the layout than its own; `input_px` is what the encoder was trained on, where that shows.
    """

    encoder: str
    tensors: Mapping[str, Tensor]
    within: frozenset[str]
    assumed: tuple[str, ...] = ()
    blocks: int = 0
    title: str = ""
    input_px: int | None = None


class Layout(Protocol):
    """One way to name an encoder's tensors. `marks` are names by which it is known, the surest first."""

    @property
    def title(self) -> str:
        """In words, with an article."""

    @property
    def marks(self) -> tuple[str, ...]:
        """Names of which one must be there."""

    @abstractmethod
    def parts(self, tensors: Mapping[str, Tensor], choice: Choice) -> Parts:
        """The encoder. Raises Unfit."""

    @abstractmethod
    def published(self, ours: str, parts: Parts) -> str:
        """A tensor's name in a file of this layout."""


@lru_cache(maxsize=8)
def shapes_of(encoder: str) -> Mapping[str, tuple[int, ...]]:
    """What an encoder needs: names and shapes. Nothing is allocated."""
    with torch.device("meta"):
        wanted = build_encoder(encoder).state_dict()
    return MappingProxyType({name: tuple(t.shape) for name, t in wanted.items() if not name.endswith(COUNTER)})


def in_words(shape: Sequence[int]) -> str:
    """A shape for people: 768 x 3 x 16 x 16."""
    return " x ".join(str(int(side)) for side in shape[:8]) or "of a single number"
