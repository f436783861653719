"""The last acts of the project by name, place and time; what undo would take back is marked."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QMouseEvent, QPaintEvent, QPixmap
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from usfm_studio.document.frame import FrameId
from usfm_studio.project.history import HistoryEntry
from usfm_studio.ui.session import Session
from usfm_studio.ui.shell import fonts, paint
from usfm_studio.ui.shell.controls import Button, Label, ScrollBox, row
from usfm_studio.ui.shell.focus import Shape, note_focus_reason
from usfm_studio.ui.shell.icons import draw_icon
from usfm_studio.ui.shell.theme import colour, tokens
from usfm_studio.ui.shell.words import moment

SHOWN = 60
LINE = 32
_ICONS = (
    ("Brush", "brush"), ("Eraser", "eraser"), ("Polygon", "polygon"), ("Lasso", "lasso"), ("Smart", "target-arrow"),
    ("Accept", "check"),
    ("Reject", "x"), ("Label", "tag"), ("Use", "target-arrow"), ("Promote", "trending-up"), ("Go back", "history"),
    ("Flag", "flag"), ("Nothing", "circle-off"), ("Done", "checks"), ("Import", "download"), ("Add label", "tag"),
    ("Add", "plus"), ("Rename", "cursor-text"), ("Change a colour", "palette"), ("Note", "note"),
    ("Unusable", "ban"),
)  # fmt: skip


class HistoryLines(QWidget):
    """Icon, name, place, time; what was undone is pale. A click, or Enter, goes to where an act took place."""

    wanted = Signal(object)  # FrameId

    def __init__(self, place_of: Callable[[FrameId], str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._place_of = place_of
        self._entries: list[HistoryEntry] = []
        self._hover, self._at = -1, 0
        self._drawn: dict[tuple[object, ...], QPixmap] = {}
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("History")

    def show_entries(self, entries: list[HistoryEntry]) -> None:
        """Newest first."""
        if entries == self._entries:
            return
        self._entries, self._at = entries, 0
        self.setFixedHeight(max(1, len(entries)) * LINE)
        self._say()
        self.update()

    def words(self) -> list[str]:
        """What the lines say: name, and "undone" where it was."""
        return [entry.name + (", undone" if entry.undone else "") for entry in self._entries]

    def _say(self) -> None:
        if self._entries:
            entry = self._entries[self._at]
            undone = ", undone" if entry.undone else ""
            self.setAccessibleName(f"History, {self._at + 1} of {len(self._entries)}: {entry.name}{undone}")

    def sizeHint(self) -> QSize:
        """All lines."""
        return QSize(200, max(1, len(self._entries)) * LINE)

    def line_rect(self, index: int) -> QRectF:
        """Where a line lies."""
        return QRectF(0, index * LINE + 1, self.width(), LINE - 2)

    def focus_shape(self) -> Shape:
        """Inside the line that the keyboard is on."""
        return Shape(self.line_rect(self._at).adjusted(2, 2, -2, -2), 4, inside=True)

    # --- events ------------------------------------------------------------------------------------------------

    def _index_at(self, y: float) -> int:
        index = int(y // LINE)
        return index if 0 <= index < len(self._entries) else -1

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Light up what leads somewhere."""
        index = self._index_at(event.position().y())
        if index != self._hover:
            self._hover = index
            frame = self._entries[index].frame if index >= 0 else None
            self.setToolTip(f"Go to {self._place_of(frame)}" if frame is not None else "")
            self.update()

    def leaveEvent(self, event: QEvent) -> None:
        """Back to rest."""
        self._hover = -1
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go there."""
        index = self._index_at(event.position().y())
        if event.button() is Qt.MouseButton.LeftButton and index >= 0:
            self._at = index
            self._go()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Up and down choose a line, Enter goes there."""
        key = Qt.Key(event.key())
        step = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}.get(key)
        if step is not None and self._entries:
            self._at = min(max(0, self._at + step), len(self._entries) - 1)
            self._say()
            self.update()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self._go()
        else:
            super().keyPressEvent(event)

    def _go(self) -> None:
        if self._at < len(self._entries) and self._entries[self._at].frame is not None:
            self.wanted.emit(self._entries[self._at].frame)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Remember whether the keyboard brought the focus."""
        note_focus_reason(event)
        super().focusInEvent(event)

    # --- painting ----------------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        """The lines in view."""
        painter = paint.painter_on(self)
        first_live = next((i for i, entry in enumerate(self._entries) if not entry.undone), -1)
        top, bottom = event.rect().top(), event.rect().bottom()
        for index in range(max(0, top // LINE), min(len(self._entries), bottom // LINE + 1)):
            entry, rect = self._entries[index], self.line_rect(index)
            if index == first_live:
                paint.ground(painter, rect, 6, colour("selected"))
            elif index == self._hover and entry.frame is not None:
                paint.ground(painter, rect, 6, colour("hover"))
            painter.drawPixmap(rect.topLeft(), self._words_of(entry))
        painter.end()

    def _words_of(self, entry: HistoryEntry) -> QPixmap:
        """The line without its ground; a new act moves the lines on, and their words stay."""
        place = self._place_of(entry.frame) if entry.frame is not None else ""
        when = "undone" if entry.undone else moment(entry.when.astimezone().isoformat()).removeprefix("Today ")
        key = (entry.position, when, place, self.width(), self.devicePixelRatioF(), tokens().name)
        if key not in self._drawn:
            if len(self._drawn) > 4 * SHOWN:
                self._drawn.clear()
            self._drawn[key] = self._draw_words(entry, when, place)
        return self._drawn[key]

    def _draw_words(self, entry: HistoryEntry, when: str, place: str) -> QPixmap:
        rect = QRectF(0, 0, self.width(), LINE - 2)
        made = QPixmap((rect.size() * self.devicePixelRatioF()).toSize())
        made.setDevicePixelRatio(self.devicePixelRatioF())
        made.fill(Qt.GlobalColor.transparent)
        painter = paint.painter_on(made)
        ink, faint = (colour("disabled"),) * 2 if entry.undone else (colour("text"), colour("muted"))
        icon = next((icon for word, icon in _ICONS if entry.name.startswith(word)), "pencil")
        draw_icon(painter, icon, QRectF(6, 0, 20, rect.height()), 16, faint)
        right = rect.right() - 8
        width = fonts.text_width(when, fonts.SECONDARY) + 1
        room = QRectF(right - width, 0, width, rect.height())
        paint.text(painter, room, when, faint, fonts.SECONDARY, 400, paint.RIGHT)
        room = QRectF(32, 0, right - width - 40, rect.height())
        paint.text(painter, room, entry.name, ink, fonts.SECONDARY, 500)
        after = fonts.text_width(entry.name, fonts.SECONDARY, 500) + 8
        left = room.width() - after
        shown = next(
            (p for p in (place, place.rpartition(", ")[2]) if fonts.text_width(p, fonts.SECONDARY) <= left), ""
        )
        paint.text(painter, room.adjusted(after, 0, 0, 0), shown, faint, fonts.SECONDARY)
        painter.end()
        return made


class HistoryTab(QWidget):
    """Undo, redo, and the acts they speak of. The history survives closing the program."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.undo = Button("Undo", icon="arrow-back-up", stretch=True)
        self.redo = Button("Redo", icon="arrow-forward-up", stretch=True)
        self.undo.clicked.connect(session.undo)
        self.redo.clicked.connect(session.redo)
        self.lines = HistoryLines(session.navigation.place_of)
        self.lines.wanted.connect(session.navigation.go)
        self._scroll = ScrollBox(self.lines, "History")
        self._empty = Label(
            "Nothing was done yet. Every act is kept here, also after closing.", size=12, ink="muted", wrap=True
        )
        box = QVBoxLayout(self)
        box.setContentsMargins(12, 12, 12, 0)
        box.setSpacing(8)
        box.addLayout(row(self.undo, self.redo))
        box.addWidget(self._empty)
        box.addWidget(self._scroll, 1)

    def refresh(self) -> None:
        """Read the history anew; only when this tab is in view."""
        project = self._session.project
        entries = project.history(SHOWN) if project is not None and self.isVisible() else []
        self.lines.show_entries(entries)
        self._empty.setVisible(not entries)
        self._scroll.setVisible(bool(entries))
        for button, words, name in (
            (self.undo, "Undo", self._session.undo_text),
            (self.redo, "Redo", self._session.redo_text),
        ):
            button.setEnabled(bool(name) and not self._session.read_only)
            button.setToolTip(f"{words}: {name}" if name else f"Nothing to {words.lower()}")
