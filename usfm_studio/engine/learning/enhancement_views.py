"""Pairs to learn enhancement from: a frame as it is and as it should be, with the encoder's maps of the first.

What the encoder makes of a frame is computed once and waits in a pool; crops are cut from it, at native size, as often
as there is time for. Where there are no pairs, a good frame is degraded anew each time, and the pool goes on changing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from usfm_studio.document.snapshot import Sample, Snapshot
from usfm_studio.engine.grey import full_scale, to_grey
from usfm_studio.engine.learning.clock import Stage
from usfm_studio.engine.learning.degradation import Degradation, degraded
from usfm_studio.engine.learning.enhancement import Batch, EnhancementRecipe
from usfm_studio.engine.models.embeddings import rounded
from usfm_studio.engine.models.enhancer import Enhancer, Reach, reach_of
from usfm_studio.engine.models.placement import Placement
from usfm_studio.engine.models.predictor import Predictor
from usfm_studio.engine.scoring.pictures import image_area

Grey = NDArray[np.uint8]
POOL_BYTES = 768 << 20
FEWEST_VIEWS = 4
"""These are made, however late it is."""
PLACES_SEED = 1 << 20


@dataclass(frozen=True, slots=True)
class Pairs:
    """The frames of a snapshot as pairs: with their targets, or degraded as `degradation` says."""

    snapshot: Snapshot
    degradation: Degradation | None = None
    seed: int = 0

    def tested(self, sample: Sample) -> tuple[NDArray[Any], Grey]:
        """(pixels as a model gets them, grey reference): always the same of one frame."""
        digits = hashlib.sha256(f"{self.seed}:{sample.stem}".encode()).digest()
        if self.degradation is None:
            return np.asarray(self.snapshot.pixels(sample)), self._target(sample)
        grey, rng = as_grey(np.asarray(self.snapshot.pixels(sample))), np.random.default_rng(list(digits))
        return degraded(grey, replace(self.degradation, untouched=0.0), rng), grey

    def drawn(self, sample: Sample, rng: np.random.Generator) -> tuple[Grey, Grey]:
        """(grey as it is, grey as it should be), one draw."""
        grey = as_grey(np.asarray(self.snapshot.pixels(sample)))
        if self.degradation is None:
            return grey, self._target(sample)
        return degraded(grey, self.degradation, rng), grey

    def _target(self, sample: Sample) -> Grey:
        target = self.snapshot.target_pixels(sample)
        if target is None:
            raise ValueError("a frame without a target is no pair")
        return as_grey(np.asarray(target))


def as_grey(pixels: NDArray[Any]) -> Grey:
    """(rows, columns) uint8 of uint8 or uint16, grey or colour."""
    grey = to_grey(pixels)
    return grey if grey.dtype == np.uint8 else np.rint(grey * (255 / full_scale(grey))).astype(np.uint8)


@dataclass(frozen=True, slots=True)
class View:
    """One frame of the pool, mirrored perhaps: pixels at native size, at least a crop large, and the encoder's maps.

    `sector` are first and last row and column of what shows tissue: crops have their middle there.
    """

    subject: str
    low: Grey
    high: Grey
    placement: Placement
    maps: dict[int, Tensor]
    sector: tuple[int, int, int, int]

    @property
    def bytes(self) -> int:
        """Memory that it takes."""
        return self.low.nbytes + self.high.nbytes + sum(m.nbytes for m in self.maps.values())


class ViewPool:
    """Views of some samples. `encoder` makes the maps; it places frames as the model will."""

    def __init__(self, pairs: Pairs, samples: Sequence[Sample], encoder: Predictor, recipe: EnhancementRecipe) -> None:
        self.pairs, self.samples, self.encoder, self.recipe = pairs, list(samples), encoder, recipe
        self.views: list[View] = []
        self._rng = np.random.default_rng([recipe.seed, PLACES_SEED])
        self._wanted = self._order()
        self._looks = len(self.samples) * (2 if recipe.flip else 1)

    @property
    def changes(self) -> bool:
        """True where there is more to see than the pool holds: then every batch brings a view in."""
        return self.recipe.degradation is not None or len(self.views) < self._looks

    def fill(self, stage: Stage, check: Callable[[], object] = lambda: None) -> None:
        """Make views until the pool is full or the stage is over."""
        most, used = min(self.recipe.views, self._looks if self.recipe.degradation is None else self.recipe.views), 0
        while len(self.views) < most and used < POOL_BYTES:
            if len(self.views) >= FEWEST_VIEWS and stage.progress >= 1:
                return
            check()
            self.views.append(self._view(*next(self._wanted)))
            used += self.views[-1].bytes

    def batches(self, subjects: Iterable[str], net: Enhancer, rng: np.random.Generator) -> Iterator[Batch]:
        """Batches without end, of these subjects alone (one of them has a sample): each subject equally often."""
        allowed = {s.subject for s in self.samples} & set(subjects)
        while True:
            if self.changes:
                self._renew(allowed)
            able: dict[str, list[View]] = {}
            for view in self.views:
                if view.subject in allowed:
                    able.setdefault(view.subject, []).append(view)
            if not able:
                self._renew(allowed)
                continue
            names = list(able)
            chosen = (able[names[i]] for i in rng.integers(0, len(names), self.recipe.batch))
            yield self._batch([views[rng.integers(len(views))] for views in chosen], net, rng)

    def _renew(self, allowed: set[str]) -> None:
        """The next view of these subjects takes the place of the oldest."""
        sample, mirrored = next((s, m) for s, m in self._wanted if s.subject in allowed)
        self.views = [*self.views[1:], self._view(sample, mirrored)]

    def _order(self) -> Iterator[tuple[Sample, bool]]:
        """Samples without end, in a new order each round; the first round as they are, the next mirrored, in turn."""
        rounds = 0
        while True:
            for i in self._rng.permutation(len(self.samples)):
                yield self.samples[i], self.recipe.flip and rounds % 2 == 1
            rounds += 1

    def _view(self, sample: Sample, mirrored: bool) -> View:
        low, high = self.pairs.drawn(sample, self._rng)
        if mirrored:
            low, high = np.ascontiguousarray(low[:, ::-1]), np.ascontiguousarray(high[:, ::-1])
        placed = self.encoder.prepare(low)
        features = rounded(self.encoder.embed([placed]))
        sector = _limits(image_area(high))
        low, high = (_at_least(pixels, self.recipe.crop_px) for pixels in (low, high))
        maps = {stride: m.clone() for stride, m in features.maps.items()}
        return View(sample.subject, low, high, placed.placement, maps, sector)

    def _batch(self, views: Sequence[View], net: Enhancer, rng: np.random.Generator) -> Batch:
        device, side = self.encoder.device.kind, self.recipe.crop_px
        windows = [_window(view, side, rng) for view in views]
        x, y = (
            torch.from_numpy(np.stack([pixels[w] for pixels, w in zip(images, windows, strict=True)]))[:, None]
            for images in ([v.low for v in views], [v.high for v in views])
        )
        maps = {s: torch.cat([v.maps[s] for v in views]).to(device).float() for s in (net.fine_stride, *net.strides)}
        reaches = [reach_of(v.placement, net.strides, net.fine_stride, w) for v, w in zip(views, windows, strict=True)]
        return Batch(x.to(device).float() / 255, y.to(device).float() / 255, maps, _joined(reaches).to(device))


def _joined(reaches: Sequence[Reach]) -> Reach:
    def cat(pairs: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        return torch.cat([down for down, _ in pairs]), torch.cat([across for _, across in pairs])

    coarse = {s: cat([r.coarse[s] for r in reaches]) for s in reaches[0].coarse}
    return Reach(cat([r.fine for r in reaches]), coarse)


def _window(view: View, side: int, rng: np.random.Generator) -> tuple[slice, slice]:
    """A square of native pixels whose middle shows tissue, inside the frame."""
    found = []
    for (first, last), length in zip((view.sector[:2], view.sector[2:]), view.low.shape, strict=True):
        start = int(np.clip(rng.integers(first, last + 1) - side // 2, 0, length - side))
        found.append(slice(start, start + side))
    return found[0], found[1]


def _limits(area: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(area.any(1)), np.flatnonzero(area.any(0))
    return int(rows[0]), int(rows[-1]), int(columns[0]), int(columns[-1])


def _at_least(pixels: Grey, side: int) -> Grey:
    """The pixels, continued beyond their last row and column where they are smaller than a crop."""
    missing = [(0, max(0, side - length)) for length in pixels.shape]
    return np.pad(pixels, missing, mode="edge") if any(after for _, after in missing) else pixels
