"""The frames of a probe: who learns and who tests, and each frame as the encoder sees it, prepared once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from usfm_studio.document.errors import WrongUsage
from usfm_studio.document.mask import Ids
from usfm_studio.document.snapshot import Sample, Snapshot
from usfm_studio.document.splits import fold_of
from usfm_studio.engine.device import Device
from usfm_studio.engine.models.encoder import Encoder
from usfm_studio.engine.models.features import Features
from usfm_studio.engine.models.placement import Placement, place

FOLDS = 5
DECIDE, STEER = "decide", "steer"
TESTED = {DECIDE: 0, STEER: 1}
"""The fold that tests. While steering, fold 0 is not looked at: it decides once."""
DECIDING_FOLD = 0
INPUT_PX = 256
QUICK_MOST = 150
BATCH = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A frame, ready for the encoder: `image_HW` is uint8, placed as `placement` says."""

    sample: Sample
    image_HW: NDArray[np.uint8]
    placement: Placement

    def x_1HW(self) -> NDArray[np.float32]:
        """The encoder's input, 0..1."""
        x_1HW: NDArray[np.float32] = self.image_HW[None].astype(np.float32) / np.float32(255)
        return x_1HW


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """One labelled folder, split. `values` are its segments; both sides keep the snapshot's order."""

    name: str
    snapshot: Snapshot
    train: tuple[Frame, ...]
    test: tuple[Frame, ...]
    values: tuple[int, ...]

    def mask(self, frame: Frame) -> Ids:
        """The mask of a frame that has one, at native size."""
        ids = self.snapshot.mask(frame.sample)
        if ids is None:
            raise ValueError("the frame has no mask")
        return np.asarray(ids)


def load_folder(name: str, folder: Path, role: str, *, most: int | None = None) -> Folder:
    """Read a snapshot and prepare its frames. `most` keeps so many at most: half of them to test, a frame a subject
    first. Raises Damaged, WrongUsage for a foreign role."""
    if role not in TESTED:
        raise WrongUsage("The probe cannot start", f'"{role}" is no role of a fold', "Use decide or steer.")
    snapshot = Snapshot.load(folder)
    useful = [s for s in snapshot.samples if s.masked or s.labels]
    test = [s for s in useful if fold_of(s.subject, FOLDS) == TESTED[role]]
    train = [s for s in useful if fold_of(s.subject, FOLDS) not in (TESTED[role], DECIDING_FOLD)]
    if most is not None:
        test = some_of(test, most - min(len(train), most // 2))
        train = some_of(train, most - len(test))
    values = {s.value for s in snapshot.schema.segments}
    for sample in (*train, *test):
        ids = snapshot.mask(sample)
        values |= set() if ids is None else {int(v) for v in np.unique(np.asarray(ids)) if v}
    return Folder(
        name=name,
        snapshot=snapshot,
        train=tuple(_prepared(snapshot, s) for s in train),
        test=tuple(_prepared(snapshot, s) for s in test),
        values=tuple(sorted(values)),
    )


def some_of(samples: Sequence[Sample], most: int) -> list[Sample]:
    """At most `most` samples in their order: a frame of every subject before anybody's second, in a fixed order."""
    if len(samples) <= most:
        return list(samples)
    seen: dict[str, int] = {}
    ranked = []
    for number, sample in enumerate(samples):
        turn = seen[sample.subject] = seen.get(sample.subject, -1) + 1
        digest = hashlib.sha1(f"probe:{sample.subject}".encode(), usedforsecurity=False).hexdigest()
        ranked.append((turn, digest, number))
    return [samples[number] for number in sorted(number for _, _, number in sorted(ranked)[:most])]


def _prepared(snapshot: Snapshot, sample: Sample) -> Frame:
    x_1HW, placement = place(np.asarray(snapshot.pixels(sample)), INPUT_PX)
    image = np.rint(x_1HW[0] * 255).astype(np.uint8)
    return Frame(sample=sample, image_HW=image, placement=placement)


@torch.inference_mode()
def embedded(encoder: Encoder, frames: Sequence[Frame], device: Device) -> Iterator[tuple[int, Features]]:
    """(index of the frame, its features (B = 1) in half precision on the device), sizes together, each frame once.

    `encoder` is in eval mode on the device; on a processor frames go through one by one.
    """
    by_size: dict[tuple[int, ...], list[int]] = {}
    for index, frame in enumerate(frames):
        by_size.setdefault(frame.image_HW.shape, []).append(index)
    batch = 1 if device.is_cpu else BATCH
    for indices in by_size.values():
        for start in range(0, len(indices), batch):
            chosen = indices[start : start + batch]
            images = torch.from_numpy(np.stack([frames[i].image_HW for i in chosen]))[:, None]
            x_B1HW = (images.to(device.kind).float() / 255).contiguous(memory_format=torch.channels_last)
            features = encoder(x_B1HW).map(lambda t: t.half().contiguous())
            for n, index in enumerate(chosen):
                yield index, features.map(lambda t, n=n: t[n : n + 1])
