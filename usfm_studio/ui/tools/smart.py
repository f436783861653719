"""Pointing instead of painting: clicks, boxes and scribbles that a model turns into an outline."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from usfm_studio.document.errors import WrongUsage
from usfm_studio.document.prompts import Box, Click, Prompt, Scribble
from usfm_studio.document.rasterise import XY
from usfm_studio.ui.tools import strokes
from usfm_studio.ui.tools.tool import (
    NOTHING,
    Answer,
    Ask,
    Cancel,
    Cursor,
    Finish,
    Gesture,
    Hints,
    Modifiers,
    Move,
    Press,
    Preview,
    Release,
    Scene,
    ToolEvent,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointing(Gesture):
    """The button is down: where it has been since."""

    points: tuple[XY, ...]
    positive: bool
    scribbles: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Smart:
    """The smart tool.

    | gesture  | Press    | Move       | Release | Cancel, Finish | Key |
    | -------- | -------- | ---------- | ------- | -------------- | --- |
    | none     | Pointing | -          | -       | -              | -   |
    | Pointing | -        | a point on | Ask     | none           | -   |

    A press that does not travel is a click; one that does is a box, or with Shift at press a scribble. Ctrl at press
    says "not here"; since a box has no sign, Ctrl and a drag are a scribble. What lies outside the image asks nothing.
    """

    name: str = "smart"

    def on(self, event: ToolEvent, gesture: Gesture | None, scene: Scene) -> tuple[Gesture | None, Answer]:
        """One step of the table above."""
        if not isinstance(gesture, Pointing):
            return _begin(event, scene) if isinstance(event, Press) else (None, NOTHING)
        match event:
            case Move():
                return _shown(_longer(gesture, event.xy))
            case Release():
                return None, _asked(_longer(gesture, event.xy), scene)
            case Cancel() | Finish():
                return None, NOTHING
            case _:
                return _shown(gesture)

    def cursor(self, gesture: Gesture | None, modifiers: Modifiers, scene: Scene) -> Cursor:
        """A cross with the prompt's sign."""
        positive = gesture.positive if isinstance(gesture, Pointing) else not modifiers.ctrl
        return Cursor(kind="cross", sign="+" if positive else "−")

    def hints(self, gesture: Gesture | None, scene: Scene) -> Hints:
        """The status line's words."""
        if isinstance(gesture, Pointing):
            return (("Release", "ask"), ("Esc", "forget it"))
        return (("Click", "it is here"), ("Ctrl+click", "not here"), ("Drag", "box"), ("Shift+drag", "scribble"))


def _begin(event: Press, scene: Scene) -> tuple[Gesture | None, Answer]:
    refused = strokes.refusal(scene, erasing=False)
    if refused is not None:
        return None, refused
    if not _inside(event.xy, scene):
        return None, NOTHING
    positive = not (event.modifiers.ctrl or event.eraser_end)
    return _shown(Pointing(points=(event.xy,), positive=positive, scribbles=event.modifiers.shift or not positive))


def _asked(gesture: Pointing, scene: Scene) -> Answer:
    first = gesture.points[0]
    if all(math.dist(first, point) < scene.reach_px for point in gesture.points):
        return Ask(prompt=Click(first, gesture.positive))
    inside = tuple(point for point in gesture.points if _inside(point, scene))
    if gesture.scribbles:
        return Ask(prompt=Scribble(inside, gesture.positive))
    box = _box(first, _held_in(gesture.points[-1], scene))
    return NOTHING if box is None else Ask(prompt=box)


def _box(first: XY, last: XY) -> Prompt | None:
    """The box between two corners, whichever way it was drawn; None for one of no size."""
    (x0, x1), (y0, y1) = sorted((first[0], last[0])), sorted((first[1], last[1]))
    try:
        return Box((x0, y0), (x1, y1))
    except WrongUsage:
        return None


def _inside(xy: XY, scene: Scene) -> bool:
    rows, columns = scene.mask.shape_rc
    return 0 <= xy[0] <= columns - 1 and 0 <= xy[1] <= rows - 1


def _held_in(xy: XY, scene: Scene) -> XY:
    rows, columns = scene.mask.shape_rc
    return min(max(xy[0], 0.0), columns - 1.0), min(max(xy[1], 0.0), rows - 1.0)


def _longer(gesture: Pointing, xy: XY) -> Pointing:
    return gesture if xy == gesture.points[-1] else replace(gesture, points=(*gesture.points, xy))


def _shown(gesture: Pointing) -> tuple[Gesture, Preview]:
    if gesture.scribbles or len(gesture.points) == 1:
        return gesture, Preview(points=gesture.points)
    (x0, y0), (x1, y1) = gesture.points[0], gesture.points[-1]
    return gesture, Preview(points=((x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)))
