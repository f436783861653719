"""A head that has always learned from exactly the lessons that it was told last, whatever it learned before.

A *lesson* is an accepted frame with its mask. Its cells are taken once; then a lesson that comes or goes costs its own
sums alone, and the head of a given list is the same whether it was taught frame by frame, by detours, or at once:

    head = TaughtHead(encoder.channels)
    head.take(lesson, features, placement, ids, x_1HW)
    head.learn([lesson, ...])          # ValueError where one of them was never taken
    ids, confidences = head.propose(features, placement, x_1HW)

Shapes: as in `instant.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from usfm_studio.document.mask import Ids
from usfm_studio.engine.learning.instant import DIRECTIONS, InstantHead, directions_of
from usfm_studio.engine.learning.ridge import Rows
from usfm_studio.engine.models.components import soft_dice
from usfm_studio.engine.models.features import Features
from usfm_studio.engine.models.placement import Placement

BASIS_SIZES = (8, 4, 2, 1)
"""The directions come from so many lessons, the first of the list: found anew when the list has doubled, up to 8."""
LEAST_LEFT_OUT = 0.5
"""A segment that lessons left out get worse than this is not proposed: it would cost a person more than it saves."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """Which frame, in which state (`revision` changes with its mask), and whose (a code, no name)."""

    key: str
    revision: str
    subject: str


class TaughtHead:
    """See the module. `channels` are the encoder's widths by stride.

    `least`: segments that lessons left out get with a lower Dice are not proposed.
    """

    def __init__(self, channels: Mapping[int, int], least: float = LEAST_LEFT_OUT) -> None:
        self._channels = dict(channels)
        self._least = least
        self._taken: dict[Lesson, tuple[Rows, Tensor | None]] = {}
        self._sampler = InstantHead(channels)
        self._head: InstantHead | None = None
        self._basis: tuple[Lesson, ...] = ()
        self._learned: dict[str, Lesson] = {}

    def missing(self, lessons: Iterable[Lesson]) -> list[Lesson]:
        """Those that were never taken in this state, or let go since."""
        return [lesson for lesson in lessons if lesson not in self._taken]

    def take(
        self,
        lesson: Lesson,
        features: Features,
        placement: Placement,
        ids: Ids,
        x_1HW: NDArray[np.float32],
    ) -> None:
        """Keep the cells of a frame (features with B = 1, mask at native size). It counts when it is learned."""
        self._taken[lesson] = self._sampler.cells(lesson.key, features, placement, ids, x_1HW)

    def learn(self, lessons: Sequence[Lesson]) -> None:
        """Become what follows from these lessons, in this order; what was taken and is not among them is let go.

        Raises ValueError without lessons, and where one was not taken.
        """
        if not lessons or self.missing(lessons):
            raise ValueError("there is nothing to learn, or something that was never taken")
        self._taken = {lesson: self._taken[lesson] for lesson in lessons}
        basis = tuple(lessons[: next(size for size in BASIS_SIZES if size <= len(lessons))])
        wanted = {lesson.key: lesson for lesson in lessons}
        if self._head is not None and basis == self._basis and wanted == self._learned:
            return
        if self._head is None or basis != self._basis:
            self._begin(basis)
        assert self._head is not None
        for key, lesson in self._learned.items():
            if wanted.get(key) != lesson:
                self._head.remove(key)
        for key, lesson in wanted.items():
            if self._learned.get(key) != lesson:
                self._head.add_rows(key, lesson.subject, *self._taken[lesson])
        self._learned = wanted
        self._head.solve()

    def propose(
        self, features: Features, placement: Placement, x_1HW: NDArray[np.float32]
    ) -> tuple[Ids, dict[int, float]]:
        """(ids at native size, read-only; soft Dice confidence by value, of those that occur) of a frame.

        Segments that are known to be found too badly (`left_out`) are left out. Raises ValueError before `learn`.
        """
        if self._head is None:
            raise ValueError("nothing has been learned yet")
        classes, p_Krc = self._head.predict(features, placement, x_1HW)
        bad = {value for value, dice in self.left_out.items() if dice < self._least}
        ids = np.array([0 if value in bad else value for value in classes], np.uint8)[p_Krc.argmax(0)]
        ids.flags.writeable = False
        marked = [(n, value) for n, value in enumerate(classes) if value]
        return ids, {v: soft_dice(p_Krc[n], ids == v) for n, v in marked if (ids == v).any()}

    @property
    def left_out(self) -> dict[int, float]:
        """By segment, the mean Dice over lessons as answered without their subject; empty with one subject."""
        found: dict[int, list[float]] = {}
        for by_segment in (self._head.left_out if self._head is not None else {}).values():
            for value, dice in by_segment.items():
                found.setdefault(value, []).append(dice)
        return {value: float(np.mean(each)) for value, each in found.items()}

    def _begin(self, basis: tuple[Lesson, ...]) -> None:
        rows = [self._taken[lesson][0].x_ND for lesson in basis]
        directions = min(DIRECTIONS, sum(self._channels.values()))
        self._head = InstantHead.on(directions_of(rows, self._channels, directions), self._channels)
        self._basis, self._learned = basis, {}
