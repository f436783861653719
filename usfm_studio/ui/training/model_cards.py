"""The models of the project for the kind of image in view: which one proposes, how good each is, and going back."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from usfm_studio.ui.session import Session
from usfm_studio.ui.shell import fonts, paint
from usfm_studio.ui.shell.controls import Button, Label, row
from usfm_studio.ui.shell.controls.base import Pressable
from usfm_studio.ui.shell.icons import draw_icon
from usfm_studio.ui.shell.theme import colour
from usfm_studio.ui.shell.tokens import RADIUS
from usfm_studio.ui.shell.words import moment
from usfm_studio.ui.state import ModelRow

HEIGHT = 52


class ModelCardButton(Pressable):
    """One model as a choice: filled circle and accent border when it proposes."""

    def __init__(self, model: ModelRow, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model = model
        self.setCheckable(True)
        self.setChecked(model.champion)
        self.setFixedHeight(HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(f"{model.card.name}, {'in use' if model.champion else 'kept'}, {score_words(model)}")

    def nextCheckState(self) -> None:
        """Stays as it is: the session says which one is in use."""

    def sizeHint(self) -> QSize:
        """A card."""
        return QSize(240, HEIGHT)

    def draw(self, painter: QPainter) -> None:
        """Ground, circle, name, what is known of it."""
        rect = QRectF(self.rect())
        chosen = self.model.champion
        fill = colour("selected") if chosen else paint.blend("card", "hover", self.lit)
        paint.ground(painter, rect, RADIUS, fill, colour("accent" if chosen else "line"))
        icon = "circle-check-filled" if chosen else "circle"
        draw_icon(painter, icon, QRectF(10, 0, 20, HEIGHT), 18, colour("accent" if chosen else "muted"))
        room = rect.adjusted(40, 6, -12, -6)
        top = QRectF(room.left(), room.top(), room.width(), 20)
        under = QRectF(room.left(), room.top() + 20, room.width(), 18)
        words = score_words(self.model)
        width = fonts.text_width(words, fonts.SECONDARY, 600) + 2
        paint.text(painter, top, words, colour("text"), fonts.SECONDARY, 600, paint.RIGHT)
        paint.text(painter, top.adjusted(0, 0, -width - 8, 0), self.model.card.name, colour("text"), fonts.BASE, 600)
        paint.text(painter, under, about(self.model), colour("muted"), fonts.SECONDARY)


def score_words(model: ModelRow) -> str:
    """`0.95 (0.93–0.96)`, or that it was not scored."""
    if model.score is None:
        return "not scored"
    if model.interval is None:
        return f"{model.score:.2f}"
    low, high = model.interval
    return f"{model.score:.2f} ({low:.2f}–{high:.2f})"


def about(model: ModelRow) -> str:
    """Since when, and from how many subjects."""
    subjects = len(model.card.train_subjects)
    state = "In use" if model.champion else "Kept"
    parts = [state, moment(model.card.created)]
    if subjects:
        parts.append(f"{subjects} subject{'s' if subjects != 1 else ''}")
    return " · ".join(part for part in parts if part)


class ModelChoice(QWidget):
    """All models of this kind of image, newest first; a click lets one propose, one button goes back."""

    def __init__(self, session: Session, *, most: int = 3, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session, self._most = session, most
        self._shown: tuple[ModelRow, ...] | None = None
        self.buttons: list[ModelCardButton] = []
        self._box = QVBoxLayout()
        self._box.setContentsMargins(0, 0, 0, 0)
        self._box.setSpacing(8)
        self._none = Label("No model has been fine-tuned for this kind of image.", size=12, ink="muted", wrap=True)
        self.back = Button("Go back", icon="arrow-back-up")
        self._exam = ""
        self.back.clicked.connect(lambda: session.learning.rollback(self._exam))
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(8)
        outer.addWidget(self._none)
        outer.addLayout(self._box)
        outer.addLayout(row(self.back, None))

    def refresh(self, exam: str | None = None) -> None:
        """Show the shelf as it stands: models of this exam group, by default that of the image in view."""
        self._exam = self._session.exam if exam is None else exam
        of_kind = [m for m in self._session.learning.models if m.card.exam == self._exam]
        rows = tuple(of_kind[: self._most])
        for button in self.buttons:
            button.setEnabled(not self._session.read_only)
        self.back.setEnabled(not self._session.read_only)
        if rows == self._shown:
            return
        self._shown = rows
        for button in self.buttons:
            self._box.removeWidget(button)
            button.hide()
            button.deleteLater()
        self.buttons = [ModelCardButton(model, self) for model in rows]
        for button in self.buttons:
            digest = button.model.card.digest
            button.clicked.connect(lambda _on=False, digest=digest: self._session.learning.promote(digest))
            button.setEnabled(not self._session.read_only)
            self._box.addWidget(button)
        self._none.setVisible(not rows)
        used = next((m for m in of_kind if m.champion), None)
        self.back.setVisible(used is not None)
        if used is not None:
            parent = next((m for m in of_kind if m.card.digest in used.card.parents), None)
            words = f"Go back to {short(parent.card.name)}" if parent else "Use no model"
            self.back.set_words(words)


def short(name: str) -> str:
    """A name that fits on a button."""
    return name if len(name) <= 24 else f"{name[:23]}…"
