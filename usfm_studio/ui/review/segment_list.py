"""The segments of the frame in view: what is proposed, what is accepted, how large it is."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QPainter, QPen
from PySide6.QtWidgets import QVBoxLayout, QWidget

from usfm_studio.ui.review.standings import Standing
from usfm_studio.ui.session import Session
from usfm_studio.ui.shell import fonts, paint
from usfm_studio.ui.shell.controls import Field, IconButton, KeyCap, Label, ListRow, SectionHead, row
from usfm_studio.ui.shell.icons import draw_icon
from usfm_studio.ui.shell.theme import colour


class SegmentRow(ListRow):
    """Eye, number, name, dashes with the confidence or a line with a tick, and the area."""

    eye_clicked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Segment", parent=parent)
        self.setCheckable(True)
        self.standing: Standing | None = None
        self._eye = IconButton("eye", "Hide this segment", size=16, side=28, parent=self)
        self._eye.move(6, 2)
        self._eye.clicked.connect(self.eye_clicked)

    def show_standing(self, standing: Standing) -> None:
        """Show a segment as it stands."""
        if standing == self.standing:
            return
        self.standing = standing
        name = standing.segment.name
        self._eye.set_icon("eye-off" if standing.hidden else "eye")
        self._eye.set_name(f"Show {name}" if standing.hidden else f"Hide {name}")
        state = "accepted" if standing.accepted else "proposed" if standing.confidence is not None else "not marked"
        self.setAccessibleName(f"{name}, {state} {standing.area}".strip())
        self.update()

    def draw(self, painter: QPainter) -> None:
        """The ground, then the words from both sides."""
        super().draw(painter)
        standing = self.standing
        if standing is None:
            return
        segment = standing.segment
        marked = standing.accepted or standing.confidence is not None
        paint.swatch(painter, QRectF(36, 7, 18, 18), segment.shown_colour, str(segment.value), filled=marked)
        right = self.width() - 12.0
        right = self._draw_area(painter, right, standing)
        right = self._draw_state(painter, right, standing)
        weight = 500 if self.isChecked() or marked else 400
        ink = colour("text" if marked and not standing.hidden else "muted")
        paint.text(painter, QRectF(62, 0, right - 66, self.height()), segment.name, ink, fonts.BASE, weight)

    def _draw_area(self, painter: QPainter, right: float, standing: Standing) -> float:
        words = standing.area or "–"
        width = fonts.text_width(words, fonts.SECONDARY) + 1
        rect = QRectF(right - width, 0, width, self.height())
        paint.text(painter, rect, words, colour("muted"), fonts.SECONDARY, 400, paint.RIGHT)
        return right - width - 8

    def _draw_state(self, painter: QPainter, right: float, standing: Standing) -> float:
        ink = colour(standing.segment.shown_colour)
        middle = self.height() / 2
        if standing.confidence is not None:
            words = f"{standing.confidence:.2f}"
            width = fonts.text_width(words, fonts.SECONDARY, 600) + 1
            rect = QRectF(right - width, 0, width, self.height())
            paint.text(painter, rect, words, colour("text"), fonts.SECONDARY, 600, paint.RIGHT)
            left = right - width - 22
            painter.setPen(QPen(ink, 2))
            painter.drawLine(int(left), int(middle), int(left + 6), int(middle))
            painter.drawLine(int(left + 10), int(middle), int(left + 16), int(middle))
            return left - 6
        if standing.accepted:
            draw_icon(painter, "check", QRectF(right - 16, 0, 16, self.height()), 16, colour("ok"))
            painter.setPen(QPen(ink, 2))
            painter.drawLine(int(right - 38), int(middle), int(right - 22), int(middle))
            return right - 46
        return right


class SegmentList(QWidget):
    """Head with what is marked of how many, rows, and a field for one more."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.head = SectionHead("Segments")
        self._add = IconButton("plus", "Add a segment")
        self._add.clicked.connect(self.ask_name)
        self.head.add(self._add)
        self._rows: list[SegmentRow] = []
        self._field = Field("Name of the new segment", "Name of the segment")
        self._field.returnPressed.connect(self._on_named)
        self._field.setVisible(False)
        self._hint = self._first_steps()
        self._box = QVBoxLayout()
        self._box.setSpacing(0)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 2, 0, 8)
        box.setSpacing(0)
        box.addWidget(self.head)
        box.addLayout(self._box)
        box.addLayout(row(self._field, margins=(12, 4, 12, 4)))
        box.addWidget(self._hint)

    def _first_steps(self) -> QWidget:
        hint = QWidget(self)
        box = QVBoxLayout(hint)
        box.setContentsMargins(12, 4, 12, 4)
        box.setSpacing(8)
        box.addLayout(row(KeyCap("1"), Label("Name what you want to mark", size=fonts.SECONDARY, ink="muted"), None))
        box.addLayout(row(KeyCap("2"), Label("Press B and draw it", size=fonts.SECONDARY, ink="muted"), None))
        return hint

    def ask_name(self) -> None:
        """Open the field for a new segment's name."""
        self._field.setVisible(True)
        self._field.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_named(self) -> None:
        name = self._field.text().strip()
        if name:
            self._session.reviewing.add_segment(name)
        self._field.clear()
        self._field.setVisible(False)
        self.clearFocus()

    def show_standings(self, standings: list[Standing], selected: int) -> None:
        """Show the segments as they stand on the frame in view."""
        while len(self._rows) < len(standings):
            made = SegmentRow(self)
            made.clicked.connect(lambda _on=False, made=made: self._pick(made))
            made.eye_clicked.connect(lambda made=made: self._toggle(made))
            self._rows.append(made)
            self._box.addWidget(made)
        for index, made in enumerate(self._rows):
            made.setVisible(index < len(standings))
            if index < len(standings):
                made.show_standing(standings[index])
                made.setChecked(standings[index].segment.value == selected)
        marked = sum(1 for s in standings if s.accepted or s.confidence is not None)
        self.head.set_note(f"{marked} of {len(standings)}" if standings else "none")
        empty = not standings and self._session.current is not None
        self._hint.setVisible(empty)
        if empty:
            self._field.setVisible(True)
        self._add.setEnabled(self._session.current is not None and not self._session.read_only)

    def _pick(self, made: SegmentRow) -> None:
        made.setChecked(True)
        if made.standing is not None:
            self._session.select_segment(made.standing.segment.value)

    def _toggle(self, made: SegmentRow) -> None:
        if made.standing is not None:
            self._session.toggle_segment_visible(made.standing.segment.value)
