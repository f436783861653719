"""What the person is doing: the one object that panels see. It holds the house and asks verbs to do the work.

Parts with a task of their own stand beside it: `opening.py` (projects come and go), `navigation.py` (where the person
looks), `reviewing.py` (what she decides), `proposing.py` (the model's words), `learning.py` (runs, models, verdicts),
`instant.py` (what accepted frames teach at once), `bringing_in.py` (files), `saving.py` (what is on the disk) and
`engine_watch.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from usfm_studio.document.annotation import NO_ANNOTATION, Annotation, Proposal, State
from usfm_studio.document.edit import Change, Edit
from usfm_studio.document.errors import Interrupted, ReadOnly, StudioError
from usfm_studio.document.frame import Frame, FrameId, Instance
from usfm_studio.document.mask import Mask
from usfm_studio.document.schema import Schema
from usfm_studio.project.project import Project
from usfm_studio.ui.bringing_in import BringingIn
from usfm_studio.ui.engine_watch import EngineWatch
from usfm_studio.ui.instant import Instant
from usfm_studio.ui.job import end_all, in_words
from usfm_studio.ui.learning import Learning
from usfm_studio.ui.navigation import Navigation
from usfm_studio.ui.opening import Make, OpenedProject, Opening, Then
from usfm_studio.ui.proposing import Proposing
from usfm_studio.ui.reviewing import Reviewing
from usfm_studio.ui.saving import Saving
from usfm_studio.ui.state import EngineState, Notice, SavedState
from usfm_studio.verbs.house import House, Options
from usfm_studio.verbs.review import ProposedFrame, proposed

T = TypeVar("T")


class Session(QObject):
    """State of the window. Every change of the project passes through `commit`; panels hear of it by `changed`."""

    opened = Signal()
    closing = Signal()
    """The project is about to be written and closed: whoever holds something back hands it over now."""
    closed = Signal()
    changed = Signal(object)  # Change
    current_changed = Signal()
    """Another frame is in view, or rows of the worklist are others."""
    pixels_changed = Signal()
    segment_changed = Signal()
    saved_changed = Signal()
    engine_changed = Signal()
    training_changed = Signal()
    import_changed = Signal()
    play_changed = Signal()
    notice = Signal(object)  # Notice
    settled = Signal(str)
    """The trouble that a notice's `key` names is over."""

    def __init__(self, options: Options | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.house = House(options or Options())
        self.hidden_segments: frozenset[int] = frozenset()
        self.segment = 0
        self.takes_undo: Callable[[], bool] = lambda: False
        """Whether a gesture on the canvas has taken Ctrl+Z for itself."""
        self._exam: tuple[Schema, Instance, str] | None = None
        self._schema: tuple[Schema, str, Schema] | None = None
        self._proposed: tuple[Proposal | None, Annotation, ProposedFrame | None] | None = None
        self._unreadable: set[FrameId] = set()
        self._make_parts()

    def _make_parts(self) -> None:
        """Each part gets what it needs; none knows one that is made after it."""
        self.saving = Saving(self)
        self.engine_watch = EngineWatch(self)
        self.navigation = Navigation(self)
        self.reviewing = Reviewing(self, self.navigation)
        self.proposing = Proposing(self, self.navigation, self.engine_watch)
        self.instant = Instant(self, self.navigation, self.engine_watch)
        self.learning = Learning(self, self.navigation)
        self.opening = Opening(self, self.adopt, self.leave)
        self.bringing_in = BringingIn(self, self.opening)
        for part in (
            self.saving, self.engine_watch, self.navigation, self.reviewing, self.proposing, self.instant,
            self.learning, self.opening, self.bringing_in,
        ):  # fmt: skip
            part.setParent(self)
        for lacking in (self.engine_watch.came_up, self.learning.ended, self.bringing_in.ended):
            lacking.connect(self.proposing.fill)
        self.engine_watch.came_up.connect(self.instant.refresh)

    # --- the project -------------------------------------------------------------------------------------------

    @property
    def project(self) -> Project | None:
        """The open project, or None."""
        return self.house.opened

    @property
    def read_only(self) -> bool:
        """True where nothing can be changed: to be looked at only, no room on the disk, or nothing open."""
        return self.project is None or self.saved.kind == "readonly"

    def open_project(self, folder: Path, then: Then = lambda: None, *, make: Make = Project.create) -> None:
        """Open (or make) the project in this folder, without waiting for it; `then` is called when it is shown.

        One that is open elsewhere opens for reading. Where it cannot be opened, a notice says why.
        """
        self.opening.open(folder, make, then)

    def adopt(self, opened: OpenedProject) -> None:
        """Show a project that was opened."""
        self.house.opened = opened.project
        self.hidden_segments = frozenset()
        self.saving.follow(opened.project)
        self.learning.enter(opened.done, opened.interrupted)
        self.navigation.enter(opened.items, opened.place)
        self.navigation.choose_segment()
        self.opened.emit()
        self.current_changed.emit()
        for notice in opened.notices:
            self.notice.emit(notice)
        self.proposing.fill()

    def close_project(self, *, discard: bool = False) -> bool:
        """Write what is queued and let the project go; children stay. False where something cannot be written.

        With `discard` it closes all the same, and what is not written is lost.
        """
        return self.opening.close(discard=discard)

    def leave(self) -> None:
        """The open project is about to be closed: forget all of it."""
        for part in (self.learning, self.proposing, self.instant, self.bringing_in):
            part.leave()
        end_all("the project was closed")
        self.navigation.leave()
        self.house.opened = None
        self._exam = self._schema = self._proposed = None
        self._unreadable.clear()
        self.saving.leave()
        self.closed.emit()

    def shut_down(self, *, discard: bool = False) -> bool:
        """Close the project and end the children; the last act of the window. False as with `close_project`."""
        if not self.close_project(discard=discard):
            return False
        self.opening.shut_down()
        return True

    # --- what is in view ---------------------------------------------------------------------------------------

    @property
    def current(self) -> Frame | None:
        """The frame in view."""
        return self.navigation.current

    @property
    def instance(self) -> Instance | None:
        """The file in view."""
        return self.current.instance if self.current else None

    @property
    def pixels(self) -> NDArray[np.uint8] | NDArray[np.uint16] | None:
        """Decoded pixels of the frame in view, read-only; None while they are being read."""
        return self.navigation.pixels

    @property
    def exam(self) -> str:
        """The exam group of the frame in view."""
        project, instance = self.project, self.instance
        if project is None or instance is None:
            return ""
        schema = project.schema
        if self._exam is None or self._exam[0] is not schema or self._exam[1] is not instance:
            self._exam = (schema, instance, schema.exam_of(instance))
        return self._exam[2]

    @property
    def schema(self) -> Schema:
        """What can be marked on the frame in view."""
        if self.project is None:
            return Schema()
        whole, exam = self.project.schema, self.exam
        if self._schema is None or self._schema[0] is not whole or self._schema[1] != exam:
            self._schema = (whole, exam, whole.for_exam(exam))
        return self._schema[2]

    @property
    def annotation(self) -> Annotation:
        """The person's decisions on the frame in view."""
        return self.project.annotation(self.current.id) if self.project and self.current else NO_ANNOTATION

    @property
    def proposed(self) -> ProposedFrame | None:
        """What the model proposes for the frame in view and nobody has decided yet."""
        project, current = self.project, self.current
        if project is None or current is None:
            return None
        frame, annotation = current.id, self.annotation
        proposal = self._read(frame, lambda: project.proposal(frame), None)
        kept = self._proposed
        if kept is None or kept[0] is not proposal or kept[1] is not annotation:
            kept = self._proposed = (proposal, annotation, proposed(project, frame) if proposal else None)
        return kept[2]

    def mask(self, layer: int = 0) -> Mask:
        """The accepted mask of the frame in view."""
        project, current = self.project, self.current
        if project is None or current is None:
            return Mask.empty((1, 1))
        frame = current.id
        return self._read(frame, lambda: project.mask(frame, layer), Mask.empty(current.shape))

    def _read(self, frame: FrameId, look: Callable[[], T], else_: T) -> T:
        """What the project has; where its file is damaged, that is told once (and the project refuses to paint)."""
        try:
            return look()
        except StudioError as error:
            if frame not in self._unreadable:
                self._unreadable.add(frame)
                self.tell(error)
            return else_

    @property
    def counts(self) -> dict[State, int]:
        """Number of worklist rows by state."""
        found = dict.fromkeys(State, 0)
        for item in self.navigation.items:
            found[item.state] += 1
        return found

    # --- changes -----------------------------------------------------------------------------------------------

    def commit(self, edit: Edit | None, *, undoable: bool = True) -> Change | None:
        """The one door for changes: apply, tell every panel once, and answer what changed (None: nothing did)."""
        if edit is None or self.project is None:
            return None
        try:
            change = self.project.apply(edit, undoable=undoable)
        except StudioError as error:
            self.tell(error)
            return None
        self.announce(change)
        return change

    def announce(self, change: Change) -> None:
        """Tell panels of a change that a verb has applied."""
        self.navigation.follow(change)
        self.changed.emit(change)
        self.saving.refresh()

    def undo(self) -> None:
        """Take the last act back; go to its frame when that is elsewhere, and say so."""
        if not self.takes_undo():
            self._rewind(redo=False)

    def redo(self) -> None:
        """Do again what was taken back."""
        self._rewind(redo=True)

    def _rewind(self, *, redo: bool) -> None:
        project = self.project
        if project is None:
            return
        try:
            name = project.redo_name if redo else project.undo_name
            frame = project.redo_frame if redo else project.undo_frame
            change = project.redo() if redo else project.undo()
        except StudioError as error:
            self.tell(error)
            return
        if change is None:
            return
        self.announce(change)
        if frame is not None and (self.current is None or frame != self.current.id):
            self.navigation.go(frame)
            place = self.navigation.place_of(frame)
            text = f"{place[:1].upper()}{place[1:]} is shown." if place else "Its file is not in the project any more."
            self.notice.emit(Notice(kind="info", title=f"{'Redone' if redo else 'Undone'}: {name}", text=text))

    @property
    def undo_text(self) -> str:
        """What Ctrl+Z would take back, with its place when that is elsewhere; empty when there is nothing."""
        return self._step_text(redo=False)

    @property
    def redo_text(self) -> str:
        """What Ctrl+Shift+Z would do again; empty when there is nothing."""
        return self._step_text(redo=True)

    def _step_text(self, *, redo: bool) -> str:
        project = self.project
        if project is None:
            return ""
        try:
            name = project.redo_name if redo else project.undo_name
            frame = project.redo_frame if redo else project.undo_frame
        except StudioError:
            return ""  # a damaged journal: taking back says why
        elsewhere = frame is not None and (self.current is None or frame != self.current.id)
        place = self.navigation.place_of(frame) if frame is not None and elsewhere else ""
        return ", ".join(part for part in (name or "", place) if part)

    # --- segments ----------------------------------------------------------------------------------------------

    def select_segment(self, value: int) -> None:
        """Choose what the tools paint."""
        if value != self.segment:
            self.segment = value
            self.segment_changed.emit()

    def toggle_segment_visible(self, value: int) -> None:
        """Show or hide one segment: a matter of view, never of data."""
        self.hidden_segments = self.hidden_segments ^ {value}
        self.segment_changed.emit()

    # --- words from elsewhere ----------------------------------------------------------------------------------

    @property
    def saved(self) -> SavedState:
        """What is on the disk."""
        return self.saving.state

    @property
    def engine(self) -> EngineState:
        """Where the engine stands."""
        return self.engine_watch.state

    def start_engine(self) -> None:
        """Start the engine host; called after the first paint, and to start it again after it was given up."""
        self.engine_watch.start()

    def tell(self, error: BaseException) -> None:
        """An error as one quiet line."""
        said = in_words(error)
        text = f"{said.why}. {said.hint}" if said.why else said.hint
        kind = "info" if isinstance(said, Interrupted) else "warning" if isinstance(said, ReadOnly) else "error"
        self.notice.emit(Notice(kind=kind, title=said.what, text=text.strip()))
