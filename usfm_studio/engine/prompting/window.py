"""What the network sees of a frame: a square part of it at 256 x 256, and prompts drawn over it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from usfm_studio.document.prompts import Box, Click, Prompt
from usfm_studio.engine.grey import full_scale
from usfm_studio.engine.models.placement import resized

SIDE = 256
DISC_PX = 5
LINE_PX = 3
ZOOM = 1.4
LEAST_SIDE = 96
"""Native pixels: a smaller window shows speckle and nothing else."""
GRID = 8
"""Windows start at, and measure, multiples of an eighth of the power of two below their side, so that they recur."""
WHOLE_FROM = 0.85
"""A window of at least this share of the whole frame's is the whole frame's."""

Grey = NDArray[Any]
Marked = NDArray[np.bool_]
XYXY = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Window:
    """Columns `left` to `left + side`, rows `top` to `top + side` of a frame; it may reach beyond it."""

    left: int
    top: int
    side: int

    def inside(self, shape_rc: tuple[int, int]) -> tuple[slice, slice]:
        """Rows and columns of the frame that it shows."""
        rows = slice(max(0, self.top), min(shape_rc[0], self.top + self.side))
        columns = slice(max(0, self.left), min(shape_rc[1], self.left + self.side))
        return rows, columns

    def cut(self, image: Grey, size: int = SIDE) -> NDArray[np.float32]:
        """(size, size) float32 of (rows, columns); 0 beyond the frame. Averaged where it shrinks."""
        rows, columns = self.inside((image.shape[0], image.shape[1]))
        whole = np.zeros((self.side, self.side), image.dtype)
        part = (
            slice(rows.start - self.top, rows.stop - self.top),
            slice(columns.start - self.left, columns.stop - self.left),
        )
        whole[part] = image[rows, columns]
        return resized(whole, (size, size)).astype(np.float32)

    def put(self, map_hw: NDArray[np.float32], shape_rc: tuple[int, int], beyond: float) -> NDArray[np.float32]:
        """(rows, columns) float32 at native size from a square map of the window; `beyond` outside of it."""
        frame = np.full(shape_rc, beyond, np.float32)
        rows, columns = self.inside(shape_rc)
        native = resized(map_hw, (self.side, self.side))
        frame[rows, columns] = native[
            rows.start - self.top : rows.stop - self.top, columns.start - self.left : columns.stop - self.left
        ]
        return frame

    def places(self, points_xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Image points (N, 2) as points of the 256 x 256 window."""
        return (points_xy + 0.5 - (self.left, self.top)) * (SIDE / self.side) - 0.5

    def back(self, points_xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Inverse of `places`."""
        return (points_xy + 0.5) * (self.side / SIDE) - 0.5 + (self.left, self.top)

    def touched(self, marked: Marked) -> bool:
        """True where a mask reaches the window's edge inside the frame: it may go on beyond."""
        rows, columns = self.inside((marked.shape[0], marked.shape[1]))
        sides = [
            (rows.start > 0, marked[rows.start, columns]),
            (rows.stop < marked.shape[0], marked[rows.stop - 1, columns]),
            (columns.start > 0, marked[rows, columns.start]),
            (columns.stop < marked.shape[1], marked[rows, columns.stop - 1]),
        ]
        return any(open_ and bool(line.any()) for open_, line in sides)


def whole_window(shape_rc: tuple[int, int]) -> Window:
    """The smallest window that shows all of a frame."""
    side = max(shape_rc)
    return Window((shape_rc[1] - side) // 2, (shape_rc[0] - side) // 2, side)


def zoom_window(extent: XYXY, shape_rc: tuple[int, int], zoom: float = ZOOM) -> Window:
    """The window around an extent (x0, y0, x1, y1), `zoom` times as large, on a grid; or the whole frame's if near."""
    x0, y0, x1, y1 = extent
    side = max(LEAST_SIDE, zoom * max(x1 - x0, y1 - y0))
    step = max(1, (1 << (int(side).bit_length() - 1)) // GRID)
    size = int(-(-side // step) * step)
    if size >= WHOLE_FROM * max(shape_rc):
        return whole_window(shape_rc)
    left, top = ((a + b) / 2 - size / 2 for a, b in ((x0, x1), (y0, y1)))
    return Window(round(left / step) * step, round(top / step) * step, size)


def extent_of(marked: Marked | None, prompts: Sequence[Prompt]) -> XYXY | None:
    """(x0, y0, x1, y1) around a mask, the positive prompts and all boxes; None where there is nothing."""
    xs: list[float] = []
    ys: list[float] = []
    if marked is not None and marked.any():
        columns, rows = np.nonzero(marked.any(0))[0], np.nonzero(marked.any(1))[0]
        xs += [float(columns[0]), float(columns[-1])]
        ys += [float(rows[0]), float(rows[-1])]
    for prompt in prompts:
        if isinstance(prompt, Box):
            points = [prompt.first_xy, prompt.last_xy]
        elif prompt.positive:
            points = [prompt.at_xy] if isinstance(prompt, Click) else list(prompt.points_xy)
        else:
            continue
        xs += [x for x, _ in points]
        ys += [y for _, y in points]
    return (min(xs), min(ys), max(xs), max(ys)) if xs else None


def planes(
    image: NDArray[np.float32], last: NDArray[np.float32], prompts: Sequence[Prompt], window: Window
) -> NDArray[np.float32]:
    """(5, 256, 256) float32 0..1: image, last mask, positive marks, negative marks, box. What the network looks at."""
    made = np.zeros((5, SIDE, SIDE), np.float32)
    made[0], made[1] = image, last
    for prompt in prompts:
        draw(made, prompt, window)
    return made


def draw(made: NDArray[np.float32], prompt: Prompt, window: Window) -> None:
    """Draw one prompt into its plane: discs of radius 5, strokes 3 wide, boxes filled."""
    if isinstance(prompt, Box):
        (x0, y0), (x1, y1) = window.places(np.array([prompt.first_xy, prompt.last_xy]))
        cv2.rectangle(made[4], (_px(x0 + 0.5), _px(y0 + 0.5)), (_px(x1 - 0.5), _px(y1 - 0.5)), 1.0, -1)
        return
    plane = made[2] if prompt.positive else made[3]
    if isinstance(prompt, Click):
        x, y = window.places(np.array([prompt.at_xy]))[0]
        cv2.circle(plane, (_px(x), _px(y)), DISC_PX, 1.0, -1)
        return
    line = [*prompt.points_xy, prompt.points_xy[-1]]  # a line of one point would not be drawn
    points = np.rint(np.clip(window.places(np.array(line)), -SIDE, 2 * SIDE)).astype(np.int32)
    cv2.polylines(plane, [points.reshape(-1, 1, 2)], False, 1.0, LINE_PX)


def scaled(grey: Grey) -> NDArray[np.float32]:
    """Grey pixels, uint8 or uint16, as float32 0..1."""
    return grey.astype(np.float32) / np.float32(full_scale(grey))


def _px(value: float) -> int:
    """A coordinate that OpenCV takes, however far outside it lies."""
    return round(min(max(value, -4.0 * SIDE), 4.0 * SIDE))
