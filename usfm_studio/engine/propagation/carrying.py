"""Masks carried from key frames to all other frames of a loop.

Every frame is matched with the key frames first, in any order of time. The three surest frames join the memory, and
every other frame is matched again: an unsure frame is never written to it. Where a fine-tuned model is given, its
probabilities and the matched place are joined as independent evidence (their logits add up): the match says where,
the model says what the border is.

    for n, carried in enumerate(carry(frames, keys, Predictor(load_model(shipped_encoder())))):
        ...

Shapes: N cells of a frame at stride 8, K segments, H, W the network's input.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from usfm_studio.document.errors import WrongUsage
from usfm_studio.document.mask import Ids
from usfm_studio.engine.models.components import soft_dice
from usfm_studio.engine.models.placement import Placement, resized
from usfm_studio.engine.models.predictor import Prediction, Predictor
from usfm_studio.engine.propagation.baselines import nearest
from usfm_studio.engine.propagation.drift import Signs, drifted, score
from usfm_studio.engine.propagation.matching import STRIDE, Descriptors, Gatherer, around, found_in

Floats = NDArray[np.float32]

REMEMBERED = 3
"""Frames beside the key frames in the memory."""
LEAST_SURE = 0.5
"""What is less sure is never remembered."""
EVIDENCE = 1e-3
"""Probabilities are kept this far from 0 and 1 before their logits add up, so that neither side can veto alone."""
ALONE = 0.4, 0.0
JOINED = 1.0, 3.5
"""Added to the logits of the match, and the deviation of its blur in pixels of the input: alone, it must give the
border; beside a model it says where to look, and its border of 8 px cells would only cost."""

BLUNT = 2.0
"""Matched cells are 8 px wide: their soft border is no doubt about the segment, so alone their logits count double
for the confidence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """One frame's mask: `ids` (rows, columns) uint8, read-only. `score` predicts its Dice (1 for a key frame)."""

    ids: Ids
    score: float
    flagged: bool
    is_key: bool


class Refiner(Protocol):
    """The seam for a decoder that takes a mask as prompt: sharper logits from the carried ones."""

    def __call__(self, number: int, logits_KHW: Floats) -> Floats:
        """(K, rows, columns) at native size in, the same out."""


@dataclass(frozen=True, slots=True)
class _Loop:
    """What is fixed before anything is carried."""

    keys: Mapping[int, Ids]
    values: tuple[int, ...]
    placement: Placement
    cells: Descriptors
    key_cells: Mapping[int, Tensor]
    said: Sequence[Prediction | None]
    refine: Refiner | None


@dataclass(frozen=True, slots=True)
class _Memory:
    """Cells (M, C) of a frame and the share (M, K) of each that a segment covers."""

    frame: int
    cells_MC: Tensor
    values_MK: Tensor


def carry(
    frames: Sequence[NDArray[Any]],
    keys: Mapping[int, Ids],
    encoder: Predictor,
    model: Predictor | None = None,
    *,
    refine: Refiner | None = None,
    check: Callable[[int], None] = lambda _done: None,
) -> list[Carried]:
    """One mask a frame; those of key frames stay as they were given.

    `frames` are (rows, columns[, 3]) uint8 or uint16 of one size, `keys` masks of that size by frame number.
    `encoder` gives features alone; `model` a fine-tuned one whose output values are the masks' own. `check` is told
    how many frames have been looked at, and may raise. Raises WrongUsage for loops and keys that do not fit.
    """
    refuse_unfit([frame.shape[:2] for frame in frames], keys)
    loop = _looked_at(frames, keys, encoder, model, refine, check)
    others = [n for n in range(len(frames)) if n not in keys]
    known = [_remembered(loop, n, cells_NK, whole=True) for n, cells_NK in loop.key_cells.items()]
    first = {n: _matched(loop, n, known) for n in others}
    sure = {n: _sure(logits, loop.values) for n, logits in first.items()}
    surest = [n for n in sorted(others, key=lambda n: -sure[n])[:REMEMBERED] if sure[n] >= LEAST_SURE]
    written = [_remembered(loop, n, _on_cells(_ids(first[n], loop.values), loop), whole=False) for n in surest]
    found: dict[int, Ids] = {}
    signs: dict[int, Signs] = {}
    for n in others:
        memory = [*known, *(one for one in written if one.frame != n)]
        logits = _matched(loop, n, memory) if len(memory) > len(known) else first[n]
        found[n], signs[n] = _judged(loop, n, logits)
        check(len(frames))
    areas = [_areas(keys[nearest(n, keys)]) for n in others]
    flags = dict(zip(others, drifted([signs[n] for n in others], areas), strict=True))
    return [_kept(keys[n]) if n in keys else _carried(found[n], signs[n], flags[n]) for n in range(len(frames))]


