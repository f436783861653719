"""Few-shot masks: instant heads on the maps of a frozen encoder, from 5, 10 and 20 subjects, five times each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from usfm_studio.document.mask import Ids
from usfm_studio.document.splits import first_subjects
from usfm_studio.engine.learning.filters import CELL
from usfm_studio.engine.learning.instant import InstantHead, Linear, cells_of, to_native
from usfm_studio.engine.learning.ridge import Rows
from usfm_studio.engine.models.features import Features
from usfm_studio.engine.probing.frames import Folder, Frame
from usfm_studio.engine.probing.results import SEEDS, SIZES, FewShot, pair_of
from usfm_studio.engine.scoring import dice, mean_interval, mean_over_subjects

Run = tuple[int, int]
"""(training subjects, seed)."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Dice of one segment of one test image, by run."""

    image: str
    subject: str
    by_run: dict[Run, float]


def subsets(frames: Iterable[Frame], sizes: Sequence[int] = SIZES) -> dict[Run, list[str]]:
    """The subjects of every run, by the published hash; sizes that the subjects with masks cannot fill are left out."""
    subjects = list(dict.fromkeys(f.sample.subject for f in frames if f.sample.masked))
    return {
        (size, seed): first_subjects(subjects, size / len(subjects), seed)
        for size in sizes
        if size <= len(subjects)
        for seed in SEEDS
    }


def paired(folder: Folder, frame: Frame, answers: Mapping[Run, Ids]) -> list[Pair]:
    """The pairs of a test frame whose segment the reference has; `answers` are segment ids at native size."""
    reference = folder.mask(frame)
    present = [value for value in folder.values if (reference == value).any()]
    return [
        Pair(
            frame.sample.name,
            frame.sample.subject,
            {run: dice(ids == value, reference == value) for run, ids in answers.items()},
        )
        for value in present
    ]


def answer_of(segments: Sequence[int], margins_Krc: NDArray[np.float32], shape_rc: tuple[int, int]) -> Ids:
    """Segment ids: where a margin is above 0 the largest wins."""
    if not segments:
        return np.zeros(shape_rc, np.uint8)
    best = np.array(segments, np.uint8)[margins_Krc.argmax(0)] if len(segments) > 1 else np.uint8(segments[0])
    return np.where(margins_Krc.max(0) > 0, best, np.uint8(0)).astype(np.uint8)


def summed_up(pairs: Sequence[Pair]) -> dict[int, FewShot]:
    """The figures of each size. Without pairs: none."""
    if not pairs:
        return {}
    found = {}
    subjects = [p.subject for p in pairs]
    for size in sorted({size for size, _ in pairs[0].by_run}):
        seeds = sorted(seed for n, seed in pairs[0].by_run if n == size)
        table = np.array([[p.by_run[size, seed] for seed in seeds] for p in pairs])
        each = [float(v) for v in table.mean(1)]
        interval = mean_interval(each, subjects)
        found[size] = FewShot(
            dice=float(table.mean()),
            per_seed=tuple(float(v) for v in table.mean(0)),
            per_subject=mean_over_subjects(each, subjects),
            pairs=dict(Counter(subjects)),
            interval=pair_of(interval),
            interval_kind=None if interval is None else interval.kind,
        )
    return found


class Heads:
    """The instant heads of one folder: taught frame by frame, then asked for all runs at once."""

    def __init__(self, folder: Folder, channels: Mapping[int, int]) -> None:
        self.folder = folder
        self.runs = subsets(folder.train)
        self._channels = channels
        self._rows: dict[int, Rows] = {}
        self._segments: dict[Run, tuple[int, ...]] = {}
        self._linear: Linear | None = None
        self._wanted = {subject for subjects in self.runs.values() for subject in subjects}

    def teach(self, index: int, features: Features) -> None:
        """Take the cells of a training frame, if some run learns from its subject."""
        frame = self.folder.train[index]
        if frame.sample.masked and frame.sample.subject in self._wanted:
            self._rows[index] = cells_of(frame.sample.stem, features, frame.placement, self.folder.mask(frame))

    def learn(self, check: Callable[[], None] = lambda: None) -> None:
        """Solve all runs; the training frames are let go. `check` may raise."""
        solved = []
        for run, subjects in self.runs.items():
            check()
            head, wanted = InstantHead(self._channels, filters=False), set(subjects)
            for index in sorted(self._rows):
                sample = self.folder.train[index].sample
                if sample.subject in wanted:
                    head.add_rows(sample.stem, sample.subject, self._rows[index])
            head.solve()
            assert head.solution is not None
            self._segments[run] = head.solution.segments
            solved.append(head.linear(head.solution))
        self._linear = Linear.together(solved) if solved else None
        self._rows.clear()

    def ask(self, frame: Frame, features: Features) -> list[Pair]:
        """The pairs of a test frame."""
        if not frame.sample.masked or self._linear is None:
            return []
        cells = self._linear.at(features)[:, *frame.placement.inside(CELL)]
        margins = to_native(cells, frame.placement.native_rc)
        answers, start = {}, 0
        for run, segments in self._segments.items():
            own = margins[start : start + len(segments)]
            answers[run] = answer_of(segments, own, frame.placement.native_rc)
            start += len(segments)
        return paired(self.folder, frame, answers)
