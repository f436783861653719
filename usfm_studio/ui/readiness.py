"""What fine-tuning could learn from: frames that are done, counted as decisions fall and never all over again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from itertools import islice

from PySide6.QtCore import QObject, Qt, Signal

from usfm_studio.document.annotation import State
from usfm_studio.document.edit import Change
from usfm_studio.document.errors import StudioError
from usfm_studio.document.frame import FrameId, Instance
from usfm_studio.document.schema import Schema
from usfm_studio.project.project import Project
from usfm_studio.ui.job import hands
from usfm_studio.ui.parts import Whole
from usfm_studio.ui.state import Readiness

LEARNED = (State.DONE, State.NOTHING)
AT_ONCE = 32
Values = dict[FrameId, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Done:
    """A frame that is done. `values` is None until its mask has been looked at."""

    exam: str
    subject: str
    labels: tuple[str, ...]
    values: tuple[int, ...] | None


@dataclass(slots=True)
class _Sums:
    """All done frames of one exam group."""

    frames: int = 0
    empty: int = 0
    subjects: Counter[str] = field(default_factory=Counter)
    values: Counter[int] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)

    def add(self, done: Done, sign: int) -> None:
        """Count one frame in (1) or out (-1)."""
        self.frames += sign
        self.empty += sign * (done.values == ())
        self.subjects[done.subject] += sign
        for label in done.labels:
            self.labels[label] += sign
        for value in done.values or ():
            self.values[value] += sign

    def readiness(self, exam: str, schema: Schema) -> Readiness:
        """As the window shows it."""
        named = ((schema.segment(value), count) for value, count in self.values.items())
        return Readiness(
            frames=self.frames,
            subjects=sum(count > 0 for count in self.subjects.values()),
            exam=exam,
            frames_empty=self.empty,
            segment_frames=tuple((segment.name, count) for segment, count in named if segment and count),
            label_frames=tuple((label, count) for label, count in self.labels.items() if count),
        )


class Counting(QObject):
    """Keeps `readiness` of the exam group in view. Masks are looked at apart, a few at a time."""

    changed = Signal()
    _looked = Signal(object, object)  # Project, Future[Values]

    def __init__(self, session: Whole) -> None:
        super().__init__()
        self._session = session
        self.readiness = Readiness()
        self._forget()
        self._looking = False
        self._looked.connect(self._on_looked, Qt.ConnectionType.QueuedConnection)
        session.changed.connect(self._on_changed)
        session.current_changed.connect(self._on_current)

    def enter(self, done: Mapping[FrameId, Done]) -> None:
        """Another project, in which this is done."""
        self.leave()
        for frame, one in done.items():
            self._put(frame, one)
        if self._session.project is not None:
            self._tell_if_new(self._session.project)

    def leave(self) -> None:
        """The project closes."""
        self._forget()
        self.readiness = Readiness()

    def _forget(self) -> None:
        self._done: dict[FrameId, Done] = {}
        self._sums: dict[str, _Sums] = {}
        self._unknown: dict[FrameId, None] = {}
        self._asked: set[FrameId] = set()

    def _sort_all(self) -> None:
        project = self._session.project
        if project is not None:
            self.enter(done_in(project, {frame: done.values for frame, done in self._done.items()}))

    def _on_changed(self, change: Change) -> None:
        project = self._session.project
        if project is None:
            return
        painted = "masks" in change.kinds
        if painted or "annotation" in change.kinds:
            for frame in change.frames:
                known = self._done.get(frame)
                self._sort(project, frame, known.values if known is not None and not painted else None)
        if change.kinds & {"schema", "instances"}:
            self._sort_all()
        elif change.kinds & {"annotation", "masks"}:
            self._tell_if_new(project)

    def _on_current(self) -> None:
        if self._session.project is not None and self._session.exam != self.readiness.exam:
            self._tell_if_new(self._session.project)

    def _sort(self, project: Project, frame: FrameId, values: tuple[int, ...] | None) -> None:
        """Put one frame where it belongs now; `values` as far as they are known."""
        try:
            self._put(frame, _done(project, project.frame(frame).instance, frame, values))
        except StudioError:
            self._put(frame, None)  # its file is not in the project any more

    def _put(self, frame: FrameId, done: Done | None) -> None:
        earlier = self._done.pop(frame, None)
        self._unknown.pop(frame, None)
        self._asked.discard(frame)  # an answer that is on its way is about an earlier mask
        if earlier is not None:
            self._sums[earlier.exam].add(earlier, -1)
        if done is not None:
            self._done[frame] = done
            self._sums.setdefault(done.exam, _Sums()).add(done, 1)
            if done.values is None:
                self._unknown[frame] = None

    def _tell_if_new(self, project: Project) -> None:
        exam = self._session.exam
        before, self.readiness = self.readiness, self._sums.get(exam, _Sums()).readiness(exam, project.schema)
        if before != self.readiness:
            self.changed.emit()
        self._look(project)

    def _look(self, project: Project) -> None:
        """See what is marked on frames of which that is not known yet."""
        if self._unknown and not self._looking:
            self._looking = True
            asked = list(islice(self._unknown, AT_ONCE))
            self._asked = set(asked)
            hands().submit(_values_on, project, asked).add_done_callback(lambda seen: self._tell(project, seen))

    def _tell(self, project: Project, seen: Future[Values]) -> None:
        try:
            self._looked.emit(project, seen)
        except RuntimeError:
            return  # the window is gone

    def _on_looked(self, project: Project, seen: Future[Values]) -> None:
        self._looking = False
        if project is not self._session.project or seen.exception() is not None:
            return
        for frame, values in seen.result().items():
            if frame in self._asked:
                self._put(frame, replace(self._done[frame], values=values))
        self._tell_if_new(project)


def done_in(project: Project, known: Mapping[FrameId, tuple[int, ...] | None] | None = None) -> dict[FrameId, Done]:
    """All frames that are done, with the values on them as far as they are known."""
    held = known or {}
    found = ((f.id, _done(project, f.instance, f.id, held.get(f.id))) for f in project.annotated())
    return {frame: done for frame, done in found if done is not None}


def _done(project: Project, instance: Instance, frame: FrameId, values: tuple[int, ...] | None) -> Done | None:
    annotation = project.annotation(frame)
    if annotation.state not in LEARNED:
        return None
    values = () if annotation.state is State.NOTHING else values
    return Done(project.schema.exam_of(instance), instance.subject, annotation.labels, values)


def _values_on(project: Project, frames: list[FrameId]) -> Values:
    found: Values = {}
    for frame in frames:
        try:
            found[frame] = project.mask(frame).values()
        except StudioError:
            found[frame] = ()  # damaged: it is told where it is shown
    return found
