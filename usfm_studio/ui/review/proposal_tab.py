"""What proposes for this image, how good it is, and the two ways to ask it; or what to do while nothing proposes."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from usfm_studio.document.annotation import INSTANT
from usfm_studio.document.model_card import ModelCard
from usfm_studio.ui.review.next_card import LookFirst, NextCard
from usfm_studio.ui.session import Session
from usfm_studio.ui.shell import fonts, paint
from usfm_studio.ui.shell.controls import Button, ElidedLabel, Heading, Kind, Label, Pill, Rule, ScrollBox, column, row
from usfm_studio.ui.shell.theme import colour
from usfm_studio.ui.shell.words import many, moment
from usfm_studio.ui.training.counter import Counter
from usfm_studio.ui.worklist.thumbnails import Thumbnails

NEXT_FROM_HEIGHT = 440
HOW_TO_BEGIN = "Mark a few frames, Ctrl+Enter on each, then let it learn:"


class ScoreLine(QWidget):
    """A score on a line from 0 to 1, with its interval as a thicker part."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._score, self._interval = 0.0, (0.0, 0.0)
        self.setFixedHeight(14)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_score(self, score: float, interval: tuple[float, float] | None) -> None:
        """Show a score and its interval."""
        self._score, self._interval = score, interval or (score, score)
        self.setAccessibleName(f"Score {score:.2f}, {self._interval[0]:.2f} to {self._interval[1]:.2f}")
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Track, interval, point."""
        painter = paint.painter_on(self)
        width = self.width() - 10.0
        paint.ground(painter, QRectF(0, 5, self.width(), 4), 2, colour("track"))
        low, high = (5 + min(max(v, 0.0), 1.0) * width for v in self._interval)
        paint.ground(painter, QRectF(low, 5, max(4.0, high - low), 4), 2, colour("accent_pressed"))
        paint.dot(painter, QPointF(5 + self._score * width, 7), 4.5, colour("accent"))
        painter.end()


class ProposalTab(QWidget):
    """The model in use, or the way to the first one; below it what to look at next."""

    def __init__(self, session: Session, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._name = ElidedLabel("", weight=600)
        self._pill = Pill("In use")
        self._about = Label("", size=fonts.SECONDARY, ink="muted", wrap=True)
        self._score_words = Label("", size=fonts.SECONDARY, weight=600)
        self._score_name = Label("Held-out Dice", size=fonts.SECONDARY, ink="muted")
        self._score = ScoreLine()
        self.here = Button("Propose", key="Y", stretch=True)
        self.all = Button("All items", key="⇧Y", stretch=True)
        self.here.clicked.connect(session.proposing.here)
        self.all.clicked.connect(session.proposing.everywhere)
        self._frames, self._subjects = Counter("frame"), Counter("subject")
        self._about_learning = Label("", size=fonts.SECONDARY, ink="muted", wrap=True)
        self._instantly = Label("", size=fonts.SECONDARY, wrap=True)
        self.train = Button("Fine-tune", Kind.PRIMARY, icon="school", key="Ctrl T", stretch=True)
        self.train.clicked.connect(lambda: session.learning.fine_tune())
        self._nothing = Label(
            "Ctrl+O opens a study; files can also be dropped anywhere.", size=12, ink="muted", wrap=True
        )
        self._with_model = self._lay_out_model()
        self._without = self._lay_out_empty()
        self.first, self.next = LookFirst(session), NextCard(session, thumbnails)
        self._line = Rule()
        self._lay_out()

    def _lay_out(self) -> None:
        inside = QWidget()
        whole = column()
        whole.addLayout(column(self._nothing, self._with_model, self._without, margins=(12, 12, 12, 12)))
        whole.addWidget(self.first)
        whole.addStretch(1)
        inside.setLayout(whole)
        box = column(ScrollBox(inside, "Proposal"), self._line)
        box.setStretch(0, 1)
        box.addLayout(column(self.next, margins=(12, 8, 12, 8)))
        self.setLayout(box)

    def _lay_out_model(self) -> QWidget:
        part = QWidget(self)
        box = QVBoxLayout(part)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(8)
        head = row(self._name, self._pill)
        head.setStretch(0, 1)
        box.addLayout(head)
        box.addWidget(self._about)
        box.addLayout(row(self._score_name, None, self._score_words))
        box.addWidget(self._score)
        box.addSpacing(4)
        box.addLayout(row(self.here, self.all))
        return part

    def _lay_out_empty(self) -> QWidget:
        part = QWidget(self)
        box = QVBoxLayout(part)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(8)
        box.addWidget(Heading("No model for this kind of image yet"))
        box.addWidget(self._instantly)
        box.addWidget(self._about_learning)
        box.addWidget(self._frames)
        box.addWidget(self._subjects)
        box.addSpacing(4)
        box.addLayout(row(self.train))
        return part

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The suggestion gives way where room is short."""
        super().resizeEvent(event)
        self._show_next()

    def _show_next(self) -> None:
        self.next.refresh()
        if self.height() < NEXT_FROM_HEIGHT:
            self.next.hide()
        self._line.setVisible(self.next.isVisibleTo(self))

    def refresh(self) -> None:
        """Show what proposes for the image in view."""
        learning = self._session.learning
        card, readiness = learning.proposer, learning.readiness
        there = self._session.current is not None
        self._nothing.setVisible(not there)
        self._with_model.setVisible(card is not None)
        self._without.setVisible(card is None and there)
        self._frames.show_count(readiness.frames, readiness.frames_needed)
        self._subjects.show_count(readiness.subjects, readiness.subjects_needed)
        words = "Enough is marked to learn from:" if readiness.enough else HOW_TO_BEGIN
        self._about_learning.setText("The first model is being learned." if learning.running else words)
        proposed = self._session.proposed
        untested = proposed is not None and proposed.model.startswith(INSTANT)
        self._instantly.setText(f"Proposed here: {proposed.model_name}." if proposed is not None and untested else "")
        self._instantly.setVisible(untested)
        free = not learning.running and not self._session.read_only
        self.train.setEnabled(readiness.enough and free)
        if card is not None:
            self._show_card(card)
        self.here.setEnabled(there and not self._session.read_only)
        self.all.setEnabled(there and not self._session.read_only)
        self.first.refresh()
        self._show_next()

    def _show_card(self, card: ModelCard) -> None:
        self._name.setText(card.name)
        if not self._session.learning.proposer_shipped:
            parts = [f"Fine-tuned {moment(card.created).lower()}".strip()]
            if card.train_subjects:
                parts.append(many(len(card.train_subjects), "subject"))
            self._about.setText(" · ".join(parts))
        else:
            self._about.setText("Comes with the program, trained on other images. Fine-tune to make it yours.")
        score, interval, name = card_score(card)
        for widget in (self._score_name, self._score_words, self._score):
            widget.setVisible(score is not None)
        if score is not None:
            self._score_name.setText(name)
            span = f"  ({interval[0]:.2f}–{interval[1]:.2f})" if interval else ""
            self._score_words.setText(f"{score:.2f}{span}")
            self._score.show_score(score, interval)


def card_score(card: ModelCard) -> tuple[float | None, tuple[float, float] | None, str]:
    """(score, interval, its name) that a card states: of its own comparison, else of its training."""
    body = card.comparison
    if body.get("challenger") is not None:
        interval = body.get("interval")
        pair = (float(interval[0]), float(interval[1])) if interval else None
        return (
            float(body["challenger"]),
            pair,
            "Held-out Dice" if body.get("metric") == "dice_all" else "Held-out score",
        )
    for key in ("dice", "dice_all", "macro_f1"):
        if key in card.scores:
            intervals = body.get("interval")
            interval = intervals.get(key) if isinstance(intervals, Mapping) else None
            pair = (float(interval[0]), float(interval[1])) if interval else None
            return float(card.scores[key]), pair, "Dice on other subjects" if "dice" in key else "Macro F1"
    return None, None, ""
