"""Labels of the frame in view: what a person said, and what the model thinks until then."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize
from PySide6.QtGui import QPainter, QPen
from PySide6.QtWidgets import QGridLayout, QSizePolicy, QVBoxLayout, QWidget

from usfm_studio.ui.session import Session
from usfm_studio.ui.shell import fonts, paint
from usfm_studio.ui.shell.controls import SectionHead
from usfm_studio.ui.shell.controls.base import Pressable
from usfm_studio.ui.shell.theme import colour
from usfm_studio.ui.shell.tokens import CONTROL, RADIUS

COLUMNS = 2


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

    def text_room(self) -> tuple[float, float]:
        """(width of the words, room for them)."""
        return fonts.text_width(self.text(), fonts.SECONDARY, 500), self.width() - 16.0

    def sizeHint(self) -> QSize:
        """The word, its probability, and 10 px on both sides."""
        return QSize(round(fonts.text_width(self.text(), fonts.SECONDARY, 500) + 56), CONTROL)

    def draw(self, painter: QPainter) -> None:
        """Ground, word, probability."""
        rect = QRectF(self.rect())
        if self.isChecked():
            paint.ground(painter, rect, RADIUS, colour("hover"), colour("accent"))
        else:
            fill = colour("pressed") if self.sunk else paint.blend("field", "hover", self.lit)
            paint.ground(painter, rect, RADIUS, fill, None if self._likeliest else colour("line"))
        if self._likeliest and not self.isChecked():
            pen = QPen(colour("text"), 1)
            pen.setDashPattern([4, 3])
            painter.setPen(pen)
            painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), RADIUS, RADIUS)
        room = rect.adjusted(10, 0, -10, 0)
        if self._probability is not None and not self.isChecked():
            ink = colour("text" if self._likeliest else "muted")
            words = f"{self._probability:.2f}"
            paint.text(painter, room, words, ink, fonts.SECONDARY, 600 if self._likeliest else 400, paint.RIGHT)
            room.adjust(0, 0, -34, 0)
        strong = self.isChecked() or self._likeliest
        ink = colour("disabled") if not self.isEnabled() else colour("text" if strong else "muted")
        paint.text(painter, room, self.text(), ink, fonts.SECONDARY, 500)


class LabelChoice(QWidget):
    """All labels of this kind of image, two in a row; Shift and a digit does the same."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._names: tuple[str, ...] = ()
        self._buttons: list[LabelButton] = []
        self.head = SectionHead("Labels", "this frame")
        self._grid = QGridLayout()
        self._grid.setContentsMargins(12, 0, 12, 0)
        self._grid.setSpacing(8)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 10)
        box.setSpacing(0)
        box.addWidget(self.head)
        box.addLayout(self._grid)

    def refresh(self) -> None:
        """Show the labels of the frame in view."""
        names = tuple(label.name for label in self._session.schema.labels)
        if names != self._names:
            self._rebuild(names)
        self.setVisible(bool(names) and self._session.current is not None)
        said = self._session.annotation.labels
        waiting = self._session.proposed
        thought = waiting.labels if waiting is not None and not said else {}
        likeliest = max(thought, key=lambda name: thought[name]) if thought else ""
        for button in self._buttons:
            name = button.text()
            button.show_state(said=name in said, probability=thought.get(name), likeliest=name == likeliest)
            button.setEnabled(not self._session.read_only)

    def _rebuild(self, names: tuple[str, ...]) -> None:
        for button in self._buttons:
            self._grid.removeWidget(button)
            button.deleteLater()
        self._names, self._buttons = names, []
        for index, name in enumerate(names):
            button = LabelButton(name, str(index + 1) if index < 9 else "", self)
            button.clicked.connect(lambda _on=False, name=name: self._session.reviewing.toggle_label(name))
            self._buttons.append(button)
            self._grid.addWidget(button, index // COLUMNS, index % COLUMNS)
