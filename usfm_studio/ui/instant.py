"""What accepted frames teach at once: where no model speaks, the frames in view and ahead follow the instant head."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from PySide6.QtCore import QObject, QTimer

from usfm_studio.document.annotation import INSTANT, State
from usfm_studio.document.edit import Change, change_of
from usfm_studio.document.errors import Interrupted, StudioError
from usfm_studio.document.frame import Frame, FrameId
from usfm_studio.project.lesson_book import LessonBook
from usfm_studio.project.project import Project
from usfm_studio.ui.engine_watch import EngineWatch
from usfm_studio.ui.job import Job
from usfm_studio.ui.navigation import WAITING, Navigation
from usfm_studio.ui.parts import Whole
from usfm_studio.verbs.instant import InstantArguments, InstantResult
from usfm_studio.verbs.instant import run as propose_instantly
from usfm_studio.verbs.review import untouched
from usfm_studio.verbs.shelf import model_for
from usfm_studio.verbs.steps import Event

AHEAD = 3
"""Frames after the one in view: the head is another after the next accept, so more would be made in vain."""
LOOKED_AT = 200
"""Places after the one in view where a frame that waits is looked for."""
ARRIVED_MS = 60
"""A person who runs through frames is not followed on each."""
LEARNED = (State.DONE, State.NOTHING)


class Instant(QObject):
    """Runs the `instant` verb after each accept, undo and correction, and where the person goes. One at a time."""

    def __init__(self, session: Whole, navigation: Navigation, engine: EngineWatch) -> None:
        super().__init__()
        self._session, self._navigation, self._engine = session, navigation, engine
        self._book = LessonBook()
        self._job: Job | None = None
        self._once_more = False
        self._untaught: set[str] = set()
        self._failed: set[FrameId] = set()
        self._told: set[str] = set()
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self._go)
        session.changed.connect(self._on_changed)
        session.current_changed.connect(self._on_current)

    @property
    def busy(self) -> bool:
        """True while it is at work, or about to be."""
        return self._soon.isActive() or (self._job is not None and self._job.running)

    def refresh(self) -> None:
        """Look again whether the frames in view and ahead lack what was learned."""
        self._soon.start(0)

    def leave(self) -> None:
        """The project closes."""
        self._soon.stop()
        if self._job is not None:
            self._job.cancel()
        self._job, self._once_more = None, False
        self._book = LessonBook()
        for held in (self._untaught, self._failed, self._told):
            held.clear()

    def _on_current(self) -> None:
        if not (self._soon.isActive() and self._soon.interval() == 0):
            self._soon.start(ARRIVED_MS)

    def _on_changed(self, change: Change) -> None:
        project = self._session.project
        if project is None:
            return
        others = change.kinds & {"champion", "schema", "instances"}
        if change.kinds & {"schema", "instances"}:
            self._book.clear()
            self._failed.clear()
        worked = change.frames if change.kinds & {"masks", "annotation"} else frozenset()
        taught = self._book.forget(worked) if worked else False
        if others or taught or any(project.annotation(frame).state in LEARNED for frame in worked):
            self._untaught.clear()
            self.refresh()

    def _go(self) -> None:
        session, project = self._session, self._session.project
        if project is None or session.read_only or not self._engine.usable:
            return
        if self._job is not None and self._job.running:
            self._once_more = True
            return
        frames = tuple(islice(self._near(project), 1 + AHEAD))
        if not frames or (session.exam in self._untaught and not any(_is_instant(project, f) for f in frames)):
            return
        exam, self._once_more = session.exam, False
        self._job = Job(
            propose_instantly(InstantArguments(exam=exam, frames=frames, book=self._book), session.house),
            event=self._on_event,
            done=lambda result: self._on_done(exam, result),
            failed=self._on_failed,
            parent=self,
        ).start()

    def _near(self, project: Project) -> Iterator[Frame]:
        """Frames that nobody has worked on and no model speaks for: the one in view, then those that come next."""
        for frame in islice(self._from_here(), LOOKED_AT):
            if frame.id in self._failed or not untouched(project, frame.id):
                continue
            try:
                if model_for(project, frame.instance) is None:
                    yield frame
            except StudioError:
                continue  # a model that is broken is told where it is to propose

    def _from_here(self) -> Iterator[Frame]:
        here, items, row = self._session.current, self._navigation.items, self._navigation.item_index
        if here is None or row < 0:
            return
        for index in range(here.index, here.instance.frames):
            yield Frame(instance=here.instance, index=index)
        for item in (*items[row + 1 :], *items[:row]):
            if item.exam == self._session.exam and item.state in WAITING:
                yield Frame(instance=item.instance, index=0)

    def _on_event(self, event: Event) -> None:
        if event.kind == "applied":
            self._session.announce(change_of(event.body["edit"]))

    def _on_done(self, exam: str, result: InstantResult) -> None:
        if not result.lessons and not self._once_more:
            self._untaught.add(exam)
        self._failed.update(result.failed)
        self._continue()

    def _on_failed(self, error: StudioError) -> None:
        if not isinstance(error, Interrupted) and error.what not in self._told:
            self._told.add(error.what)
            self._session.tell(error)
        self._continue()

    def _continue(self) -> None:
        if self._once_more:
            self.refresh()


def _is_instant(project: Project, frame: Frame) -> bool:
    return (project.proposer(frame.id) or "").startswith(INSTANT)
