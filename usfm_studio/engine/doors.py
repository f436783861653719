"""What goes into the engine and what comes out, without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usfm_studio.children.arrays import ArrayRef
from usfm_studio.document.errors import StudioError
from usfm_studio.document.frame import PixelDigest
from usfm_studio.document.mask import Ids


@dataclass(frozen=True, slots=True, kw_only=True)
class FramePixels:
    """A frame to look at: `key` is the caller's name for it, `digest` that of its pixels (empty: not known).

    The pixels are (rows, columns[, 3]) uint8 or uint16, as `ref` (a reader's shared array, which must stay the
    caller's until the answer is there) or as `array`.
    """

    key: str
    digest: PixelDigest = ""
    ref: ArrayRef | None = None
    array: NDArray[Any] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the pixels. Raises ValueError where neither `ref` nor `array` is given."""
        if self.ref is not None:
            return self.ref.shape
        if self.array is None:
            raise ValueError(f"no pixels for {self.key}")
        return tuple(self.array.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalParts:
    """What a model says of one frame.

    `ids` (rows, columns) uint8 are the model's output values (card.segments), read-only. `confidences` (soft Dice
    confidence, 0..1) and `predicted_dice` are by output value, of those that occur; the second is empty where the
    model cannot tell. `labels` has the probability of each label name. `probabilities` (segments + 1, rows, columns)
    float16 only if asked for.
    """

    key: str
    ids: Ids
    confidences: Mapping[int, float] = field(default_factory=lambda: MappingProxyType({}))
    predicted_dice: Mapping[int, float] = field(default_factory=lambda: MappingProxyType({}))
    labels: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    probabilities: NDArray[np.float16] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Enhanced:
    """A frame to look at, not to measure on: `pixels` uint8 of the frame's own shape, read-only."""

    key: str
    pixels: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """The summary of one frame: `pooled` (D,) float32, read-only.

    `maps` are (channels, rows, columns) float16 by stride, where they were asked for.
    """

    key: str
    pooled: NDArray[np.float32]
    maps: Mapping[int, NDArray[np.float16]] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """An accepted frame for the instant head. `revision` changes with its mask; `subject` is a code, no name.

    `pixels` and `ids` ((rows, columns) uint8, 0 where nothing is marked) only where the engine may not know it yet.
    """

    key: str
    revision: str
    subject: str
    pixels: FramePixels | None = None
    ids: Ids | None = None


class LessonsLacking(StudioError):
    """The engine does not know these lessons (by key) yet, or any more: they must be sent whole."""

    def __init__(self, keys: tuple[str, ...]) -> None:
        super().__init__("The engine does not know all accepted frames", f"{len(keys)} are lacking", "Ask again.")
        self.keys = keys
