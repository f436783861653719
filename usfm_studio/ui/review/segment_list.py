"""The segments of the frame in view: what is proposed, what is accepted, how large it is; and one more by its name."""

from __future__ import annotations

from PySide6.QtWidgets import QVBoxLayout, QWidget

from usfm_studio.ui.review.names import NameField
from usfm_studio.ui.review.segment_row import SegmentRow
from usfm_studio.ui.review.standings import Standing
from usfm_studio.ui.session import Session
from usfm_studio.ui.shell import fonts
from usfm_studio.ui.shell.controls import IconButton, KeyCap, Label, ScrollBox, SectionHead, row
from usfm_studio.ui.shell.tokens import ROW

MOST_ROWS = 8
"""More than these scroll, so that the tabs keep their room."""


class SegmentList(QWidget):
    """Head with what is marked of how many, rows, and a field for one more."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._asked = False
        self.head = SectionHead("Segments")
        self.add = IconButton("plus", "Add a segment")
        self.add.clicked.connect(self.ask_name)
        self.head.add(self.add)
        self.rows: list[SegmentRow] = []
        self.field = NameField("Name of the new segment")
        self.field.named.connect(self._on_named)
        self.field.left.connect(self._on_left)
        self._hint = self._first_steps()
        self._lay_out()
        self.show_standings([], 0)

    def _lay_out(self) -> None:
        inside = QWidget()
        self._box = QVBoxLayout(inside)
        self._box.setContentsMargins(0, 0, 0, 0)
        self._box.setSpacing(0)
        self._scroll = ScrollBox(inside, "Segments")
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 2, 0, 8)
        box.setSpacing(0)
        box.addWidget(self.head)
        box.addWidget(self._scroll)
        self._field_room = QWidget()
        self._field_room.setLayout(row(self.field, margins=(12, 4, 12, 4)))
        box.addWidget(self._field_room)
        box.addWidget(self._hint)

    def _first_steps(self) -> QWidget:
        hint = QWidget(self)
        box = QVBoxLayout(hint)
        box.setContentsMargins(12, 4, 12, 4)
        box.setSpacing(8)
        box.addLayout(row(KeyCap("1"), Label("Name what you want to mark", size=fonts.SECONDARY, ink="muted"), None))
        box.addLayout(row(KeyCap("2"), Label("Press B and draw it", size=fonts.SECONDARY, ink="muted"), None))
        return hint

    # --- one more ----------------------------------------------------------------------------------------------

    def ask_name(self) -> None:
        """Open the field for a new segment's name."""
        self._asked = True
        self._field_room.show()
        self.field.ask()

    def _on_named(self, name: str) -> None:
        self._asked = False
        self._field_room.hide()
        self._session.reviewing.add_segment(name)

    def _on_left(self) -> None:
        self._asked = False
        self._field_room.setVisible(self._hint.isVisibleTo(self))

    # --- showing -----------------------------------------------------------------------------------------------

    def show_standings(self, standings: list[Standing], selected: int) -> None:
        """Show the segments as they stand on the frame in view."""
        may_change = self._session.current is not None and not self._session.read_only
        while len(self.rows) < len(standings):
            self._add_row()
        for index, made in enumerate(self.rows):
            made.setVisible(index < len(standings))
            if index < len(standings):
                made.show_standing(standings[index], may_change=may_change)
                made.setChecked(standings[index].segment.value == selected)
        marked = sum(1 for s in standings if s.accepted or s.confidence is not None)
        self.head.set_note(f"{marked} of {len(standings)}" if standings else "none")
        self._scroll.setVisible(bool(standings))
        self._scroll.setFixedHeight(min(MOST_ROWS, len(standings)) * ROW)
        first = not standings and may_change
        self._hint.setVisible(first)
        self.field.setPlaceholderText("Name of the first segment" if first else "Name of the segment")
        self._field_room.setVisible(first or (self._asked and may_change))
        self.add.setEnabled(may_change)

    def _add_row(self) -> None:
        made, reviewing = SegmentRow(), self._session.reviewing
        made.clicked.connect(lambda _on=False, made=made: self._pick(made))
        made.eye_clicked.connect(lambda made=made: self._session.toggle_segment_visible(_value(made)))
        made.renamed.connect(lambda name, made=made: reviewing.rename_segment(_value(made), name))
        made.recoloured.connect(lambda hexed, made=made: reviewing.recolour_segment(_value(made), hexed))
        made.accepted.connect(lambda made=made: reviewing.accept(_value(made)))
        made.rejected.connect(lambda made=made: reviewing.reject(_value(made)))
        self.rows.append(made)
        self._box.addWidget(made)

    def _pick(self, made: SegmentRow) -> None:
        made.setChecked(True)
        self._session.select_segment(_value(made))


def _value(made: SegmentRow) -> int:
    return made.standing.segment.value if made.standing is not None else 0
