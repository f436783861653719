"""The model's words: proposals for the frame in view at once, for the others in the background."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter

from PySide6.QtCore import QObject, QTimer

from usfm_studio.document.edit import Change, change_of
from usfm_studio.document.errors import BadModel, DiskFull, Interrupted, ReadOnly, StudioError
from usfm_studio.document.frame import Frame, FrameId, Instance
from usfm_studio.project.project import Project
from usfm_studio.ui.engine_watch import EngineWatch
from usfm_studio.ui.job import Job
from usfm_studio.ui.navigation import Navigation
from usfm_studio.ui.parts import Whole
from usfm_studio.ui.state import Item, Notice
from usfm_studio.verbs.finetune import ready
from usfm_studio.verbs.propose import ProposeArguments
from usfm_studio.verbs.propose import run as propose
from usfm_studio.verbs.review import untouched
from usfm_studio.verbs.shelf import model_for, read_card
from usfm_studio.verbs.steps import Event

ROUND = 8
"""Frames asked for together: few, so that the next round begins where the person has gone meanwhile."""
SLICE_S = 0.005
"""A look through thousands of files goes on in the next turn of the event loop after so long."""
AGAIN_MS = 1000
"""Work that was taken back, or found no room to write, is tried again after so long."""
LISTED = 100
Wanted = tuple[Frame, str]
"""A frame, and the digest of the model whose proposal it lacks."""


class Proposing(QObject):
    """Runs the `propose` verb. What the person looks at comes first; a new model's words replace the old one's."""

    def __init__(self, session: Whole, navigation: Navigation, engine: EngineWatch) -> None:
        super().__init__()
        self._session, self._navigation, self._engine = session, navigation, engine
        self._background: Job | None = None
        self._asked: Job | None = None
        self._round = ROUND
        self._failed: dict[FrameId, str] = {}
        self._untold = 0
        self._full: set[str] = set()
        self._told_models: set[str] = set()
        self._broken: set[str] = set()
        self._again = QTimer(self)
        self._again.setSingleShot(True)
        self._again.setInterval(AGAIN_MS)
        self._again.timeout.connect(self._try_again)
        session.current_changed.connect(self._on_current)
        session.changed.connect(self._on_changed)

    @property
    def busy(self) -> bool:
        """True while proposals are being made."""
        return any(job is not None and job.running for job in (self._background, self._asked))

    def here(self) -> None:
        """Propose for the frame in view, whatever stands on it; annotations stay untouched."""
        session, frame, project = self._session, self._session.current, self._session.project
        if frame is None or project is None:
            return
        if model_for(project, frame.instance) is None and not ready(project, session.exam):
            title, text = "No model for this kind of image yet", "Accept 3 frames of 2 subjects, then Ctrl+T."
            session.notice.emit(Notice(kind="info", title=title, text=text))
            return
        self._wake_engine()
        self._failed.pop(frame.id, None)
        self._ask(ProposeArguments(frames=(frame,), all_frames=True))

    def _ask(self, arguments: ProposeArguments) -> None:
        if self._asked is not None:
            self._asked.cancel()
        self._asked = Job(
            propose(arguments, self._session.house),
            event=self._on_event,
            done=lambda _result: self.fill(),
            failed=self._on_asked_failed,
            parent=self,
        ).start()

    def everywhere(self) -> None:
        """Propose for every frame that nobody has worked on."""
        self._wake_engine()
        self._forget()
        self.fill()
        session, frame, project = self._session, self._session.current, self._session.project
        if frame is None or project is None or session.read_only:
            return
        if model_for(project, frame.instance) is None and ready(project, session.exam):
            self._ask(ProposeArguments(exam=session.exam))

    def fill(self) -> None:
        """Go through the frames that lack their model's proposal, nearest first, a round at a time."""
        session = self._session
        if session.project is None or session.read_only or not self._engine.usable:
            return
        if self._background is not None and self._background.running:
            return
        wanted, seen_all = self._look(session.project)
        if wanted:
            self._background = Job(
                propose(ProposeArguments(frames=tuple(frame for frame, _ in wanted)), session.house),
                event=self._on_event,
                done=self._on_done,
                failed=lambda error: self._on_failed(error, wanted),
                parent=self,
            ).start()
        elif seen_all:
            self._tell_failed()
        else:
            QTimer.singleShot(0, self.fill)

    def stop(self) -> None:
        """Let go of whatever is being proposed."""
        for job in (self._background, self._asked):
            if job is not None:
                job.cancel()
        self._background = self._asked = None
        self._again.stop()

    def leave(self) -> None:
        """The project closes."""
        self.stop()
        self._forget()

    def _forget(self) -> None:
        self._failed.clear()
        self._full.clear()
        self._told_models.clear()
        self._broken.clear()
        self._untold = 0
        self._round = ROUND

    def _wake_engine(self) -> None:
        if self._engine.state.kind == "stopped":
            self._engine.start()

    # --- what is lacking ---------------------------------------------------------------------------------------

    def _on_current(self) -> None:
        self.fill()

    def _on_changed(self, change: Change) -> None:
        if change.kinds & {"champion", "instances", "schema"}:
            self._full.clear()
        if "champion" in change.kinds:
            self._broken.clear()
        for frame in change.frames:
            self._full.discard(frame.source)
        if change.kinds & {"champion", "instances"}:
            QTimer.singleShot(0, self.fill)

    def _look(self, project: Project) -> tuple[list[Wanted], bool]:
        """A round's frames that lack a proposal, and whether there was time to look at all files."""
        began, wanted = perf_counter(), list[Wanted]()
        for lacking in self._lacking(project):
            wanted += lacking
            if len(wanted) >= self._round:
                return wanted[: self._round], False
            if perf_counter() - began > SLICE_S:
                return wanted, False
        return wanted, True

    def _lacking(self, project: Project) -> Iterator[list[Wanted]]:
        """What files lack, from the one in view on. Those that lack nothing are looked at only once."""
        items, here = self._navigation.items, max(0, self._navigation.item_index)
        models: dict[tuple[str, str, str, str], str | None] = {}
        for row in (*range(here, len(items)), *range(here)):
            item = items[row]
            if item.instance.digest in self._full:
                continue
            model = self._model_of(project, item, models)
            lacking = self._of_item(project, item, model) if model is not None else []
            if not lacking:
                self._full.add(item.instance.digest)
            yield lacking

    def _of_item(self, project: Project, item: Item, model: str) -> list[Wanted]:
        return [
            (Frame(instance=item.instance, index=frame.index), model)
            for frame in self._frames_of(item)
            if self._lacks(project, frame, model)
        ]

    def _frames_of(self, item: Item) -> Iterator[FrameId]:
        """All frames of an item, those of the loop in view from the one in view on."""
        current, count = self._session.current, item.instance.frames
        first = current.index if current is not None and current.instance.digest == item.instance.digest else 0
        for index in (*range(first, count), *range(first)):
            yield FrameId(item.instance.digest, index)

    def _lacks(self, project: Project, frame: FrameId, model: str) -> bool:
        return project.proposer(frame) != model and frame not in self._failed and untouched(project, frame)

    def _model_of(self, project: Project, item: Item, known: dict[tuple[str, str, str, str], str | None]) -> str | None:
        """Digest of the model that proposes for an item; a model that cannot be used is told once."""
        i = item.instance
        key = (item.exam, i.body_part, i.study_description, i.series_description)
        if key not in known:
            try:
                model = _model_for(project, i)
            except StudioError as error:
                model = None
                self._tell_of_model(error)
            known[key] = model if model not in self._broken else None
        return known[key]

    def _tell_of_model(self, error: StudioError) -> None:
        if error.what not in self._told_models:
            self._told_models.add(error.what)
            self._session.tell(error)

    # --- what became of it -------------------------------------------------------------------------------------

    def _on_event(self, event: Event) -> None:
        if event.kind == "applied":
            self._session.announce(change_of(event.body["edit"]))

    def _on_done(self, _result: object) -> None:
        self._round = ROUND
        self.fill()

    def _on_failed(self, error: StudioError, wanted: list[Wanted]) -> None:
        """What failed decides: no frame is to blame for work that was taken back or for a disk that is full. For all
        else the frames of the round are tried one by one, to find the one that is."""
        project = self._session.project
        if project is None:
            return
        if isinstance(error, (Interrupted, DiskFull, ReadOnly)):
            self._again.start()
            return
        if len(wanted) == 1:
            self._blame(project, error, *wanted[0])
        self._round = 1
        QTimer.singleShot(0, self.fill)

    def _blame(self, project: Project, error: StudioError, frame: Frame, model: str) -> None:
        """Leave out what has failed alone: the model, or the frame, unless another model is to propose for it now."""
        if isinstance(error, BadModel):
            self._broken.add(model)
            self._tell_of_model(error)
        elif self._lacks(project, frame.id, model) and _speaks(project, frame, model):
            self._failed[frame.id] = str(error)
            self._untold += 1

    def _try_again(self) -> None:
        if self._session.project is not None and self._session.read_only:
            self._again.start()  # there is no room yet
        else:
            self.fill()

    def _tell_failed(self) -> None:
        """All that can be proposed is there: say once what is not."""
        if not self._untold:
            return
        count, self._untold = self._untold, 0
        reasons = list(dict.fromkeys(self._failed.values()))
        title = f"{count} frame{'s have' if count > 1 else ' has'} no proposal"
        text = reasons[0] if len(reasons) == 1 else f"{len(reasons)} reasons; Shift+Y tries again."
        self._session.notice.emit(
            Notice(kind="warning", title=title, text=text, details="\n".join(reasons[:LISTED]) if reasons[1:] else "")
        )

    def _on_asked_failed(self, error: StudioError) -> None:
        if not isinstance(error, Interrupted):
            self._session.tell(error)
        self.fill()


def _model_for(project: Project, instance: Instance) -> str | None:
    """Digest of the model that proposes for an image. Raises StudioError where it cannot be used."""
    folder = model_for(project, instance)
    return read_card(folder).digest if folder is not None else None


def _speaks(project: Project, frame: Frame, model: str) -> bool:
    try:
        return _model_for(project, frame.instance) == model
    except StudioError:
        return False  # it is told when frames are looked for
