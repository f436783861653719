"""Everything by its name: actions and items of the worklist, found by a few letters."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QWidget

from usfm_studio.ui.shell import fonts
from usfm_studio.ui.shell.action import Situation
from usfm_studio.ui.shell.actions import ACTIONS
from usfm_studio.ui.shell.controls import IconMark, KeyCap, Label
from usfm_studio.ui.shell.keymap import Keymap
from usfm_studio.ui.shell.overlay import Overlay, hairline
from usfm_studio.ui.shell.results import Entry, Found, ResultList, find

FIELD_HIGH, FOOT_HIGH = 56, 40


def action_entries(situation: Situation, keymap: Keymap, run: Callable[[str], None]) -> list[Entry]:
    """The table of actions as entries; numbered segments and labels only where the schema has them."""
    entries = []
    for action in ACTIONS:
        reason = action.enabled(situation)
        if reason is not None and reason.startswith("no such"):
            continue
        entries.append(
            Entry(
                section="Actions", words=action.words(situation), icon=action.icon, key=keymap.first(action),
                note=reason or "", reason=reason, chosen=partial(run, action.id),
            )
        )  # fmt: skip
    return entries


class Palette(Overlay):
    """Built at its first use. `entries` is asked anew each time it opens."""

    def __init__(self, room: QWidget, entries: Callable[[], list[Entry]], edit_keys: Callable[[], None]) -> None:
        super().__init__(room, "Find an action", width=640)
        self._entries_of, self._edit_keys = entries, edit_keys
        self._entries: list[Entry] = []
        self._found: list[Found] = []
        self.field = QLineEdit()
        self.field.setAccessibleName("What to do")
        self.field.setPlaceholderText("What do you want to do?")
        self.field.setFont(fonts.font(fonts.CARD_TITLE))
        self.field.setStyleSheet("border: none; background: transparent; min-height: 40px;")
        self.field.setProperty("ring", "none")
        self.list = ResultList()
        self._count = Label("", size=fonts.SECONDARY, weight=500, ink="muted")
        self._lay_out()
        self.field.textChanged.connect(self._search)
        self.field.installEventFilter(self)
        self.list.chosen.connect(self._choose)

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.setContentsMargins(20, 8, 20, 8)
        head.setSpacing(6)
        for widget in (IconMark("search", size=20), self.field, KeyCap("Esc")):
            head.addWidget(widget)
        foot = QHBoxLayout()
        foot.setContentsMargins(20, 0, 20, 0)
        foot.setSpacing(10)
        for keys, words in (("↑ ↓", "choose"), ("Enter", "run"), ("Ctrl ,", "change its key")):
            foot.addWidget(KeyCap(keys))
            foot.addWidget(Label(words, size=fonts.SECONDARY, weight=500, ink="muted"))
            foot.addSpacing(8)
        foot.addStretch(1)
        foot.addWidget(self._count)
        box = self.plate.body
        box.addLayout(head)
        box.addWidget(_Line())
        box.addWidget(self.list, 1)
        box.addWidget(_Line())
        holder = QWidget()
        holder.setFixedHeight(FOOT_HIGH)
        holder.setLayout(foot)
        box.addWidget(holder)

    def open(self) -> None:
        """With an empty field and fresh entries."""
        self._entries = self._entries_of()
        self.field.clear()
        self._search("")
        super().open()

    def first_focus(self) -> QWidget:
        """The field."""
        return self.field

    def wanted_height(self) -> int:
        """Field, list, foot."""
        return FIELD_HIGH + self.list.sizeHint().height() + FOOT_HIGH + 2

    def _search(self, query: str) -> None:
        self._found = find(query, self._entries)
        if not query.strip():
            self._found = [f for f in self._found if f.entry.section == "Actions"]
        self.list.show_found(self._found)
        self._count.setText(f"{len(self._found)} of {len(self._entries)}")
        if self.isVisible():
            self.refresh_size()

    def _choose(self, index: int) -> None:
        if not 0 <= index < len(self._found):
            return
        entry = self._found[index].entry
        if entry.reason is None:
            self.close_it()
            entry.chosen()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Arrows, Enter and Escape typed in the field."""
        if watched is self.field and event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            return self._key(event)
        return super().eventFilter(watched, event)

    def _key(self, event: QKeyEvent) -> bool:
        steps = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1, Qt.Key.Key_PageDown: 8, Qt.Key.Key_PageUp: -8}
        key = Qt.Key(event.key())
        if key in steps:
            self.list.move(steps[key])
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._choose(self.list.current)
        elif key == Qt.Key.Key_Escape:
            self.close_it()
        elif key == Qt.Key.Key_Comma and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.close_it()
            self._edit_keys()
        else:
            return False
        return True


class _Line(QWidget):
    def __init__(self) -> None:
        super().__init__()
        self.setFixedHeight(1)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        hairline(painter, 0, self.width())
        painter.end()
