"""Painting with a round brush: exact under the pointer, every point between two events filled in."""

from __future__ import annotations

from dataclasses import dataclass, replace

from usfm_studio.document.mask import Mask
from usfm_studio.document.rasterise import XY, Box, Painted, Spans, disc, paint_spans, stroke, stroke_on
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

SMALLEST_PX, LARGEST_PX, SIZE_STEP = 1.0, 4000.0, 1.15
LIGHTEST = 0.2  # share of the size that the lightest touch of a pen gives, where pressure sizes


def allowed_size(diameter_px: float) -> float:
    """A diameter held to the smallest and largest brush."""
    return min(LARGEST_PX, max(SMALLEST_PX, diameter_px))


def stepped_size(diameter_px: float, steps: int) -> float:
    """A diameter so many steps larger (or smaller): 15 % each, and a pixel at least."""
    size = diameter_px * SIZE_STEP**steps
    if abs(size - diameter_px) < abs(steps):
        size = diameter_px + steps
    return allowed_size(round(size))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest(Gesture):
    """Between strokes: where the last one ended, for a straight one from there."""

    active: bool = False
    last_xy: XY


@dataclass(frozen=True, slots=True, kw_only=True)
class Stroke(Gesture):
    """A stroke under way: what it began with, what it has made of it, and where it is."""

    before: Mask  # the scene's mask at press
    base: Mask  # the same with the adopted proposal
    mask: Mask
    adopted: int
    erasing: bool
    last_xy: XY
    radius: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Brush:
    """The brush, and with `erases` the eraser.

    | gesture | Press            | Move     | Release        | Cancel  | Finish | Key |
    | ------- | ---------------- | -------- | -------------- | ------- | ------ | --- |
    | none    | Stroke, dab      | -        | -              | -       | -      | -   |
    | Rest    | Stroke, dab;     | -        | -              | none    | none   | -   |
    |         | Shift: a line    |          |                |         |        |     |
    | Stroke  | (another button) | paint on | Commit, Rest   | none    | Commit | -   |

    Ctrl at press, or the pen's eraser end, swaps painting and erasing for that stroke.
    """

    name: str = "brush"
    erases: bool = False

    def on(self, event: ToolEvent, gesture: Gesture | None, scene: Scene) -> tuple[Gesture | None, Answer]:
        """One step of the table above."""
        if isinstance(gesture, Stroke):
            return self._within(event, gesture, scene)
        if isinstance(event, Press):
            return self._begin(event, gesture, scene)
        if isinstance(event, Cancel | Finish):
            return None, NOTHING
        return gesture, NOTHING

    def cursor(self, gesture: Gesture | None, modifiers: Modifiers, scene: Scene) -> Cursor:
        """A ring of the brush's true size; the sign tells what a press would do, or what the stroke does."""
        erasing = gesture.erasing if isinstance(gesture, Stroke) else self.erases != modifiers.ctrl
        diameter = 2 * gesture.radius if isinstance(gesture, Stroke) else scene.brush_px
        return Cursor(kind="ring", diameter_px=diameter, sign="−" if erasing else "+")

    def hints(self, gesture: Gesture | None, scene: Scene) -> Hints:
        """The status line's words."""
        does, inverse = ("erase", "paint") if self.erases else ("paint", "erase")
        if isinstance(gesture, Stroke):
            return (("Release", "keep"), ("Esc", "forget the stroke"))
        size = ("Shift+wheel", f"size {scene.brush_px:.0f} px")
        return (("Drag", does), ("Ctrl", inverse), ("Shift+click", "straight stroke"), size)

    def _begin(self, event: Press, gesture: Gesture | None, scene: Scene) -> tuple[Gesture | None, Answer]:
        erasing = True if event.eraser_end else self.erases != event.modifiers.ctrl
        refused = strokes.refusal(scene, erasing)
        if refused is not None:
            return gesture, refused
        base, adopted = strokes.begin(scene)
        radius = _radius(scene, event.pressure)
        if event.modifiers.shift and isinstance(gesture, Rest):
            shape = stroke(gesture.last_xy, event.xy, radius)
        else:
            shape = disc(event.xy, radius)
        painted = _apply(scene, base, shape, erasing)
        begun = Stroke(
            before=scene.mask,
            base=base,
            mask=painted.mask,
            adopted=adopted,
            erasing=erasing,
            last_xy=event.xy,
            radius=radius,
        )
        return begun, strokes.first_preview(scene, painted.mask, painted.box, adopted)

    def _within(self, event: ToolEvent, gesture: Stroke, scene: Scene) -> tuple[Gesture | None, Answer]:
        if scene.mask is not gesture.before:
            return None, strokes.CHANGED_UNDER
        match event:
            case Move():
                moved, box = _moved(gesture, event.xy, _radius(scene, event.pressure), scene)
                return moved, Preview(mask=moved.mask, box=box, adopted=moved.adopted)
            case Release():
                moved, _ = _moved(gesture, event.xy, gesture.radius, scene)
                return Rest(last_xy=event.xy), self._end(moved, scene)
            case Finish():
                return None, self._end(gesture, scene)
            case Cancel():
                return None, NOTHING
            case _:
                return gesture, Preview(mask=gesture.mask, adopted=gesture.adopted)

    def _end(self, gesture: Stroke, scene: Scene) -> Answer:
        word = "Eraser" if gesture.erasing else "Brush"
        return strokes.end(scene, gesture.base, gesture.mask, word, gesture.adopted)


def _moved(gesture: Stroke, to_xy: XY, radius: float, scene: Scene) -> tuple[Stroke, Box | None]:
    if to_xy == gesture.last_xy and radius == gesture.radius:
        return gesture, None
    mask, boxes = gesture.mask, []
    for shape in _step(gesture, to_xy, radius):
        painted = _apply(scene, mask, shape, gesture.erasing)
        mask = painted.mask
        boxes.append(painted.box)
    return replace(gesture, mask=mask, last_xy=to_xy, radius=radius), _around(boxes)


def _step(gesture: Stroke, to_xy: XY, radius: float) -> tuple[Spans, ...]:
    if radius == gesture.radius:
        return (stroke_on(gesture.last_xy, to_xy, radius),)
    return (stroke(gesture.last_xy, to_xy, min(radius, gesture.radius)), disc(to_xy, radius))


def _apply(scene: Scene, mask: Mask, shape: Spans, erasing: bool) -> Painted:
    if erasing:
        return paint_spans(mask, shape, 0, strokes.replaced_by_erasing(scene))
    return paint_spans(mask, shape, scene.segment, strokes.replaced_by_painting(scene))


def _radius(scene: Scene, pressure: float) -> float:
    share = LIGHTEST + (1 - LIGHTEST) * pressure if scene.pressure_sizes else 1.0
    return max(SMALLEST_PX, scene.brush_px * share) / 2


def _around(boxes: list[Box | None]) -> Box | None:
    held = [box for box in boxes if box is not None]
    if not held:
        return None
    x0, y0, x1, y1 = zip(*held, strict=True)
    return min(x0), min(y0), max(x1), max(y1)
