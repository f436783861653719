"""Pointing at segments and moving the image: the tool that changes nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from usfm_studio.document.mask import TILE, Mask
from usfm_studio.document.rasterise import XY
from usfm_studio.ui.tools.tool import (
    NOTHING,
    Answer,
    Cancel,
    Cursor,
    Finish,
    Gesture,
    Grab,
    Hints,
    Modifiers,
    Move,
    Pick,
    Press,
    Release,
    Scene,
    ToolEvent,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held(Gesture):
    """The image point taken hold of, and whether it was dragged since."""

    xy: XY
    dragged: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Select:
    """The select tool.

    | gesture | Press | Move                     | Release                 | Cancel, Finish |
    | ------- | ----- | ------------------------ | ----------------------- | -------------- |
    | none    | Held  | -                        | -                       | -              |
    | Held    | -     | Grab, once out of reach  | Pick unless dragged     | none           |
    """

    name: str = "select"

    def on(self, event: ToolEvent, gesture: Gesture | None, scene: Scene) -> tuple[Gesture | None, Answer]:
        """One step of the table above."""
        if not isinstance(gesture, Held):
            return (Held(xy=event.xy), NOTHING) if isinstance(event, Press) else (None, NOTHING)
        match event:
            case Move():
                if not gesture.dragged and math.dist(event.xy, gesture.xy) < scene.reach_px / 2:
                    return gesture, NOTHING
                return replace(gesture, dragged=True), Grab(xy=gesture.xy)
            case Release():
                return None, NOTHING if gesture.dragged else segment_at(scene, event.xy)
            case Cancel() | Finish():
                return None, NOTHING
            case _:
                return gesture, NOTHING

    def cursor(self, gesture: Gesture | None, modifiers: Modifiers, scene: Scene) -> Cursor:
        """An arrow; a hand while the image moves."""
        return Cursor(kind="hand" if isinstance(gesture, Held) and gesture.dragged else "arrow")

    def hints(self, gesture: Gesture | None, scene: Scene) -> Hints:
        """The status line's words."""
        return (("Click", "select"), ("Drag", "move the image"))


def segment_at(scene: Scene, xy: XY) -> Pick:
    """The segment at an image point: what a person accepted first, then what is proposed."""
    accepted = id_at(scene.mask, xy)
    if accepted or scene.proposed is None:
        return Pick(value=accepted)
    proposed = id_at(scene.proposed, xy)
    return Pick(value=proposed, proposed=proposed > 0)


def id_at(mask: Mask, xy: XY) -> int:
    """The id of the pixel that holds an image point; 0 outside the frame."""
    column, row = math.floor(xy[0] + 0.5), math.floor(xy[1] + 0.5)
    if not (0 <= row < mask.shape_rc[0] and 0 <= column < mask.shape_rc[1]):
        return 0
    return int(mask.tile((row // TILE, column // TILE))[row % TILE, column % TILE])
