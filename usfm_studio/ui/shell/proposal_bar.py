"""Floats over the image while something is proposed: accept, edit, reject, with their keys."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPoint, QVariantAnimation, Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

from usfm_studio.ui.shell import fonts
from usfm_studio.ui.shell.controls import Button, ElidedLabel, Kind, Label, Plate, Rule, Swatch
from usfm_studio.ui.shell.theme import duration
from usfm_studio.ui.shell.tokens import CONTROL_BIG, DRAWER_MS

FROM_EDGE, FROM_EDGE_LOW, LOW_CANVAS = 16, 8, 640
TRAVEL = 8


class ProposalBar(Plate):
    """44 px, in the middle over the lower edge of `stage` (or of what a drawer leaves of it)."""

    wanted = Signal(str)  # action id

    def __init__(self, stage: QWidget) -> None:
        super().__init__(stage, padding=0)
        self.setAccessibleName("Proposal")
        self.setFixedHeight(CONTROL_BIG)
        self.swatch = Swatch("1", "#56B4E9", side=18)
        self.name = ElidedLabel("", weight=600, least=40)
        self.confidence = Label("", ink="muted")
        self.accept = Button("Accept", Kind.PRIMARY, key="Enter")
        self.edit = Button("Edit", Kind.QUIET, key="B")
        self.reject = Button("Reject", Kind.QUIET, key="Del")
        self._stage, self._covered, self._shown, self._resting = stage, 0, False, False
        self._rise = QVariantAnimation(self, startValue=float(TRAVEL), endValue=0.0)
        self._rise.valueChanged.connect(lambda _: self._place())
        self._lay_out()
        for button, action in (
            (self.accept, "proposal.accept"),
            (self.edit, "tool.brush"),
            (self.reject, "proposal.reject"),
        ):
            button.clicked.connect(lambda _=False, action=action: self.wanted.emit(action))
        stage.installEventFilter(self)
        self.hide()

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.setContentsMargins(12, 6, 8, 6)
        row.setSpacing(8)
        rule = Rule(upright=True, ink="line2")
        rule.setFixedHeight(20)
        for widget in (self.swatch, self.name, self.confidence):
            row.addWidget(widget)
        row.addSpacing(8)
        row.addWidget(rule)
        for button in (self.accept, self.edit, self.reject):
            row.addWidget(button)
        self.body.addLayout(row)

    def set_keys(self, accept: str, edit: str, reject: str) -> None:
        """The keys in force."""
        self.accept.set_words(self.accept.text(), key=accept)
        self.edit.set_words("Edit", key=edit)
        self.reject.set_words("Reject", key=reject)

    def show_proposal(self, number: str, ink: str, name: str, confidence: float | None, others: int) -> None:
        """What is proposed: one segment, and how many besides it."""
        self.swatch.set_segment(number, ink, filled=True)
        more = f"{name} and {others} more" if others else name
        self.name.setText(more)
        self.name.setMaximumWidth(round(min(fonts.text_width(more, fonts.BASE, 600) + 2, 220)))
        self.confidence.setText("" if confidence is None else f"{confidence:.2f}")
        self.confidence.setVisible(confidence is not None)
        self._shown = True
        self._refresh()

    def clear(self) -> None:
        """Nothing is proposed."""
        self._shown = False
        self._refresh()

    def rest(self, resting: bool) -> None:
        """Stay away while a stroke is drawn."""
        self._resting = resting
        self._refresh()

    def set_covered(self, left: int) -> None:
        """How much of the stage a drawer covers at its left."""
        self._covered = left
        self._place()

    def _refresh(self) -> None:
        visible = self._shown and not self._resting
        if visible and not self.isVisible():
            self.show()
            self.raise_()
            if duration(DRAWER_MS):
                self._rise.setDuration(duration(DRAWER_MS))
                self._rise.start()
        elif not visible:
            self.hide()
        self._place()

    def _place(self) -> None:
        if not self.isVisible():
            return
        self.body.activate()  # what it says may have changed since the last turn of the event loop
        room = self._stage.width() - self._covered
        width = min(self.sizeHint().width(), room - 16)
        edge = FROM_EDGE if self._stage.height() >= LOW_CANVAS else FROM_EDGE_LOW
        running = self._rise.state() == QVariantAnimation.State.Running
        down = round(float(self._rise.currentValue())) if running else 0
        self.resize(width, CONTROL_BIG)
        self.move(QPoint(self._covered + (room - width) // 2, self._stage.height() - CONTROL_BIG - edge + down))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Follow the stage's size; take the shadow along."""
        if watched is self._stage and event.type() == QEvent.Type.Resize:
            self._place()
        return super().eventFilter(watched, event)
