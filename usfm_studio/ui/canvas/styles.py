"""How segments look on the canvas: what the caller says of each, and what the person chose for all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from usfm_studio.document.schema import SEGMENT_COLOURS


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentStyle:
    """One segment on the canvas. `colour` is `#RRGGBB`; `number` is what people call it (0: its value in masks)."""

    colour: str
    name: str = ""
    number: int = 0
    visible: bool = True
    selected: bool = False


class Overlay(Enum):
    """What is drawn of all segments."""

    FULL = "full"  # outline and rim
    OUTLINES = "outlines"
    PEEK = "peek"  # thin lines, while a key is held
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How one layer of segments is drawn; widths in logical pixels."""

    overlay: Overlay = Overlay.FULL
    proposed: bool = False
    outline_px: float = 2.0

    @property
    def halo_alpha(self) -> float:
        """Opacity of the black under the outline."""
        return 0.60 if self.proposed else 0.85

    @property
    def dash(self) -> tuple[float, float] | None:
        """On and off, logical pixels; dashes mean proposed and nothing else."""
        return (8.0, 5.0) if self.proposed else None


PEEK_ALPHA = 0.80
PEEK_PX = 1.0
HALO_PX = 1.0
"""How far the halo reaches beyond the outline at each side."""
SELECTED_PX = 1.0
"""How much wider a selected outline is."""


def style_of(styles: Mapping[int, SegmentStyle], value: int) -> SegmentStyle:
    """The style of a segment; of one that nobody described, the palette's."""
    known = styles.get(value)
    return known or SegmentStyle(colour=SEGMENT_COLOURS[(value - 1) % len(SEGMENT_COLOURS)], name=f"Segment {value}")
