"""How a run ended: one sentence, the subjects one by one, the worst frames, and which model proposes."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Signal
from PySide6.QtGui import QPaintEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from usfm_studio.document.frame import FrameId
from usfm_studio.ui.session import Session
from usfm_studio.ui.shell import fonts, paint
from usfm_studio.ui.shell.controls import Button, Card, Heading, Kind, Label, column, row
from usfm_studio.ui.shell.icons import draw_icon
from usfm_studio.ui.shell.theme import colour
from usfm_studio.ui.state import Verdict
from usfm_studio.ui.training.model_cards import ModelChoice
from usfm_studio.ui.training.subject_pairs import SubjectPairs
from usfm_studio.ui.training.worst_frames import WorstFrames

OTHERS_HEIGHT = 560
"""What head, cards and models take of the page's height."""
UNTOUCHED = "What you accepted is untouched."


class Sign(QWidget):
    """A round ground with an icon: better, or kept the old one."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._icon, self._ink = "trending-up", "ok"
        self.setFixedSize(32, 32)

    def show_sign(self, icon: str, ink: str, name: str) -> None:
        """Another icon in a signal's colour."""
        self._icon, self._ink = icon, ink
        self.setAccessibleName(name)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Ground and icon."""
        painter = paint.painter_on(self)
        paint.ground(painter, QRectF(self.rect()), 16, colour(f"{self._ink}_ground"))
        draw_icon(painter, self._icon, QRectF(self.rect()), 18, colour(self._ink))
        painter.end()


class VerdictPage(QWidget):
    """The comparison of the last run. `wanted` carries action ids."""

    wanted = Signal(str)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._sign = Sign()
        self.title = Heading("", size=fonts.TITLE)
        self.sentence = Label("", size=fonts.SECONDARY, ink="muted", wrap=True)
        self.back = Button("Back to work", Kind.QUIET, icon="arrow-left", key="Esc", height=36)
        self.back.clicked.connect(lambda: self.wanted.emit("page.work"))
        self.pairs = SubjectPairs()
        self.choice = ModelChoice(session)
        self._rule = Label("", size=fonts.SECONDARY, ink="muted", wrap=True)
        self.next = Button("Label the next", Kind.PRIMARY, icon="arrow-right", height=36)
        self.next.clicked.connect(self._label_next)
        self.run = Button("Show the run", Kind.QUIET, icon="trending-up", height=36)
        self.run.clicked.connect(lambda: self.wanted.emit("learn.show"))
        self.worst = WorstFrames(session)
        self.worst.opened.connect(self._open)
        self._parts = QWidget()
        self._lay_out()
        session.training_changed.connect(self._on_news)
        session.closed.connect(self._on_news)

    def _lay_out(self) -> None:
        pairs, which = Card(), Card()
        pairs.body.addWidget(self.pairs)
        pairs.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        which.body.addWidget(Heading("Which model proposes"))
        which.body.addWidget(self.choice)
        which.body.addWidget(self._rule)
        which.body.addStretch(1)
        which.body.addLayout(row(self.next, self.run, None))
        which.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.MinimumExpanding)
        left = column(spacing=16)
        left.addWidget(pairs)
        left.addWidget(which, 1)
        middle = row(spacing=16)
        middle.addLayout(left, 4)
        middle.addWidget(self.worst, 7)
        self._parts.setLayout(middle)
        head = row(self._sign, spacing=12)
        head.addLayout(column(self.title, self.sentence, spacing=2), 1)
        head.addWidget(self.back)
        box = column(spacing=16, margins=(24, 16, 24, 16))
        box.addLayout(head)
        box.addWidget(self._parts, 1)
        box.addStretch(0)
        self.setLayout(box)

    def _label_next(self) -> None:
        self._session.navigation.next_open()
        self.wanted.emit("page.work")

    def _open(self, frame: FrameId) -> None:
        self._session.navigation.go(frame)
        self.wanted.emit("page.work")

    def showEvent(self, event: QShowEvent) -> None:
        """Be up to date when it comes into view."""
        super().showEvent(event)
        self.refresh()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Many subjects get what the models leave."""
        super().resizeEvent(event)
        self.pairs.set_room(self.height() - OTHERS_HEIGHT)

    def _on_news(self) -> None:
        if self.isVisible():
            self.refresh()

    def refresh(self) -> None:
        """Show the last verdict."""
        verdict = self._session.learning.verdict
        self._parts.setVisible(verdict is not None)
        self._sign.setVisible(verdict is not None)
        if verdict is None:
            self.title.setText("No run has ended yet")
            self.sentence.setText("When one has, this page compares the new model with the one in use.")
            return
        self._show_head(verdict)
        self.pairs.show_verdict(verdict)
        self._rule.setText(f"{verdict.rule} {UNTOUCHED}".strip())
        self.choice.refresh(verdict.challenger.exam)
        self.next.setEnabled(self._session.navigation.suggested_row >= 0)
        self.worst.show_verdict(verdict)

    def _show_head(self, verdict: Verdict) -> None:
        if verdict.promoted:
            self._sign.show_sign("trending-up", "ok", "The new model proposes")
        else:
            self._sign.show_sign("shield-check", "warning", "The old model stays")
        self.title.setText(verdict.title)
        self.sentence.setText(verdict.sentence)
