"""The page of a run: how far, is it getting better, who is kept for testing, what it learns from."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QGridLayout, QSizePolicy, QVBoxLayout, QWidget

from usfm_studio.ui.session import Session
from usfm_studio.ui.shell import fonts, paint
from usfm_studio.ui.shell.controls import Button, Card, Heading, Kind, Label, column, row
from usfm_studio.ui.shell.icons import draw_icon
from usfm_studio.ui.shell.theme import colour
from usfm_studio.ui.shell.words import clock
from usfm_studio.ui.state import TrainingState
from usfm_studio.ui.training.curve import Curve

METRICS = {"dice_all": "Dice", "macro_f1": "Macro F1", "ssim": "SSIM"}


class StageBar(QWidget):
    """The stages of a run side by side: done, running, still to come."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._stages: tuple[tuple[str, str], ...] = ()
        self._percent = 0.0
        self.setFixedHeight(36)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_stages(self, stages: tuple[tuple[str, str], ...], percent: float) -> None:
        """Show where the run stands."""
        self._stages, self._percent = stages, percent
        self.setAccessibleName(f"{percent:.0f} %, " + ", ".join(f"{name} {state}" for name, state in stages))
        self.update()

    def _weights(self) -> list[float]:
        known = {"Collect": 1.0, "Ready": 1.0, "Learn": 5.0, "Compare": 1.6, "Write": 1.2}
        return [known.get(name, 1.0) for name, _ in self._stages]

    def paintEvent(self, event: QPaintEvent) -> None:
        """Bars and their names."""
        if not self._stages:
            return
        painter = paint.painter_on(self)
        weights = self._weights()
        room = self.width() - 4.0 * (len(weights) - 1)
        left = 0.0
        for (name, state), weight in zip(self._stages, weights, strict=True):
            width = room * weight / sum(weights)
            self._draw_stage(painter, QRectF(left, 2, width, 6), name, state)
            left += width + 4
        painter.end()

    def _draw_stage(self, painter: QPainter, bar: QRectF, name: str, state: str) -> None:
        paint.ground(painter, bar, 3, colour("track"))
        if state != "todo":
            part = QRectF(bar)
            if state == "running" and name == "Learn":
                part.setWidth(max(6.0, bar.width() * min(1.0, self._percent / 88)))
            elif state == "running":
                part.setWidth(bar.width() * 0.5)
            paint.ground(painter, part, 3, colour("accent"))
        text = QRectF(bar.left(), 14, bar.width(), 18)
        if state == "done":
            draw_icon(painter, "check", QRectF(bar.left(), 15, 14, 16), 14, colour("ok"))
            text.adjust(18, 0, 0, 0)
        ink, weight = (colour("text"), 600) if state == "running" else (colour("muted"), 400)
        paint.text(painter, text, name, ink, fonts.SECONDARY, weight)


