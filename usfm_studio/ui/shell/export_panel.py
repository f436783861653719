"""Writing accepted work for other programs: which format, where to, how far, what could not be kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QAbstractButton, QHBoxLayout, QSizePolicy, QWidget

from usfm_studio.document.errors import StudioError
from usfm_studio.ui.job import Job
from usfm_studio.ui.shell import fonts
from usfm_studio.ui.shell.controls import Button, Choice, Kind, Label, ProgressBar, Switch
from usfm_studio.ui.shell.overlay import TitledOverlay
from usfm_studio.ui.shell.places import free_name
from usfm_studio.ui.shell.words import many
from usfm_studio.ui.state import Notice
from usfm_studio.verbs.export import ExportArguments, ExportResult, chosen
from usfm_studio.verbs.export import run as export
from usfm_studio.verbs.steps import Event

if TYPE_CHECKING:
    from usfm_studio.ui.session import Session

WORDS = (
    ("seg", "DICOM SEG", "One object a file, for viewers and archives."),
    ("png", "PNG label maps", "One picture a frame; the value of a pixel is the segment's number."),
    ("nifti", "NIfTI", "Volumes for research programs."),
    ("nrrd", "NRRD", "3D Slicer's own segmentation files."),
    ("coco", "COCO", "Outlines and images for machine learning."),
    ("csv", "CSV", "Tables of labels and areas."),
    ("data", "Data folder", "Images, masks, subjects and schema: what the command line takes."),
)
"""Format, what it is called, what it is for. All of `imaging.formats.EXPORT_TITLES` is here (tested)."""


class ExportPanel(TitledOverlay):
    """`told` carries how it ended."""

    told = Signal(object)  # Notice

    def __init__(self, room: QWidget, session: Session, ask: Callable[[QWidget, str], str]) -> None:
        super().__init__(room, "Export", width=440)
        self._session, self._ask = session, ask
        self._job: Job | None = None
        self.format = Choice("Format", tuple(words for _, words, _ in WORDS))
        self.purpose = Label(WORDS[0][2], size=fonts.SECONDARY, ink="muted", wrap=True)
        self.accepted = Switch("Finished frames only", on=True)
        self.progress = ProgressBar("Export")
        self.count = Label("", size=fonts.SECONDARY, ink="muted")
        self.go = Button("Export …", Kind.PRIMARY, key="Enter", stretch=True)
        self.format.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._lay_out()
        self.format.activated.connect(lambda index: self.purpose.setText(WORDS[index][2]))
        self.accepted.toggled.connect(lambda _: self._count())
        self.go.clicked.connect(self._start)

    def _lay_out(self) -> None:
        self.content.addWidget(self.format)
        self.content.addWidget(self.purpose)
        line = QHBoxLayout()
        line.addWidget(Label("Finished frames only"))
        line.addStretch(1)
        line.addWidget(self.accepted)
        self.content.addLayout(line)
        self.content.addWidget(self.count)
        self.content.addWidget(self.progress)
        self.content.addWidget(self.go)

    def open(self) -> None:
        """With a fresh count."""
        self._count()
        self.progress.setVisible(self.running)
        super().open()

    def default_button(self) -> QAbstractButton:
        """Export."""
        return self.go

    @property
    def running(self) -> bool:
        """Whether files are being written."""
        return self._job is not None and self._job.running

    def _arguments(self, out: Path) -> ExportArguments:
        format = WORDS[self.format.currentIndex()][0]
        return ExportArguments(format=format, out=out, everything=not self.accepted.isChecked())

    def _count(self) -> None:
        project = self._session.project
        frames = len(chosen(project, self._arguments(Path()))) if project else 0
        self.count.setText(f"{many(frames, 'frame')} in {project.folder.name}" if project else "")
        self.go.setEnabled(bool(frames) and not self.running)
        words = f"Export {many(frames, 'frame')} …" if frames else "No frame is finished yet"
        self.go.set_words(words, key="Enter" if frames else "")

    def _start(self) -> None:
        project = self._session.project
        folder = self._ask(self, "Where to") if project is not None else ""
        if project is None or not folder:
            return
        out = free_name(Path(folder), f"{project.folder.name} {self.format.currentText()}")
        self.progress.set_part(0.0)
        self.progress.show()
        self.go.setEnabled(False)
        self.refresh_size()
        self._job = Job(
            export(self._arguments(out), self._session.house),
            event=self._on_event,
            done=lambda result: self._on_done(result, out),
            failed=self._on_failed,
            parent=self,
        ).start()

    def _on_event(self, event: Event) -> None:
        if event.kind == "progress":
            total = int(event.body["total"])
            self.progress.set_part(int(event.body["done"]) / total if total else None)

    def _on_done(self, result: ExportResult, out: Path) -> None:
        self._end()
        text = (
            f"{many(result.files, 'file')} with {many(result.frames, 'frame')} in {out.name}, read back and compared."
        )
        if result.partial:
            reasons = "\n".join(f"{Path(f.path).name}: {f.error}" for f in result.failed)
            text = f"{many(len(result.failed), 'frame')} could not be kept; {text}"
            self.told.emit(Notice(kind="warning", title="Exported in part", text=text, details=reasons))
        else:
            self.told.emit(Notice(kind="ok", title="Exported", text=text, details=str(out)))

    def _on_failed(self, error: StudioError) -> None:
        self._end()
        self._session.tell(error)

    def _end(self) -> None:
        self.progress.hide()
        self._count()
        self.close_it()
