"""The windows that a prompt decoder learns in: embedded once, then worked on by many simulated persons."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from usfm_studio.engine.models.features import Features
from usfm_studio.engine.models.placement import resized
from usfm_studio.engine.prompting.prompt_decoder import PYRAMID
from usfm_studio.engine.prompting.targets import Marked, region, targets_in
from usfm_studio.engine.prompting.window import SIDE, Window, extent_of, whole_window, zoom_window

OUT = SIDE // 2
"""The decoder's output: targets are held at its size."""
LONG_SIDE = 512
LEAST_CELLS = 12
"""Cells at stride 2 that a target must have in a window."""
PAINTED, REAL_FIRST = 0.3, 0.85

Ids = NDArray[np.uint8]
Embed = Callable[[Tensor], Features]
Paint = Callable[[Ids, np.random.Generator], tuple[Ids, Ids]]


@dataclass(frozen=True, slots=True)
class LessonFrame:
    """A frame to learn from: `grey` (rows, columns) uint8, `ids` of the same size (all 0: nobody marked it)."""

    grey: Ids
    ids: Ids


@dataclass(slots=True)
class Place:
    """A window of a frame: image (256, 256) 0..1, the maps in half precision, targets (128, 128) 0..1."""

    window: Window
    image: NDArray[np.float32]
    maps: list[Tensor]
    targets: list[NDArray[np.float32]] = field(default_factory=list)


@dataclass(slots=True)
class Lesson:
    """A frame as a whole and a window of it. Where `linked`, the first target of both is the same one."""

    whole: Place
    zoom: Place
    linked: bool


def make_lesson(
    frame: LessonFrame, embed: Embed, rng: np.random.Generator, paint: Paint | None = None
) -> Lesson | None:
    """Draw a view of the frame, perhaps with shapes painted into it, and embed it; None where nothing is found."""
    grey, ids = _moved(frame, rng)
    found = targets_in(ids)
    if paint is not None and (not found or rng.random() < PAINTED):
        grey, painted = paint(grey, rng)
        found += targets_in(painted)
    grey = _toned(grey, rng)
    whole = _place(whole_window(grey.shape), grey, embed)
    made = region(whole.image, _finest(whole), rng)
    native = [] if made is None else [whole.window.put(made.astype(np.float32), grey.shape, 0.0) > 0.5]
    chosen = found if found and (not native or rng.random() < REAL_FIRST) else native
    if not chosen:
        return None
    first = chosen[int(rng.integers(len(chosen)))]
    zoom = _place(_around(first, rng), grey, embed)
    made = region(zoom.image, _finest(zoom), rng)
    for place in (whole, zoom):
        others = [one for one in found if one is not first]
        place.targets = [t for one in [first, *others] if (t := _target(one, place.window)).sum() >= LEAST_CELLS]
    linked = all(_target(first, place.window).sum() >= LEAST_CELLS for place in (whole, zoom))
    whole.targets += [_target(one, whole.window) for one in native if one is not first]
    if made is not None:
        zoom.targets.append(resized(made.astype(np.float32), (OUT, OUT)))
    return Lesson(whole, zoom, linked) if whole.targets and zoom.targets else None


def _place(window: Window, grey: Ids, embed: Embed) -> Place:
    image = window.cut(grey) / np.float32(255)
    maps = embed(torch.from_numpy(image)[None, None]).maps
    return Place(window, image, [maps[stride].half() for stride in PYRAMID])


def _finest(place: Place) -> NDArray[np.float32]:
    finest: NDArray[np.float32] = place.maps[0][0].float().numpy()
    return finest


def _target(native: Marked, window: Window) -> NDArray[np.float32]:
    return window.cut(native.astype(np.float32), OUT)


def _around(target: Marked, rng: np.random.Generator) -> Window:
    """A window around a target as a first answer would give it: of another size, and not centred."""
    x0, y0, x1, y1 = extent_of(target, []) or (0.0, 0.0, 1.0, 1.0)
    size = max(x1 - x0, y1 - y0, 8.0)
    shift = rng.normal(0, 0.08 * size, 2)
    extent = x0 + shift[0], y0 + shift[1], x1 + shift[0], y1 + shift[1]
    return zoom_window(extent, (target.shape[0], target.shape[1]), float(rng.uniform(1.15, 2.3)))


def _moved(frame: LessonFrame, rng: np.random.Generator) -> tuple[Ids, Ids]:
    """Turned, scaled, mirrored."""
    rows, columns = frame.grey.shape
    scale = min(1.0, LONG_SIDE / max(rows, columns)) * float(rng.uniform(0.8, 1.2))
    turn = cv2.getRotationMatrix2D(((columns - 1) / 2, (rows - 1) / 2), float(rng.uniform(-15, 15)), scale)
    size = max(32, round(columns * scale)), max(32, round(rows * scale))
    turn[:, 2] += (size[0] - columns) / 2, (size[1] - rows) / 2
    grey = cv2.warpAffine(frame.grey, turn, size, flags=cv2.INTER_LINEAR)
    ids = cv2.warpAffine(frame.ids, turn, size, flags=cv2.INTER_NEAREST)
    if rng.random() < 0.5:
        grey, ids = grey[:, ::-1], ids[:, ::-1]
    return np.ascontiguousarray(grey), np.ascontiguousarray(ids)


def _toned(grey: Ids, rng: np.random.Generator) -> Ids:
    """Another gamma and gain, sometimes blurred or noisy."""
    x = (grey.astype(np.float32) / 255) ** float(rng.uniform(0.65, 1.5)) * float(rng.uniform(0.8, 1.2))
    if rng.random() < 0.2:
        x = cv2.GaussianBlur(x, (0, 0), float(rng.uniform(0.5, 1.5)))
    if rng.random() < 0.2:
        x = x + rng.normal(0, 0.03, x.shape)
    toned: Ids = np.rint(np.clip(x, 0, 1) * 255).astype(np.uint8)
    return toned


def pick(frames: Sequence[LessonFrame], rng: np.random.Generator) -> LessonFrame:
    """Any of them."""
    return frames[int(rng.integers(len(frames)))]
