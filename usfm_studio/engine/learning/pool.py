"""Features of augmented views, kept: with a frozen encoder a step then costs the decoder alone.

The pool is slowly renewed while it is used, so that what is drawn from it never runs out of new views.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from usfm_studio.engine.device import HALF, Device
from usfm_studio.engine.learning.augment import Augmentation
from usfm_studio.engine.learning.clock import Stage
from usfm_studio.engine.learning.samples import Batch, Placed, canvas_of, subject_order, views_of
from usfm_studio.engine.models.features import Features

FILL = 8
"""Views that go through the encoder together while the pool is filled."""


@dataclass(frozen=True, slots=True)
class _View:
    maps: dict[int, Tensor]  # (C, h, w) in half precision, by stride
    target: Tensor  # (K, H / 2, W / 2)
    image: Tensor | None  # (1, H, W) uint8, where the decoder looks at it


class FeaturePool:
    """Views of `placed` as `encoder` sees them; `with_image`: the decoder looks at the image too, so it is kept."""

    def __init__(
        self,
        encoder: Callable[[Tensor], Features],
        placed: Sequence[Placed],
        classes: int,
        draws: Augmentation,
        rng: np.random.Generator,
        device: Device,
        *,
        with_image: bool = False,
        at_once: int = FILL,
    ) -> None:
        self.encoder, self.with_image, self.at_once = encoder, with_image, at_once
        self.placed, self.classes, self.draws = list(placed), classes, draws
        self.rng, self.device = rng, device
        self.canvas_rc = canvas_of(self.placed, draws.window_px)
        self.kept: dict[str, list[_View]] = {item.sample.stem: [] for item in self.placed}

    def fill(self, views: int, stage: Stage) -> None:
        """Make views, one of each frame first, until there are `views` of them or the stage is over.

        One of each subject is made in any case: an encoder may be too slow to look at every frame.
        """
        order = subject_order(self.placed, self.rng)
        todo = _subjects_first(self.placed)
        needed = len({item.sample.subject for item in self.placed})
        while self.count < needed or (not stage.over and (todo or self.count < views)):
            chosen = todo[: self.at_once] or [next(order) for _ in range(self.at_once)]
            todo = todo[len(chosen) :]
            for item, view in zip(chosen, self._views(chosen), strict=True):
                self.kept[item.sample.stem].append(view)
            stage.steps += 1

    @property
    def count(self) -> int:
        """Views in the pool."""
        return sum(len(views) for views in self.kept.values())

    def batches(self, batch: int, subjects: Iterable[str], every: int = 1) -> Iterator[Batch]:
        """Batches without end of these subjects' views; with one of `every` so many, one view is made anew."""
        wanted = set(subjects)
        order = subject_order([p for p in self.placed if p.sample.subject in wanted], self.rng)
        for number in itertools.count(1):
            chosen = [next(order) for _ in range(batch)]
            if number % every == 0:
                self._renew(chosen[0])
            yield _joined([self._any(item) for item in chosen], half=self.device.precision == HALF)

    def _renew(self, item: Placed) -> None:
        kept = self.kept[item.sample.stem]
        (view,) = self._views([item])
        if kept:
            kept[self.rng.integers(len(kept))] = view
        else:
            kept.append(view)

    def _made(self, items: Sequence[Placed]) -> Batch:
        return views_of(items, self.classes, self.draws, self.rng, self.canvas_rc)

    def _any(self, item: Placed) -> _View:
        """A view of this frame, else of another of its subject."""
        kept = self.kept[item.sample.stem]
        if not kept:
            others = (p for p in self.placed if p.sample.subject == item.sample.subject)
            kept = [view for other in others for view in self.kept[other.sample.stem]]
        return kept[self.rng.integers(len(kept))]

    @torch.no_grad()
    def _views(self, items: Sequence[Placed]) -> list[_View]:
        if not items:
            return []
        made = self._made(items)
        assert isinstance(made.x, Tensor)
        with self.device.autocast():
            features = self.encoder(made.x.to(self.device.kind))
        maps = {stride: m.bfloat16().cpu() for stride, m in features.maps.items()}
        images = (made.x * 255).round().to(torch.uint8) if self.with_image else None
        return [
            _View({s: m[i].clone() for s, m in maps.items()}, made.target[i], None if images is None else images[i])
            for i in range(len(items))
        ]


def _subjects_first(placed: Sequence[Placed]) -> list[Placed]:
    """All frames: the first of each subject, then the others."""
    first = {p.sample.subject: p for p in reversed(placed)}
    return sorted(placed, key=lambda p: first[p.sample.subject] is not p)


def _joined(views: Sequence[_View], *, half: bool) -> Batch:
    maps = {}
    for stride in views[0].maps:
        stacked = torch.stack([v.maps[stride] for v in views]).contiguous(memory_format=torch.channels_last)
        maps[stride] = stacked if half else stacked.float()
    features, target = Features(maps, torch.empty(len(views), 0)), torch.stack([v.target for v in views])
    images = [v.image for v in views if v.image is not None]
    return Batch(features, target, torch.stack(images) if images else None)
