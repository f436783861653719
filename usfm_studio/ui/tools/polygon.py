"""An outline by points: click them, drag them, close it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from usfm_studio.document.rasterise import XY, polygon
from usfm_studio.ui.tools import strokes
from usfm_studio.ui.tools.tool import (
    NOTHING,
    Answer,
    Cancel,
    Cursor,
    Finish,
    Gesture,
    Hints,
    Key,
    Modifiers,
    Move,
    Press,
    Preview,
    Release,
    Scene,
    ToolEvent,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Points(Gesture):
    """The vertices so far, the pointer, and which vertex it holds (None: it draws the next edge)."""

    points: tuple[XY, ...]
    pointer: XY
    held: int | None = None
    dragged: bool = False  # the held vertex has left its place
    removes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Polygon:
    """The polygon tool.

    | gesture | Press                 | Move       | Release | Enter, double press | Backspace | Cancel, Finish |
    | ------- | --------------------- | ---------- | ------- | ------------------- | --------- | -------------- |
    | none    | Points                | -          | -       | -                   | -         | -              |
    | Points  | on a vertex: hold it, | next edge  | -       | Commit (from 3 on)  | last goes | none           |
    |         | else: one more        |            |         |                     |           |                |
    | holding | -                     | vertex too | let go  | Commit              | last goes | none           |

    Ctrl at the first press takes the area away instead of painting it. A press on the first vertex closes the
    outline when the button comes up without having dragged it.
    """

    name: str = "polygon"

    def on(self, event: ToolEvent, gesture: Gesture | None, scene: Scene) -> tuple[Gesture | None, Answer]:
        """One step of the table above."""
        if not isinstance(gesture, Points):
            return self._first(event, scene) if isinstance(event, Press) else (None, NOTHING)
        match event:
            case Press(double=True):
                return self._close(gesture, scene)
            case Press():
                return _shown(_pressed(gesture, event.xy, scene.reach_px))
            case Move():
                return _shown(_moved(gesture, event.xy, scene.reach_px))
            case Release():
                if gesture.held == 0 and not gesture.dragged and len(gesture.points) >= 3:
                    return self._close(gesture, scene)
                return _shown(replace(gesture, held=None))
            case Key(name="Enter"):
                return self._close(gesture, scene)
            case Key(name="Backspace"):
                return _without_last(gesture)
            case Cancel() | Finish():
                return None, NOTHING
            case _:
                return _shown(gesture)

    def cursor(self, gesture: Gesture | None, modifiers: Modifiers, scene: Scene) -> Cursor:
        """A cross with the sign of what closing will do."""
        removes = gesture.removes if isinstance(gesture, Points) else modifiers.ctrl
        return Cursor(kind="cross", sign="−" if removes else "+")

    def hints(self, gesture: Gesture | None, scene: Scene) -> Hints:
        """The status line's words."""
        if isinstance(gesture, Points):
            return (("Click", "add a point"), ("Drag", "move a point"), ("Backspace", "take back"), ("Enter", "close"))
        return (("Click", "start an outline"), ("Ctrl+click", "take an area away"))

    def _first(self, event: Press, scene: Scene) -> tuple[Gesture | None, Answer]:
        removes = event.modifiers.ctrl or event.eraser_end
        refused = strokes.refusal(scene, removes)
        if refused is not None:
            return None, refused
        return _shown(Points(points=(event.xy,), pointer=event.xy, removes=removes))

    def _close(self, gesture: Points, scene: Scene) -> tuple[Gesture | None, Answer]:
        if len(gesture.points) < 3:
            return _shown(gesture)
        return None, strokes.fill(scene, polygon(gesture.points), "Polygon", gesture.removes)


def _pressed(gesture: Points, xy: XY, reach_px: float) -> Points:
    held = _vertex_at(gesture.points, xy, reach_px)
    if held is not None:
        return replace(gesture, held=held, dragged=False, pointer=gesture.points[held])
    return replace(gesture, points=(*gesture.points, xy), pointer=xy)


def _moved(gesture: Points, xy: XY, reach_px: float) -> Points:
    if gesture.held is None:
        return replace(gesture, pointer=xy)
    if not gesture.dragged and math.dist(xy, gesture.pointer) < reach_px / 2:
        return gesture
    points = list(gesture.points)
    points[gesture.held] = xy
    return replace(gesture, points=tuple(points), pointer=xy, dragged=True)


def _without_last(gesture: Points) -> tuple[Gesture | None, Answer]:
    if len(gesture.points) == 1:
        return None, NOTHING
    return _shown(replace(gesture, points=gesture.points[:-1], held=None))


def _vertex_at(points: tuple[XY, ...], xy: XY, reach_px: float) -> int | None:
    distances = [math.dist(point, xy) for point in points]
    nearest = min(range(len(points)), key=distances.__getitem__)
    return nearest if distances[nearest] <= reach_px else None


def _shown(gesture: Points) -> tuple[Gesture, Preview]:
    following = () if gesture.held is not None else (gesture.pointer,)
    return gesture, Preview(points=(*gesture.points, *following), vertices=len(gesture.points))
