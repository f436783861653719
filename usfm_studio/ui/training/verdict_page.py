"""How a run ended: one sentence, the subjects one by one, the worst frames, and which model proposes."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QImage, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QGridLayout, QSizePolicy, QWidget

from usfm_studio.document.frame import Frame, FrameId
from usfm_studio.ui.session import Session
from usfm_studio.ui.shell import fonts, paint
from usfm_studio.ui.shell.controls import Button, Card, Heading, IconMark, Kind, Label, column, row
from usfm_studio.ui.shell.theme import colour
from usfm_studio.ui.state import Verdict, WorstFrame
from usfm_studio.ui.training.model_cards import ModelChoice
from usfm_studio.ui.training.overlay_picture import overlay_picture

SUBJECTS_SHOWN = 12


class SubjectPairs(QWidget):
    """Subject by subject: the old score, the new one, and the difference with its sign (losses in amber)."""

    ROW = 34

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._verdict: Verdict | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_verdict(self, verdict: Verdict) -> None:
        """Show these subjects, the most changed first when there are many."""
        self._verdict = verdict
        self.setFixedHeight(self.ROW * max(1, len(self._rows())) + 30)
        words = ", ".join(f"{s} {new:.2f}" for s, _, new in self._rows())
        self.setAccessibleName(f"Score of each subject: {words}")
        self.update()

    def _rows(self) -> list[tuple[str, float | None, float]]:
        if self._verdict is None:
            return []
        rows = sorted(self._verdict.per_subject, key=lambda r: r[2] - (r[1] if r[1] is not None else 0.0))
        return rows[:SUBJECTS_SHOWN]

    def paintEvent(self, event: QPaintEvent) -> None:
        """Axis, shaded interval, pairs."""
        rows = self._rows()
        if not rows or self._verdict is None:
            return
        painter = paint.painter_on(self)
        values = [v for _, old, new in rows for v in (old, new) if v is not None]
        low = max(0.0, min([*values, 0.95]) - 0.08)
        area = QRectF(72, 0, self.width() - 72 - 56, self.ROW * len(rows))
        self._draw_axis(painter, area, low)
        for index, one in enumerate(rows):
            self._draw_pair(painter, area, low, index, one)
        painter.end()

    def _x(self, area: QRectF, low: float, value: float) -> float:
        return area.left() + (value - low) / (1.0 - low) * area.width()

    def _draw_axis(self, painter: QPainter, area: QRectF, low: float) -> None:
        verdict = self._verdict
        assert verdict is not None
        if verdict.interval is not None:
            left, right = (self._x(area, low, max(low, v)) for v in verdict.interval)
            painter.fillRect(QRectF(left, area.top(), max(2.0, right - left), area.height()), colour("selected"))
        for part in range(4):
            value = low + (1.0 - low) * part / 3
            x = self._x(area, low, value)
            painter.setPen(QPen(colour("line"), 1))
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
            rect = QRectF(x - 24, area.bottom() + 6, 48, 18)
            paint.text(painter, rect, f"{value:.2f}", colour("muted"), fonts.SMALL, 400, paint.CENTRE)
        for score, dashed in ((verdict.champion_score, True), (verdict.challenger_score, False)):
            if score is not None and score >= low:
                x = self._x(area, low, score)
                painter.setPen(QPen(colour("text"), 1.25, Qt.PenStyle.DashLine if dashed else Qt.PenStyle.SolidLine))
                painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))

    def _draw_pair(
        self, painter: QPainter, area: QRectF, low: float, index: int, one: tuple[str, float | None, float]
    ) -> None:
        subject, old, new = one
        top = area.top() + index * self.ROW
        middle = top + self.ROW / 2
        lost = old is not None and new < old - 0.005
        ink = colour("warning" if lost else "accent")
        paint.text(painter, QRectF(0, top, 68, self.ROW), subject, colour("text"), fonts.SECONDARY, 600)
        new_x = self._x(area, low, new)
        if old is not None:
            old_x = self._x(area, low, old)
            painter.setPen(QPen(ink, 2))
            painter.drawLine(QPointF(old_x, middle), QPointF(new_x, middle))
            paint.dot(painter, QPointF(old_x, middle), 4, colour("muted"))
        paint.dot(painter, QPointF(new_x, middle), 5.5, ink)
        words = f"{new - old:+.2f}".replace("-", "−") if old is not None else f"{new:.2f}"
        rect = QRectF(area.right() + 8, top, 48, self.ROW)
        paint.text(painter, rect, words, ink if lost else colour("text"), fonts.SECONDARY, 600, paint.RIGHT)


class WorstPicture(QWidget):
    """One frame with outlines; a click opens it."""

    opened = Signal(object)  # FrameId

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._image: QImage | None = None
        self._frame: FrameId | None = None
        self._words = ""
        self.setMinimumHeight(96)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def show_picture(self, image: QImage | None, words: str, frame: FrameId) -> None:
        """Show a picture; None while its pixels are being read."""
        self._image, self._words, self._frame = image, words, frame
        self.setAccessibleName(words or "Reference")
        self.update()

    def sizeHint(self) -> QSize:
        """A comfortable size."""
        return QSize(220, 150)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Open the frame."""
        if self._frame is not None:
            self.opened.emit(self._frame)

    def paintEvent(self, event: QPaintEvent) -> None:
        """The picture, cut to the frame, and its score on a plate."""
        painter = paint.painter_on(self)
        rect = QRectF(self.rect())
        paint.ground(painter, rect, 6, colour("canvas"), colour("line"))
        if self._image is not None:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            size = self._image.size().scaled(self.size() - QSize(2, 2), Qt.AspectRatioMode.KeepAspectRatio)
            target = QRectF(
                (rect.width() - size.width()) / 2, (rect.height() - size.height()) / 2, size.width(), size.height()
            )
            painter.drawImage(target, self._image)
        if self._words:
            width = fonts.text_width(self._words, fonts.SECONDARY, 600) + 16
            plate = QRectF(8, rect.height() - 32, width, 24)
            paint.ground(painter, plate, 6, paint.clear("plate", 0.84))
            paint.text(painter, plate, self._words, colour("on_plate"), fonts.SECONDARY, 600, paint.CENTRE)
        painter.end()


