"""What is on the disk and what is not, in words; the journal's thread tells, the window shows."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Qt, Signal

from usfm_studio.document.errors import DiskFull, StudioError
from usfm_studio.project.project import Project
from usfm_studio.ui.parts import Whole
from usfm_studio.ui.state import Notice, SavedState

UNSAVED = "unsaved"


class Saving(QObject):
    """Follows the open project's journal. `state` changes only with a signal of the session."""

    _told = Signal()

    def __init__(self, session: Whole) -> None:
        super().__init__()
        self._session = session
        self.state = SavedState()
        self._error: StudioError | None = None
        self._end: Callable[[], None] = lambda: None
        self._told.connect(self.refresh, Qt.ConnectionType.QueuedConnection)

    def follow(self, project: Project) -> None:
        """A project was opened."""
        self._end = project.on_saved(lambda _saved: self._tell())
        self.refresh()

    def leave(self) -> None:
        """It is being closed."""
        self._end()
        self._end = lambda: None
        self._error = None
        self._set(SavedState())

    def refresh(self) -> None:
        """Look again, and say so when something is different."""
        project = self._session.project
        if project is None:
            return
        error = None if project.read_only else project.saved.error
        before, self._error = self._error, error
        self._set(_state_of(project, self.state))
        if error is not None and (before is None or type(error) is not type(before)):
            self._session.notice.emit(_trouble(error, project.saved.pending))
        elif error is None and before is not None:
            self._session.settled.emit(UNSAVED)

    def _set(self, state: SavedState) -> None:
        if state != self.state:
            self.state = state
            self._session.saved_changed.emit()

    def _tell(self) -> None:
        try:
            self._told.emit()
        except RuntimeError:
            return  # the window is gone


def _state_of(project: Project, before: SavedState) -> SavedState:
    if project.read_only:
        return SavedState(kind="readonly", text="Read only")
    saved = project.saved
    if saved.pending and saved.error is not None:
        return SavedState(kind="unsaved", text="Not saved")
    if saved.error is not None:  # all that was done is written, and no more can be for now
        full = isinstance(saved.error, DiskFull)
        return SavedState(kind="readonly", text="Disk full" if full else "Saving paused")
    if saved.pending:
        return SavedState(kind="saving", text=before.text if before.kind in ("saved", "saving") else "Saving")
    when = f" {saved.when.astimezone():%H:%M}" if saved.when is not None else ""
    return SavedState(kind="saved", text=f"Saved{when}")


def _trouble(error: StudioError, pending: int) -> Notice:
    if pending:
        edits = f"{pending} edit{'s are' if pending > 1 else ' is'} not saved yet"
        text = f"{edits}, only kept in memory. {error.hint}".strip()
        what = "Disk full" if isinstance(error, DiskFull) else error.what
    else:
        text = (
            f"All that you did is saved; more cannot be, so the project is to be looked at only. {error.hint}".strip()
        )
        what = error.what
    return Notice(kind="error", title=what, text=text, key=UNSAVED)
