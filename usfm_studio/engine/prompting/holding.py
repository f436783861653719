"""What a click promises, whatever the network says. No torch here.

The clicked spot ends with the clicked sign; a negative click adds nothing; what lies far from the newest prompt stays.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from usfm_studio.document.prompts import Box, Click, Prompt, Scribble

DISC_PX = 3
"""Radius, in native pixels, of what a click surely decides."""

Marked = NDArray[np.bool_]


def held(asked: Marked, before: Marked | None, prompts: Sequence[Prompt], reach_px: float) -> Marked:
    """The network's mask `asked`, brought into line with the prompts and with the mask `before`.

    Changes stay only in connected parts that come within `reach_px` of the newest prompt (a box: anywhere). Earlier
    prompts hold too; where two contradict each other, the newer decides. All (rows, columns) bool; the answer is new.
    """
    mask = np.ascontiguousarray(asked).copy()
    newest = prompts[-1] if prompts else None
    if before is not None and isinstance(newest, Click | Scribble):
        if not newest.positive:
            mask &= before
        if before.any():
            mask = before ^ _near(mask ^ before, newest, reach_px)
    for prompt in prompts:
        _settle(mask, prompt)
    return mask


def _near(change: Marked, prompt: Click | Scribble, reach_px: float) -> Marked:
    """The connected parts of a change that come near the prompt."""
    if not change.any():
        return change
    close = np.zeros(change.shape, np.uint8)
    _mark(close, prompt, round(reach_px), 1)
    count, parts = cv2.connectedComponents(change.view(np.uint8), connectivity=8)
    wanted = np.zeros(count, bool)
    wanted[parts[(close > 0) & change]] = True
    near: Marked = wanted[parts]
    return near


def _settle(mask: Marked, prompt: Prompt) -> None:
    """Give what a click or stroke covers its sign; a box decides nothing by itself."""
    if isinstance(prompt, Box):
        return
    _mark(mask.view(np.uint8), prompt, DISC_PX if isinstance(prompt, Click) else 0, int(prompt.positive))


def _mark(into: NDArray[np.uint8], prompt: Click | Scribble, radius_px: int, value: int) -> None:
    if isinstance(prompt, Click):
        cv2.circle(into, (round(prompt.at_xy[0]), round(prompt.at_xy[1])), radius_px, value, -1)
        return
    points = [*prompt.points_xy, prompt.points_xy[-1]]  # a line of one point would not be drawn
    line = np.rint(np.array(points)).astype(np.int32).reshape(-1, 1, 2)
    cv2.polylines(into, [line], False, value, 2 * radius_px + 1)
