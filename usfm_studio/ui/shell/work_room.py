"""What stands on the page for work, put together: tools, canvas, inspector, the strip below, worklist, proposal bar."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from usfm_studio.ui.shell.action import Situation
from usfm_studio.ui.shell.actions import BY_ID
from usfm_studio.ui.shell.keymap import Keymap
from usfm_studio.ui.shell.keys import short
from usfm_studio.ui.shell.proposal_bar import ProposalBar
from usfm_studio.ui.shell.rooms import CanvasLink, Rooms
from usfm_studio.ui.shell.toolstrip import ToolStrip
from usfm_studio.ui.shell.work_page import WorkPage

if TYPE_CHECKING:
    from usfm_studio.ui.session import Session


class Below(QWidget):
    """The strip under the image: filmstrip for stills, timeline for loops."""

    def __init__(self, filmstrip: QWidget, timeline: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.filmstrip, self.timeline = filmstrip, timeline
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(0)
        box.addWidget(filmstrip)
        box.addWidget(timeline)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.show_loop(False)

    def show_loop(self, loop: bool) -> None:
        """Which of the two."""
        self.timeline.setVisible(loop)
        self.filmstrip.setVisible(not loop)


class WorkRoom(QObject):
    """`wanted` carries action ids."""

    wanted = Signal(str)

    def __init__(self, session: Session, rooms: Rooms, keymap: Keymap) -> None:
        super().__init__()
        self._session = session
        self.link: CanvasLink = rooms.canvas(session)
        self.tools = ToolStrip(keymap)
        self.inspector = rooms.inspector(session)
        self.below = Below(rooms.filmstrip(session), rooms.timeline(session))
        self.worklist = rooms.worklist(session)
        self.page = WorkPage(
            tools=self.tools,
            canvas=self.link.widget,
            inspector=self.inspector,
            below=self.below,
            worklist=self.worklist,
        )
        self.bar = ProposalBar(self.link.widget)
        self.tools.wanted.connect(self.wanted)
        self.bar.wanted.connect(self.wanted)
        self.link.busy_changed.connect(self.bar.rest)
        self.page.covered.connect(self.bar.set_covered)
        self.page.covered.connect(self.link.set_covered)
        for part in (self.below.filmstrip, self.worklist, self.inspector):
            wanted = getattr(part, "wanted", None)
            if wanted is not None:
                wanted.connect(self.wanted)
        self.set_keymap(keymap)

    def set_keymap(self, keymap: Keymap) -> None:
        """Other keys."""
        self.tools.set_keymap(keymap)
        keys = [short(keymap.first(BY_ID[id])) for id in ("proposal.accept", "tool.brush", "proposal.reject")]
        self.bar.set_keys(*keys)

    def view(self) -> dict[str, object]:
        """What only the canvas and the page know of the situation."""
        return {
            "tool": self.link.tool,
            "overlays": self.link.overlays,
            "inverted": self.link.inverted,
            "worklist_shown": self.page.worklist_shown,
            "panels_hidden": self.page.panels_hidden,
        }

    def show_situation(self, situation: Situation) -> None:
        """Tools, strip and proposal bar follow."""
        self.tools.show_situation(situation)
        self.below.show_loop(situation.is_loop)
        self._show_proposal(situation)

    def _show_proposal(self, situation: Situation) -> None:
        proposed = self._session.proposed
        if proposed is None or not proposed.values or situation.read_only:
            self.bar.clear()
            return
        value = self._session.segment if self._session.segment in proposed.values else proposed.values[0]
        schema = self._session.schema
        segment = schema.segment(value)
        number = next((n for n, s in enumerate(schema.segments, start=1) if s.value == value), value)
        ink = segment.shown_colour if segment is not None else "#A3ABB5"
        name = segment.name if segment is not None else f"Segment {value}"
        others = len(proposed.values) - 1
        self.bar.show_proposal(str(number), ink, name, proposed.confidences.get(value), others)

    def zones(self) -> tuple[QWidget, ...]:
        """Parts that F6 goes through."""
        return (self.link.widget, self.worklist, self.tools, self.inspector, self.below)
