"""The long form of a message: every reason, to be read and copied."""

from __future__ import annotations

from PySide6.QtWidgets import QApplication, QHBoxLayout, QPlainTextEdit, QWidget

from usfm_studio.ui.shell import fonts
from usfm_studio.ui.shell.controls import Button, Label
from usfm_studio.ui.shell.overlay import TitledOverlay
from usfm_studio.ui.state import Notice


class Details(TitledOverlay):
    """Made anew for each message."""

    def __init__(self, room: QWidget, notice: Notice) -> None:
        super().__init__(room, notice.title, width=720)
        self.text = QPlainTextEdit(notice.details)
        self.text.setReadOnly(True)
        self.text.setAccessibleName("Details")
        self.text.setFont(fonts.font(fonts.SECONDARY))
        self.text.setMinimumHeight(min(420, 60 + 18 * (notice.details.count("\n") + 1)))
        self.copy = Button("Copy", icon="clipboard-list")
        self.copy.clicked.connect(self._copy)
        foot = QHBoxLayout()
        foot.addStretch(1)
        foot.addWidget(self.copy)
        self.content.addWidget(Label(notice.text, ink="muted", wrap=True))
        self.content.addWidget(self.text, 1)
        self.content.addLayout(foot)

    def first_focus(self) -> QWidget:
        """The button, so that Enter copies."""
        return self.copy

    def _copy(self) -> None:
        QApplication.clipboard().setText(self.text.toPlainText())
        self.copy.set_words("Copied")
