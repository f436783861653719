"""All models of this kind of image with their held-out scores; one act goes back to the earlier one."""

from __future__ import annotations

from PySide6.QtWidgets import QVBoxLayout, QWidget

from usfm_studio.ui.session import Session
from usfm_studio.ui.shell import fonts
from usfm_studio.ui.shell.controls import Heading, Label, ScrollBox
from usfm_studio.ui.training.model_cards import ModelChoice


class ModelsTab(QWidget):
    """The shelf, newest first."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.choice = ModelChoice(session, most=20)
        inside = QWidget()
        box = QVBoxLayout(inside)
        box.setContentsMargins(12, 12, 12, 12)
        box.setSpacing(8)
        box.addWidget(Heading("Which model proposes"))
        words = "Scores are of subjects that it never learned from."
        box.addWidget(Label(words, size=fonts.SECONDARY, ink="muted", wrap=True))
        box.addWidget(self.choice)
        box.addStretch(1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(ScrollBox(inside, "Models"))

    def refresh(self) -> None:
        """Show the shelf as it stands."""
        self.choice.refresh()