class VerdictPage(QWidget):
    """The comparison of the last run. Unflattering frames included."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._mark = IconMark("trending-up", size=28, ink="ok")
        self._title = Heading("", size=fonts.TITLE)
        self._sentence = Label("", size=fonts.SECONDARY, ink="muted", wrap=True)
        self.back = Button("Back to work", Kind.QUIET, icon="arrow-left", key="Esc", height=36)
        self._pairs = SubjectPairs()
        self._shaded = Label("", size=fonts.SECONDARY, ink="muted")
        self.choice = ModelChoice(session)
        self._rule = Label("", size=fonts.SECONDARY, ink="muted", wrap=True)
        self.next = Button("Label the next", Kind.PRIMARY, key="N", height=36)
        self._worst_card = Card()
        self._grid = QGridLayout()
        self._heads = [Label("", size=fonts.SECONDARY, weight=500, ink="muted") for _ in range(3)]
        self._cells: list[tuple[Label, Label, list[WorstPicture]]] = []
        self._wanted: set[FrameId] = set()
        self._lay_out()
        session.training_changed.connect(self.refresh)
        session.navigation.pictures.arrived.connect(self._on_pixels)

    def _lay_out(self) -> None:
        self._lay_out_worst()
        pairs = Card()
        pairs.body.addWidget(Heading("Score, subject by subject"))
        pairs.body.addWidget(self._pairs)
        pairs.body.addWidget(self._shaded)
        which = Card()
        which.body.addWidget(Heading("Which model proposes"))
        which.body.addWidget(self.choice)
        which.body.addWidget(self._rule)
        which.body.addStretch(1)
        which.body.addLayout(row(self.next, None))
        left = column(pairs, which, spacing=16)
        left.setStretch(1, 1)
        middle = row(spacing=16)
        middle.addLayout(left, 4)
        middle.addWidget(self._worst_card, 7)
        head = row(self._mark, spacing=12)
        head.addLayout(column(self._title, self._sentence, spacing=4), 1)
        head.addWidget(self.back)
        box = column(spacing=16, margins=(24, 16, 24, 16))
        box.addLayout(head)
        box.addLayout(middle, 1)
        self.setLayout(box)

    def _lay_out_worst(self) -> None:
        title = Heading("Worst frames of the new model")
        note = Label("lowest score first; thin white: what you marked", size=fonts.SECONDARY, ink="muted")
        self._worst_card.body.addLayout(row(title, note, None))
        self._grid.setSpacing(8)
        for index, label in enumerate(self._heads):
            self._grid.addWidget(label, 0, index + 1)
            self._grid.setColumnStretch(index + 1, 1)
        for line in range(3):
            name, place = Label("", weight=600), Label("", size=fonts.SECONDARY, ink="muted")
            holder = QWidget()
            holder.setLayout(column(name, place, None, spacing=2))
            holder.setFixedWidth(72)
            pictures = [WorstPicture() for _ in range(3)]
            self._grid.addWidget(holder, line + 1, 0)
            for index, picture in enumerate(pictures):
                picture.opened.connect(self._session.navigation.go)
                self._grid.addWidget(picture, line + 1, index + 1)
            self._cells.append((name, place, pictures))
            self._grid.setRowStretch(line + 1, 1)
        self._worst_card.body.addLayout(self._grid, 1)

    def refresh(self) -> None:
        """Show the last verdict."""
        verdict = self._session.learning.verdict
        if verdict is None:
            self._title.setText("No run has ended yet")
            return
        better = verdict.promoted
        self._mark.set_icon("trending-up" if better else "shield-check", "ok" if better else "warning")
        self._title.setText(verdict.title)
        self._sentence.setText(verdict.sentence)
        self._pairs.show_verdict(verdict)
        self._shaded.setText(_shaded(verdict))
        self._rule.setText(verdict.rule or "What you accepted is untouched.")
        self.choice.refresh()
        old = verdict.champion.name if verdict.champion else "before"
        for label, words in zip(self._heads, (old, f"{verdict.challenger.name}, now", "Yours"), strict=True):
            label.setText(words)
        self._show_worst(verdict)

    def _show_worst(self, verdict: Verdict) -> None:
        self._worst_card.setVisible(bool(verdict.worst))
        for index, (name, place, pictures) in enumerate(self._cells):
            shown = index < len(verdict.worst)
            for widget in (name, place, *pictures):
                widget.setVisible(shown)
            if shown:
                one = verdict.worst[index]
                name.setText(one.subject[:9])
                place.setText(one.title)
                self._draw(one, pictures)

    def _draw(self, one: WorstFrame, pictures: list[WorstPicture]) -> None:
        project = self._session.project
        if project is None:
            return
        frame: Frame = project.frame(one.frame)
        decoded = self._session.navigation.pictures.want(frame)
        if decoded is None:
            self._wanted.add(one.frame)
        schema = project.schema.for_exam(project.schema.exam_of(frame.instance))
        columns = (
            (one.old_ids, _score(one.old_dice)),
            (one.new_ids, _score(one.new_dice)),
            (None, ""),
        )
        for picture, (ids, words) in zip(pictures, columns, strict=True):
            if decoded is None:
                picture.show_picture(None, words, one.frame)
                continue
            image = overlay_picture(decoded.array, ids, one.reference_ids, schema, solid=ids is None and words == "")
            picture.show_picture(image, words, one.frame)

    def _on_pixels(self, frame: FrameId) -> None:
        if frame in self._wanted:
            self._wanted.discard(frame)
            self.refresh()


def _score(value: float | None) -> str:
    return "none" if value is None else f"Dice {value:.2f}"


def _shaded(verdict: Verdict) -> str:
    if verdict.interval is None:
        return ""
    low, high = verdict.interval
    few = len(verdict.per_subject) < 10
    what = f"range of the {len(verdict.per_subject)}" if few else "95 % interval"
    return f"Shaded: {what} under the new model, {low:.2f} to {high:.2f}"
