"""Files coming in: the import verb, its progress, and what could not be read and why."""

from __future__ import annotations

from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from usfm_studio.document.edit import ReplaceInstances, change_of
from usfm_studio.document.errors import StudioError
from usfm_studio.ui.job import Job
from usfm_studio.ui.state import ImportState, Notice
from usfm_studio.verbs.import_files import ImportArguments, ImportResult
from usfm_studio.verbs.import_files import run as import_files
from usfm_studio.verbs.sample import SampleArguments, open_sample
from usfm_studio.verbs.sample import run as fill_sample
from usfm_studio.verbs.steps import Event, Steps

if TYPE_CHECKING:
    from usfm_studio.ui.session import Session


class BringingIn(QObject):
    """At most one import at a time; `state` is None until the first."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self.state: ImportState | None = None
        self._job: Job | None = None
        self._began = 0.0
        self._before = 0

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

    def open_sample(self, folder: Path) -> None:
        """Open the sample's project here, filled from the bundled studies the first time."""
        self._session.close_project()
        arguments = SampleArguments(folder=folder)
        try:
            empty = open_sample(arguments, self._session.house)
        except (StudioError, OSError) as error:
            self._session.tell(error)
            return
        self._session.adopt_project()
        if empty:
            self._run(fill_sample(arguments, self._session.house), "the sample")

    def cancel(self) -> None:
        """Stop reading; what was read so far is not added."""
        if self._job is not None and self._job.running:
            self._job.cancel()
            self._set(ImportState(running=False, source=self.state.source if self.state else ""))

    def _run(self, steps: Steps[ImportResult], source: str) -> None:
        self.cancel()
        self._began = monotonic()
        project = self._session.project
        self._before = len(project.instances) if project else 0
        self._set(ImportState(running=True, source=source))
        self._job = Job(steps, event=self._on_event, done=self._on_done, failed=self._on_failed, parent=self).start()

    def _on_event(self, event: Event) -> None:
        if event.kind == "progress":
            done, total = int(event.body["done"]), int(event.body["total"])
            spent = monotonic() - self._began
            left = spent / done * (total - done) if done else None
            source = self.state.source if self.state else ""
            self._set(ImportState(running=True, source=source, done=done, total=total, left_s=left))
        elif event.kind == "applied":
            edit = event.body["edit"]
            self._session.announce(change_of(edit))
            if self._before == 0 and isinstance(edit, ReplaceInstances):
                self._session.navigation.go_item(self._session.navigation.first_open_row())

    def _on_done(self, result: ImportResult) -> None:
        notices = self._notices() if result.imported else ()
        failed = tuple((Path(f.path).name, f.error) for f in result.failed)
        self._set(
            ImportState(
                running=False,
                source=self.state.source if self.state else "",
                done=result.imported + result.skipped,
                total=result.imported + result.skipped + len(failed),
                failed=failed,
                notices=notices,
                imported=result.imported,
                skipped=result.skipped,
            )
        )
        self._tell(result)
        self._session.proposing.fill()

    def _notices(self) -> tuple[tuple[str, str], ...]:
        project = self._session.project
        if project is None:
            return ()
        return tuple((i.name, text) for i in project.instances[-500:] for text in i.notices)

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
                details="\n".join(f.error for f in result.failed[:200]),
            )
        )

    def _on_failed(self, error: StudioError) -> None:
        self._set(ImportState(running=False, source=self.state.source if self.state else ""))
        self._session.tell(error)

    def _set(self, state: ImportState) -> None:
        self.state = state
        self._session.import_changed.emit()
