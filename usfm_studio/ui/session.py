"""What the person is doing: the one object that panels see. It holds the house and asks verbs to do the work.

Parts with a task of their own stand beside it: `navigation.py` (where the person looks), `reviewing.py` (what she
decides), `learning.py` (runs, models, verdicts), `bringing_in.py` (files) and `proposing.py` (the model's words).
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Qt, QTimer, Signal

from usfm_studio.document.annotation import NO_ANNOTATION, Annotation, State
from usfm_studio.document.edit import Change, Edit
from usfm_studio.document.errors import DiskFull, ProjectBusy, ReadOnly, StudioError
from usfm_studio.document.frame import Frame, Instance
from usfm_studio.document.mask import Mask
from usfm_studio.document.schema import Schema
from usfm_studio.project.project import Project
from usfm_studio.ui.bringing_in import BringingIn
from usfm_studio.ui.learning import Learning
from usfm_studio.ui.navigation import Navigation
from usfm_studio.ui.proposing import Proposing
from usfm_studio.ui.reviewing import Reviewing
from usfm_studio.ui.state import EngineState, Notice, SavedState
from usfm_studio.verbs.house import House, Options
from usfm_studio.verbs.review import ProposedFrame, proposed

ENGINE_TEXTS = {
    "Stopped": ("stopped", "Engine stopped"),
    "Starting": ("starting", "Engine starting"),
    "Ready": ("ready", "Engine · {device}"),
    "Busy": ("busy", "Engine · {device}"),
    "Dead": ("stopped", "Engine stopped"),
    "Waiting": ("restarting", "Engine restarting"),
}


class Session(QObject):
    """State of the window. Every change of the project passes through `commit`; panels hear of it by `changed`."""

    opened = Signal()
    closed = Signal()
    changed = Signal(object)  # Change
    current_changed = Signal()
    pixels_changed = Signal()
    segment_changed = Signal()
    saved_changed = Signal()
    engine_changed = Signal()
    training_changed = Signal()
    import_changed = Signal()
    play_changed = Signal()
    notice = Signal(object)  # Notice
    _saved_elsewhere = Signal()
    _engine_elsewhere = Signal(str)

    def __init__(self, options: Options | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.house = House(options or Options())
        self.saved = SavedState()
        self.engine = EngineState()
        self.hidden_segments: frozenset[int] = frozenset()
        self.segment = 0
        self._engine_watched = False
        queued = Qt.ConnectionType.QueuedConnection
        self._saved_elsewhere.connect(self._on_saved, queued)
        self._engine_elsewhere.connect(self._on_engine, queued)
        self.navigation = Navigation(self)
        self.reviewing = Reviewing(self)
        self.proposing = Proposing(self)
        self.learning = Learning(self)
        self.bringing_in = BringingIn(self)

    # --- the project -------------------------------------------------------------------------------------------

    @property
    def project(self) -> Project | None:
        """The open project, or None."""
        return self.house.opened

    @property
    def read_only(self) -> bool:
        """True where nothing can be changed (or nothing is open)."""
        return self.project is None or self.project.read_only

    def open_project(self, folder: Path) -> bool:
        """Open (or make) the project in this folder. Busy ones open for reading; False where it cannot be opened."""
        self.close_project()
        try:
            self.house.opened = self._open(folder)
        except (StudioError, OSError) as error:
            self.tell(error)
            return False
        self.adopt_project()
        return True

    def _open(self, folder: Path) -> Project:
        if not (folder / "project.db").exists():
            folder.parent.mkdir(parents=True, exist_ok=True)
            return Project.create(folder)
        try:
            return Project.open(folder)
        except ProjectBusy as busy:
            self.notice.emit(Notice(kind="warning", title=busy.what, text=f"{busy.why}. It is open for reading only."))
        except ReadOnly as locked:
            self.notice.emit(
                Notice(kind="warning", title=locked.what, text=f"{locked.why}. You can look but not change.")
            )
        return Project.open(folder, read_only=True)

    def adopt_project(self) -> None:
        """Show the project that stands in the house now."""
        project = self.project
        assert project is not None
        project.on_saved(lambda *_: self._saved_elsewhere.emit())
        self._on_saved()
        self.learning.refresh()
        self.navigation.refresh(keep=False)
        self.opened.emit()
        self.current_changed.emit()
        self.proposing.fill()

    def close_project(self) -> None:
        """Write what is queued and let the project go. Children stay."""
        if self.project is None:
            return
        self.learning.leave()
        self.proposing.stop()
        self.bringing_in.cancel()
        self.navigation.leave()
        self.house.opened.close() if self.house.opened else None
        self.house.opened = None
        self.saved = SavedState()
        self.closed.emit()

    def shut_down(self) -> None:
        """Close the project and end the children; the last act of the window."""
        self.close_project()
        self.house.close()

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
        return self.project.schema.exam_of(self.instance) if self.project and self.instance else ""

    @property
    def schema(self) -> Schema:
        """What can be marked on the frame in view."""
        return self.project.schema.for_exam(self.exam) if self.project else Schema()

    @property
    def annotation(self) -> Annotation:
        """The person's decisions on the frame in view."""
        return self.project.annotation(self.current.id) if self.project and self.current else NO_ANNOTATION

    @property
    def proposed(self) -> ProposedFrame | None:
        """What the model proposes for the frame in view and nobody has decided yet."""
        return proposed(self.project, self.current.id) if self.project and self.current else None

    def mask(self, layer: int = 0) -> Mask:
        """The accepted mask of the frame in view."""
        if self.project is None or self.current is None:
            return Mask.empty((1, 1))
        return self.project.mask(self.current.id, layer)

    @property
    def counts(self) -> dict[State, int]:
        """Number of worklist rows by state."""
        found = dict.fromkeys(State, 0)
        for item in self.navigation.items:
            found[item.state] += 1
        return found

    # --- changes -----------------------------------------------------------------------------------------------

    def commit(self, edit: Edit | None, *, undoable: bool = True) -> Change | None:
        """The one door for changes: apply, tell every panel once, and answer what changed."""
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
        if change.kinds & {"champion", "schema"}:
            self.learning.refresh()
        self._on_saved()

    def undo(self) -> None:
        """Take the last act back; go to its frame first when that is elsewhere, and say so."""
        self._rewind(redo=False)

    def redo(self) -> None:
        """Do again what was taken back."""
        self._rewind(redo=True)

    def _rewind(self, *, redo: bool) -> None:
        project = self.project
        if project is None:
            return
        name = project.redo_name if redo else project.undo_name
        frame = project.redo_frame if redo else project.undo_frame
        try:
            change = project.redo() if redo else project.undo()
        except StudioError as error:
            self.tell(error)
            return
        if change is None:
            return
        self.announce(change)
        if frame is not None and (self.current is None or frame != self.current.id):
            self.navigation.go(frame)
            verb = "Redone" if redo else "Undone"
            self.notice.emit(Notice(kind="info", title=f"{verb}: {name}", text="It was on this frame."))

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
        name = (project.redo_name if redo else project.undo_name) if project else None
        if project is None or name is None:
            return ""
        frame = project.redo_frame if redo else project.undo_frame
        if frame is None or (self.current is not None and frame == self.current.id):
            return name
        return f"{name}, {self.navigation.place_of(frame)}"

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

    def tell(self, error: BaseException) -> None:
        """An error as one quiet line."""
        if isinstance(error, StudioError):
            text = f"{error.why}. {error.hint}" if error.why else error.hint
            kind = "warning" if isinstance(error, ReadOnly) else "error"
            self.notice.emit(Notice(kind=kind, title=error.what, text=text.strip()))
        else:
            strerror = getattr(error, "strerror", None) or type(error).__name__
            self.notice.emit(Notice(kind="error", title="Something went wrong", text=str(strerror)))

    def start_engine(self) -> None:
        """Start the engine host; called after the first paint."""
        engine = self.house.engine
        if not self._engine_watched:
            self._engine_watched = True
            engine.on_state(lambda state: self._engine_elsewhere.emit(type(state).__name__))
            ticket = engine.device()
            ticket.add_done_callback(lambda _t: self._engine_elsewhere.emit("Ready"))
            self._device_ticket = ticket

    def _on_engine(self, state: str) -> None:
        kind, text = ENGINE_TEXTS.get(state, ("ready", "Engine · {device}"))
        device = self._device_name()
        before = self.engine
        self.engine = EngineState(kind=kind, text=text.format(device=device or "…"), device=device)
        if self.engine != before:
            self.engine_changed.emit()
        if before.kind in ("ready", "busy") and kind == "restarting":
            self.notice.emit(
                Notice(kind="warning", title="The engine stopped and starts again", text="Nothing of yours was lost.")
            )
        if kind == "ready" and before.kind in ("starting", "restarting", "stopped"):
            QTimer.singleShot(0, self.proposing.fill)

    def _device_name(self) -> str:
        ticket = getattr(self, "_device_ticket", None)
        if ticket is None or not ticket.done() or ticket.cancelled() or ticket.exception() is not None:
            return self.engine.device
        body = ticket.result()
        kind = str(body.get("kind", "cpu"))
        if kind != "cpu":
            return str(body.get("name", kind.upper()))
        return f"CPU · {body.get('threads', 1)} threads"

    def _on_saved(self) -> None:
        self.saved, before = self._saved_state(), self.saved
        if self.saved != before:
            self.saved_changed.emit()

    def _saved_state(self) -> SavedState:
        project = self.project
        if project is None:
            return SavedState()
        if project.read_only:
            return SavedState(kind="readonly", text="Read only")
        saved = project.saved
        if saved.error is not None:
            if self.saved.kind != "unsaved":
                self._tell_unsaved(saved.error, saved.pending)
            return SavedState(kind="unsaved", text="Not saved")
        if saved.pending:
            return SavedState(kind="saving", text=self.saved.text or "Saving")
        return SavedState(kind="saved", text=f"Saved {datetime.now():%H:%M}")

    def _tell_unsaved(self, error: StudioError, pending: int) -> None:
        what = "Disk full" if isinstance(error, DiskFull) else error.what
        edits = f"{pending} edit{'s' if pending != 1 else ''} not saved"
        text = f"{edits}, kept in memory. {error.hint}".strip()
        self.notice.emit(Notice(kind="error", title=what, text=text, key="unsaved"))