class SubjectGrid(QWidget):
    """All subjects as small tiles; those kept for testing are framed."""

    TILE_W, TILE_H, GAP = 60, 28, 8

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._train: tuple[str, ...] = ()
        self._holdout: tuple[str, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(self.TILE_H)

    def show_subjects(self, train: tuple[str, ...], holdout: tuple[str, ...]) -> None:
        """Show who learns and who tests."""
        if (train, holdout) == (self._train, self._holdout):
            return
        self._train, self._holdout = train, holdout
        self.setAccessibleName(f"{len(holdout)} of {len(train) + len(holdout)} subjects are kept for testing")
        self._fit()

    def resizeEvent(self, event: object) -> None:
        """Rows follow from the width."""
        self._fit()

    def _per_row(self) -> int:
        return max(1, (self.width() + self.GAP) // (self.TILE_W + self.GAP))

    def _fit(self) -> None:
        count = len(self._train) + len(self._holdout)
        rows = min(5, max(1, -(-count // self._per_row())))
        self.setFixedHeight(rows * (self.TILE_H + self.GAP) - self.GAP)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """The tiles."""
        painter = paint.painter_on(self)
        per_row = self._per_row()
        held = set(self._holdout)
        shown = sorted({*self._train, *held})[: per_row * 5]
        for index, subject in enumerate(shown):
            left = index % per_row * (self.TILE_W + self.GAP)
            top = index // per_row * (self.TILE_H + self.GAP)
            rect = QRectF(left, top, self.TILE_W, self.TILE_H)
            kept = subject in held
            paint.ground(painter, rect, 4, colour("selected" if kept else "raised"), colour("accent") if kept else None)
            weight = 600 if kept else 400
            ink = colour("text" if kept else "muted")
            paint.text(painter, rect.adjusted(4, 0, -4, 0), subject, ink, fonts.SECONDARY, weight, paint.CENTRE)
        painter.end()


class LearnPage(QWidget):
    """Big number, stages, two curves, who is kept for testing, what it learns from, this computer."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._title = Heading("Learning", size=fonts.TITLE)
        self._under = Label("", size=fonts.SECONDARY, ink="muted")
        self.stop = Button("Stop and keep the best", icon="player-stop", height=36)
        self.cancel = Button("Cancel", Kind.QUIET, icon="x", height=36)
        self.back = Button("Back to work", Kind.QUIET, icon="arrow-left", key="Esc", height=36)
        self.stop.clicked.connect(session.learning.stop)
        self.cancel.clicked.connect(session.learning.cancel)
        self._percent = Label("", size=fonts.BIG, weight=600)
        self._left = Label("", size=fonts.TITLE, ink="muted")
        self._steps = Label("", size=fonts.SECONDARY, ink="muted", align=paint.RIGHT)
        self._note = Label("", size=fonts.SECONDARY, ink="muted", align=paint.RIGHT)
        self._bar = StageBar()
        self._loss = Curve("Loss", ink="text", raw=True)
        self._score = Curve("Held-out score")
        self._score_title = Label("On the subjects kept for testing", size=fonts.BASE, weight=600)
        self._subjects = SubjectGrid()
        self._kept = Heading("Subjects kept for testing", size=fonts.BASE)
        self._learns = QVBoxLayout()
        self._computer = Label("", size=fonts.SECONDARY, ink="muted")
        self._lay_out()
        session.training_changed.connect(self.refresh)
        session.engine_changed.connect(self.refresh)

    def _lay_out(self) -> None:
        box = QVBoxLayout(self)
        box.setContentsMargins(24, 16, 24, 16)
        box.setSpacing(16)
        top = row(None, self.stop, self.cancel, self.back, spacing=8)
        top.insertLayout(0, column(self._title, self._under, spacing=4))
        box.addLayout(top)
        grid = QGridLayout()
        grid.setSpacing(16)
        grid.addWidget(self._progress_card(), 0, 0, 1, 2)
        grid.addWidget(self._curve_card(Label("Loss", weight=600), "lower is better", self._loss), 1, 0)
        grid.addWidget(self._curve_card(self._score_title, "watched, never used to stop", self._score), 1, 1)
        side = QVBoxLayout()
        side.setSpacing(16)
        for card in (self._subjects_card(), self._learns_card(), self._computer_card()):
            side.addWidget(card)
        side.addStretch(1)
        grid.addLayout(side, 0, 2, 2, 1)
        grid.setColumnStretch(0, 10)
        grid.setColumnStretch(1, 10)
        grid.setColumnStretch(2, 9)
        grid.setRowStretch(1, 1)
        box.addLayout(grid, 1)

    def _progress_card(self) -> Card:
        card = Card()
        line = row(self._percent, self._left, None, spacing=16)
        line.addLayout(column(self._steps, self._note, spacing=2))
        card.body.addLayout(line)
        card.body.addWidget(self._bar)
        return card

    def _curve_card(self, title: Label, note: str, curve: Curve) -> Card:
        card = Card()
        card.body.addLayout(row(title, Label(note, size=fonts.SECONDARY, ink="muted"), None))
        card.body.addWidget(curve, 1)
        return card

    def _subjects_card(self) -> Card:
        card = Card()
        card.body.addWidget(self._kept)
        card.body.addWidget(self._subjects)
        words = "Never learned from. The same subjects judge every model of this project, so the numbers compare."
        card.body.addWidget(Label(words, size=fonts.SECONDARY, ink="muted", wrap=True))
        return card

    def _learns_card(self) -> Card:
        card = Card()
        card.body.addWidget(Heading("What it learns from"))
        card.body.addLayout(self._learns)
        return card

    def _computer_card(self) -> Card:
        card = Card()
        card.body.addLayout(row(Heading("This computer"), self._computer, None))
        for words in ("You can go on working meanwhile", "Nothing leaves this computer"):
            card.body.addLayout(row(_Tick(), Label(words, size=fonts.SECONDARY, ink="muted"), None))
        return card

    def refresh(self) -> None:
        """Show the run as it stands."""
        state = self._session.learning.training
        running = state is not None and state.running
        self.stop.setVisible(running)
        self.stop.setEnabled(state is not None and not state.stopping)
        self.cancel.setVisible(running)
        self._computer.setText(self._session.engine.device)
        if state is None:
            self._title.setText("Nothing is being learned")
            self._under.setText("Finish a few frames of two subjects, then press Ctrl+T.")
            return
        self._show_head(state)
        self._show_progress(state)
        self._loss.show_points(state.losses, x_end=state.steps)
        level = (state.champion_score, f"{state.champion_name} in use") if state.champion_score is not None else None
        self._score.show_points(state.holdout, level=level, x_end=state.steps)
        total = len(state.train_subjects) + len(state.holdout_subjects)
        kept = len(state.holdout_subjects)
        self._kept.setText(f"{kept} of {total} subjects are kept for testing" if total else "Subjects kept for testing")
        self._subjects.show_subjects(state.train_subjects, state.holdout_subjects)
        self._show_sources(state)

    def _show_head(self, state: TrainingState) -> None:
        count = len(state.train_subjects) + len(state.holdout_subjects)
        who = f"your {count} subjects" if count else "your corrections"
        self._title.setText(f"{'Learning' if state.running else 'Learned'} from {who}")
        marked = state.frames - state.frames_empty
        parts = [state.name, f"{marked} frame{'s' if marked != 1 else ''} marked"]
        if state.frames_empty:
            parts.append(f"{state.frames_empty} with nothing to mark")
        self._under.setText(" · ".join([*parts, f"started {state.started}"]))

    def _show_progress(self, state: TrainingState) -> None:
        self._percent.setText(f"{state.percent:.0f} %")
        self._left.setText(f"{clock(state.left_s)} left" if state.left_s is not None else "")
        steps = f"Step {state.step:,}".replace(",", " ") if state.step else ""
        if state.step and state.steps:
            steps += f" of {state.steps:,}".replace(",", " ")
        self._steps.setText(steps)
        speed = f"{state.steps_per_second:.1f} steps a second" if state.steps_per_second else ""
        self._note.setText(state.note or speed)
        self._bar.show_stages(state.stages, state.percent)

    def _show_sources(self, state: TrainingState) -> None:
        while self._learns.count():
            item = self._learns.takeAt(0)
            widget = item.widget() if item is not None else None
            if widget is not None:
                widget.deleteLater()
        lines = [(name, f"{count} frame{'s' if count != 1 else ''}") for name, count in state.segment_frames]
        if state.frames_empty:
            lines.append(("Nothing to mark", f"{state.frames_empty} frames"))
        lines += [(name, str(count)) for name, count in state.label_frames]
        lines.append(("Proposals, unchecked", "not used"))
        for name, words in lines:
            line = QWidget()
            line.setLayout(row(Label(name, size=fonts.SECONDARY), None, Label(words, size=fonts.SECONDARY, weight=500)))
            self._learns.addWidget(line)


class _Tick(QWidget):
    """A tick in the colour of good news."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedSize(16, 16)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)

    def paintEvent(self, event: QPaintEvent) -> None:
        """The tick."""
        painter = paint.painter_on(self)
        draw_icon(painter, "circle-check", QRectF(self.rect()), 16, colour("ok"))
        painter.end()
