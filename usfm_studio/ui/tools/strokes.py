"""What all painting tools share: what they may paint over, adopting a proposal, and the edit at the end."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from usfm_studio.document.edit import paint
from usfm_studio.document.mask import Mask, Tile, TileIndex, changed_tiles
from usfm_studio.document.rasterise import Box, Spans, paint_spans
from usfm_studio.ui.tools.tool import NOTHING, Commit, Nothing, Preview, Scene

CHOOSE_FIRST = Nothing(why="Choose or add a segment first: there is nothing to paint with.")
CHANGED_UNDER = Nothing(why="The outline was changed elsewhere during the stroke. Draw the stroke again.")


def refusal(scene: Scene, erasing: bool) -> Nothing | None:
    """Why nothing can be painted now, or None where it can; an eraser needs no segment (it then erases any)."""
    if scene.locked:
        return Nothing(why=scene.locked)
    return None if erasing or scene.segment > 0 else CHOOSE_FIRST


def begin(scene: Scene) -> tuple[Mask, int]:
    """The mask that a gesture starts from, and the proposed segment it adopts (0: none).

    A proposed segment that nobody decided on and nobody drew is taken over whole, so that a correction of the
    model's outline corrects the outline and not an empty frame.
    """
    value = scene.segment
    if value == 0 or scene.proposed is None or not _holds(scene.proposed, value) or _holds(scene.mask, value):
        return scene.mask, 0
    return scene.mask.with_tiles(_adopted_tiles(scene.mask, scene.proposed, value, scene.overwrite)), value


def replaced_by_painting(scene: Scene) -> Collection[int] | None:
    """The ids that painting may replace: other accepted segments are protected unless the scene says otherwise."""
    return None if scene.overwrite else (0, scene.segment)


def replaced_by_erasing(scene: Scene) -> Collection[int] | None:
    """The ids that erasing may clear: the chosen segment; any without one, or where overwriting is on."""
    return None if scene.overwrite or scene.segment == 0 else (scene.segment,)


def first_preview(scene: Scene, mask: Mask, box: Box | None, adopted: int) -> Preview:
    """The preview of a gesture's first event: an adopted proposal may show anywhere in the frame."""
    rows, columns = scene.mask.shape_rc
    return Preview(mask=mask, box=(0, 0, columns, rows) if adopted else box, adopted=adopted)


def end(scene: Scene, base: Mask, mask: Mask, word: str, adopted: int) -> Commit | Nothing:
    """The edit of a whole gesture; nothing when it left every pixel of what it began with as it was."""
    if not changed_tiles(base, mask):
        return NOTHING
    verb = "Edit proposal" if adopted else word
    name = f"{verb}, {scene.segment_name}" if scene.segment_name else verb
    edit = paint(name, scene.frame, scene.mask, mask, scene.layer)
    return NOTHING if edit is None else Commit(edit=edit, mask=mask, adopted=adopted)


def fill(scene: Scene, spans: Spans, word: str, erasing: bool) -> Commit | Nothing:
    """The edit that paints (or erases) an area at once."""
    base, adopted = begin(scene)
    if erasing:
        painted = paint_spans(base, spans, 0, replaced_by_erasing(scene))
    else:
        painted = paint_spans(base, spans, scene.segment, replaced_by_painting(scene))
    return end(scene, base, painted.mask, word, adopted)


def _holds(mask: Mask, value: int) -> bool:
    return any(bool((tile == value).any()) for tile in mask.tiles.values())


def _adopted_tiles(mask: Mask, proposed: Mask, value: int, overwrite: bool) -> dict[TileIndex, Tile]:
    changed: dict[TileIndex, Tile] = {}
    for index, tile in proposed.tiles.items():
        taken = tile == value
        if not overwrite:
            taken &= mask.tile(index) == 0
        if taken.any():
            new = mask.tile(index).copy()
            np.copyto(new, np.uint8(value), where=taken)
            new.flags.writeable = False
            changed[index] = new
    return changed
