"""What a person points at: clicks, boxes and scribbles, as plain values.

Positions are image points: pixel centres lie at integers, so (3.0, 5.0) is the centre of column 3 in row 5.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from usfm_studio.document.errors import WrongUsage

XY = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Click:
    """A point that belongs to the segment (`positive`), or does not. Raises WrongUsage for what is no number."""

    at_xy: XY
    positive: bool = True

    def __post_init__(self) -> None:
        _refuse_wild("The click", *self.at_xy)


@dataclass(frozen=True, slots=True)
class Box:
    """A box around the segment, from its upper left to its lower right corner.

    Raises WrongUsage for one of no size and for what is no number.
    """

    first_xy: XY
    last_xy: XY

    def __post_init__(self) -> None:
        _refuse_wild("The box", *self.first_xy, *self.last_xy)
        if self.last_xy[0] <= self.first_xy[0] or self.last_xy[1] <= self.first_xy[1]:
            hint = "Drag it from one corner to the other."
            raise WrongUsage("The box cannot be used", "it has no size", hint)


@dataclass(frozen=True, slots=True)
class Scribble:
    """A stroke over what belongs to the segment (`positive`), or does not. Raises WrongUsage for one without points."""

    points_xy: tuple[XY, ...]
    positive: bool = True

    def __post_init__(self) -> None:
        if not self.points_xy:
            raise WrongUsage("The stroke cannot be used", "it has no points")
        _refuse_wild("The stroke", *(value for point in self.points_xy for value in point))


Prompt = Click | Box | Scribble


def _refuse_wild(what: str, *values: float) -> None:
    if not all(math.isfinite(value) for value in values):
        raise WrongUsage(f"{what} cannot be used", "its position is not a number")
