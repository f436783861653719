"""The last acts of the project by name and time; what undo would take back stands on top."""

from __future__ import annotations

from datetime import datetime

from PySide6.QtCore import QRectF
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from usfm_studio.ui.session import Session
from usfm_studio.ui.shell import fonts, paint
from usfm_studio.ui.shell.controls import Button, Label, row
from usfm_studio.ui.shell.icons import draw_icon
from usfm_studio.ui.shell.theme import colour
from usfm_studio.ui.shell.words import moment

SHOWN = 40
LINE = 30
_ICONS = (
    ("Brush", "brush"), ("Eraser", "eraser"), ("Polygon", "polygon"), ("Lasso", "lasso"), ("Accept", "check"),
    ("Reject", "x"), ("Label", "tag"), ("Use", "target-arrow"), ("Promote", "trending-up"), ("Go back", "history"),
    ("Flag", "flag"), ("Nothing", "circle-off"), ("Done", "check"), ("Import", "download"),
)  # fmt: skip


class HistoryLines(QWidget):
    """Painted lines: icon, name, time; what was undone is pale."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._lines: list[tuple[str, str, bool]] = []
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def show_lines(self, lines: list[tuple[str, str, bool]]) -> None:
        """(name, time, undone), newest first."""
        self._lines = lines
        self.setAccessibleName("; ".join(name for name, _, _ in lines[:5]))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """As many lines as there is room for."""
        painter = paint.painter_on(self)
        first_live = next((i for i, (_, _, undone) in enumerate(self._lines) if not undone), -1)
        for index, (name, when, undone) in enumerate(self._lines[: max(0, self.height() // LINE)]):
            rect = QRectF(0, index * LINE, self.width(), LINE - 2)
            if index == first_live:
                paint.ground(painter, rect, 6, colour("selected"))
            ink = colour("disabled" if undone else "text")
            icon = next((icon for word, icon in _ICONS if name.startswith(word)), "pencil")
            draw_icon(painter, icon, QRectF(6, rect.top(), 20, rect.height()), 16, colour("muted"))
            width = fonts.text_width(when, fonts.SECONDARY) + 8
            paint.text(painter, rect.adjusted(0, 0, -8, 0), when, colour("muted"), fonts.SECONDARY, 400, paint.RIGHT)
            paint.text(painter, rect.adjusted(32, 0, -width - 8, 0), name, ink, fonts.SECONDARY, 500)
        painter.end()


class HistoryTab(QWidget):
    """Undo, redo, and the acts they speak of. The history survives closing the program."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._undo = Button("Undo", icon="arrow-back-up", stretch=True)
        self._redo = Button("Redo", icon="arrow-forward-up", stretch=True)
        self._undo.clicked.connect(session.undo)
        self._redo.clicked.connect(session.redo)
        self._lines = HistoryLines()
        self._empty = Label(
            "Nothing was done yet. Every act is kept here, also after closing.", size=12, ink="muted", wrap=True
        )
        box = QVBoxLayout(self)
        box.setContentsMargins(12, 12, 12, 8)
        box.setSpacing(8)
        box.addLayout(row(self._undo, self._redo))
        box.addWidget(self._empty)
        box.addWidget(self._lines, 1)

    def refresh(self) -> None:
        """Read the history anew; only when this tab is in view."""
        project = self._session.project
        entries = project.history(SHOWN) if project is not None and self.isVisible() else []
        lines = [
            (entry.name, moment(entry.when.astimezone().isoformat()).replace("Today ", ""), entry.undone)
            for entry in entries
        ]
        self._lines.show_lines(lines)
        self._empty.setVisible(not lines)
        self._undo.setEnabled(bool(self._session.undo_text) and not self._session.read_only)
        self._redo.setEnabled(bool(self._session.redo_text) and not self._session.read_only)


def _when(when: datetime) -> str:
    return moment(when.astimezone().isoformat()).removeprefix("Today ")
