"""What carrying a mask through a loop costs nothing to do: copy it, blend shapes, follow the optical flow.

Every function takes `keys` (ids (rows, columns) uint8 by frame number) and answers ids for each frame; at key frames
the given ones, untouched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from usfm_studio.document.mask import Ids
from usfm_studio.engine.grey import full_scale, to_grey
from usfm_studio.engine.models.placement import resized

Floats = NDArray[np.float32]

FLOW_PX = 256
"""The long side on which flow is computed."""
SPECKLE_PX = 1.5
"""Deviation of the blur before it: speckle decorrelates from frame to frame, tissue does not."""


def copied(count: int, keys: Mapping[int, Ids]) -> list[Ids]:
    """The mask of the nearest key frame (of two equally near, the earlier)."""
    return [keys[nearest(n, keys)] for n in range(count)]


def interpolated(count: int, keys: Mapping[int, Ids]) -> list[Ids]:
    """Shapes blended between two key frames; before the first and after the last, as `copied`.

    Signed distances are aligned at their centroids, then blended by frame distance (Raya and Udupa 1990).
    """
    places = sorted(keys)
    found: list[Ids] = []
    for n in range(count):
        before = max((p for p in places if p <= n), default=places[0])
        after = min((p for p in places if p >= n), default=places[-1])
        if n in keys or before >= after:
            found.append(keys[nearest(n, keys)])
        else:
            found.append(_between(keys[before], keys[after], (n - before) / (after - before)))
    return found


def flowed(frames: Sequence[NDArray[Any]], keys: Mapping[int, Ids]) -> list[Ids]:
    """Masks moved along the DIS optical flow (Kroeger et al. 2016), frame by frame from the nearest key frame."""
    greys = [_small(frame) for frame in frames]
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    found: dict[int, Ids] = dict(keys)
    for n in sorted(range(len(frames)), key=lambda n: abs(n - nearest(n, keys))):
        if n not in found:
            key = nearest(n, keys)
            before = n - 1 if key < n else n + 1
            moved_hw2 = flow.calc(greys[n], greys[before], np.zeros((*greys[n].shape, 2), np.float32))
            found[n] = _moved(found[before], moved_hw2)
    return [found[n] for n in range(len(frames))]


def nearest(number: int, keys: Mapping[int, Any]) -> int:
    """The key frame nearest in time."""
    return min(sorted(keys), key=lambda key: abs(key - number))


def _between(before: Ids, after: Ids, share: float) -> Ids:
    """The shape `share` (0 to 1) of the way; a segment that only one side has stays for that side's half."""
    values = sorted({*np.unique(before).tolist(), *np.unique(after).tolist()} - {0})
    layers = [_blended(before == value, after == value, share) for value in values]
    if not layers:
        return np.zeros_like(before)
    depth = np.stack(layers)
    best = depth.argmax(0)
    return np.where(depth.max(0) > 0, np.array(values, np.uint8)[best], np.uint8(0))


def _blended(before: NDArray[np.bool_], after: NDArray[np.bool_], share: float) -> Floats:
    """Signed distance, positive inside."""
    if not before.any() or not after.any():
        only = before if share < 0.5 else after
        return _signed(only) if only.any() else np.full(before.shape, -1, np.float32)
    starts, ends = _centre(before), _centre(after)
    middle = starts + share * (ends - starts)
    return (1 - share) * _shifted(_signed(before), middle - starts) + share * _shifted(_signed(after), middle - ends)


def _signed(marked: NDArray[np.bool_]) -> Floats:
    inside = cv2.distanceTransform(np.pad(marked, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    outside = cv2.distanceTransform((~marked).astype(np.uint8), cv2.DIST_L2, 5)
    return np.asarray(np.where(marked, inside - 0.5, 0.5 - outside), np.float32)


def _centre(marked: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(x, y)."""
    return np.asarray(np.argwhere(marked).mean(0)[::-1])


def _shifted(values: Floats, by_xy: NDArray[np.float64]) -> Floats:
    rows, columns = values.shape
    matrix = np.array([[1, 0, by_xy[0]], [0, 1, by_xy[1]]], np.float64)
    edge = float(values.min())
    return np.asarray(
        cv2.warpAffine(values, matrix, (columns, rows), borderMode=cv2.BORDER_CONSTANT, borderValue=edge), np.float32
    )


def _small(frame: NDArray[Any]) -> NDArray[np.uint8]:
    grey = to_grey(frame)
    scale = min(1.0, FLOW_PX / max(grey.shape))
    shape_rc = max(16, round(grey.shape[0] * scale)), max(16, round(grey.shape[1] * scale))
    smooth = cv2.GaussianBlur(resized(grey, shape_rc).astype(np.float32), (0, 0), SPECKLE_PX)
    return np.asarray((smooth * (255 / full_scale(grey))).clip(0, 255), np.uint8)


def _moved(ids: Ids, flow_hw2: Floats) -> Ids:
    """Ids looked up where the flow says that each pixel was."""
    rows, columns = ids.shape
    scale_xy = np.array([columns / flow_hw2.shape[1], rows / flow_hw2.shape[0]], np.float32)
    flow = cv2.resize(flow_hw2, (columns, rows), interpolation=cv2.INTER_LINEAR) * scale_xy
    x, y = np.meshgrid(np.arange(columns, dtype=np.float32), np.arange(rows, dtype=np.float32))
    return np.asarray(cv2.remap(ids, x + flow[..., 0], y + flow[..., 1], cv2.INTER_NEAREST), np.uint8)
