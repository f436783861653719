"""The shared arrays that a request names: lent to the host, and given back when nobody works on them any longer."""

from __future__ import annotations

import threading
from types import MappingProxyType
from typing import Any

import msgspec
from numpy.typing import NDArray

from usfm_studio.children.arrays import ArrayPool, ArrayRef
from usfm_studio.document.errors import ChildDied, StudioError
from usfm_studio.engine.doors import FramePixels, Lesson, ProposalParts
from usfm_studio.engine.requests import Array, LessonIn, ProposalOut


class Loan:
    """The shared arrays of one request, given back together when no process works on them any longer."""

    def __init__(self, pool: ArrayPool) -> None:
        self._pool = pool
        self._refs: list[ArrayRef] = []
        self._guard = threading.Lock()
        self.open = True

    def give(self, shape: tuple[int, ...], dtype: str) -> tuple[Array, NDArray[Any]]:
        """An array for the host to fill."""
        ref, array = self._pool.give(shape, dtype)
        self._refs.append(ref)
        return _as_json(ref), array

    def copy_of(self, values: NDArray[Any]) -> Array:
        """Where the host finds a copy of an array."""
        place, array = self.give(tuple(values.shape), values.dtype.name)
        array[...] = values
        return place

    def pixels(self, frame: FramePixels) -> Array:
        """Where the host finds a frame's pixels: where they are already, or in a copy."""
        if frame.ref is not None:
            return _as_json(frame.ref)
        assert frame.array is not None
        place, array = self.give(tuple(frame.array.shape), frame.array.dtype.name)
        array[...] = frame.array
        return place

    def lesson(self, lesson: Lesson) -> LessonIn:
        """A lesson for the host, whole where it is."""
        said = LessonIn(key=lesson.key, revision=lesson.revision, subject=lesson.subject)
        if lesson.pixels is None or lesson.ids is None:
            return said
        place, array = self.give(tuple(lesson.ids.shape), "uint8")
        array[...] = lesson.ids
        return msgspec.structs.replace(said, pixels=self.pixels(lesson.pixels), digest=lesson.pixels.digest, ids=place)

    def give_back(self) -> None:
        """The request is over for everybody."""
        with self._guard:
            self.open = False
            for ref in self._refs:
                self._pool.give_back(ref)

    def copied(self, array: NDArray[Any]) -> NDArray[Any]:
        """What the host wrote, as the caller's own. Raises ChildDied after the loan has ended."""
        with self._guard:
            if not self.open:
                raise ChildDied("The engine answered too late")
            return read_only(array.copy())


class Outs:
    """Where the host puts one frame's answer. `classes` 0 means that no probabilities are wanted."""

    def __init__(self, loan: Loan, frame: FramePixels, classes: int) -> None:
        self._loan, self._key = loan, frame.key
        rows, columns = frame.shape[:2]
        self.ids_in, self._ids = loan.give((rows, columns), "uint8")
        self.probabilities_in: Array | None = None
        self._probabilities: NDArray[Any] | None = None
        if classes:
            self.probabilities_in, self._probabilities = loan.give((classes, rows, columns), "float16")

    def parts(self, said: ProposalOut, segments: int) -> ProposalParts:
        """The answer as the caller's own values, checked: a child is not believed."""
        ids = self._loan.copied(self._ids)
        if int(ids.max(initial=0)) > segments:
            raise StudioError("The engine answered with a segment that the model does not have")
        return ProposalParts(
            key=self._key,
            ids=ids,
            confidences=MappingProxyType(said.confidences),
            predicted_dice=MappingProxyType(said.predicted_dice),
            labels=MappingProxyType(said.labels),
            probabilities=None if self._probabilities is None else self._loan.copied(self._probabilities),
        )


def _as_json(ref: ArrayRef) -> Array:
    return Array(ref.handle, ref.shape, ref.dtype)


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """The same array, which nobody may write to from now on."""
    array.flags.writeable = False
    return array
