"""The rows of the worklist: only what is in view is painted, so that a thousand items cost as much as ten."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QScrollBar, QSizePolicy, QWidget

from usfm_studio.document.annotation import State
from usfm_studio.ui.session import Session
from usfm_studio.ui.shell import fonts, paint
from usfm_studio.ui.shell.focus import Shape, note_focus_reason
from usfm_studio.ui.shell.theme import colour, tokens
from usfm_studio.ui.shell.tokens import ROW_WORKLIST
from usfm_studio.ui.state import Item
from usfm_studio.ui.worklist.badges import STATE_WORDS, draw_badge, draw_frames_mark
from usfm_studio.ui.worklist.thumbnails import Thumbnails

HEAD = 32
SUGGESTED = "Suggested next"
_BAR = 10


@dataclass(frozen=True, slots=True)
class Line:
    """A head (row -1) or an item. `suggested` items stand on top a second time."""

    row: int
    head: str = ""
    suggested: bool = False


class Rows(QWidget):
    """Heads are exam groups, or subjects where there is no group. `chosen` carries the index of an item."""

    chosen = Signal(int)

    def __init__(self, session: Session, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session, self._thumbnails = session, thumbnails
        self._lines: list[Line] = []
        self._tops: list[int] = [0]
        self._hover = -1
        self._usual: frozenset[str] = frozenset()
        self._shown: tuple[Item, ...] = ()
        self._here = -1
        self._bar = QScrollBar(Qt.Orientation.Vertical, self)
        self._bar.valueChanged.connect(lambda _value: self.update())
        self.setAccessibleName("Worklist")
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        thumbnails.arrived.connect(lambda _frame: self.update())

    # --- what is shown -----------------------------------------------------------------------------------------

    def show_rows(self, rows: list[int], suggested: int = -1) -> None:
        """Show these items, a head before each group's first; the suggested one on top as well."""
        items = self._session.navigation.items
        lines: list[Line] = []
        if suggested >= 0:
            lines += [Line(-1, SUGGESTED), Line(suggested, suggested=True)]
        head = None
        for row in rows:
            group = group_of(items[row])
            if group != head:
                lines.append(Line(-1, group))
                head = group
            lines.append(Line(row))
        usual = usual_notices(items)
        if usual == self._usual and [line.head for line in lines] == [line.head for line in self._lines]:
            self._update_changed(lines, items)
            return
        self._usual, self._shown = usual, items
        self._lines = lines
        self._tops = [0]
        for line in lines:
            self._tops.append(self._tops[-1] + (HEAD if line.row < 0 else ROW_WORKLIST))
        self._fit_bar()
        self.say()
        self.update()

    def _update_changed(self, lines: list[Line], items: tuple[Item, ...]) -> None:
        """Heads stay where they are: repaint the rows that hold another item, or one that has changed."""
        (old_lines, before), (self._lines, self._shown) = (self._lines, self._shown), (lines, items)
        for at, (old, new) in enumerate(zip(old_lines, lines, strict=True)):
            if old != new or (new.row >= 0 and items[new.row] is not before[old.row]):
                self.update(self.line_rect(at).toAlignedRect())
        self.say()

    def say(self) -> None:
        """Tell a screen reader which item is the current one."""
        items, here = self._session.navigation.items, self._session.navigation.item_index
        count = sum(1 for line in self._lines if line.row >= 0 and not line.suggested)
        words = f"Worklist, {count} of {len(items)} items"
        if 0 <= here < len(items):
            words += f", now {items[here].title}, {STATE_WORDS[items[here].state]}"
        self.setAccessibleName(words)

    def shown(self) -> list[int]:
        """Items in the order in which they stand here."""
        return [line.row for line in self._lines if line.row >= 0 and not line.suggested]

    def follow(self) -> None:
        """Bring the current item into view, and mark it."""
        self.say()
        for row in (self._here, self._session.navigation.item_index):
            for at, line in enumerate(self._lines):
                if line.row == row >= 0:
                    self.update(self.line_rect(at).toAlignedRect())
        self._here = self._session.navigation.item_index
        at = self._line_of_current()
        if at >= 0:
            top, bottom = self._tops[at], self._tops[at + 1]
            headed = at > 0 and self._lines[at - 1].row < 0
            if top < self._bar.value():
                self._bar.setValue(top - (HEAD if headed else 0))
            elif bottom > self._bar.value() + self.height():
                self._bar.setValue(bottom - self.height())

    def _line_of_current(self) -> int:
        here = self._session.navigation.item_index
        return next((at for at, line in enumerate(self._lines) if line.row == here >= 0 and not line.suggested), -1)

    def _fit_bar(self) -> None:
        self._bar.setRange(0, max(0, self._tops[-1] - self.height()))
        self._bar.setPageStep(self.height())
        self._bar.setSingleStep(ROW_WORKLIST // 2)
        self._bar.setVisible(self._bar.maximum() > 0)

    def line_rect(self, at: int) -> QRectF:
        """Where a line lies, perhaps out of view."""
        return QRectF(0, self._tops[at] - self._bar.value(), self.width(), self._tops[at + 1] - self._tops[at])

    def row_rect(self, row: int) -> QRectF:
        """Where an item lies, perhaps out of view; empty where it is not shown."""
        at = next((at for at, line in enumerate(self._lines) if line.row == row and not line.suggested), -1)
        return self.line_rect(at) if at >= 0 else QRectF()

    def focus_shape(self) -> Shape:
        """Inside the ground of the current item; around all where it is not shown."""
        at = self._line_of_current()
        rect = self.line_rect(at) if at >= 0 else QRectF()
        if at < 0 or rect.bottom() < 0 or rect.top() > self.height():
            return Shape(QRectF(self.rect()).adjusted(1, 1, -1, -1), 4, inside=True)
        return Shape(rect.adjusted(6, 3, -6, -3).intersected(QRectF(self.rect())), 4, inside=True)

    # --- events ------------------------------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the bar at the right edge."""
        self._bar.setGeometry(self.width() - _BAR, 0, _BAR, self.height())
        self._fit_bar()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Scroll: by the finger's way on a touchpad, a row a notch of a wheel."""
        fine = event.pixelDelta().y()
        way = float(fine) if fine else event.angleDelta().y() / 120 * ROW_WORKLIST
        self._bar.setValue(round(self._bar.value() - way))
        event.accept()

    def line_at(self, position: QPointF) -> int:
        """Index of the line under a point, or -1."""
        y = position.y() + self._bar.value()
        at = bisect_right(self._tops, y) - 1
        return at if 0 <= at < len(self._lines) else -1

    def item_at(self, position: QPointF) -> int:
        """Index of the item under a point, or -1."""
        at = self.line_at(position)
        return self._lines[at].row if at >= 0 else -1

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go to the item."""
        row = self.item_at(event.position())
        if row >= 0 and event.button() is Qt.MouseButton.LeftButton:
            self.chosen.emit(row)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Light up what is under the mouse, and tell all of it in a tip."""
        at = self.line_at(event.position())
        if at != self._hover:
            self._hover = at
            row = self._lines[at].row if at >= 0 else -1
            items = self._session.navigation.items
            self.setToolTip(self._tip(items[row]) if 0 <= row < len(items) else "")
            self.update()

    def _tip(self, item: Item) -> str:
        note = self._note(item)
        words = [item.title, f"{item.subtitle} · {STATE_WORDS[item.state]}", f"“{note}”" if note else "", *item.notices]
        return "\n".join(line for line in words if line)

    def leaveEvent(self, event: QEvent) -> None:
        """Back to rest."""
        self._hover = -1
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Up, down, page and the ends move among the rows shown."""
        rows = self.shown()
        page = max(1, self.height() // ROW_WORKLIST - 1)
        end = len(rows)
        step = {
            Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1, Qt.Key.Key_PageUp: -page, Qt.Key.Key_PageDown: page,
            Qt.Key.Key_Home: -end, Qt.Key.Key_End: end,
        }.get(Qt.Key(event.key()))  # fmt: skip
        if step is None or not rows:
            super().keyPressEvent(event)
            return
        now = self._session.navigation.item_index
        at = rows.index(now) + step if now in rows else 0
        self.chosen.emit(rows[min(max(0, at), end - 1)])

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Remember whether the keyboard brought the focus."""
        note_focus_reason(event)
        super().focusInEvent(event)

    # --- painting ----------------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        """Heads and rows in view."""
        painter = paint.painter_on(self)
        shift, items, dirty = self._bar.value(), self._session.navigation.items, event.rect()
        first = max(0, bisect_right(self._tops, shift + dirty.top()) - 1)
        for at in range(first, len(self._lines)):
            line, rect = self._lines[at], self.line_rect(at)
            if rect.top() > dirty.bottom():
                break
            if not event.region().intersects(rect.toAlignedRect()):
                continue
            if line.row < 0:
                ink = colour("accent" if line.head == SUGGESTED else "muted")
                paint.text(painter, rect.adjusted(12, 4, -12, 0), line.head, ink, fonts.SECONDARY, 500)
            elif line.row < len(items):
                self._draw_row(painter, rect, at, items[line.row])
        painter.end()

    def _draw_row(self, painter: QPainter, rect: QRectF, at: int, item: Item) -> None:
        line = self._lines[at]
        ground = rect.adjusted(4, 1, -4, -1)
        if line.row == self._session.navigation.item_index:
            border = colour("accent") if tokens().framed else None
            paint.ground(painter, ground, 6, colour("selected"), border)
        elif at == self._hover:
            paint.ground(painter, ground, 6, colour("hover"))
        picture = QRectF(12, rect.top() + 9, 72, 46)
        self._thumbnails.draw(painter, picture, item.instance)
        if item.instance.frames > 1:
            draw_frames_mark(painter, picture.right() - 2, picture.top() + 2, item.instance.frames)
        draw_badge(painter, picture.right() - 2, picture.bottom() - 2, item.state)
        right = 20.0 if self._bar.isVisible() else 12.0
        text = QRectF(96, rect.top() + 5, rect.width() - 96 - right, 18)
        if line.suggested:
            paint.draw_key_cap(painter, text.right() - 20, text.center().y() + 1, "N", on_accent=False, faint=False)
        name = text.adjusted(0, 0, -28 if line.suggested else 0, 0)
        paint.text(painter, name, item.title, colour("text"), fonts.SECONDARY, 600)
        paint.text(painter, text.translated(0, 18), item.subtitle, colour("muted"), fonts.SECONDARY)
        words, ink = self._standing(item)
        paint.text(painter, text.translated(0, 36), words, colour(ink), fonts.SECONDARY)

    def _standing(self, item: Item) -> tuple[str, str]:
        """Where an item stands, or why it wants a look, and the colour of these words."""
        if item.state is State.FLAGGED:
            note = self._note(item)
            return f"“{note}”" if note else STATE_WORDS[State.FLAGGED], "warning"
        if item.state is State.TODO:
            odd = next((notice for notice in item.notices if notice not in self._usual), "")
            if odd:
                return odd, "warning"
            return ("Proposed, waits for you" if item.proposed_frames else "No proposal yet"), "muted"
        return STATE_WORDS[item.state], "muted"

    def _note(self, item: Item) -> str:
        project = self._session.project
        if project is None or item.state is not State.FLAGGED:
            return ""
        ids = (item.instance.frame_id(index) for index in range(item.instance.frames))
        said = (project.annotation(frame) for frame in ids)
        return next((a.note for a in said if a.state is State.FLAGGED and a.note), "")


def group_of(item: Item) -> str:
    """The head under which an item stands: its kind of image, or its subject where that is unknown."""
    return item.exam.capitalize() if item.exam else f"Subject {item.instance.patient_id or item.subject}"


def usual_notices(items: tuple[Item, ...]) -> frozenset[str]:
    """Notices that most items have: they are told in the tip, and not as a reason to look at one of them."""
    if len(items) < 4:
        return frozenset()
    counts = Counter(notice for item in items for notice in item.notices)
    return frozenset(notice for notice, count in counts.items() if count * 2 > len(items))
