"""Labels of the frame in view: what a person said, and what the model thinks until then."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize
from PySide6.QtGui import QPainter, QPen
from PySide6.QtWidgets import QGridLayout, QSizePolicy, QVBoxLayout, QWidget

from usfm_studio.ui.review.names import NameField
from usfm_studio.ui.session import Session
from usfm_studio.ui.shell import fonts, paint
from usfm_studio.ui.shell.controls import IconButton, ScrollBox, SectionHead, row
from usfm_studio.ui.shell.controls.base import Pressable
from usfm_studio.ui.shell.icons import draw_icon
from usfm_studio.ui.shell.theme import colour
from usfm_studio.ui.shell.tokens import CONTROL, RADIUS
from usfm_studio.verbs.review import ProposedFrame

COLUMNS, GAP = 2, 8
MOST_LINES = 4


class LabelButton(Pressable):
    """One label. Solid when a person said so; dashed with its probability while the model thinks so."""

    def __init__(self, name: str, key: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setText(name)
        self.setCheckable(True)
        self._key = key
        self._probability: float | None = None
        self._likeliest = False
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.show_state(said=False, probability=None, likeliest=False)

    def show_state(self, *, said: bool, probability: float | None, likeliest: bool) -> None:
        """What a person said, and what the model thinks."""
        self.setChecked(said)
        self._probability, self._likeliest = probability, likeliest
        thinks = f", the model: {probability:.2f}" if probability is not None else ""
        self.setAccessibleName(f"{self.text()}{', said' if said else ''}{thinks}")
        self.setToolTip(f"{self.text()}   Shift+{self._key}" if self._key else self.text())
        self.update()

    def nextCheckState(self) -> None:
        """Stays as it is: the session says what is so."""

    def sizeHint(self) -> QSize:
        """The word, its probability, and 10 px on both sides."""
        return QSize(round(fonts.text_width(self.text(), fonts.SECONDARY, 500) + 56), CONTROL)

    def minimumSizeHint(self) -> QSize:
        """A few letters: long words are cut, and whole in the tip."""
        return QSize(64, CONTROL)

    def draw(self, painter: QPainter) -> None:
        """Ground, word, probability; a tick once it was said."""
        rect, said = QRectF(self.rect()), self.isChecked()
        if said:
            paint.ground(painter, rect, RADIUS, colour("selected"), colour("accent"))
        else:
            fill = colour("pressed") if self.sunk else paint.blend("field", "hover", self.lit)
            paint.ground(painter, rect, RADIUS, fill, None if self._likeliest else colour("line"))
        if self._likeliest and not said:
            pen = QPen(colour("text"), 1)
            pen.setDashPattern([4, 3])
            painter.setPen(pen)
            painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), RADIUS, RADIUS)
        room = rect.adjusted(10, 0, -10, 0)
        if said:
            draw_icon(painter, "check", QRectF(room.right() - 16, 0, 16, rect.height()), 16, colour("ok"))
            room.adjust(0, 0, -20, 0)
        elif self._probability is not None:
            ink = colour("text" if self._likeliest else "muted")
            words = f"{self._probability:.2f}"
            paint.text(painter, room, words, ink, fonts.SECONDARY, 600 if self._likeliest else 400, paint.RIGHT)
            room.adjust(0, 0, -34, 0)
        ink = colour("disabled") if not self.isEnabled() else colour("text" if said or self._likeliest else "muted")
        paint.text(painter, room, self.text(), ink, fonts.SECONDARY, 500)


class LabelChoice(QWidget):
    """All labels of this kind of image, two in a row; Shift and a digit does the same."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._names: tuple[str, ...] = ()
        self._asked = False
        self.buttons: list[LabelButton] = []
        self.head = SectionHead("Labels", "none")
        self.add = IconButton("plus", "Add a label")
        self.add.clicked.connect(self.ask_name)
        self.head.add(self.add)
        self.field = NameField("Name of the new label", "Name of the label")
        self.field.named.connect(self._on_named)
        self.field.left.connect(self._on_left)
        self._lay_out()

    def _lay_out(self) -> None:
        inside = QWidget()
        self._grid = QGridLayout(inside)
        self._grid.setContentsMargins(12, 0, 12, 0)
        self._grid.setSpacing(GAP)
        for number in range(COLUMNS):
            self._grid.setColumnStretch(number, 1)
        self._scroll = ScrollBox(inside, "Labels")
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 8)
        box.setSpacing(0)
        box.addWidget(self.head)
        box.addWidget(self._scroll)
        self._field_room = QWidget()
        self._field_room.setLayout(row(self.field, margins=(12, 4, 12, 0)))
        self._field_room.hide()
        box.addWidget(self._field_room)

    def ask_name(self) -> None:
        """Open the field for a new label."""
        self._asked = True
        self._field_room.show()
        self.field.ask()

    def _on_named(self, name: str) -> None:
        self._on_left()
        self._session.reviewing.add_label(name)

    def _on_left(self) -> None:
        self._asked = False
        self._field_room.hide()

    def refresh(self, waiting: ProposedFrame | None) -> None:
        """Show the labels of the frame in view; `waiting` is what nobody has decided yet."""
        names = tuple(label.name for label in self._session.schema.labels)
        if names != self._names:
            self._rebuild(names)
        there = self._session.current is not None
        may_change = there and not self._session.read_only
        self.head.set_note("this frame" if names else "none")
        self.add.setEnabled(may_change)
        self._scroll.setVisible(bool(names) and there)
        self._field_room.setVisible(self._asked and may_change)
        said = self._session.annotation.labels
        thought = waiting.labels if waiting is not None and not said else {}
        likeliest = max(thought, key=lambda name: thought[name]) if thought else ""
        for button in self.buttons:
            name = button.text()
            button.show_state(said=name in said, probability=thought.get(name), likeliest=name == likeliest)
            button.setEnabled(may_change)

    def _rebuild(self, names: tuple[str, ...]) -> None:
        for button in self.buttons:
            self._grid.removeWidget(button)
            button.hide()
            button.deleteLater()
        self._names, self.buttons = names, []
        for index, name in enumerate(names):
            button = LabelButton(name, str(index + 1) if index < 9 else "", self)
            button.clicked.connect(lambda _on=False, name=name: self._session.reviewing.toggle_label(name))
            self.buttons.append(button)
            self._grid.addWidget(button, index // COLUMNS, index % COLUMNS)
        lines = min(MOST_LINES, -(-len(names) // COLUMNS))
        self._scroll.setFixedHeight(max(0, lines * (CONTROL + GAP) - GAP))
