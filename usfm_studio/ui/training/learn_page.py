"""The page of a run: how far, is it getting better, who is kept for testing, what it learns from, what comes then."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QPaintEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from usfm_studio.ui.session import Session
from usfm_studio.ui.shell import fonts, paint
from usfm_studio.ui.shell.controls import Button, Card, Heading, IconMark, Kind, Label, column, row
from usfm_studio.ui.shell.icons import draw_icon
from usfm_studio.ui.shell.theme import colour
from usfm_studio.ui.shell.words import clock, many
from usfm_studio.ui.state import TrainingState
from usfm_studio.ui.training.counter import Counter
from usfm_studio.ui.training.curve import Curve, number
from usfm_studio.ui.training.sources import Sources
from usfm_studio.ui.training.stage_bar import StageBar
from usfm_studio.ui.training.subject_grid import LINES, LINES_LOW, SubjectGrid

CURVE_MOST, LOW = 560, 700
KEPT = "Subjects kept for testing"
APART = "Never learned from. They judge every model of this project, so the numbers compare."
IN_TURN = "Each is judged by a model that has not learned from it. With more subjects some are kept apart for good."
AT_THE_END = (
    "New and old model are compared on subjects that they have not learned from.",
    "The better one proposes from then on; the other stays on the shelf.",
    "What you have accepted is never touched.",
)


class LearnPage(QWidget):
    """Big number, stages, two curves, subjects, sources, this computer. `wanted` carries action ids."""

    wanted = Signal(str)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.title = Heading("Learning", size=fonts.TITLE)
        self._under = Label("", size=fonts.SECONDARY, ink="muted")
        self.stop = Button("Stop and keep the best", icon="player-stop", height=36)
        self.cancel = Button("Cancel", Kind.QUIET, icon="x", height=36)
        self.verdict = Button("See the comparison", Kind.PRIMARY, icon="trending-up", height=36)
        self.start = Button("Fine-tune", Kind.PRIMARY, icon="school", key="Ctrl T", height=36)
        self.back = Button("Back to work", Kind.QUIET, icon="arrow-left", key="Esc", height=36)
        self._percent = Label("", size=fonts.BIG, weight=600)
        self._left = Label("", size=fonts.TITLE, ink="muted")
        self._steps = Label("", size=fonts.SECONDARY, ink="muted", align=paint.RIGHT)
        self._note = Label("", size=fonts.SECONDARY, ink="muted", align=paint.RIGHT)
        self._bar = StageBar()
        self._loss = Curve("Loss", ink="text")
        self._score = Curve("Held-out score")
        self._subjects, self._sources = SubjectGrid(), Sources()
        self._kept = Heading(KEPT)
        self._apart = Label(APART, size=fonts.SECONDARY, ink="muted", wrap=True)
        self._score_title = Label("On the subjects kept for testing", weight=600)
        self._score_note = Label("never used to stop", size=fonts.SECONDARY, ink="muted")
        self._computer = Label("", size=fonts.SECONDARY, ink="muted")
        self._parts, self._idle = QWidget(), QWidget()
        self._frames, self._persons = Counter("frame"), Counter("subject")
        self._lay_out()
        self._connect()

    def _connect(self) -> None:
        session = self._session
        self.stop.clicked.connect(session.learning.stop)
        self.cancel.clicked.connect(session.learning.cancel)
        self.start.clicked.connect(lambda: self.wanted.emit("model.fine_tune"))
        self.verdict.clicked.connect(lambda: self.wanted.emit("learn.verdict"))
        self.back.clicked.connect(lambda: self.wanted.emit("page.work"))
        for signal in (session.training_changed, session.engine_changed, session.closed):
            signal.connect(self._on_news)

    def _lay_out(self) -> None:
        self._lay_out_idle()
        top = row(None, self.stop, self.cancel, self.verdict, self.start, self.back, spacing=8)
        top.insertLayout(0, column(self.title, self._under, spacing=4))
        curves = row(spacing=16)
        lower = Label("lower is better", size=fonts.SECONDARY, ink="muted")
        curves.addWidget(_curve_card(Label("Loss", weight=600), lower, self._loss), 1)
        curves.addWidget(_curve_card(self._score_title, self._score_note, self._score), 1)
        left, side = column(self._progress_card(), spacing=16), column(spacing=16)
        left.addLayout(curves, 1)
        left.addWidget(self._end_card())
        left.addStretch(0)
        for card in (self._subjects_card(), self._sources_card(), self._computer_card()):
            side.addWidget(card)
        side.addStretch(1)
        parts = row(spacing=16)
        parts.addLayout(left, 20)
        parts.addLayout(side, 9)
        self._parts.setLayout(parts)
        box = column(spacing=16, margins=(24, 16, 24, 16))
        box.addLayout(top)
        box.addWidget(self._parts, 1)
        box.addWidget(self._idle, 1)
        self.setLayout(box)

    def _lay_out_idle(self) -> None:
        needs = Card()
        needs.body.addWidget(Heading("What it needs"))
        words = "Frames that you have finished with Ctrl+Enter, of different subjects:"
        needs.body.addWidget(Label(words, size=fonts.SECONDARY, ink="muted", wrap=True))
        needs.body.addWidget(self._frames)
        needs.body.addWidget(self._persons)
        needs.body.addStretch(1)
        cards = row(needs, self._end_card(), spacing=16)
        cards.setStretch(0, 1)
        cards.setStretch(1, 1)
        whole = column()
        whole.addLayout(cards)
        whole.addStretch(1)
        self._idle.setLayout(whole)

    def _progress_card(self) -> Card:
        card = Card()
        line = row(self._percent, self._left, None, spacing=16)
        line.addLayout(column(self._steps, self._note, spacing=2))
        card.body.addLayout(line)
        card.body.addWidget(self._bar)
        card.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        return card

    def _end_card(self) -> Card:
        card = Card()
        card.body.addWidget(Heading("At the end"))
        for words in AT_THE_END:
            card.body.addLayout(row(_Tick(), Label(words, size=fonts.SECONDARY, ink="muted"), None))
        card.body.addStretch(1)
        card.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        return card

    def _subjects_card(self) -> Card:
        card = Card()
        card.body.addWidget(self._kept)
        card.body.addSpacing(4)
        card.body.addWidget(self._subjects)
        card.body.addSpacing(4)
        line = row(self._apart, spacing=8)
        lock = column(IconMark("lock", "Kept apart", ink="accent"), None)
        line.insertLayout(0, lock)
        card.body.addLayout(line)
        return card

    def _sources_card(self) -> Card:
        card = Card()
        card.body.addWidget(Heading("What it learns from"))
        card.body.addWidget(self._sources)
        return card

    def _computer_card(self) -> Card:
        card = Card()
        card.body.addLayout(row(Heading("This computer"), self._computer, None))
        for words in ("You can go on working meanwhile", "Nothing leaves this computer"):
            card.body.addLayout(row(_Tick(), Label(words, size=fonts.SECONDARY, ink="muted"), None))
        return card

    # --- showing -----------------------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        """Be up to date when it comes into view."""
        super().showEvent(event)
        self.refresh()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fewer lines of subjects where it is low."""
        super().resizeEvent(event)
        self._subjects.set_lines(LINES if self.height() >= LOW else LINES_LOW)

    def _on_news(self) -> None:
        if self.isVisible():
            self.refresh()

    def refresh(self) -> None:
        """Show the run as it stands."""
        learning = self._session.learning
        state, ready = learning.training, learning.readiness.enough and not self._session.read_only
        running = state is not None and state.running
        self.stop.setVisible(running)
        self.stop.setEnabled(state is not None and not state.stopping)
        self.cancel.setVisible(running)
        self.verdict.setVisible(not running and learning.verdict is not None)
        self.start.setVisible(not running and learning.verdict is None)
        self.start.setEnabled(ready)
        self._parts.setVisible(state is not None)
        self._idle.setVisible(state is None)
        self._computer.setText(self._session.engine.device)
        if state is None:
            self.title.setText("Nothing is being learned")
            have = learning.readiness
            self._frames.show_count(have.frames, have.frames_needed)
            self._persons.show_count(have.subjects, have.subjects_needed)
            enough = "There is enough to learn from." if ready else "There is too little to learn from yet."
            self._under.setText(f"{enough} It takes a few minutes; you can go on working.")
            return
        self._show_head(state)
        self._show_progress(state)
        self._loss.show_points(state.losses, x_end=state.steps)
        level = (state.champion_score, f"{state.champion_name} in use") if state.champion_score is not None else None
        in_turn = bool(state.train_subjects) and not state.holdout_subjects
        self._score.show_points(
            state.holdout, level=level, x_end=None if in_turn else state.steps, numbered=not in_turn
        )
        self._score_title.setText("On subjects not learned from" if in_turn else "On the subjects kept for testing")
        self._score_note.setText("mean so far, a point a test" if in_turn else "never used to stop")
        self._show_subjects(state, in_turn)
        self._subjects.show_subjects(state.train_subjects, state.holdout_subjects)
        self._sources.show_run(state)

    def _show_subjects(self, state: TrainingState, in_turn: bool) -> None:
        """Few subjects are all learned from, and tested in turn by models that have not seen them."""
        kept, total = len(state.holdout_subjects), len(state.train_subjects) + len(state.holdout_subjects)
        if in_turn:
            self._kept.setText(f"Each of the {total} subjects is tested in turn")
        else:
            self._kept.setText(f"{kept} of {total} subjects are kept for testing" if total else KEPT)
        self._apart.setText(IN_TURN if in_turn else APART)

    def _show_head(self, state: TrainingState) -> None:
        count = len(state.train_subjects) + len(state.holdout_subjects)
        who = f"your {many(count, 'subject')}" if count else "your corrections"
        self.title.setText(f"{'Learning' if state.running else 'Learned'} from {who}")
        parts = [state.name, f"{many(state.frames - state.frames_empty, 'frame')} marked"]
        if state.frames_empty:
            parts.append(f"{state.frames_empty} with nothing to mark")
        self._under.setText(" · ".join([*parts, f"started {state.started}"]))

    def _show_progress(self, state: TrainingState) -> None:
        self._percent.setText(f"{state.percent:.0f} %")
        self._left.setText(f"{clock(state.left_s)} left" if state.left_s is not None else "")
        steps = f"Step {number(state.step)}" if state.step else ""
        if state.step and state.steps:
            steps += f" of {number(state.steps)}"
        self._steps.setText(steps)
        speed = f"{state.steps_per_second:.0f} steps a second" if state.steps_per_second else ""
        self._note.setText(state.note or speed)
        self._bar.show_stages(state.stages, state.percent)


def _curve_card(title: Label, note: Label, curve: Curve) -> Card:
    card = Card()
    card.body.addLayout(row(title, note, None))
    card.body.addWidget(curve, 1)
    card.setMaximumHeight(CURVE_MOST)
    return card


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
