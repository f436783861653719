"""Batches of clean images from a corpus: which image comes when, how it is cropped, what is left out.

Everything follows from (seed, number of the image in the run): not from the count of workers, of ranks or of batches
that a step is made of, and not from where a run was interrupted. Image `g` of a run is draw `g % draws` of epoch
`g // draws`; step `s` takes the images from `s * G` on, where G is batch times accumulation times ranks.

Shapes: B batch, N pixels a side.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from usfm_studio.document.errors import NothingToLearn, StudioError, Unreadable
from usfm_studio.engine.corpus.index import CorpusIndex
from usfm_studio.engine.corpus.reading import CorpusReader
from usfm_studio.engine.corpus.sampler import EpochSampler
from usfm_studio.engine.pretraining.ranks import Place
from usfm_studio.engine.pretraining.recipe import Crop, PretrainRecipe

SMALLEST_PX = 16
"""An image with a shorter side has no whole patch."""
BLACK = 8
"""Grey values (of 255) up to this one are black."""
TRIES = 64
"""Draws that take an unreadable image's place before the corpus is given up."""
REASONS = ("unreadable", "smaller than a patch", "black")
"""Why an image is of no use."""
CROP_TRIES = 4
CROP_STREAM = 0x43524F50
AHEAD = 3
"""Batches that a worker prepares ahead."""


@dataclass(slots=True)
class Batch:
    """Images `first`, `first + stride`, … of the run.

    `grey_B1NN` uint8, `valid_B1NN` bool (the sector), `index_B` int64: their places in the step, 0 to G - 1; `rows_B`
    int64: rows of the corpus. `skipped`: reason and count of the images that others took the place of.
    """

    grey_B1NN: Tensor
    valid_B1NN: Tensor
    index_B: Tensor
    rows_B: Tensor
    skipped: dict[str, int] = field(default_factory=dict)

    def pin_memory(self) -> Batch:
        """The same batch in memory from which a GPU copies without waiting."""
        return Batch(
            self.grey_B1NN.pin_memory(), self.valid_B1NN.pin_memory(), self.index_B, self.rows_B, self.skipped
        )  # fmt: skip


class Batches(Dataset[Batch | StudioError]):
    """Batch `m` of this rank, counted from the start of the run; `accumulate` of them are one step's.

    An error is returned, not raised: torch would hand on the text of a worker's exception, with its traceback.
    """

    def __init__(self, recipe: PretrainRecipe, place: Place) -> None:
        self.recipe, self.place = recipe, place
        self.index = CorpusIndex.load(Path(recipe.data))
        settings = recipe.sampler
        self._sampler = EpochSampler(self.index, recipe.seed, settings.alpha, settings.cap, settings.draws or None)
        self._reader = CorpusReader(self.index)
        self._epoch: tuple[int, NDArray[np.int64]] | None = None

    def __len__(self) -> int:
        return self.recipe.steps * self.recipe.accumulate

    def __getitem__(self, m: int) -> Batch | StudioError:
        try:
            return self._batch(m)
        except StudioError as error:
            return error
        except OSError as error:
            return StudioError("The corpus cannot be read", (error.strerror or type(error).__name__).lower())

    def _batch(self, m: int) -> Batch:
        recipe, ranks = self.recipe, self.place.count
        step, part = divmod(m, recipe.accumulate)
        places = (part * ranks + self.place.rank) * recipe.batch + np.arange(recipe.batch)
        size = recipe.accumulate * ranks * recipe.batch
        skipped: dict[str, int] = {}
        images = [self._image(step * size + int(i), skipped) for i in places]
        return Batch(
            torch.from_numpy(np.stack([grey for grey, _, _ in images])[:, None]),
            torch.from_numpy(np.stack([valid for _, valid, _ in images])[:, None]),
            torch.from_numpy(places.astype(np.int64)),
            torch.tensor([row for _, _, row in images]),
            skipped,
        )

    def _image(self, number: int, skipped: dict[str, int]) -> tuple[NDArray[np.uint8], NDArray[np.bool_], int]:
        """Image `number` of the run, cropped; where it is of no use, the next draw of its epoch."""
        epoch, draw = divmod(number, len(self._sampler))
        rows = self._rows(epoch)
        chance = np.random.default_rng((self.recipe.seed, CROP_STREAM, number))
        for further in range(TRIES):
            row = int(rows[(draw + further) % len(rows)])
            try:
                grey, valid = self._reader.read(row)
                why = unusable(grey, valid)
            except Unreadable:
                why = "unreadable"
            if not why:
                return *cropped(grey, valid, self.recipe.px, self.recipe.crop, chance), row
            skipped[why] = skipped.get(why, 0) + 1
        raise NothingToLearn(
            "The pre-training cannot go on",
            f"{TRIES} images in a row are of no use ({', '.join(skipped)})",
            "Pack the corpus again.",
        )

    def _rows(self, epoch: int) -> NDArray[np.int64]:
        """The draws of an epoch, the same for every rank: each takes its own places in it."""
        if self._epoch is None or self._epoch[0] != epoch:
            self._epoch = epoch, self._sampler.rows(epoch)
        return self._epoch[1]