def refuse_unfit(shapes_rc: Sequence[tuple[int, ...]], keys: Mapping[int, Ids]) -> None:
    """Raise WrongUsage unless frames of one size and masks on some of them are given, with something marked."""
    what = "The loop cannot be worked through"
    if len(shapes_rc) < 2:
        raise WrongUsage(what, "it has one frame only", "Name a loop, or a folder of images in order.")
    if len(set(shapes_rc)) > 1:
        rows, columns = shapes_rc[0]
        other = next(n for n, shape in enumerate(shapes_rc) if shape != shapes_rc[0])
        why = f"frame {other} has another size than frame 0 ({columns}x{rows})"
        raise WrongUsage(what, why, "Frames of a loop have one size.")
    if not keys:
        raise WrongUsage(what, "no key frame was given", "Name one with --keyframe N=MASK.png.")
    for number, ids in sorted(keys.items()):
        refuse_unfit_key(number, ids.shape, shapes_rc)
        if not ids.any():
            why = "nothing is marked in its mask"
            raise WrongUsage(f"Key frame {number} cannot be used", why, "Mark the segment on that frame.")


def refuse_unfit_key(number: int, mask_rc: tuple[int, ...], shapes_rc: Sequence[tuple[int, ...]]) -> None:
    """Raise WrongUsage for a key frame outside the loop, or a mask of another size than its frames."""
    what, last = f"Key frame {number} cannot be used", len(shapes_rc) - 1
    if not 0 <= number <= last:
        raise WrongUsage(what, f"the loop has frames 0 to {last}", "Frames count from 0.")
    if tuple(mask_rc) != tuple(shapes_rc[number]):
        (rows, columns), (high, wide) = mask_rc, shapes_rc[number]
        raise WrongUsage(what, f"its mask is {columns}x{rows}, the loop {wide}x{high}", "A mask has the frame's size.")


@torch.inference_mode()
def _looked_at(
    frames: Sequence[NDArray[Any]],
    keys: Mapping[int, Ids],
    encoder: Predictor,
    model: Predictor | None,
    refine: Refiner | None,
    check: Callable[[int], None],
) -> _Loop:
    gatherer, said = Gatherer(), []
    for n, frame in enumerate(frames):
        check(n)
        prepared = encoder.prepare(frame)
        gatherer.add(encoder.embed([prepared]).map(lambda tensor: tensor.cpu()))
        wanted = model is not None and n not in keys
        said.append(model.predict(frame, probabilities=True) if model is not None and wanted else None)
    values = tuple(sorted({int(v) for ids in keys.values() for v in np.unique(ids) if v}))
    loop = _Loop(keys, values, prepared.placement, gatherer.descriptors(), {}, said, refine)
    key_cells = {n: _on_cells(ids, loop) for n, ids in keys.items()}
    return _Loop(keys, values, prepared.placement, loop.cells, key_cells, said, refine)


@torch.inference_mode()
def _matched(loop: _Loop, number: int, memory: Sequence[_Memory]) -> Floats:
    """(K, rows, columns) logits of a frame from the frames of the memory, the model's joined."""
    remembered_MC = torch.cat([one.cells_MC for one in memory])
    p_NK = found_in(loop.cells.some(number), remembered_MC, torch.cat([one.values_MK for one in memory]))
    said = loop.said[number]
    raised, blur_px = ALONE if said is None else JOINED
    p_KHW = _enlarged(p_NK, loop.cells.grid_hw)
    if blur_px:
        p_KHW = np.stack([cv2.GaussianBlur(p, (0, 0), blur_px / 2) for p in p_KHW])
    logits = _logits(loop.placement.back(p_KHW)) + np.float32(raised)
    if said is not None and said.probabilities is not None:
        for k, value in enumerate(loop.values):
            if value < len(said.probabilities):
                logits[k] += _logits(said.probabilities[value].astype(np.float32))
    return logits if loop.refine is None else loop.refine(number, logits)


