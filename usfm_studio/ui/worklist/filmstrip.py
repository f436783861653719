"""The timeline of stills: a strip of pictures with their states, and under it one line for all items."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QHelpEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from usfm_studio.ui.session import Session
from usfm_studio.ui.shell import paint
from usfm_studio.ui.shell.controls import IconButton
from usfm_studio.ui.shell.theme import colour
from usfm_studio.ui.worklist.badges import LINE_INK, STATE_WORDS, draw_badge, draw_picture
from usfm_studio.ui.worklist.thumbnails import Thumbnails

PITCH = 68
PICTURE = QSize(64, 44)
TOP = 4
LINE = 3
LEFT = 48


class Filmstrip(QWidget):
    """All items in a row; a click goes there, the wheel moves along. 64 px high (56 in low windows)."""

    worklist_wanted = Signal()

    def __init__(self, session: Session, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session, self._thumbnails = session, thumbnails
        self._offset = 0.0
        self._hover = -1
        self.setAccessibleName("Filmstrip")
        self.setMouseTracking(True)
        self.setFixedHeight(64)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._filter = IconButton("filter", "Worklist (F7)", parent=self)
        self._filter.clicked.connect(self.worklist_wanted)
        session.current_changed.connect(self._follow)
        session.opened.connect(self._follow)
        thumbnails.arrived.connect(lambda _frame: self.update())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the filter button in its corner."""
        side = self._filter.sizeHint()
        self._filter.setGeometry(
            (LEFT - side.width()) // 2, (self.height() - side.height()) // 2, side.width(), side.height()
        )
        self._follow()

    # --- geometry ----------------------------------------------------------------------------------------------

    @property
    def _room(self) -> float:
        return max(1.0, self.width() - LEFT)

    def _length(self) -> float:
        return len(self._session.navigation.items) * PITCH

    def _picture_rect(self, row: int) -> QRectF:
        left = LEFT + row * PITCH - self._offset
        return QRectF(left, TOP, PICTURE.width(), min(PICTURE.height(), self.height() - LINE - 2 * TOP - 2))

    def row_at(self, position: QPointF) -> int:
        """The item under a point, or -1."""
        if position.x() < LEFT:
            return -1
        row = int((position.x() - LEFT + self._offset) // PITCH)
        return row if 0 <= row < len(self._session.navigation.items) else -1

    def _follow(self) -> None:
        row = self._session.navigation.item_index
        if row >= 0:
            start, end = row * PITCH, (row + 1) * PITCH
            margin = min(2 * PITCH, self._room / 4)
            if start - margin < self._offset:
                self._offset = start - margin
            elif end + margin > self._offset + self._room:
                self._offset = end + margin - self._room
        self._clamp()
        self.update()

    def _clamp(self) -> None:
        self._offset = min(max(0.0, self._offset), max(0.0, self._length() - self._room))

    # --- events ------------------------------------------------------------------------------------------------

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Move along."""
        delta = event.angleDelta()
        self._offset -= (delta.x() or delta.y()) / 120 * PITCH
        self._clamp()
        self.update()
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go to the item; on the line, to the place."""
        if event.button() is not Qt.MouseButton.LeftButton:
            return
        row = self.row_at(event.position())
        if event.position().y() >= self.height() - LINE - 3 and event.position().x() >= LEFT:
            count = len(self._session.navigation.items)
            row = min(count - 1, int((event.position().x() - LEFT) / self._room * count))
        if row >= 0:
            self._session.navigation.go_item(row)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Light up what is under the mouse."""
        row = self.row_at(event.position())
        if row != self._hover:
            self._hover = row
            self.update()

    def leaveEvent(self, event: QEvent) -> None:
        """Back to rest."""
        self._hover = -1
        self.update()

    def event(self, event: QEvent) -> bool:
        """The tip of an item: what it is and where it stands."""
        if event.type() is QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            row = self.row_at(QPointF(event.pos()))
            if row >= 0:
                item = self._session.navigation.items[row]
                QToolTip.showText(event.globalPos(), f"{item.title}\n{item.subtitle} · {STATE_WORDS[item.state]}", self)
            else:
                QToolTip.hideText()
            return True
        return super().event(event)

    # --- painting ----------------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        """What is in view, and the line of all."""
        painter = paint.painter_on(self)
        painter.fillRect(self.rect(), colour("panel"))
        painter.fillRect(0, 0, self.width(), 1, colour("line"))
        painter.setClipRect(QRectF(LEFT, 0, self._room, self.height()))
        items = self._session.navigation.items
        first = max(0, int(self._offset // PITCH))
        last = min(len(items), int((self._offset + self._room) // PITCH) + 1)
        for row in range(first, last):
            self._draw_item(painter, row)
        if items:
            self._draw_line(painter)
        painter.end()

    def _draw_item(self, painter: QPainter, row: int) -> None:
        item = self._session.navigation.items[row]
        rect = self._picture_rect(row)
        draw_picture(painter, rect, self._thumbnails.get(item.instance))
        if item.instance.frames > 1:
            self._draw_loop_mark(painter, rect)
        draw_badge(painter, rect.right() - 1, rect.bottom() - 1, item.state)
        if row == self._session.navigation.item_index:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(colour("on_plate" if colour("text").lightness() > 128 else "text"), 2))
            painter.drawRoundedRect(rect.adjusted(-1, -1, 1, 1), 5, 5)
        elif row == self._hover:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(colour("line_hover"), 1))
            painter.drawRoundedRect(rect.adjusted(-0.5, -0.5, 0.5, 0.5), 4.5, 4.5)

    @staticmethod
    def _draw_loop_mark(painter: QPainter, rect: QRectF) -> None:
        from usfm_studio.ui.shell.icons import draw_icon

        mark = QRectF(rect.right() - 17, rect.top() + 1, 16, 16)
        paint.ground(painter, mark, 4, paint.clear("plate", 0.84))
        draw_icon(painter, "movie", mark, 12, colour("on_plate"))

    def _draw_line(self, painter: QPainter) -> None:
        items = self._session.navigation.items
        top = self.height() - LINE - 2
        width = self._room / len(items)
        gap = 1.0 if width >= 3 else 0.0
        for row, item in enumerate(items):
            painter.fillRect(QRectF(LEFT + row * width, top, max(1.0, width - gap), LINE), colour(LINE_INK[item.state]))
        shown = QRectF(
            LEFT + self._offset / max(1.0, self._length()) * self._room,
            top - 2,
            min(1.0, self._room / max(1.0, self._length())) * self._room,
            LINE + 4,
        )
        if self._length() > self._room:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(colour("line_hover"), 1))
            painter.drawRoundedRect(shown.adjusted(0.5, 0.5, -0.5, -0.5), 3, 3)