def unusable(grey_rc: NDArray[np.uint8], valid_rc: NDArray[np.bool_]) -> str:
    """Why nothing can be learned from an image, in a word or two; empty where something can."""
    if min(grey_rc.shape) < SMALLEST_PX:
        return "smaller than a patch"
    if not valid_rc.any() or int(grey_rc[valid_rc].max()) <= BLACK:
        return "black"
    return ""


def cropped(
    grey_rc: NDArray[np.uint8], valid_rc: NDArray[np.bool_], px: int, crop: Crop, chance: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """A random crop (px, px) of the sector's bounding box, mirrored or not.

    A crop without any echo is drawn again; after a few the whole box is taken.
    """
    top, left, rows, columns = _box(valid_rc)
    for tried in range(CROP_TRIES + 1):
        window = (top, left, rows, columns) if tried == CROP_TRIES else _window(top, left, rows, columns, crop, chance)
        y, x, height, width = window
        inside = valid_rc[y : y + height, x : x + width]
        part = grey_rc[y : y + height, x : x + width]
        if inside.any() and int(part[inside].max()) > BLACK:
            break
    shrinks = height * width > px * px
    grey = cv2.resize(part, (px, px), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    valid = cv2.resize(inside.astype(np.uint8), (px, px), interpolation=cv2.INTER_NEAREST) > 0
    if not valid.any():  # a sliver that nearest neighbours miss
        valid[:] = True
    if chance.random() < crop.flip:
        grey, valid = grey[:, ::-1], valid[:, ::-1]
    return np.ascontiguousarray(grey), np.ascontiguousarray(valid)


def _box(valid_rc: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Top, left, rows and columns of the smallest box around the sector."""
    down, across = np.flatnonzero(valid_rc.any(1)), np.flatnonzero(valid_rc.any(0))
    return int(down[0]), int(across[0]), int(down[-1] - down[0] + 1), int(across[-1] - across[0] + 1)


def _window(
    top: int, left: int, rows: int, columns: int, crop: Crop, chance: np.random.Generator
) -> tuple[int, int, int, int]:
    """A window of the box: area uniform in `scale` of the box's, log of width over height uniform in `ratio`."""
    area = rows * columns * chance.uniform(*crop.scale)
    ratio = float(np.exp(chance.uniform(np.log(crop.ratio[0]), np.log(crop.ratio[1]))))
    height = min(rows, max(1, round((area / ratio) ** 0.5)))
    width = min(columns, max(1, round((area * ratio) ** 0.5)))
    y, x = int(chance.integers(0, rows - height + 1)), int(chance.integers(0, columns - width + 1))
    return top + y, left + x, height, width


def stream(batches: Batches, first_step: int, *, workers: int, pinned: bool) -> Iterator[Batch]:
    """The rank's batches from a step on, in order, prepared ahead by `workers` processes (0: as they are asked for).

    Workers are forked where the system can and start at once. Raises StudioError where the corpus cannot be read.
    """
    first = first_step * batches.recipe.accumulate
    forks = "fork" in multiprocessing.get_all_start_methods()
    loader: DataLoader[Batch | StudioError] = DataLoader(
        batches,
        batch_size=None,
        sampler=range(first, len(batches)),
        num_workers=workers,
        prefetch_factor=AHEAD if workers else None,
        multiprocessing_context=("fork" if forks else "spawn") if workers else None,
        worker_init_fn=_alone,
        pin_memory=pinned,
    )
    return _sound(iter(loader))


def _sound(found: Iterator[Batch | StudioError]) -> Iterator[Batch]:
    """The batches. Raises the error that stands in the place of one."""
    for batch in found:
        if isinstance(batch, StudioError):
            raise batch
        yield batch


def _alone(_worker: Any) -> None:
    """A worker uses one core; the others are for the network and for other workers."""
    cv2.setNumThreads(0)


def as_images(batch: Batch, device: str) -> tuple[Tensor, Tensor]:
    """x_B1NN float32 in [0, 1] and valid_B1NN bool on the device."""
    x = batch.grey_B1NN.to(device, non_blocking=True).float().div_(255)
    return x, batch.valid_B1NN.to(device, non_blocking=True)
