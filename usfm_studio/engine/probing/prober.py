"""The probe: folders are read and split once, then any number of encoders is scored on them.

    prober = Prober({"hc18": snapshot_folder}, role=STEER, quick=True)
    prober.score(encoder).score

The features are computed in the calling process and used at once, frame by frame: nothing of them is kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from usfm_studio.document.errors import NotFound
from usfm_studio.document.snapshot import Sample
from usfm_studio.engine.device import Device, choose_device
from usfm_studio.engine.models.encoder import Encoder
from usfm_studio.engine.models.features import Features
from usfm_studio.engine.models.fuse import fused
from usfm_studio.engine.probing.fewshot import Heads, Pair, summed_up
from usfm_studio.engine.probing.frames import DECIDE, QUICK_MOST, Folder, Frame, embedded, load_folder
from usfm_studio.engine.probing.labels import by_line, by_neighbours, standardised
from usfm_studio.engine.probing.results import FolderResult, ProbeResult, Told, pair_of
from usfm_studio.engine.scoring.intervals import statistic_interval
from usfm_studio.engine.scoring.labels import Table, macro_f1

Check = Callable[[int, int, str], None]
"""Told (done, total, what) after each frame; may raise."""
Vectors = dict[int, NDArray[np.float64]]


class Prober:
    """`folders`: snapshot folders by name. `role` "decide" tests on fold 0, "steer" on fold 1 without looking at 0.

    `quick` keeps at most 150 frames a folder. Raises NotFound where no folder has both sides.
    """

    def __init__(
        self,
        folders: Mapping[str, Path],
        role: str = DECIDE,
        *,
        quick: bool = False,
        device: Device | None = None,
    ) -> None:
        begun = time.perf_counter()
        self.role, self.quick = role, quick
        self.device = device or choose_device()
        most = QUICK_MOST if quick else None
        loaded = {name: load_folder(name, path, role, most=most) for name, path in folders.items()}
        self.folders = {name: folder for name, folder in loaded.items() if folder.train and folder.test}
        if not self.folders:
            raise NotFound(
                "There is nothing to probe with",
                "no folder has subjects with masks or labels both to learn from and to test on",
                "Name folders of ten subjects or more.",
            )
        self._reading_s = time.perf_counter() - begun

    @property
    def frames(self) -> int:
        """Frames that an encoder has to look at."""
        return sum(len(f.train) + len(f.test) for f in self.folders.values())

    def score(
        self, encoder: Encoder, name: str = "", digest: str = "", check: Check = lambda _done, _total, _what: None
    ) -> ProbeResult:
        """Score an encoder. It is copied, so one that is being trained is left as it is."""
        seconds = {"reading": self._reading_s, "embedding": 0.0, "labels": 0.0, "masks": 0.0}
        copy = fused(encoder).float().to(self.device.kind).to(memory_format=torch.channels_last)
        found, done = {}, 0
        for key, folder in self.folders.items():
            tell = partial(_tell, check, done, self.frames, key)
            found[key] = _Probing(folder, copy, self.device, seconds, tell).result()
            done += len(folder.train) + len(folder.test)
        return ProbeResult(
            encoder=name or encoder.name,
            digest=digest,
            role=self.role,
            quick=self.quick,
            folders=found,
            seconds=seconds,
        )


def _tell(check: Check, before: int, total: int, name: str, done: int) -> None:
    check(before + done, total, name)


class _Probing:
    """One encoder on one folder: the training frames first, then each test frame is answered as it comes."""

    def __init__(
        self,
        folder: Folder,
        encoder: Encoder,
        device: Device,
        seconds: dict[str, float],
        tell: Callable[[int], None],
    ) -> None:
        self._folder, self._encoder, self._device, self._seconds = folder, encoder, device, seconds
        self._tell = tell
        self._heads = Heads(folder, encoder.channels)

    @torch.inference_mode()
    def result(self) -> FolderResult:
        """All figures."""
        folder = self._folder
        train: Vectors = {}
        test: Vectors = {}
        pairs: list[Pair] = []
        for index, features in self._embedded(folder.train):
            train[index] = _vector(features)
            with self._timed("masks"):
                self._heads.teach(index, features)
            self._tell(len(train))
        with self._timed("masks"):
            self._heads.learn(lambda: self._tell(len(train)))
        for index, features in self._embedded(folder.test):
            test[index] = _vector(features)
            with self._timed("masks"):
                pairs += self._heads.ask(folder.test[index], features)
            self._tell(len(train) + len(test))
        with self._timed("labels"):
            labels = _labelled(folder, train, test)
        return FolderResult(
            name=folder.name,
            train_images=len(folder.train),
            test_images=len(folder.test),
            test_subjects=len({f.sample.subject for f in folder.test}),
            fewshot=summed_up(pairs),
            **labels,
        )

    def _embedded(self, frames: Sequence[Frame]) -> Iterator[tuple[int, Features]]:
        source = embedded(self._encoder, frames, self._device)
        while True:
            with self._timed("embedding"):
                item = next(source, None)
            if item is None:
                return
            yield item

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        begun = time.perf_counter()
        try:
            yield
        finally:
            self._seconds[what] += time.perf_counter() - begun


def _vector(features: Features) -> NDArray[np.float64]:
    vector: NDArray[np.float64] = features.pooled_BD[0].double().cpu().numpy()
    return vector


def _labelled(folder: Folder, train: Vectors, test: Vectors) -> dict[str, Any]:
    """The fields of a FolderResult that labels fill; none where fewer than two classes are taught or none is asked."""
    taught = [n for n in sorted(train) if folder.train[n].sample.labels]
    asked = [n for n in sorted(test) if folder.test[n].sample.labels]
    classes = tuple(sorted({name for n in taught for name in folder.train[n].sample.labels or ()}))
    if len(classes) < 2 or not asked:
        return {}
    exclusive = folder.snapshot.schema.exclusive_labels
    names = tuple(sorted({*classes, *(name for n in asked for name in folder.test[n].sample.labels or ())}))
    teachers, tested = [folder.train[n].sample for n in taught], [folder.test[n].sample for n in asked]
    truth_NC, truth_MC = _truth(teachers, names), _truth(tested, names)
    x_ND, x_MD = standardised(np.stack([train[n] for n in taught]), np.stack([test[n] for n in asked]))
    near = Table(truth_MC, by_neighbours(x_ND, truth_NC, x_MD), exclusive)
    said, penalty = by_line(x_ND, truth_NC, [s.subject for s in teachers], x_MD, exclusive=exclusive)
    line = Table(truth_MC, said, exclusive)
    once, subjects = np.ones((1, len(tested))), [s.subject for s in tested]
    intervals = {}
    for way, table in (("knn", near), ("linear", line)):
        found = pair_of(statistic_interval(subjects, partial(macro_f1, table), {}))
        if found is not None:
            intervals[way] = found
    return {
        "classes": names,
        "exclusive": exclusive,
        "knn": float(macro_f1(near, once)[0]),
        "linear": float(macro_f1(line, once)[0]),
        "penalty": penalty,
        "intervals": intervals,
        "told": {
            s.name: Told(
                subject=s.subject,
                truth=_names(truth_MC[m], names),
                knn=_names(near.decided[m], names),
                linear=_names(line.decided[m], names),
            )
            for m, s in enumerate(tested)
        },
    }


def _truth(samples: Sequence[Sample], classes: tuple[str, ...]) -> NDArray[np.float64]:
    return np.array([[float(name in (s.labels or ())) for name in classes] for s in samples], float)


def _names(row: NDArray[np.float64], classes: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name, yes in zip(classes, row, strict=True) if yes)
