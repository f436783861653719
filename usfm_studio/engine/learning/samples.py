"""The frames of a snapshot as the network will see them: placed once, kept as bytes, drawn into batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from usfm_studio.document.mask import Ids
from usfm_studio.document.snapshot import Sample, Snapshot
from usfm_studio.engine.learning.augment import Augmentation, augmented
from usfm_studio.engine.models.features import Features
from usfm_studio.engine.models.placement import place, placement_for

OUTPUT_STRIDE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """One frame at the network's size: `image` and `classes` (0..K-1) are (H, W) uint8.

    `classes` is None where the frame has no mask.
    """

    sample: Sample
    image: NDArray[np.uint8]
    classes: Ids | None


@dataclass(frozen=True, slots=True)
class Batch:
    """`x` (B, 1, H, W) float 0..1, or what the encoder made of it; `target` (B, K, H / 2, W / 2) shares of each class.

    The shares of a cell sum to one. `image` (B, 1, H, W) uint8 goes beside features where a decoder looks at it.
    """

    x: Tensor | Features
    target: Tensor
    image: Tensor | None = None

    def image_on(self, device: str) -> Tensor | None:
        """The image as float 0..1 on a device."""
        return None if self.image is None else self.image.to(device).float() / 255


def place_samples(
    snapshot: Snapshot, samples: Sequence[Sample], input_px: int, mode: str, class_of: Mapping[int, int]
) -> list[Placed]:
    """The frames at the network's size. `class_of` maps segment values to classes 1..K-1; others are background."""
    table = np.zeros(256, np.uint8)
    for value, number in class_of.items():
        table[value] = number
    return [_placed(snapshot, sample, input_px, mode, table) for sample in samples]


def _placed(snapshot: Snapshot, sample: Sample, input_px: int, mode: str, table: NDArray[np.uint8]) -> Placed:
    x_CHW, _ = place(np.asarray(snapshot.pixels(sample)), input_px, mode)
    ids = snapshot.mask(sample)
    classes = None
    if ids is not None:
        classes = placement_for(ids.shape, input_px, mode).mask(table[np.asarray(ids)], 1)
    return Placed(sample=sample, image=np.rint(x_CHW[0] * 255).astype(np.uint8), classes=classes)


def canvas_of(placed: Sequence[Placed], window_px: int = 0) -> tuple[int, int]:
    """The smallest (rows, columns) that holds every frame, or a window into it where one is wanted."""
    rows_columns = max(p.image.shape[0] for p in placed), max(p.image.shape[1] for p in placed)
    rows, columns = (min(side, window_px or side) for side in rows_columns)
    return rows, columns


def subject_order(placed: Sequence[Placed], rng: np.random.Generator) -> Iterator[Placed]:
    """Frames without end: every subject equally often, its frames in turn, subjects in a new order each round."""
    by_subject: dict[str, list[Placed]] = {}
    for item in placed:
        by_subject.setdefault(item.sample.subject, []).append(item)
    names, rounds = list(by_subject), 0
    while True:
        for i in rng.permutation(len(names)):
            frames = by_subject[names[i]]
            yield frames[(rounds + i) % len(frames)]
        rounds += 1


def batches(
    placed: Sequence[Placed], classes: int, batch: int, draws: Augmentation, rng: np.random.Generator
) -> Iterator[Batch]:
    """Augmented batches without end, of frames that have masks."""
    canvas_rc = canvas_of(placed, draws.window_px)
    order = subject_order(placed, rng)
    while True:
        yield views_of([next(order) for _ in range(batch)], classes, draws, rng, canvas_rc)


def views_of(
    items: Sequence[Placed],
    classes: int,
    draws: Augmentation,
    rng: np.random.Generator,
    canvas_rc: tuple[int, int],
) -> Batch:
    """One augmented view of each of these frames."""
    images, marked = [], []
    for item in items:
        if item.classes is None:
            raise ValueError("a frame without a mask cannot be learned from")
        image, ids = augmented(item.image, item.classes, draws, rng, canvas_rc)
        images.append(image)
        marked.append(ids)
    return Batch(as_input(np.stack(images)), shares(np.stack(marked), classes))


def as_input(images_BHW: NDArray[np.uint8]) -> Tensor:
    """(B, 1, H, W) float32 0..1 in channels-last order."""
    return (torch.from_numpy(images_BHW)[:, None].float() / 255).contiguous(memory_format=torch.channels_last)


def shares(classes_BHW: Ids, classes: int) -> Tensor:
    """(B, K, H / 2, W / 2) float32: the share of each class in a 2x2 cell, so that edges lie between pixels."""
    one_hot = functional.one_hot(torch.from_numpy(classes_BHW).long(), classes).permute(0, 3, 1, 2).float()
    return functional.avg_pool2d(one_hot, OUTPUT_STRIDE)