def _judged(loop: _Loop, number: int, logits_KHW: Floats) -> tuple[Ids, Signs]:
    ids = _ids(logits_KHW, loop.values)
    back = _way_back(loop, number, ids)
    sharpness = BLUNT if loop.said[number] is None else 1.0
    return ids, Signs(_sure(sharpness * logits_KHW, loop.values), back, _areas(ids))


@torch.inference_mode()
def _way_back(loop: _Loop, number: int, ids: Ids) -> float:
    """Dice 0 to 1 between the nearest key frame's mask and what this frame's mask says of it, on the cells around."""
    key = nearest(number, loop.keys)
    where_N = around(loop.key_cells[key], loop.cells.grid_hw)
    again_NK = found_in(loop.cells.some(key, where_N), loop.cells.some(number), _on_cells(ids, loop))
    truth_NK = loop.key_cells[key][where_N]
    both, total = torch.minimum(again_NK, truth_NK).sum(), (again_NK + truth_NK).sum()
    return float(2 * both / total.clamp_min(1e-6))


def _remembered(loop: _Loop, number: int, cells_NK: Tensor, *, whole: bool) -> _Memory:
    """A frame's cells: all of a key frame's; of others those around the segments, which is what they add."""
    where_N = None if whole else around(cells_NK, loop.cells.grid_hw)
    return _Memory(number, loop.cells.some(number, where_N), cells_NK if where_N is None else cells_NK[where_N])


def _on_cells(ids: Ids, loop: _Loop) -> Tensor:
    """(N, K) float32: the share of each cell that a segment covers."""
    where = loop.placement
    placed = np.zeros((len(loop.values), *where.size_rc), np.float32)
    for k, value in enumerate(loop.values):
        placed[k][where.inside()] = resized((ids == value).astype(np.float32), where.content_rc)
    return functional.avg_pool2d(torch.from_numpy(placed)[None], STRIDE)[0].flatten(1).T.contiguous()


def _enlarged(p_NK: Tensor, grid_hw: tuple[int, int]) -> Floats:
    """(K, H / 2, W / 2), linear between cells."""
    p_1Khw = p_NK.T.reshape(1, -1, *grid_hw)
    size = grid_hw[0] * STRIDE // 2, grid_hw[1] * STRIDE // 2
    enlarged: Floats = functional.interpolate(p_1Khw, size, mode="bilinear", align_corners=False)[0].numpy()
    return enlarged


def _logits(p: Floats) -> Floats:
    kept = np.clip(p, EVIDENCE, 1 - EVIDENCE)
    return np.asarray(np.log(kept / (1 - kept)), np.float32)


def _ids(logits_KHW: Floats, values: tuple[int, ...]) -> Ids:
    """The likeliest segment where one is likelier than not; of each, the largest part."""
    best = logits_KHW.argmax(0)
    ids = np.where(logits_KHW.max(0) > 0, np.array(values, np.uint8)[best], np.uint8(0))
    for value in values:
        _, parts, statistics, _ = cv2.connectedComponentsWithStats((ids == value).astype(np.uint8), connectivity=4)
        if len(statistics) > 2:
            ids[(parts > 0) & (parts != 1 + int(statistics[1:, cv2.CC_STAT_AREA].argmax()))] = 0
    return ids


def _sure(logits_KHW: Floats, values: tuple[int, ...]) -> float:
    """Soft Dice confidence, mean over the segments; 0 for one that is nowhere."""
    ids = _ids(logits_KHW, values)
    p_KHW = 1 / (1 + np.exp(-logits_KHW))
    return float(np.mean([soft_dice(p_KHW[k], ids == v) if (ids == v).any() else 0.0 for k, v in enumerate(values)]))


def _areas(ids: Ids) -> dict[int, int]:
    values, counts = np.unique(ids[ids > 0], return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


def _kept(ids: Ids) -> Carried:
    return Carried(ids=_read_only(ids.copy()), score=1.0, flagged=False, is_key=True)


def _carried(ids: Ids, signs: Signs, flagged: bool) -> Carried:
    return Carried(ids=_read_only(ids), score=score(signs), flagged=flagged, is_key=False)


def _read_only(ids: Ids) -> Ids:
    ids.flags.writeable = False
    return ids
