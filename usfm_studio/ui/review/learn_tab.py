"""Learning, beside the work: what is there to learn from, start, progress, stop."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from usfm_studio.ui.session import Session
from usfm_studio.ui.shell import fonts
from usfm_studio.ui.shell.controls import (
    Button,
    Heading,
    Kind,
    Label,
    LinkButton,
    ProgressBar,
    ScrollBox,
    Segmented,
    column,
    row,
)
from usfm_studio.ui.shell.words import clock
from usfm_studio.ui.training.curve import Curve

MINUTES = (2.0, 5.0, 8.0)


class LearnTab(QWidget):
    """Before a run: what counts and how long it may take. During it: time left, curve, stop. After it: the outcome."""

    wanted = Signal(str)  # action id

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._head = Heading("")
        self._counts = Label("", size=fonts.SECONDARY, ink="muted", wrap=True)
        self._minutes = Segmented("Minutes", tuple(f"{m:.0f} min" for m in MINUTES))
        self._minutes.set_current(1)
        self.start = Button("Fine-tune", Kind.PRIMARY, icon="school", key="Ctrl T", stretch=True)
        self.start.clicked.connect(self._on_start)
        self._left = Label("", weight=600)
        self._bar = ProgressBar("Learning", height=6)
        self._curve = Curve("Held-out score")
        self.stop = Button("Stop, keep the best", stretch=True)
        self.cancel = Button("Cancel", Kind.QUIET)
        self.stop.clicked.connect(session.learning.stop)
        self.cancel.clicked.connect(session.learning.cancel)
        self._outcome = Label("", size=fonts.SECONDARY, ink="muted", wrap=True)
        self.page = LinkButton("Open the learning page")
        self.page.clicked.connect(lambda: self.wanted.emit("learn.show"))
        self.verdict = LinkButton("See the comparison")
        self.verdict.clicked.connect(lambda: self.wanted.emit("learn.verdict"))
        self._lay_out()

    def _lay_out(self) -> None:
        inside = QWidget()
        box = QVBoxLayout(inside)
        box.setContentsMargins(12, 12, 12, 12)
        box.setSpacing(8)
        for widget in (self._head, self._counts, self._minutes, self.start):
            box.addWidget(widget)
        box.addLayout(row(self._left, None))
        box.addWidget(self._bar)
        box.addWidget(self._curve, 1)
        box.addLayout(row(self.stop, self.cancel))
        box.addWidget(self._outcome)
        box.addLayout(row(self.page, None, self.verdict))
        box.addStretch(0)
        self.setLayout(column(ScrollBox(inside, "Learn")))

    def _on_start(self) -> None:
        self._session.learning.fine_tune(MINUTES[max(0, self._minutes.current)])

    def refresh(self) -> None:
        """Show learning as it stands."""
        learning = self._session.learning
        state, running, have = learning.training, learning.running, learning.readiness
        self._head.setText("Learning" if running else "Ready to learn" if have.enough else "Not enough yet")
        marked = have.frames - have.frames_empty
        words = f"{_many(marked, 'marked frame')} of {_many(have.subjects, 'subject')}"
        if have.frames_empty:
            words += f", {have.frames_empty} with nothing to mark"
        if not have.enough and not running:
            words += (
                f". It needs {have.frames_needed} frames of {have.subjects_needed} subjects: Ctrl+Enter ends a frame."
            )
        self._counts.setText(words)
        self._minutes.setVisible(not running)
        self.start.setVisible(not running)
        self.start.setEnabled(have.enough and not self._session.read_only)
        for widget in (self._left, self._bar, self._curve, self.stop, self.cancel):
            widget.setVisible(running)
        self.verdict.setVisible(learning.verdict is not None and not running)
        self._outcome.setVisible(not running and learning.verdict is not None)
        if learning.verdict is not None:
            self._outcome.setText(f"{learning.verdict.title}. {learning.verdict.sentence}")
        if running and state is not None:
            self._left.setText(
                f"{state.percent:.0f} %   {clock(state.left_s)} left" if state.left_s is not None else ""
            )
            self._bar.set_part(state.percent / 100)
            self.stop.setEnabled(not state.stopping)
            level = (state.champion_score, "in use") if state.champion_score is not None else None
            self._curve.show_points(
                state.holdout or state.losses, level=level if state.holdout else None, x_end=state.steps
            )


def _many(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
