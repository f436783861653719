"""The worklist: all items with picture, state and reason, found by words and filtered by state."""

from __future__ import annotations

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from usfm_studio.document.annotation import State
from usfm_studio.ui.session import Session
from usfm_studio.ui.shell import fonts
from usfm_studio.ui.shell.controls import Button, Chip, IconButton, Label, SearchField, SectionHead, row
from usfm_studio.ui.shell.theme import colour
from usfm_studio.ui.shell.tokens import WIDE_FROM, WORKLIST
from usfm_studio.ui.state import Item
from usfm_studio.ui.worklist.badges import STATE_WORDS
from usfm_studio.ui.worklist.rows import Rows
from usfm_studio.ui.worklist.thumbnails import Thumbnails

FILTERS: tuple[tuple[str, frozenset[State] | None], ...] = (
    ("All", None),
    ("To do", frozenset({State.TODO, State.DOING})),
    ("Flagged", frozenset({State.FLAGGED})),
)
TYPING_MS = 60


class Drawer(QWidget):
    """Head, search, filters and rows. 272 px wide; pinned in wide windows, over the canvas in narrow ones."""

    wanted = Signal(str)  # action id

    def __init__(self, session: Session, thumbnails: Thumbnails, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._shown_items: tuple[Item, ...] | None = None
        self._shown_row = -1
        self._searched: dict[str, tuple[Item, str]] = {}
        self.setFixedWidth(WORKLIST)
        self.head = SectionHead("Worklist")
        self.pin = IconButton("x", "Close the worklist", key="F7")
        self.pin.clicked.connect(lambda: self.wanted.emit("view.worklist"))
        self.head.add(self.pin)
        self.search = SearchField("Find an item", "Find subject, label or state")
        self.chips = [Chip(words, "0") for words, _ in FILTERS]
        self.chips[0].setChecked(True)
        self.rows = Rows(session, thumbnails, self)
        self._nothing = Label("", weight=600, wrap=True)
        self._why = Label("", size=fonts.SECONDARY, ink="muted", wrap=True)
        self.clear = Button("Clear filters", icon="filter-off")
        self._typing = QTimer(self)
        self._typing.setSingleShot(True)
        self._typing.setInterval(TYPING_MS)
        self._lay_out()
        self._connect()

    def _lay_out(self) -> None:
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 4, 1, 0)
        box.setSpacing(8)
        box.addWidget(self.head)
        box.addLayout(row(self.search, margins=(12, 0, 11, 0)))
        box.addLayout(row(*self.chips, None, margins=(12, 0, 12, 0)))
        self._empty = QWidget()
        words = QVBoxLayout(self._empty)
        words.setContentsMargins(12, 12, 12, 0)
        words.setSpacing(4)
        words.addWidget(self._nothing)
        words.addWidget(self._why)
        words.addSpacing(4)
        words.addLayout(row(self.clear, None))
        words.addStretch(1)
        box.addWidget(self._empty, 1)
        box.addWidget(self.rows, 1)

    def _connect(self) -> None:
        session = self._session
        self._typing.timeout.connect(self.refresh)
        self.search.textChanged.connect(lambda _text: self._typing.start())
        for chip in self.chips:
            chip.clicked.connect(lambda _on=False, chip=chip: self._pick(chip))
        self.clear.clicked.connect(self.clear_filters)
        self.rows.chosen.connect(session.navigation.go_item)
        for signal in (session.opened, session.closed):
            signal.connect(self._start_anew)
        session.current_changed.connect(self._on_current)

    # --- filters -----------------------------------------------------------------------------------------------

    def clear_filters(self) -> None:
        """Show every item again."""
        self.search.clear()
        self._pick(self.chips[0])

    def _pick(self, chosen: Chip) -> None:
        for chip in self.chips:
            chip.setChecked(chip is chosen)
        self.refresh()

    # --- following the session ---------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        """Be up to date when it comes into view."""
        super().showEvent(event)
        self._shown_row = -1
        self.refresh()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Say what the button at the head does in this window."""
        pinned = self.window().width() >= WIDE_FROM
        self.pin.set_icon("pin-filled" if pinned else "x")
        self.pin.set_name("Put the worklist away" if pinned else "Close the worklist", "F7")

    def _start_anew(self) -> None:
        self._shown_items, self._shown_row = None, -1
        self._searched.clear()
        self.refresh()

    def _on_current(self) -> None:
        """Items that stay the same are not filtered again: playing a loop comes here for every frame."""
        navigation = self._session.navigation
        if navigation.items is not self._shown_items:
            self.refresh()
        elif navigation.item_index != self._shown_row:
            self._show_rows()

    def refresh(self) -> None:
        """Show what the filters let through."""
        if not self.isVisible():
            self._shown_items = None
            return
        items = self._session.navigation.items
        self._shown_items = items
        for chip, (_, states) in zip(self.chips, FILTERS, strict=True):
            chip.set_count(str(sum(1 for item in items if states is None or item.state in states)))
        states = self._states()
        words = self.search.text().casefold().split()
        self._rows = [
            index
            for index, item in enumerate(items)
            if (states is None or item.state in states)
            and (not words or all(word in self._text_of(item) for word in words))
        ]
        self.head.set_note(str(len(items)) if len(self._rows) == len(items) else f"{len(self._rows)} of {len(items)}")
        self._show_rows()
        self._show_nothing(bool(items), bool(words))

    def _states(self) -> frozenset[State] | None:
        return next((states for chip, (_, states) in zip(self.chips, FILTERS, strict=True) if chip.isChecked()), None)

    def _show_rows(self) -> None:
        if not self.isVisible():
            self._shown_items = None
            return
        navigation = self._session.navigation
        whole = self.chips[0].isChecked() and not self.search.text().strip()
        self.rows.show_rows(self._rows, navigation.suggested_row if whole else -1)
        if navigation.item_index != self._shown_row:
            self._shown_row = navigation.item_index
            self.rows.follow()

    def _show_nothing(self, any_items: bool, any_words: bool) -> None:
        nothing = not self._rows
        self._empty.setVisible(nothing)
        self.rows.setVisible(not nothing)
        self.clear.setVisible(nothing and any_items)
        if not any_items:
            self._nothing.setText("No images yet")
            self._why.setText("Ctrl+O opens a study; files can also be dropped anywhere.")
            return
        chosen = next(chip.text() for chip in self.chips if chip.isChecked())
        found = f"“{self.search.text().strip()}”"
        filtered = self._states() is not None
        if any_words and filtered:
            self._nothing.setText(f"Nothing is both {chosen.lower()} and {found}")
        else:
            self._nothing.setText(f"Nothing is found for {found}" if any_words else f"Nothing is {chosen.lower()}")
        self._why.setText("Subject, series, kind of image, label and state are searched." if any_words else "")
        self._why.setVisible(any_words)

    def _text_of(self, item: Item) -> str:
        """What the search looks through, made once an item as it stands."""
        known = self._searched.get(item.instance.digest)
        if known is None or known[0] is not item:
            known = self._searched[item.instance.digest] = item, searched_text(self._session, item)
        return known[1]

    def paintEvent(self, event: QPaintEvent) -> None:
        """Ground and the line to the canvas."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), colour("panel"))
        painter.fillRect(self.width() - 1, 0, 1, self.height(), colour("line"))
        painter.end()


def searched_text(session: Session, item: Item) -> str:
    """Words of an item that a search may meet, in small letters."""
    project, instance = session.project, item.instance
    labels: set[str] = set()
    notes: set[str] = set()
    for index in range(instance.frames if project is not None else 0):
        annotation = project.annotation(instance.frame_id(index)) if project else None
        if annotation is not None:
            labels.update(annotation.labels)
            notes.add(annotation.note)
    parts = (
        item.title, item.subject, instance.patient_name, item.exam, STATE_WORDS[item.state], instance.name,
        instance.study_description, instance.study_date, "loop" if instance.frames > 1 else "still",
        "proposed" if item.proposed_frames else "", *sorted(labels), *sorted(notes),
    )  # fmt: skip
    return " ".join(parts).casefold()
