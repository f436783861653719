"""The page of files coming in: how far, what could not be read and why, what was assumed."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from usfm_studio.ui.session import Session
from usfm_studio.ui.shell import fonts
from usfm_studio.ui.shell.controls import (
    Button,
    Card,
    ElidedLabel,
    Heading,
    IconMark,
    Kind,
    Label,
    ProgressBar,
    column,
    row,
)

SHOWN = 200


class ImportPage(QWidget):
    """Progress above, the files that need a look below; reading goes on when the page is left."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._title = Heading("Add studies", size=fonts.TITLE)
        self._source = ElidedLabel("", size=fonts.SECONDARY, ink="muted")
        self._count = Label("", weight=600)
        self._left = Label("", ink="muted")
        self._bar = ProgressBar("Files read", height=6)
        self._cancel = Button("Cancel", icon="x", height=36)
        self._cancel.clicked.connect(session.bringing_in.cancel)
        self.done = Button("Back to work", Kind.PRIMARY, icon="arrow-left", key="Esc", height=36)
        self._needs = Label("Needs a look", size=fonts.SECONDARY, weight=600)
        self._needs_count = Label("", size=fonts.SECONDARY, ink="muted")
        self._list = QVBoxLayout()
        self._lay_out()
        session.import_changed.connect(self.refresh)

    def _lay_out(self) -> None:
        box = QVBoxLayout(self)
        box.setContentsMargins(24, 20, 24, 16)
        box.setSpacing(16)
        top = row(None, spacing=16)
        top.insertLayout(0, column(self._title, self._source, spacing=4), 1)
        progress = column(spacing=8)
        progress.addLayout(row(self._count, None, self._left))
        progress.addWidget(self._bar)
        top.insertLayout(1, progress, 1)
        top.addWidget(self._cancel)
        top.addWidget(self.done)
        box.addLayout(top)
        box.addLayout(row(self._needs, self._needs_count, None))
        inner = QWidget()
        self._list.setContentsMargins(0, 0, 0, 0)
        self._list.setSpacing(8)
        self._list.setAlignment(Qt.AlignmentFlag.AlignTop)
        inner.setLayout(self._list)
        scroll = QScrollArea()
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setWidgetResizable(True)
        scroll.setWidget(inner)
        box.addWidget(scroll, 1)

    def refresh(self) -> None:
        """Show the import as it stands."""
        state = self._session.bringing_in.state
        if state is None:
            return
        self._title.setText("Adding studies" if state.running else "Studies added")
        self._source.setText(f"{state.source} · read in place, nothing is copied or changed")
        if state.running:
            self._count.setText(f"{state.done} of {state.total} files read" if state.total else "Looking for files")
            self._left.setText(_left(state.left_s))
        else:
            self._count.setText(f"{state.imported} added, {state.skipped} known already, {len(state.failed)} not read")
            self._left.setText("")
        self._bar.set_part(state.done / state.total if state.total else None if state.running else 1.0)
        self._cancel.setVisible(state.running)
        self._fill(state.failed, state.notices)

    def _fill(self, failed: tuple[tuple[str, str], ...], notices: tuple[tuple[str, str], ...]) -> None:
        while self._list.count():
            item = self._list.takeAt(0)
            widget = item.widget() if item else None
            if widget is not None:
                widget.deleteLater()
        for name, reason in failed[:SHOWN]:
            self._list.addWidget(_line("file-alert", "error", name, reason))
        for name, reason in notices[: max(0, SHOWN - len(failed))]:
            self._list.addWidget(_line("alert-circle", "warning", name, reason))
        total = len(failed) + len(notices)
        self._needs_count.setText(str(total) if total else "nothing")
        if not total:
            self._list.addWidget(Label("Every file was read, and nothing had to be assumed.", size=12, ink="muted"))
        elif total > SHOWN:
            self._list.addWidget(Label(f"and {total - SHOWN} more", size=12, ink="muted"))


def _left(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d} left"


def _line(icon: str, ink: str, name: str, reason: str) -> Card:
    card = Card(padding=10)
    what, _, rest = reason.partition(": ")
    title = ElidedLabel(name, weight=600)
    title.setFixedWidth(220)
    words = Label(rest or what, size=fonts.SECONDARY, ink="muted", wrap=True)
    line = row(IconMark(icon, ink=ink), title, words, spacing=12)
    line.setStretch(2, 1)
    card.body.addLayout(line)
    return card
