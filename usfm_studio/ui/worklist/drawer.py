"""The worklist: all items with picture, state and reason, found by words and filtered by state."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QScrollBar, QSizePolicy, QVBoxLayout, QWidget

from usfm_studio.document.annotation import State
from usfm_studio.ui.session import Session
from usfm_studio.ui.shell import fonts, paint
from usfm_studio.ui.shell.controls import Button, Chip, IconButton, Label, SearchField, SectionHead, row
from usfm_studio.ui.shell.theme import colour
from usfm_studio.ui.state import Item
from usfm_studio.ui.worklist.badges import STATE_WORDS, draw_badge, draw_picture
from usfm_studio.ui.worklist.thumbnails import Thumbnails

ROW_HEIGHT = 64
HEAD_HEIGHT = 28
WIDTH = 272
FILTERS: tuple[tuple[str, frozenset[State] | None], ...] = (
    ("All", None),
    ("To do", frozenset({State.TODO, State.DOING})),
    ("Flagged", frozenset({State.FLAGGED})),
)


class Rows(QWidget):
    """The list itself: only what is in view is painted. Heads are exam groups or subjects."""

    chosen = Signal(int)

    def __init__(self, session: Session, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session, self._thumbnails = session, thumbnails
        self._lines: list[str | int] = []
        self._tops: list[int] = [0]
        self._hover = -1
        self._bar = QScrollBar(Qt.Orientation.Vertical, self)
        self._bar.valueChanged.connect(lambda _value: self.update())
        self.setAccessibleName("Worklist")
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        thumbnails.arrived.connect(lambda _frame: self.update())

    def show_rows(self, rows: list[int]) -> None:
        """Show these items, a head before each subject's first."""
        items = self._session.navigation.items
        self._lines, head = [], None
        for index in rows:
            group = _group(items[index])
            if group != head:
                self._lines.append(group)
                head = group
            self._lines.append(index)
        self._tops = [0]
        for line in self._lines:
            self._tops.append(self._tops[-1] + (HEAD_HEIGHT if isinstance(line, str) else ROW_HEIGHT))
        self._fit_bar()
        self.update()

    def follow(self) -> None:
        """Bring the current item into view."""
        row_now = self._session.navigation.item_index
        if row_now in self._lines:
            at = self._lines.index(row_now)
            top, bottom = self._tops[at], self._tops[at + 1]
            if top < self._bar.value():
                self._bar.setValue(top - HEAD_HEIGHT)
            elif bottom > self._bar.value() + self.height():
                self._bar.setValue(bottom - self.height())
        self.update()

    def _fit_bar(self) -> None:
        self._bar.setRange(0, max(0, self._tops[-1] - self.height()))
        self._bar.setPageStep(self.height())
        self._bar.setSingleStep(ROW_HEIGHT // 2)
        self._bar.setVisible(self._bar.maximum() > 0)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the bar at the right edge."""
        self._bar.setGeometry(self.width() - 10, 0, 10, self.height())
        self._fit_bar()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Scroll."""
        self._bar.setValue(round(self._bar.value() - event.angleDelta().y() / 120 * ROW_HEIGHT))
        event.accept()

    def line_at(self, position: QPointF) -> int:
        """Index of the item under a point, or -1."""
        y = position.y() + self._bar.value()
        for line, top, bottom in zip(self._lines, self._tops, self._tops[1:], strict=False):
            if top <= y < bottom:
                return line if isinstance(line, int) else -1
        return -1

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go to the item."""
        index = self.line_at(event.position())
        if index >= 0 and event.button() is Qt.MouseButton.LeftButton:
            self.chosen.emit(index)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Light up what is under the mouse."""
        index = self.line_at(event.position())
        if index != self._hover:
            self._hover = index
            item = self._session.navigation.items[index] if index >= 0 else None
            self.setToolTip("\n".join(item.notices) if item else "")
            self.update()

    def leaveEvent(self, event: QEvent) -> None:
        """Back to rest."""
        self._hover = -1
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Up and down move among the rows shown."""
        step = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}.get(Qt.Key(event.key()))
        rows = [line for line in self._lines if isinstance(line, int)]
        if step is None or not rows:
            super().keyPressEvent(event)
            return
        now = self._session.navigation.item_index
        at = rows.index(now) + step if now in rows else 0
        self.chosen.emit(rows[min(max(0, at), len(rows) - 1)])

    def paintEvent(self, event: QPaintEvent) -> None:
        """Heads and rows in view."""
        painter = paint.painter_on(self)
        shift = self._bar.value()
        width = self.width() - (10 if self._bar.isVisible() else 0)
        for line, top, bottom in zip(self._lines, self._tops, self._tops[1:], strict=False):
            if bottom < shift or top > shift + self.height():
                continue
            rect = QRectF(0, top - shift, width, bottom - top)
            if isinstance(line, str):
                paint.text(painter, rect.adjusted(12, 4, -8, 0), line, colour("muted"), fonts.SECONDARY, 500)
            elif line < len(self._session.navigation.items):
                self._draw_row(painter, rect, line)
        painter.end()

    def _draw_row(self, painter: QPainter, rect: QRectF, index: int) -> None:
        item = self._session.navigation.items[index]
        ground = rect.adjusted(4, 1, -4, -1)
        if index == self._session.navigation.item_index:
            paint.ground(painter, ground, 6, colour("selected"))
        elif index == self._hover:
            paint.ground(painter, ground, 6, colour("hover"))
        picture = QRectF(12, rect.top() + 9, 72, 46)
        draw_picture(painter, picture, self._thumbnails.get(item.instance))
        draw_badge(painter, picture.right() - 1, picture.bottom() - 1, item.state)
        text = QRectF(96, rect.top() + 6, rect.width() - 104, 18)
        paint.text(painter, text, item.title, colour("text"), fonts.SECONDARY, 600)
        paint.text(painter, text.translated(0, 18), item.subtitle, colour("muted"), fonts.SECONDARY)
        words, ink = _standing(item)
        paint.text(painter, text.translated(0, 36), words, colour(ink), fonts.SECONDARY)


def _group(item: Item) -> str:
    name = item.exam.capitalize() if item.exam else ""
    return name or f"Subject {item.instance.patient_id or item.subject}"


def _standing(item: Item) -> tuple[str, str]:
    if item.state is State.TODO and item.notices:
        return item.notices[0], "warning"
    return STATE_WORDS[item.state], "warning" if item.state is State.FLAGGED else "muted"


class Drawer(QWidget):
    """Head, search, filters and rows. 272 px wide; pinned in wide windows, over the canvas in narrow ones."""

    pin_wanted = Signal()

    def __init__(self, session: Session, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.setFixedWidth(WIDTH)
        self.head = SectionHead("Worklist")
        pin = IconButton("pin", "Keep the worklist open", parent=self)
        pin.clicked.connect(self.pin_wanted)
        self.head.add(pin)
        self.search = SearchField("Find an item", "Find subject, label or state")
        self._chips = [Chip(words) for words, _ in FILTERS]
        self._chips[0].setChecked(True)
        self.rows = Rows(session, thumbnails, self)
        self._nothing = Label("", size=fonts.SECONDARY, ink="muted", wrap=True)
        self._clear = Button("Clear filters", icon="filter-off")
        self._lay_out()
        self.search.textChanged.connect(self.refresh)
        for chip in self._chips:
            chip.clicked.connect(lambda _on, chip=chip: self._pick(chip))
        self._clear.clicked.connect(self.clear_filters)
        self.rows.chosen.connect(session.navigation.go_item)
        session.opened.connect(self.refresh)
        session.closed.connect(self.refresh)
        session.current_changed.connect(self.refresh)

    def _lay_out(self) -> None:
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 4, 0, 0)
        box.setSpacing(8)
        box.addWidget(self.head)
        box.addLayout(row(self.search, margins=(12, 0, 12, 0)))
        box.addLayout(row(*self._chips, None, margins=(12, 0, 12, 0)))
        box.addLayout(row(self._nothing, margins=(12, 8, 12, 0)))
        box.addLayout(row(self._clear, None, margins=(12, 0, 12, 0)))
        box.addWidget(self.rows, 1)

    def clear_filters(self) -> None:
        """Show every item again."""
        self.search.clear()
        self._pick(self._chips[0])

    def _pick(self, chosen: Chip) -> None:
        for chip in self._chips:
            chip.setChecked(chip is chosen)
        self.refresh()

    def refresh(self) -> None:
        """Show what the filters let through."""
        items = self._session.navigation.items
        for chip, (_, states) in zip(self._chips, FILTERS, strict=True):
            chip.set_count(str(sum(1 for item in items if states is None or item.state in states)))
        states = next(states for chip, (_, states) in zip(self._chips, FILTERS, strict=True) if chip.isChecked())
        words = self.search.text().casefold().split()
        rows = [
            index
            for index, item in enumerate(items)
            if (states is None or item.state in states)
            and all(word in _searched(self._session, item) for word in words)
        ]
        self.head.set_note(str(len(items)) if len(rows) == len(items) else f"{len(rows)} of {len(items)}")
        self.rows.show_rows(rows)
        self.rows.follow()
        nothing = bool(items) and not rows
        self._nothing.setVisible(nothing or not items)
        self._clear.setVisible(nothing)
        self._nothing.setText(
            "No item fits both the filter and the words." if nothing else "No images yet. Ctrl+O opens a study."
        )

    def paintEvent(self, event: QPaintEvent) -> None:
        """Ground and the line to the canvas."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), colour("panel"))
        painter.fillRect(self.width() - 1, 0, 1, self.height(), colour("line"))
        painter.end()


def _searched(session: Session, item: Item) -> str:
    project = session.project
    labels = project.annotation(item.instance.frame_id(0)).labels if project else ()
    parts = (item.title, item.subject, item.exam, STATE_WORDS[item.state], item.instance.study_description, *labels)
    return " ".join(parts).casefold()
