"""What a probe says of an encoder, subject by subject, so that two of them can be compared. No torch here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from usfm_studio.engine.scoring import Interval, mean_over_subjects, subject_draws
from usfm_studio.engine.scoring.intervals import FEWEST
from usfm_studio.engine.scoring.labels import Table, macro_f1

Floats = NDArray[np.float64]

SIZES = (5, 10, 20)
SEEDS = (0, 1, 2, 3, 4)


class Told(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One test image: its labels, and those that neighbours and line gave it."""

    subject: str
    truth: tuple[str, ...]
    knn: tuple[str, ...]
    linear: tuple[str, ...]


class FewShot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Masks learned from so many subjects. `per_subject`: mean over the subject's pairs and the seeds; `pairs`: how
    many (image, segment) pairs of the subject the reference has."""

    dice: float
    per_seed: tuple[float, ...]
    per_subject: dict[str, float]
    pairs: dict[str, int]
    interval: tuple[float, float] | None
    interval_kind: str | None


class FolderResult(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One folder; None where it has no labels. `exclusive`: an image has one label. `fewshot` is by training subjects.

    `told` is by image; `penalty` is the linear layer's.
    """

    name: str
    train_images: int
    test_images: int
    test_subjects: int
    classes: tuple[str, ...] = ()
    exclusive: bool = True
    knn: float | None = None
    linear: float | None = None
    penalty: float | None = None
    intervals: dict[str, tuple[float, float]] = {}
    told: dict[str, Told] = {}
    fewshot: dict[int, FewShot] = {}

    def body(self) -> dict[str, Any]:
        """As results carry it."""
        return {
            "knn": self.knn,
            "linear": self.linear,
            "fewshot": {str(n): shot.dice for n, shot in self.fewshot.items()},
            "interval": {
                **self.intervals,
                **{f"fewshot{n}": shot.interval for n, shot in self.fewshot.items() if shot.interval},
            },
            "per_seed": {str(n): shot.per_seed for n, shot in self.fewshot.items()},
            "per_subject": self._per_subject(),
            "train_images": self.train_images,
            "test_images": self.test_images,
            "test_subjects": self.test_subjects,
        }

    def _per_subject(self) -> dict[str, dict[str, float]]:
        found: dict[str, dict[str, float]] = {}
        for n, shot in self.fewshot.items():
            for subject, dice in shot.per_subject.items():
                found.setdefault(subject, {})[f"fewshot{n}"] = dice
        for way in ("knn", "linear"):
            right = [float(getattr(t, way) == t.truth) for t in self.told.values()]
            for subject, share in mean_over_subjects(right, [t.subject for t in self.told.values()]).items():
                found.setdefault(subject, {})[f"{way}_right"] = share
        return found


class ProbeResult(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Means over folders at the top; `seconds` of reading, embedding, labels and masks."""

    encoder: str
    digest: str
    role: str
    quick: bool
    folders: dict[str, FolderResult]
    seconds: dict[str, float]

    @property
    def knn(self) -> float | None:
        """Macro F1, mean over folders with labels."""
        return mean([f.knn for f in self.folders.values()])

    @property
    def linear(self) -> float | None:
        """Macro F1, mean over folders with labels."""
        return mean([f.linear for f in self.folders.values()])

    @property
    def fewshot(self) -> dict[int, float]:
        """Dice by training subjects, mean over the folders that have so many."""
        found = {n: [f.fewshot[n].dice for f in self.folders.values() if n in f.fewshot] for n in SIZES}
        return {n: float(np.mean(dices)) for n, dices in found.items() if dices}

    @property
    def score(self) -> float:
        """One number to steer by: the mean of few-shot Dice (over sizes), k-NN and linear, as far as there are any."""
        masks = list(self.fewshot.values())
        known = [v for v in (float(np.mean(masks)) if masks else None, self.knn, self.linear) if v is not None]
        return float(np.mean(known)) if known else float("nan")

    def interval(self, figure: str) -> tuple[float, float] | None:
        """95 % interval of a mean over folders ("knn", "linear", "fewshot5" …): subjects redrawn within each folder.

        None below 10 subjects.
        """
        parts = [d for folder in self.folders.values() if (d := draws_of(folder, figure)) is not None]
        if sum(subjects for _, subjects in parts) < FEWEST:
            return None
        low, high = np.nanpercentile(np.mean([draws[1:] for draws, _ in parts], 0), [2.5, 97.5])
        return float(low), float(high)

    def _figures(self) -> list[str]:
        return ["knn", "linear", *(f"fewshot{n}" for n in SIZES)]

    def body(self) -> dict[str, Any]:
        """As results carry it."""
        return {
            "encoder": self.encoder,
            "digest": self.digest,
            "fold_role": self.role,
            "quick": self.quick,
            "knn": self.knn,
            "linear": self.linear,
            "fewshot": {str(n): dice for n, dice in self.fewshot.items()},
            "interval": {name: d for name in self._figures() if (d := self.interval(name)) is not None},
            "score": self.score,
            "folders": {name: folder.body() for name, folder in self.folders.items()},
            "seconds": self.seconds,
        }


def draws_of(folder: FolderResult, figure: str) -> tuple[Floats, int] | None:
    """((1 + 2000,) a figure of a folder as measured and in each redraw of its subjects, subjects); None without it."""
    if figure in ("knn", "linear"):
        if getattr(folder, figure) is None:
            return None
        weights, subjects = image_weights([t.subject for t in folder.told.values()])
        return macro_f1(table_of(folder, list(folder.told), folder.classes, figure), weights), subjects
    shot = folder.fewshot.get(int(figure.removeprefix("fewshot")))
    if shot is None:
        return None
    weights = with_draws(len(shot.per_subject)).astype(float)
    pairs = np.array([shot.pairs[s] for s in shot.per_subject])
    return (weights @ (pairs * np.array(list(shot.per_subject.values())))) / (weights @ pairs), len(pairs)


def with_draws(subjects: int) -> NDArray[np.int64]:
    """(1 + 2000, subjects): everybody once, then the redraws. Their seed is the number of subjects, so that folders of
    other sizes are drawn apart from each other."""
    return np.vstack([np.ones((1, subjects), np.int64), subject_draws(subjects, seed=subjects)])


def image_weights(subjects: Sequence[str]) -> tuple[Floats, int]:
    """(`with_draws` by image: (1 + 2000, images), number of subjects)."""
    place = {subject: n for n, subject in enumerate(dict.fromkeys(subjects))}
    return with_draws(len(place))[:, [place[s] for s in subjects]].astype(float), len(place)


def table_of(folder: FolderResult, images: Sequence[str], classes: Sequence[str], way: str) -> Table:
    """Truth, and what `way` ("knn" or "linear") said of these images, as 0 and 1."""
    told = [folder.told[name] for name in images]
    truth = np.array([[float(c in t.truth) for c in classes] for t in told])
    return Table(truth, np.array([[float(c in getattr(t, way)) for c in classes] for t in told]), folder.exclusive)


def mean(values: list[float | None]) -> float | None:
    """The mean of those that are known."""
    known = [v for v in values if v is not None]
    return float(np.mean(known)) if known else None


def pair_of(interval: Interval | None) -> tuple[float, float] | None:
    """(low, high)."""
    return None if interval is None else (interval.low, interval.high)
