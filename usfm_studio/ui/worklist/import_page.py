"""The page of files coming in: how far, what came, what could not be read and why, what was assumed."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from usfm_studio.ui.session import Session
from usfm_studio.ui.shell import fonts
from usfm_studio.ui.shell.controls import (
    Button,
    ElidedLabel,
    Heading,
    IconMark,
    Kind,
    Label,
    ProgressBar,
    Rule,
    ScrollBox,
    SectionHead,
    column,
    row,
)
from usfm_studio.ui.shell.words import clock, many
from usfm_studio.ui.state import ImportState
from usfm_studio.ui.worklist.thumbnails import Thumbnails
from usfm_studio.ui.worklist.tiles import Tiles

SHOWN = 200
NEEDS_HEIGHT = 168
Trouble = tuple[str, str, str, str]  # icon, ink, name, reason


class ImportPage(QWidget):
    """Progress above, what came in below it, and the files that need a look. Reading goes on when it is left."""

    wanted = Signal(str)  # action id

    def __init__(self, session: Session, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._shown: tuple[Trouble, ...] | None = None
        self._title = Heading("Add studies", size=fonts.TITLE)
        self._source = ElidedLabel("", size=fonts.SECONDARY, ink="muted")
        self._count, self._left = Label("", weight=600), Label("", ink="muted")
        self._bar = ProgressBar("Files read", height=6)
        self.cancel = Button("Cancel", icon="x", height=36)
        self.cancel.clicked.connect(session.bringing_in.cancel)
        self.done = Button("Go to work", Kind.PRIMARY, icon="arrow-right", key="Esc", height=36)
        self.done.clicked.connect(lambda: self.wanted.emit("page.work"))
        self._items_head, self.tiles = SectionHead("Items"), Tiles(thumbnails)
        self.tiles.chosen.connect(self._go)
        self._nothing = Label("", size=fonts.SECONDARY, ink="muted", wrap=True)
        self._needs_head = SectionHead("Needs a look")
        self._list = QVBoxLayout()
        self._lay_out()
        session.import_changed.connect(self.refresh)
        session.current_changed.connect(self._show_items)
        self.refresh()

    def _lay_out(self) -> None:
        progress = column(spacing=8)
        progress.addLayout(row(self._count, None, self._left))
        progress.addWidget(self._bar)
        top = row(spacing=16, margins=(16, 16, 16, 16))
        top.addLayout(column(self._title, self._source, spacing=4), 1)
        top.addLayout(progress, 1)
        top.addWidget(self.cancel)
        top.addWidget(self.done)
        around = QWidget()
        around.setLayout(column(self._nothing, self.tiles, None, margins=(16, 4, 16, 8)))
        inner = QWidget()
        self._list.setContentsMargins(16, 0, 16, 8)
        self._list.setSpacing(0)
        self._list.setAlignment(Qt.AlignmentFlag.AlignTop)
        inner.setLayout(self._list)
        self._needs = ScrollBox(inner, "Needs a look")
        self._needs.setFixedHeight(NEEDS_HEIGHT)
        for head in (self._items_head, self._needs_head):
            head.setContentsMargins(4, 0, 4, 0)
        box = column(spacing=0)
        box.addLayout(top)
        self._needs_rule, middle = Rule(), ScrollBox(around, "Items")
        for part in (Rule(), self._items_head, middle, self._needs_rule, self._needs_head, self._needs):
            box.addWidget(part, 1 if part is middle else 0)
        self.setLayout(box)

    def _go(self, index: int) -> None:
        self._session.navigation.go_item(index)
        self.wanted.emit("page.work")

    # --- showing -----------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Show the import as it stands."""
        state = self._session.bringing_in.state
        self._show_items()
        self.cancel.setVisible(state is not None and state.running)
        if state is None:
            self._title.setText("Add studies")
            for label in (self._source, self._count, self._left):
                label.setText("")
            self._bar.set_part(0.0)
            self._show_trouble((), reading=True)
            return
        self._title.setText("Adding studies" if state.running else "Studies added")
        self._source.setText(f"{state.source} · read in place, nothing is copied or changed")
        self._show_progress(state)
        lines = [("file-alert", "error", name, reason) for name, reason in state.failed]
        lines += [("alert-circle", "warning", name, reason) for name, reason in state.notices]
        self._show_trouble(tuple(lines), reading=state.running)

    def _show_progress(self, state: ImportState) -> None:
        if state.running:
            self._count.setText(
                f"{state.done} of {many(state.total, 'file')} read" if state.total else "Looking for files"
            )
            self._left.setText(f"{clock(state.left_s)} left" if state.left_s is not None else "")
            self._bar.set_part(state.done / state.total if state.total else None)
            return
        parts = [f"{many(state.imported, 'file')} added"]
        if state.skipped:
            parts.append(f"{state.skipped} known already")
        if state.failed:
            parts.append(f"{len(state.failed)} not read")
        self._count.setText(", ".join(parts))
        self._left.setText("")
        self._bar.set_part(1.0)

    def _show_items(self) -> None:
        items = self._session.navigation.items
        self.tiles.show_items(items)
        self._items_head.set_note(str(len(items)) if items else "")
        state = self._session.bringing_in.state
        reading = state is not None and state.running
        self._nothing.setVisible(not items)
        self._nothing.setText("They come when all files have been read." if reading else "Nothing has been added yet.")

    def _show_trouble(self, lines: tuple[Trouble, ...], *, reading: bool) -> None:
        self._needs_head.set_note(str(len(lines)) if lines else "" if reading else "nothing")
        for part in (self._needs_rule, self._needs_head, self._needs):
            part.setVisible(bool(lines) or not reading)
        if lines == self._shown:
            return
        self._shown = lines
        while self._list.count():
            item = self._list.takeAt(0)
            widget = item.widget() if item else None
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        for line in lines[:SHOWN]:
            self._list.addWidget(_trouble_line(*line))
        if len(lines) > SHOWN:
            self._list.addWidget(Label(f"and {len(lines) - SHOWN} more", size=fonts.SECONDARY, ink="muted"))
        if not lines and not reading:
            words = "Every file was read, and nothing had to be assumed."
            self._list.addWidget(Label(words, size=fonts.SECONDARY, ink="muted"))


def _trouble_line(icon: str, ink: str, name: str, reason: str) -> QWidget:
    """Name, what is wrong in bold, why and what to do in muted."""
    what, why = split_reason(reason, name)
    title = ElidedLabel(name, weight=600)
    title.setFixedWidth(200)
    line = row(IconMark(icon, "Could not be read" if ink == "error" else "Assumed", ink=ink), title, spacing=12)
    line.setContentsMargins(0, 6, 0, 6)
    words = ElidedLabel(what, size=fonts.SECONDARY, weight=600)
    words.setMaximumWidth(round(fonts.text_width(what, fonts.SECONDARY, 600)) + 2)
    line.addWidget(words, 3)
    line.addWidget(ElidedLabel(why, size=fonts.SECONDARY, ink="muted"), 4)
    made = QWidget()
    made.setLayout(line)
    made.setAccessibleName(f"{name}: {reason}")
    return made


def split_reason(reason: str, name: str) -> tuple[str, str]:
    """(what, why and what to do) of an error line `NAME: WHAT: WHY. HINT` or of a sentence or two."""
    text = reason.removeprefix(f"{name}: ")
    for parting in (": ", ". "):
        what, found, rest = text.partition(parting)
        if found and rest:
            return what + ("." if parting == ". " else ""), rest[:1].upper() + rest[1:]
    return text, ""
