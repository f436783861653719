"""The inspector: segments, labels, and tabs. It gathers what changed and repaints once a turn of the event loop."""

from __future__ import annotations

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QShowEvent
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from usfm_studio.ui.review.history_tab import HistoryTab
from usfm_studio.ui.review.label_choice import LabelChoice
from usfm_studio.ui.review.learn_tab import LearnTab
from usfm_studio.ui.review.models_tab import ModelsTab
from usfm_studio.ui.review.proposal_tab import ProposalTab
from usfm_studio.ui.review.segment_list import SegmentList
from usfm_studio.ui.review.standings import Standings
from usfm_studio.ui.session import Session
from usfm_studio.ui.shell.controls import Rule, Tabs
from usfm_studio.ui.shell.theme import colour

TABS = ("Proposal", "Learn", "Models", "History")


class Inspector(QWidget):
    """288 px wide (360 in wide windows); stays docked."""

    learn_wanted = Signal()
    verdict_wanted = Signal()

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session, self._standings = session, Standings(session)
        self.segments = SegmentList(session)
        self.labels = LabelChoice(session)
        self.tabs = Tabs("Inspector", TABS)
        self.proposal, self.learn = ProposalTab(session), LearnTab(session)
        self.models, self.history = ModelsTab(session), HistoryTab(session)
        self._pages = QStackedWidget()
        for page in (self.proposal, self.learn, self.models, self.history):
            self._pages.addWidget(page)
        self._lay_out()
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(0)
        self._later.timeout.connect(self.refresh)
        self._connect()

    def _lay_out(self) -> None:
        box = QVBoxLayout(self)
        box.setContentsMargins(1, 0, 0, 0)
        box.setSpacing(0)
        for widget in (self.segments, Rule(), self.labels, self.tabs, Rule()):
            box.addWidget(widget)
        box.addWidget(self._pages, 1)

    def _connect(self) -> None:
        session = self._session
        for signal in (session.changed, session.current_changed, session.segment_changed, session.training_changed,
                       session.opened, session.closed, session.engine_changed):  # fmt: skip
            signal.connect(self._soon)
        self.tabs.changed.connect(self._on_tab)
        self.learn.page_wanted.connect(self.learn_wanted)
        self.learn.verdict_wanted.connect(self.verdict_wanted)

    def show_tab(self, name: str) -> None:
        """Turn to a tab by its name."""
        self.tabs.set_current(TABS.index(name))
        self._on_tab(TABS.index(name))

    def _on_tab(self, index: int) -> None:
        self._pages.setCurrentIndex(index)
        self.refresh()

    def _soon(self, *_: object) -> None:
        if not self._later.isActive():
            self._later.start()

    def showEvent(self, event: QShowEvent) -> None:
        """Be up to date when it comes into view."""
        super().showEvent(event)
        self._soon()

    def refresh(self) -> None:
        """Show the frame in view as it stands."""
        self.segments.show_standings(self._standings.read(), self._session.segment)
        self.labels.refresh()
        page = self._pages.currentWidget()
        if isinstance(page, (ProposalTab, LearnTab, ModelsTab, HistoryTab)):
            page.refresh()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Ground and the line to the canvas."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), colour("panel"))
        painter.fillRect(0, 0, 1, self.height(), colour("line"))
        painter.end()
