"""Files coming in: the import verb, its progress, and what could not be read and why."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from time import monotonic

from PySide6.QtCore import QObject, Signal

from usfm_studio.document.edit import ReplaceInstances, change_of
from usfm_studio.document.errors import StudioError
from usfm_studio.document.frame import Instance
from usfm_studio.project.project import Project
from usfm_studio.ui.job import Job
from usfm_studio.ui.opening import Opening, Then
from usfm_studio.ui.parts import Whole
from usfm_studio.ui.state import ImportState, Notice
from usfm_studio.verbs.import_files import ImportArguments, ImportResult
from usfm_studio.verbs.import_files import run as import_files
from usfm_studio.verbs.sample import SampleArguments, sample_schema
from usfm_studio.verbs.sample import run as fill_sample
from usfm_studio.verbs.steps import Event, Steps

LISTED = 500


class BringingIn(QObject):
    """One import at a time, the next one waits its turn; `state` is None until the first."""

    ended = Signal()
    """An import has come to its end, and its files are in the project."""

    def __init__(self, session: Whole, opening: Opening) -> None:
        super().__init__()
        self._session, self._opening = session, opening
        self.state: ImportState | None = None
        self._job: Job | None = None
        self._began = 0.0
        self._new: dict[str, Instance] = {}
        self._waiting: deque[tuple[Steps[ImportResult], str]] = deque()

    def import_paths(self, paths: list[str]) -> None:
        """Bring files, folders, zips or discs into the open project."""
        if self._session.project is None or not paths:
            return
        if self._session.read_only:
            self._session.notice.emit(
                Notice(kind="warning", title="Nothing was added", text="This project is open for reading only.")
            )
            return
        source = Path(paths[0]).name + (f" and {len(paths) - 1} more" if len(paths) > 1 else "")
        self._run(import_files(ImportArguments(paths=tuple(paths)), self._session.house), source)

    def open_sample(self, folder: Path, then: Then = lambda: None) -> None:
        """Open the sample's project here, filled from the bundled studies the first time."""

        def fill() -> None:
            then()
            project = self._session.project
            if project is not None and not project.read_only and not project.instances:
                self._run(fill_sample(SampleArguments(folder=folder), self._session.house), "the sample")

        self._opening.open(folder, _make_sample, fill)

    def cancel(self) -> None:
        """Stop reading; what was read so far stays in the project."""
        self._waiting.clear()
        if self._job is not None:
            self._job.interrupt("you asked for it")

    def leave(self) -> None:
        """The project closes: reading ends at once."""
        self._waiting.clear()
        if self._job is not None:
            self._job.cancel()
        if self.state is not None:
            self.state = None
            self._session.import_changed.emit()

    def _run(self, steps: Steps[ImportResult], source: str) -> None:
        if self._job is not None and self._job.running:
            self._waiting.append((steps, source))
            return
        self._began = monotonic()
        self._new = {}
        self._set(ImportState(running=True, source=source))
        self._job = Job(steps, event=self._on_event, done=self._on_done, failed=self._on_failed, parent=self).start()

    def _on_event(self, event: Event) -> None:
        if event.kind == "progress":
            done, total = int(event.body["done"]), int(event.body["total"])
            spent = monotonic() - self._began
            left = spent / done * (total - done) if done else None
            self._set(ImportState(running=True, source=self._source, done=done, total=total, left_s=left))
        elif event.kind == "applied":
            edit = event.body["edit"]
            if isinstance(edit, ReplaceInstances):
                self._new |= {instance.digest: instance for instance in edit.after}
            self._session.announce(change_of(edit))

    def _on_done(self, result: ImportResult) -> None:
        notices = tuple((i.name, text) for i in self._new.values() for text in i.notices)[:LISTED]
        failed = tuple((Path(f.path).name, f.error) for f in result.failed)
        self._set(
            ImportState(
                running=False,
                source=self._source,
                done=result.imported + result.skipped,
                total=result.imported + result.skipped + len(failed),
                failed=failed,
                notices=notices,
                imported=result.imported,
                skipped=result.skipped,
            )
        )
        self._tell(result)
        self._go_on()

    @property
    def _source(self) -> str:
        return self.state.source if self.state else ""

    def _tell(self, result: ImportResult) -> None:
        if not result.failed:
            return
        count = len(result.failed)
        files = "1 file could" if count == 1 else f"{count} files could"
        self._session.notice.emit(
            Notice(
                kind="warning",
                title=f"{files} not be read",
                text=result.failed[0].error if count == 1 else "The rest is there. Each has its reason in the list.",
                button="Show",
                action="import.show",
                details="\n".join(f.error for f in result.failed[:LISTED]),
            )
        )

    def _on_failed(self, error: StudioError) -> None:
        self._set(ImportState(running=False, source=self._source))
        self._session.tell(error)
        self._go_on()

    def _go_on(self) -> None:
        """What was dropped meanwhile comes next."""
        if self._waiting:
            self._run(*self._waiting.popleft())
        self.ended.emit()

    def _set(self, state: ImportState) -> None:
        self.state = state
        self._session.import_changed.emit()


def _make_sample(folder: Path) -> Project:
    return Project.create(folder, sample_schema())
