"""The person's note on the frame in view: why it is flagged, what to ask a colleague."""

from __future__ import annotations

from PySide6.QtWidgets import QVBoxLayout, QWidget

from usfm_studio.document.annotation import State
from usfm_studio.document.frame import FrameId
from usfm_studio.ui.session import Session
from usfm_studio.ui.shell.controls import Field


class NoteLine(QWidget):
    """In view while the frame is flagged or has a note. Kept by Enter, and by going anywhere else."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._frame: FrameId | None = None
        self.field = Field("Note on this frame", "Why is it flagged?")
        self.field.setMaxLength(300)
        self.field.editingFinished.connect(self.keep)
        session.closing.connect(self.keep)
        box = QVBoxLayout(self)
        box.setContentsMargins(12, 0, 12, 8)
        box.addWidget(self.field)
        self.hide()

    def keep(self) -> None:
        """Keep what was typed with the frame for which it was typed."""
        if self._frame is not None and self.field.isModified():
            self.field.setModified(False)
            self._session.reviewing.set_note(self.field.text().strip(), self._frame)

    def refresh(self) -> None:
        """Show the note of the frame in view."""
        session = self._session
        frame = session.current.id if session.current is not None else None
        if frame != self._frame:
            self.keep()
            self._frame = frame
        annotation = session.annotation
        if not self.field.isModified() and self.field.text() != annotation.note:
            self.field.setText(annotation.note)
        flagged = annotation.state is State.FLAGGED
        self.field.setPlaceholderText("Why is it flagged?" if flagged else "Note")
        self.field.setReadOnly(session.read_only)
        self.field.setToolTip(annotation.note)
        self.setVisible(frame is not None and (flagged or bool(annotation.note)))
