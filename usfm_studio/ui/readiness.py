"""What fine-tuning could learn from: frames that are done, counted as decisions fall and never all over again."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, Signal

from usfm_studio.document.annotation import State
from usfm_studio.document.edit import Change
from usfm_studio.document.errors import StudioError
from usfm_studio.document.frame import FrameId
from usfm_studio.project.project import Project
from usfm_studio.ui.job import hands
from usfm_studio.ui.state import Readiness

if TYPE_CHECKING:
    from usfm_studio.ui.session import Session

LEARNED = (State.DONE, State.NOTHING)
AT_ONCE = 16
Values = dict[FrameId, tuple[int, ...]]


class Counting(QObject):
    """Keeps `readiness` of the exam group in view. Masks are looked at apart, a few at a time."""

    changed = Signal()
    _looked = Signal(object, object)  # Project, Future[Values]

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self.readiness = Readiness()
        self._done: dict[str, dict[FrameId, str]] = {}  # exam -> frame -> subject
        self._exam_of: dict[FrameId, str] = {}
        self._values: Values = {}
        self._looking = False
        self._looked.connect(self._on_looked, Qt.ConnectionType.QueuedConnection)
        session.changed.connect(self._on_changed)
        session.current_changed.connect(self._on_current)

    def enter(self) -> None:
        """Another project: look at all that a person has worked on."""
        self.leave()
        self._sort_all()

    def leave(self) -> None:
        """The project closes."""
        self._done, self._exam_of, self._values = {}, {}, {}
        self.readiness = Readiness()

    def _sort_all(self) -> None:
        project = self._session.project
        self._done, self._exam_of = {}, {}
        for frame in project.annotated() if project is not None else ():
            self._sort(project, frame.id)
        self._count()

    def _on_changed(self, change: Change) -> None:
        project = self._session.project
        if project is None:
            return
        if "masks" in change.kinds:
            for frame in change.frames:
                self._values.pop(frame, None)
        if change.kinds & {"schema", "instances"}:
            self._sort_all()
        elif change.kinds & {"annotation", "masks"}:
            for frame in change.frames:
                self._sort(project, frame)
            self._count()

    def _on_current(self) -> None:
        if self._session.exam != self.readiness.exam:
            self._count()

    def _sort(self, project: Project | None, frame: FrameId) -> None:
        """Put one frame where it belongs now."""
        if project is None:
            return
        earlier = self._exam_of.pop(frame, None)
        if earlier is not None:
            self._done[earlier].pop(frame, None)
        if project.annotation(frame).state not in LEARNED:
            return
        try:
            instance = project.frame(frame).instance
        except StudioError:
            return  # its file is not in the project any more
        exam = project.schema.exam_of(instance)
        self._exam_of[frame] = exam
        self._done.setdefault(exam, {})[frame] = instance.subject

    def _count(self) -> None:
        project = self._session.project
        if project is None:
            return
        exam = self._session.exam
        frames = self._done.get(exam, {})
        segments: Counter[str] = Counter()
        labels: Counter[str] = Counter()
        empty = 0
        for frame in frames:
            annotation = project.annotation(frame)
            values = self._values.get(frame) if annotation.state is State.DONE else ()
            empty += values == ()
            segments.update(s.name for v in values or () if (s := project.schema.segment(v)))
            labels.update(annotation.labels)
        before = self.readiness
        self.readiness = replace(
            before,
            frames=len(frames),
            subjects=len(set(frames.values())),
            exam=exam,
            frames_empty=empty,
            segment_frames=tuple(segments.items()),
            label_frames=tuple(labels.items()),
        )
        if before != self.readiness:
            self.changed.emit()
        self._look(project, frames)

    def _look(self, project: Project, frames: dict[FrameId, str]) -> None:
        """See what is marked on frames of which that is not known yet."""
        unknown = [frame for frame in frames if frame not in self._values][:AT_ONCE]
        if unknown and not self._looking:
            self._looking = True
            hands().submit(_values_on, project, unknown).add_done_callback(lambda seen: self._tell(project, seen))

    def _tell(self, project: Project, seen: Future[Values]) -> None:
        try:
            self._looked.emit(project, seen)
        except RuntimeError:
            return  # the window is gone

    def _on_looked(self, project: Project, seen: Future[Values]) -> None:
        self._looking = False
        if project is not self._session.project or seen.exception() is not None:
            return
        self._values |= {frame: values for frame, values in seen.result().items() if frame in self._exam_of}
        self._count()


def _values_on(project: Project, frames: list[FrameId]) -> Values:
    found: Values = {}
    for frame in frames:
        try:
            found[frame] = project.mask(frame).values()
        except StudioError:
            found[frame] = ()  # damaged: it is told where it is shown
    return found
