"""The model's words: proposals for the frame in view at once, for the others in the background."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from usfm_studio.document.edit import Change, change_of
from usfm_studio.document.errors import NotFound, StudioError
from usfm_studio.document.frame import Frame, FrameId
from usfm_studio.ui.job import Job
from usfm_studio.ui.state import Notice
from usfm_studio.verbs.propose import ProposeArguments
from usfm_studio.verbs.propose import run as propose
from usfm_studio.verbs.review import untouched
from usfm_studio.verbs.shelf import model_for, read_card
from usfm_studio.verbs.steps import Event

if TYPE_CHECKING:
    from usfm_studio.ui.session import Session

ROUND = 24


class Proposing(QObject):
    """Runs the `propose` verb. What the person looks at comes first; a new model's words replace the old one's."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._background: Job | None = None
        self._asked: Job | None = None
        self._failed: set[FrameId] = set()
        self._complete = False
        session.current_changed.connect(self._on_current)
        session.changed.connect(self._on_changed)

    @property
    def busy(self) -> bool:
        """True while proposals are being made."""
        return any(job is not None and job.running for job in (self._background, self._asked))

    def here(self) -> None:
        """Propose for the frame in view, whatever stands on it; annotations stay untouched."""
        frame = self._session.current
        project = self._session.project
        if frame is None or project is None:
            return
        if model_for(project, frame.instance) is None:
            self._session.notice.emit(
                Notice(
                    kind="info",
                    title="No model for this kind of image yet",
                    text="Accept 3 frames of 2 subjects, then Ctrl+T.",
                )
            )
            return
        arguments = ProposeArguments(frames=(frame,), all_frames=True)
        self._asked = self._job(arguments, quiet=False)

    def everywhere(self) -> None:
        """Propose for every frame that nobody has worked on."""
        self._failed.clear()
        self._complete = False
        self.fill(quiet=False)

    def fill(self, *, quiet: bool = True) -> None:
        """Go through the frames that lack their model's proposal, nearest first, a round at a time."""
        if self._background is not None and self._background.running:
            return
        if self._session.read_only or self._session.engine.kind in ("stopped", "restarting"):
            return
        frames = self._lacking()
        self._complete = not frames
        if frames:
            self._background = self._job(ProposeArguments(frames=tuple(frames[:ROUND])), quiet=quiet)

    def stop(self) -> None:
        """Let go of whatever is being proposed."""
        for job in (self._background, self._asked):
            if job is not None:
                job.cancel()
        self._background = self._asked = None
        self._failed.clear()
        self._complete = False

    def _on_current(self) -> None:
        if not self._complete:
            self.fill()

    def _on_changed(self, change: Change) -> None:
        if change.kinds & {"champion", "instances", "schema", "annotation"}:
            self._complete = False
        if change.kinds & {"champion", "instances"}:
            self.fill()

    def _lacking(self) -> list[Frame]:
        project = self._session.project
        if project is None:
            return []
        digests: dict[str, str | None] = {}
        here = self._session.navigation.item_index
        found: list[tuple[int, Frame]] = []
        for row, item in enumerate(self._session.navigation.items):
            key = f"{item.exam}\0{item.instance.body_part}\0{item.instance.study_description}"
            if key not in digests:
                model = model_for(project, item.instance)
                digests[key] = read_card(model).digest if model else None
            wanted = digests[key]
            if wanted is None:
                continue
            for index in range(item.instance.frames):
                frame = Frame(instance=item.instance, index=index)
                proposal = project.proposal(frame.id)
                fresh = proposal is not None and proposal.model == wanted
                if not fresh and frame.id not in self._failed and untouched(project, frame.id):
                    found.append(((row - here) % max(1, len(self._session.navigation.items)), frame))
        found.sort(key=lambda pair: pair[0])
        return [frame for _, frame in found]

    def _job(self, arguments: ProposeArguments, *, quiet: bool) -> Job:
        frames = arguments.frames or ()
        return Job(
            propose(arguments, self._session.house),
            event=self._on_event,
            done=lambda _result: self.fill(quiet=quiet),
            failed=lambda error: self._on_failed(error, frames, quiet=quiet),
            parent=self,
        ).start()

    def _on_event(self, event: Event) -> None:
        if event.kind == "applied":
            self._session.announce(change_of(event.body["edit"]))

    def _on_failed(self, error: StudioError, frames: tuple[Frame, ...], *, quiet: bool) -> None:
        self._failed.update(frame.id for frame in frames)
        if not (quiet and isinstance(error, NotFound)):
            self._session.tell(error)
