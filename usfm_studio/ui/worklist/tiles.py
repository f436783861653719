"""What came in, as pictures side by side: a tile an item, with what it is and what had to be assumed."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from usfm_studio.ui.shell import fonts, paint
from usfm_studio.ui.shell.focus import Shape, note_focus_reason
from usfm_studio.ui.shell.theme import colour
from usfm_studio.ui.shell.tokens import RADIUS
from usfm_studio.ui.state import Item
from usfm_studio.ui.worklist.badges import draw_frames_mark
from usfm_studio.ui.worklist.thumbnails import Thumbnails

WIDTH, UNDER, GAP = 166, 48, 16
SHAPE = 0.675
"""Height of a picture by its width."""


class Tiles(QWidget):
    """Tiles of equal size, as many a line as fit. `chosen` carries the place of an item in the list it was given."""

    chosen = Signal(int)

    def __init__(self, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._thumbnails = thumbnails
        self._items: tuple[Item, ...] = ()
        self._hover, self._at = -1, 0
        self.setAccessibleName("Items added")
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        thumbnails.arrived.connect(lambda _frame: self.update())

    def show_items(self, items: tuple[Item, ...]) -> None:
        """Show these items."""
        if items is not self._items:
            self._items, self._at = items, 0
            self._fit()

    def sizeHint(self) -> QSize:
        """All lines at the present width."""
        return QSize(4 * (WIDTH + GAP), self.height())

    def _per_line(self) -> int:
        return max(1, (self.width() + GAP) // (WIDTH + GAP))

    def _width(self) -> float:
        """Tiles grow until they fill the line."""
        return (self.width() + GAP) / self._per_line() - GAP

    def _height(self) -> int:
        return round(self._width() * SHAPE) + UNDER

    def resizeEvent(self, event: QResizeEvent) -> None:
        """As many a line as fit."""
        self._fit()

    def _fit(self) -> None:
        lines = -(-len(self._items) // self._per_line())
        self.setFixedHeight(max(1, lines * (self._height() + GAP)))
        self.update()

    def tile_rect(self, index: int) -> QRectF:
        """Where a tile lies."""
        line, column = divmod(index, self._per_line())
        height, width = self._height(), self._width()
        return QRectF(column * (width + GAP), line * (height + GAP), width, height)

    def focus_shape(self) -> Shape:
        """Around the picture that the keyboard is on."""
        rect = self.tile_rect(self._at)
        return Shape(rect.adjusted(0, 0, 0, -UNDER), RADIUS)

    def _index_at(self, position: QPointF) -> int:
        column = int(position.x() // (self._width() + GAP))
        index = int(position.y() // (self._height() + GAP)) * self._per_line() + column
        inside = column < self._per_line() and index < len(self._items)
        return index if inside and self.tile_rect(index).contains(position) else -1

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Light up; tell all that was assumed in the tip."""
        index = self._index_at(event.position())
        if index != self._hover:
            self._hover = index
            item = self._items[index] if index >= 0 else None
            self.setToolTip("\n".join((item.title, item.subtitle, *item.notices)) if item else "")
            self.update()

    def leaveEvent(self, event: QEvent) -> None:
        """Back to rest."""
        self._hover = -1
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose."""
        index = self._index_at(event.position())
        if index >= 0 and event.button() is Qt.MouseButton.LeftButton:
            self.chosen.emit(index)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows go from tile to tile, Enter chooses."""
        key, line = Qt.Key(event.key()), self._per_line()
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_Up: -line, Qt.Key.Key_Down: line}.get(key)
        if step is not None and self._items:
            self._at = min(max(0, self._at + step), len(self._items) - 1)
            self.update()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space) and self._items:
            self.chosen.emit(self._at)
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Remember whether the keyboard brought the focus."""
        note_focus_reason(event)
        super().focusInEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """The tiles in view."""
        painter = paint.painter_on(self)
        line, pitch = self._per_line(), self._height() + GAP
        first = max(0, event.rect().top() // pitch) * line
        last = min(len(self._items), (event.rect().bottom() // pitch + 1) * line)
        for index in range(first, last):
            self._draw_tile(painter, index)
        painter.end()

    def _draw_tile(self, painter: QPainter, index: int) -> None:
        item, rect = self._items[index], self.tile_rect(index)
        picture = rect.adjusted(0, 0, 0, -UNDER)
        self._thumbnails.draw(painter, picture, item.instance)
        paint.ground(painter, picture, RADIUS, None, colour("line_hover" if index == self._hover else "line2"))
        if item.instance.frames > 1:
            draw_frames_mark(painter, picture.right() - 4, picture.top() + 4, item.instance.frames)
        text = QRectF(rect.left(), picture.bottom() + 6, rect.width(), 18)
        paint.text(painter, text, item.title, colour("text"), fonts.SECONDARY, 600)
        words, ink = (item.notices[0], "warning") if item.notices else (item.subtitle, "muted")
        paint.text(painter, text.translated(0, 18), words, colour(ink), fonts.SECONDARY)
