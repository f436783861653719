"""The timeline of stills: a strip of pictures with their states, and under it one line for all items."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QFocusEvent,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QShowEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from usfm_studio.document.frame import FrameId
from usfm_studio.ui.session import Session
from usfm_studio.ui.shell import paint
from usfm_studio.ui.shell.controls import IconButton
from usfm_studio.ui.shell.focus import Shape, note_focus_reason
from usfm_studio.ui.shell.theme import colour, tokens
from usfm_studio.ui.shell.tokens import FILMSTRIP, FILMSTRIP_LOW, RADIUS
from usfm_studio.ui.state import Item
from usfm_studio.ui.worklist.badges import LINE_INK, STATE_WORDS, draw_badge, draw_frames_mark, draw_key
from usfm_studio.ui.worklist.heights import LOW_WINDOW, WindowHeight
from usfm_studio.ui.worklist.thumbnails import Thumbnails

PICTURE, PICTURE_LOW = QSize(64, 44), QSize(52, 36)
GAP, TOP, LEFT = 4, 6, 48
LINE, LINE_FROM_BOTTOM = 3, 8


class Filmstrip(QWidget):
    """All items in a row; a click goes there, the wheel moves along. 64 px high (56 in low windows)."""

    wanted = Signal(str)  # action id

    def __init__(self, session: Session, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session, self._thumbnails = session, thumbnails
        self._offset, self._hover, self._scrubbing = 0.0, -1, False
        self._row = self._suggested = -1
        self._items: tuple[Item, ...] = ()
        self._picture = PICTURE
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setFixedHeight(FILMSTRIP)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._filter = IconButton("filter", "Worklist", key="F7", parent=self)
        self._filter.clicked.connect(lambda: self.wanted.emit("view.worklist"))
        self._window_height = WindowHeight(self, self._fit_height)
        session.current_changed.connect(self._on_current)
        session.opened.connect(self._follow)
        session.closed.connect(self._follow)
        thumbnails.arrived.connect(self._on_arrived)
        self._say()

    def showEvent(self, event: QShowEvent) -> None:
        """Take the height that the window allows; be where the session is."""
        super().showEvent(event)
        self._window_height.follow()
        self._follow()

    def _fit_height(self, window: int) -> None:
        low = window < LOW_WINDOW
        self._picture = PICTURE_LOW if low else PICTURE
        self.setFixedHeight(FILMSTRIP_LOW if low else FILMSTRIP)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the filter button in its corner."""
        side = self._filter.sizeHint()
        self._filter.move((LEFT - side.width()) // 2, TOP + (self._picture.height() - side.height()) // 2)
        self._follow()

    # --- geometry ----------------------------------------------------------------------------------------------

    @property
    def _pitch(self) -> int:
        return self._picture.width() + GAP

    @property
    def _room(self) -> float:
        return max(1.0, self.width() - LEFT)

    def _length(self) -> float:
        return len(self._session.navigation.items) * self._pitch

    def picture_rect(self, row: int) -> QRectF:
        """Where the picture of an item lies, perhaps out of view."""
        left = LEFT + row * self._pitch - self._offset
        return QRectF(left, TOP, self._picture.width(), self._picture.height())

    def row_at(self, position: QPointF) -> int:
        """The item under a point, or -1."""
        if position.x() < LEFT or position.y() >= self.height() - LINE_FROM_BOTTOM - 3:
            return -1
        row = int((position.x() - LEFT + self._offset) // self._pitch)
        return row if 0 <= row < len(self._session.navigation.items) else -1

    def row_on_line(self, position: QPointF) -> int:
        """The item whose part of the line is under a point, or -1."""
        count = len(self._session.navigation.items)
        if not count or position.x() < LEFT or position.y() < self.height() - LINE_FROM_BOTTOM - 3:
            return -1
        return self._row_along(position.x())

    def _row_along(self, x: float) -> int:
        count = len(self._session.navigation.items)
        return min(max(0, int((x - LEFT) / self._room * count)), count - 1)

    def _on_current(self) -> None:
        navigation = self._session.navigation
        if navigation.item_index != self._row or len(navigation.items) != len(self._items):
            self._follow()
        elif navigation.items is not self._items:
            before, self._items = self._items, navigation.items
            changed = [row for row, item in enumerate(navigation.items) if item is not before[row]]
            self._update_items(*changed)
            self._say()

    def _follow(self) -> None:
        before, self._row = self._row, self._session.navigation.item_index
        row, offset = self._row, self._offset
        if row >= 0:
            start, end = row * self._pitch, (row + 1) * self._pitch
            margin = min(2.0 * self._pitch, self._room / 4)
            if start - margin < self._offset:
                self._offset = start - margin
            elif end + margin > self._offset + self._room:
                self._offset = end + margin - self._room
        self._offset = self._within(self._offset)
        items, self._items = self._items, self._session.navigation.items
        if self._offset != offset or before < 0 or row < 0 or items is not self._items:
            self.update()
        else:
            self._update_items(before, row)
        self._say()

    def _update_items(self, *rows: int) -> None:
        """Repaint these items, the suggested one before and now, and the line."""
        suggested, self._suggested = self._suggested, self._session.navigation.suggested_row
        for row in {*rows, suggested, self._suggested} - {-1}:
            self.update(self.picture_rect(row).adjusted(-3, -3, 3, 3).toAlignedRect())
        self.update(self._line_rect())

    def _on_arrived(self, frame: FrameId) -> None:
        row = self._session.navigation.row_of(frame)
        if row >= 0:
            self.update(self.picture_rect(row).toAlignedRect())

    def _line_rect(self) -> QRect:
        return QRect(0, self.height() - LINE_FROM_BOTTOM - 4, self.width(), LINE_FROM_BOTTOM + 4)

    def _within(self, offset: float) -> float:
        return min(max(0.0, offset), max(0.0, self._length() - self._room))

    def _move_to(self, offset: float) -> None:
        self._offset = self._within(offset)
        self.update()

    def _say(self) -> None:
        items, row = self._session.navigation.items, self._session.navigation.item_index
        if 0 <= row < len(items):
            item = items[row]
            words = f"Filmstrip, item {row + 1} of {len(items)}: {item.title}, {STATE_WORDS[item.state]}"
        else:
            words = "Filmstrip"
        self.setAccessibleName(words)

    def focus_shape(self) -> Shape:
        """Around the picture of the item in view."""
        row = self._session.navigation.item_index
        rect = self.picture_rect(row) if row >= 0 else QRectF(self._filter.geometry())
        return Shape(rect.adjusted(-3, -3, 3, 3), RADIUS + 3, inside=True)

    # --- events ------------------------------------------------------------------------------------------------

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Move along: by the finger's way on a touchpad, a picture a notch of a wheel."""
        fine, notches = event.pixelDelta(), event.angleDelta()
        way = float(fine.x() or fine.y()) if not fine.isNull() else (notches.x() or notches.y()) / 120 * self._pitch
        self._move_to(self._offset - way)
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go to the item; on the line, to the place, and along with the mouse from there."""
        if event.button() is not Qt.MouseButton.LeftButton:
            return
        along = self.row_on_line(event.position())
        self._scrubbing = along >= 0
        row = along if along >= 0 else self.row_at(event.position())
        if row >= 0:
            self._session.navigation.go_item(row)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Light up what is under the mouse; on the line, follow it."""
        if self._scrubbing and event.buttons() & Qt.MouseButton.LeftButton:
            row = self._row_along(event.position().x())
            if row != self._session.navigation.item_index:
                self._session.navigation.go_item(row)
            return
        row = self.row_at(event.position())
        if row != self._hover:
            self._hover = row
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let go of the line."""
        self._scrubbing = False

    def leaveEvent(self, event: QEvent) -> None:
        """Back to rest."""
        self._hover = -1
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows go from item to item, Home and End to the ends."""
        navigation = self._session.navigation
        count = len(navigation.items)
        wanted = {
            Qt.Key.Key_Left: navigation.item_index - 1,
            Qt.Key.Key_Right: navigation.item_index + 1,
            Qt.Key.Key_Home: 0,
            Qt.Key.Key_End: count - 1,
        }.get(Qt.Key(event.key()))
        if wanted is None or not count:
            super().keyPressEvent(event)
        else:
            navigation.go_item(min(max(0, wanted), count - 1))

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Remember whether the keyboard brought the focus."""
        note_focus_reason(event)
        super().focusInEvent(event)

    def event(self, event: QEvent) -> bool:
        """The tip of an item: what it is and where it stands."""
        if event.type() is QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            where = QPointF(event.pos())
            row = max(self.row_at(where), self.row_on_line(where))
            if row >= 0:
                item = self._session.navigation.items[row]
                words = [f"{row + 1} · {item.title}", f"{item.subtitle} · {STATE_WORDS[item.state]}", *item.notices]
                QToolTip.showText(event.globalPos(), "\n".join(words), self)
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
        items = self._session.navigation.items
        if items:
            painter.setClipRect(QRectF(LEFT - 2, 0, self._room + 2, self.height()))
            start, end = event.rect().left() - LEFT + self._offset, event.rect().right() - LEFT + self._offset
            first = max(0, int((start - 3) // self._pitch))
            last = min(len(items), int((end + 3) // self._pitch) + 1)
            for row in range(first, last):
                if event.region().intersects(self.picture_rect(row).adjusted(-3, -3, 3, 3).toAlignedRect()):
                    self._draw_item(painter, row)
            if event.region().intersects(self._line_rect()):
                self._draw_line(painter)
        painter.end()

    def _draw_item(self, painter: QPainter, row: int) -> None:
        navigation = self._session.navigation
        item, rect = navigation.items[row], self.picture_rect(row)
        self._thumbnails.draw(painter, rect, item.instance)
        if item.instance.frames > 1:
            draw_frames_mark(painter, rect.right() - 2, rect.top() + 2, item.instance.frames)
        draw_badge(painter, rect.right() - 2, rect.bottom() - 2, item.state)
        if row == navigation.suggested_row and row != navigation.item_index:
            draw_key(painter, rect.left() + 3, rect.top() + 3, "N")
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if row == navigation.item_index:
            dark = colour("text").lightness() > 128
            painter.setPen(QPen(colour("text" if dark else "accent"), 3 if tokens().framed else 2))
            painter.drawRoundedRect(rect.adjusted(-1, -1, 1, 1), RADIUS + 1, RADIUS + 1)
        elif row == self._hover:
            painter.setPen(QPen(colour("muted"), 1))
            painter.drawRoundedRect(rect.adjusted(-0.5, -0.5, 0.5, 0.5), RADIUS, RADIUS)

    def _draw_line(self, painter: QPainter) -> None:
        items, here = self._session.navigation.items, self._session.navigation.item_index
        top = self.height() - LINE_FROM_BOTTOM
        width = self._room / len(items)
        gap = 1.0 if width >= 3 else 0.0
        start = 0
        inks = {state: colour(name) for state, name in LINE_INK.items()}
        for row in range(1, len(items) + 1):  # equal neighbours in one stroke where no gap parts them
            if gap or row == len(items) or items[row].state is not items[start].state:
                room = QRectF(LEFT + start * width, top, max(1.0, (row - start) * width - gap), LINE)
                painter.fillRect(room, inks[items[start].state])
                start = row
        if here >= 0:
            painter.fillRect(QRectF(LEFT + here * width, top, max(2.0, width - gap), LINE), colour("text"))
        if self._length() > self._room:
            left = LEFT + self._offset / self._length() * self._room
            shown = QRectF(left, top - 3, self._room / self._length() * self._room, LINE + 6)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(colour("tick_hover"), 1))
            painter.drawRoundedRect(shown.adjusted(0.5, 0.5, -0.5, -0.5), 3, 3)
