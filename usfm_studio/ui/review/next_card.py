"""What to look at next: the worklist's suggestion, and in a loop the frames of which the model is least sure."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Signal
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from usfm_studio.document.annotation import State
from usfm_studio.ui.session import Session
from usfm_studio.ui.shell import fonts, paint
from usfm_studio.ui.shell.controls import Heading, KeyCap, ListRow, row
from usfm_studio.ui.shell.controls.base import Pressable
from usfm_studio.ui.shell.icons import draw_icon
from usfm_studio.ui.shell.theme import colour
from usfm_studio.ui.shell.tokens import RADIUS
from usfm_studio.ui.state import Item
from usfm_studio.ui.worklist.badges import draw_badge
from usfm_studio.ui.worklist.loop_values import LoopValues
from usfm_studio.ui.worklist.thumbnails import Thumbnails

SURE_FROM = 0.60
SHOWN = 3


class NextButton(Pressable):
    """Picture, name and reason of an item."""

    def __init__(self, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._thumbnails = thumbnails
        self._item: Item | None = None
        self._row = -1
        self.setFixedHeight(60)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        thumbnails.arrived.connect(self._on_picture)  # a method, not a lambda: it ends with the button

    def _on_picture(self, _frame: object) -> None:
        self.update()

    def sizeHint(self) -> QSize:
        """A picture and a few words."""
        return QSize(200, 60)

    def show_item(self, item: Item, index: int) -> None:
        """Show an item of the worklist."""
        self._item, self._row = item, index
        self.setAccessibleName(f"Suggested next: item {index + 1}, {item.title}, {reason(item)}")
        self.setToolTip(item.title)
        self.update()

    def draw(self, painter: QPainter) -> None:
        """Ground, picture, words."""
        if self._item is None:
            return
        rect = QRectF(self.rect())
        if self.sunk or self.lit:
            fill = colour("pressed") if self.sunk else paint.blend(paint.clear("hover", 0), "hover", self.lit)
            paint.ground(painter, rect, RADIUS, fill)
        picture = QRectF(4, 6, 72, 48)
        self._thumbnails.draw(painter, picture, self._item.instance)
        draw_badge(painter, picture.right() - 2, picture.bottom() - 2, self._item.state)
        text = QRectF(88, 12, rect.width() - 92, 18)
        paint.text(painter, text, f"Item {self._row + 1} · {self._item.title}", colour("text"), fonts.SECONDARY, 600)
        paint.text(painter, text.translated(0, 18), reason(self._item), colour("muted"), fonts.SECONDARY)


def reason(item: Item) -> str:
    """Why an item waits."""
    if item.state is State.DOING:
        return "In work"
    frames = item.proposed_frames
    if item.instance.frames > 1 and frames:
        return f"{frames} frame{'s' if frames > 1 else ''} proposed"
    return "Proposed, waits for you" if frames else "No proposal yet"


class NextCard(QWidget):
    """`Suggested next` with its key. Hidden where nothing waits."""

    def __init__(self, session: Session, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.button = NextButton(thumbnails)
        self.button.clicked.connect(session.navigation.next_open)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(4)
        box.addLayout(row(Heading("Suggested next", size=fonts.SECONDARY), None, KeyCap("N")))
        box.addWidget(self.button)

    def refresh(self) -> None:
        """Show what the session suggests."""
        navigation = self._session.navigation
        index = navigation.suggested_row
        self.setVisible(index >= 0)
        if index >= 0:
            self.button.show_item(navigation.items[index], index)


class UnsureRow(ListRow):
    """One frame of the loop, and how sure the model is of it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Frame", parent=parent)
        self.index, self._sure = -1, 0.0

    def show_frame(self, index: int, sure: float, *, here: bool) -> None:
        """Show a frame by its index."""
        self.index, self._sure = index, sure
        self.setCheckable(here)
        self.setChecked(here)
        self.setAccessibleName(f"Frame {index + 1}, the model is unsure: {sure:.2f}")
        self.update()

    def draw(self, painter: QPainter) -> None:
        """Mark, frame, how sure."""
        super().draw(painter)
        rect = QRectF(12, 0, self.width() - 24, self.height())
        ink = colour("warning" if self._sure < SURE_FROM else "muted")
        draw_icon(painter, "alert-triangle", QRectF(12, 0, 16, self.height()), 16, ink)
        paint.text(painter, rect.adjusted(24, 0, 0, 0), f"Frame {self.index + 1}", colour("text"), fonts.SECONDARY, 600)
        paint.text(painter, rect, f"{self._sure:.2f}", ink, fonts.SECONDARY, 600, paint.RIGHT)


class LookFirst(QWidget):
    """`Look at these first`: a click goes to the frame. Hidden for stills and where the model is sure."""

    wanted = Signal(int)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.values = LoopValues(session, self)
        self.values.changed.connect(self._show)
        self.rows = [UnsureRow() for _ in range(SHOWN)]
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(0)
        box.addLayout(row(Heading("Look at these first", size=fonts.SECONDARY), None, margins=(12, 0, 12, 4)))
        for made in self.rows:
            made.clicked.connect(lambda _on=False, made=made: self._go(made.index))
            box.addWidget(made)

    def _go(self, index: int) -> None:
        if self.values.instance is not None:
            self._session.navigation.stop()
            self._session.navigation.go(self.values.instance.frame_id(index))

    def refresh(self) -> None:
        """Show the loop in view."""
        self.values.follow()
        self._show()

    def _show(self) -> None:
        current, shown = self._session.current, self.values.instance
        here = current is not None and shown is not None and current.instance.digest == shown.digest
        found = self.values.least_sure(SHOWN, SURE_FROM) if here else []
        self.setVisible(bool(found))
        for index, made in enumerate(self.rows):
            made.setVisible(index < len(found))
            if index < len(found):
                frame, sure = found[index]
                made.show_frame(frame, sure, here=current is not None and current.index == frame)
