"""An outline drawn freehand in one stroke."""

from __future__ import annotations

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
    Modifiers,
    Move,
    Press,
    Preview,
    Release,
    Scene,
    ToolEvent,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop(Gesture):
    """The line so far."""

    points: tuple[XY, ...]
    removes: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Lasso:
    """The lasso tool.

    | gesture | Press | Move       | Release, Finish | Cancel | Key |
    | ------- | ----- | ---------- | --------------- | ------ | --- |
    | none    | Loop  | -          | -               | -      | -   |
    | Loop    | -     | a point on | Commit          | none   | -   |

    Ctrl at press takes the area away instead of painting it.
    """

    name: str = "lasso"

    def on(self, event: ToolEvent, gesture: Gesture | None, scene: Scene) -> tuple[Gesture | None, Answer]:
        """One step of the table above."""
        if not isinstance(gesture, Loop):
            return self._begin(event, scene) if isinstance(event, Press) else (None, NOTHING)
        match event:
            case Move():
                return _shown(_longer(gesture, event.xy))
            case Release():
                return None, self._close(_longer(gesture, event.xy), scene)
            case Finish():
                return None, self._close(gesture, scene)
            case Cancel():
                return None, NOTHING
            case _:
                return _shown(gesture)

    def cursor(self, gesture: Gesture | None, modifiers: Modifiers, scene: Scene) -> Cursor:
        """A cross with the sign of what closing will do."""
        removes = gesture.removes if isinstance(gesture, Loop) else modifiers.ctrl
        return Cursor(kind="cross", sign="−" if removes else "+")

    def hints(self, gesture: Gesture | None, scene: Scene) -> Hints:
        """The status line's words."""
        if isinstance(gesture, Loop):
            return (("Release", "close"), ("Esc", "forget the outline"))
        return (("Drag", "outline an area"), ("Ctrl", "take an area away"))

    def _begin(self, event: Press, scene: Scene) -> tuple[Gesture | None, Answer]:
        removes = event.modifiers.ctrl or event.eraser_end
        refused = strokes.refusal(scene, removes)
        if refused is not None:
            return None, refused
        return _shown(Loop(points=(event.xy,), removes=removes))

    def _close(self, gesture: Loop, scene: Scene) -> Answer:
        return strokes.fill(scene, polygon(gesture.points), "Lasso", gesture.removes)


def _longer(gesture: Loop, xy: XY) -> Loop:
    return gesture if xy == gesture.points[-1] else replace(gesture, points=(*gesture.points, xy))


def _shown(gesture: Loop) -> tuple[Gesture, Preview]:
    return gesture, Preview(points=gesture.points)
