"""The inspector: segments, labels, and tabs. It gathers what changed and repaints once a turn of the event loop."""

from __future__ import annotations

from PySide6.QtCore import QSize, QTimer, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QShowEvent
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from usfm_studio.ui.review.history_tab import HistoryTab
from usfm_studio.ui.review.label_choice import LabelChoice
from usfm_studio.ui.review.learn_tab import LearnTab
from usfm_studio.ui.review.models_tab import ModelsTab
from usfm_studio.ui.review.note_line import NoteLine
from usfm_studio.ui.review.proposal_tab import ProposalTab
from usfm_studio.ui.review.segment_list import SegmentList
from usfm_studio.ui.review.standings import Standings
from usfm_studio.ui.session import Session
from usfm_studio.ui.shell.controls import Rule, Tabs
from usfm_studio.ui.shell.theme import colour
from usfm_studio.ui.shell.tokens import IMAGE_FIRST_MS
from usfm_studio.ui.worklist.thumbnails import Thumbnails

TABS = ("Proposal", "Learn", "Models", "History")
PLAYING_MS = 100
"""While a loop plays its numbers follow ten times a second: faster nobody reads."""


class Pages(QStackedWidget):
    """Takes the room that segments and labels leave, and asks for none: each page scrolls where it has too little."""

    def hasHeightForWidth(self) -> bool:
        """Its height never follows from its width."""
        return False

    def sizeHint(self) -> QSize:
        """None."""
        return QSize(0, 0)

    def minimumSizeHint(self) -> QSize:
        """None."""
        return QSize(0, 0)


class Inspector(QWidget):
    """288 px wide (360 in wide windows); stays docked. `wanted` carries action ids."""

    wanted = Signal(str)

    def __init__(self, session: Session, thumbnails: Thumbnails | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session, self._standings = session, Standings(session)
        self.segments = SegmentList(session)
        self.labels, self.note = LabelChoice(session), NoteLine(session)
        self.tabs = Tabs("Inspector", TABS)
        self.proposal = ProposalTab(session, thumbnails or Thumbnails(session, self))
        self.learn = LearnTab(session)
        self.models, self.history = ModelsTab(session), HistoryTab(session)
        self.pages = Pages()
        for page in (self.proposal, self.learn, self.models, self.history):
            self.pages.addWidget(page)
        self._lay_out()
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.timeout.connect(self.refresh)
        self._connect()

    def _lay_out(self) -> None:
        box = QVBoxLayout(self)
        box.setContentsMargins(1, 0, 0, 0)
        box.setSpacing(0)
        for widget in (self.segments, Rule(), self.labels, self.note, Rule(), self.tabs):
            box.addWidget(widget)
        box.addWidget(self.pages, 1)

    def _connect(self) -> None:
        session = self._session
        for signal in (session.changed, session.current_changed, session.segment_changed, session.training_changed,
                       session.opened, session.closed, session.engine_changed):  # fmt: skip
            signal.connect(self._soon)
        self.tabs.changed.connect(self._on_tab)
        self.learn.wanted.connect(self.wanted)

    def show_tab(self, name: str) -> None:
        """Turn to a tab by its name."""
        self.tabs.set_current(TABS.index(name))
        self._on_tab(TABS.index(name))

    def _on_tab(self, index: int) -> None:
        self.pages.setCurrentIndex(index)
        self.refresh()

    def _soon(self, *_: object) -> None:
        if not self._later.isActive() and self.isVisible():
            self._later.start(PLAYING_MS if self._session.navigation.playing else IMAGE_FIRST_MS)

    def showEvent(self, event: QShowEvent) -> None:
        """Be up to date when it comes into view."""
        super().showEvent(event)
        self._soon()

    def refresh(self) -> None:
        """Show the frame in view as it stands."""
        waiting = self._session.proposed
        self.segments.show_standings(self._standings.read(waiting), self._session.segment)
        self.labels.refresh(waiting)
        self.note.refresh()
        page = self.pages.currentWidget()
        if isinstance(page, (ProposalTab, LearnTab, ModelsTab, HistoryTab)):
            page.refresh()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Ground and the line to the canvas."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), colour("panel"))
        painter.fillRect(0, 0, 1, self.height(), colour("line"))
        painter.end()
