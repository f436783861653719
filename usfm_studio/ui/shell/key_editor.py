"""Where keys are changed: every action with its key; a clash is told and can be taken."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from usfm_studio.ui.shell import fonts, paint
from usfm_studio.ui.shell.action import Action
from usfm_studio.ui.shell.actions import GROUPS, in_group
from usfm_studio.ui.shell.controls import Button, ElidedLabel, IconButton, Kind, Label, ScrollBox, SearchField
from usfm_studio.ui.shell.controls.base import Pressable
from usfm_studio.ui.shell.keymap import RESERVED, Keymap
from usfm_studio.ui.shell.keys import MODIFIER_KEYS, names_of, shown
from usfm_studio.ui.shell.overlay import TitledOverlay
from usfm_studio.ui.shell.search import match
from usfm_studio.ui.shell.theme import colour
from usfm_studio.ui.shell.tokens import RADIUS


class KeyBox(Pressable):
    """Shows an action's key; pressed, it waits for a new one."""

    caught = Signal(str)

    def __init__(self, name: str, keys: tuple[str, ...], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name, self._keys = name, keys
        self.setCheckable(True)
        self.setFixedSize(200, 28)
        self.toggled.connect(lambda _: self._words())
        self._words()

    def set_keys(self, keys: tuple[str, ...]) -> None:
        """Other keys."""
        self._keys = keys
        self._words()

    def _words(self) -> None:
        now = "press a key" if self.isChecked() else " or ".join(map(shown, self._keys)) or "no key"
        self.setText(now)
        self.setAccessibleName(f"{self._name}: {now}")
        self.update()

    def sizeHint(self) -> QSize:
        """Fixed."""
        return QSize(200, 28)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """The new key, while waiting; Escape leaves it as it was."""
        if not self.isChecked():
            super().keyPressEvent(event)
        elif event.key() not in MODIFIER_KEYS:
            self.setChecked(False)
            if event.key() != Qt.Key.Key_Escape:
                names = names_of(event)
                if names:
                    self.caught.emit(names[0])
        event.accept()

    def focusNextPrevChild(self, forward: bool) -> bool:
        """Tab is a key like others while waiting."""
        return False if self.isChecked() else super().focusNextPrevChild(forward)

    def draw(self, painter: QPainter) -> None:
        """A field with the key in it."""
        waiting = self.isChecked()
        border = colour("accent") if waiting else paint.blend("line2", "line_hover", self.lit)
        rect = QRectF(self.rect())
        paint.ground(painter, rect, RADIUS, colour("field"), border)
        ink = colour("accent" if waiting else "text" if self._keys else "disabled")
        paint.text(painter, rect.adjusted(10, 0, -10, 0), self.text(), ink, fonts.SECONDARY, 500)


class Clash(QWidget):
    """Who else has the key, and a button that takes it."""

    take = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.words = ElidedLabel("", size=fonts.SECONDARY, ink="warning")
        self.button = Button("Take it", Kind.WARNING, height=28)
        self.button.clicked.connect(self.take)
        box = QHBoxLayout(self)
        box.setContentsMargins(0, 0, 36, 0)
        box.addWidget(self.words, 1)
        box.addWidget(self.button)

    def tell(self, words: str, *, takeable: bool) -> None:
        """Show it."""
        self.words.setText(words)
        self.button.setVisible(takeable)
        self.show()


class KeyLine(QWidget):
    """One action in the editor: words, key, reset; and a line that tells of a clash."""

    wanted = Signal(object, str, bool)  # action, key, taking it from others
    reset = Signal(object)

    def __init__(self, action: Action, keymap: Keymap, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.action, self._keymap = action, keymap
        self.box = KeyBox(action.text, keymap.keys(action))
        self.back = IconButton("arrow-back-up", f"Default key of {action.text}", size=16, side=28)
        self.clash: Clash | None = None
        self._pending = ""
        top = QHBoxLayout()
        top.setContentsMargins(0, 0, 0, 0)
        top.addWidget(ElidedLabel(action.text.rstrip(" …"), least=80), 1)
        top.addWidget(self.box)
        top.addWidget(self.back)
        self._lines = QVBoxLayout(self)
        self._lines.setContentsMargins(0, 2, 0, 2)
        self._lines.setSpacing(2)
        self._lines.addLayout(top)
        self.box.caught.connect(self._caught)
        self.back.clicked.connect(lambda: self.reset.emit(self.action))
        self.back.setEnabled(action.id in keymap.overrides)

    def show_keymap(self, keymap: Keymap) -> None:
        """The keys as they are now."""
        self._keymap = keymap
        self.box.set_keys(keymap.keys(self.action))
        self.back.setEnabled(self.action.id in keymap.overrides)
        if self.clash is not None:
            self.clash.hide()

    def _caught(self, key: str) -> None:
        clashes = self._keymap.clashes(self.action, key)
        self._pending = key
        if key in RESERVED:
            self._tell(f"{shown(key)} belongs to the desktop or to text", takeable=False)
        elif clashes:
            self._tell(f"{shown(key)} is {', '.join(a.text for a in clashes)}", takeable=True)
        else:
            self.wanted.emit(self.action, key, False)

    def _tell(self, words: str, *, takeable: bool) -> None:
        if self.clash is None:
            self.clash = Clash()
            self.clash.take.connect(lambda: self.wanted.emit(self.action, self._pending, True))
            self._lines.addWidget(self.clash)
        self.clash.tell(words, takeable=takeable)


class KeyEditor(TitledOverlay):
    """Change keys. `changed` carries the new keymap, which is in force at once."""

    changed = Signal(object)

    def __init__(self, room: QWidget, keymap: Keymap) -> None:
        super().__init__(room, "Change keys", width=640, top=24)
        self._keymap = keymap
        self.search = SearchField("Find an action", "Find an action")
        self.search.textChanged.connect(self._filter)
        self.content.addWidget(self.search)
        inside = QWidget()
        area = ScrollBox(inside, "Actions and their keys")
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, 12, 0)
        column.setSpacing(0)
        self.lines: list[KeyLine] = []
        for group in GROUPS:
            for action in in_group(group):
                line = KeyLine(action, keymap)
                line.wanted.connect(self._set)
                line.reset.connect(self._reset)
                self.lines.append(line)
                column.addWidget(line)
        column.addStretch(1)
        self.content.addWidget(area, 1)
        self._all = Button("All default keys", icon="arrow-back-up")
        self._all.clicked.connect(lambda: self._use(Keymap()))
        foot = QHBoxLayout()
        foot.addWidget(self._all)
        foot.addSpacing(8)
        foot.addWidget(Label("Press a key's field, then the new key.", size=fonts.SECONDARY, ink="muted"))
        foot.addStretch(1)
        self.content.addLayout(foot)

    def wanted_height(self) -> int:
        """As much as there is."""
        return 2000

    def first_focus(self) -> QWidget:
        """The search field."""
        return self.search

    def _filter(self, query: str) -> None:
        for line in self.lines:
            keys = " ".join(shown(key) for key in self._keymap.keys(line.action))
            line.setVisible(match(query, line.action.text) is not None or query.casefold() in keys.casefold())

    def _set(self, action: Action, key: str, taking: bool) -> None:
        self._use(self._keymap.with_keys(action, (key,), taking=taking))

    def _reset(self, action: Action) -> None:
        self._use(self._keymap.without(action))

    def _use(self, keymap: Keymap) -> None:
        self._keymap = keymap
        for line in self.lines:
            line.show_keymap(keymap)
        self.changed.emit(keymap)
