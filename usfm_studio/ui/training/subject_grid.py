"""All subjects as small tiles; those kept for testing are framed and come first where not all fit."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, QRectF
from PySide6.QtGui import QHelpEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from usfm_studio.ui.shell import fonts, paint
from usfm_studio.ui.shell.theme import colour

LINES, LINES_LOW = 4, 3
_TILE, _GAP, _LEAST, _MOST = 28, 8, 44, 116


class SubjectGrid(QWidget):
    """Four lines of tiles, three in low windows; the last tile says how many more there are."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._train: tuple[str, ...] = ()
        self._holdout: tuple[str, ...] = ()
        self._tiles: list[tuple[str, bool]] = []
        self._more = 0
        self.lines = LINES
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(_TILE)

    def show_subjects(self, train: tuple[str, ...], holdout: tuple[str, ...]) -> None:
        """Show who learns and who tests."""
        if (train, holdout) == (self._train, self._holdout):
            return
        self._train, self._holdout = train, holdout
        count = len(train) + len(holdout)
        kept = f": {', '.join(holdout[:20])}" if holdout else ""
        self.setAccessibleName(f"{len(holdout)} of {count} subjects are kept for testing{kept}")
        self._fit()

    def set_lines(self, lines: int) -> None:
        """So many lines at most."""
        if lines != self.lines:
            self.lines = lines
            self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """What fits follows from the width."""
        self._fit()

    def _width(self) -> float:
        """Width of a tile: the longest name, within bounds, spread over the line."""
        names = [fonts.text_width(name, fonts.SECONDARY, 600) for name in {*self._train, *self._holdout}]
        wanted = min(max(_LEAST, max(names, default=0.0) + 12), _MOST)
        per_line = self._per_line(wanted)
        return (self.width() + _GAP) / per_line - _GAP

    def _per_line(self, width: float) -> int:
        return max(1, int((self.width() + _GAP) // (width + _GAP)))

    def _fit(self) -> None:
        everyone = sorted({*self._train, *self._holdout})
        held = set(self._holdout)
        room = self.lines * self._per_line(self._width())
        if len(everyone) > room:
            everyone.sort(key=lambda subject: subject not in held)
        self._more = max(0, len(everyone) - room + 1) if len(everyone) > room else 0
        shown = everyone[: room - 1] if self._more else everyone
        self._tiles = [(subject, subject in held) for subject in shown]
        count = len(self._tiles) + bool(self._more)
        lines = max(1, -(-count // self._per_line(self._width())))
        self.setFixedHeight(lines * (_TILE + _GAP) - _GAP)
        self.update()

    def tile_rect(self, index: int) -> QRectF:
        """Where a tile lies."""
        width = self._width()
        line, column = divmod(index, self._per_line(width))
        return QRectF(column * (width + _GAP), line * (_TILE + _GAP), width, _TILE)

    def event(self, event: QEvent) -> bool:
        """The whole name in the tip."""
        if event.type() is QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            where = QPointF(event.pos())
            found = next((s for i, (s, _) in enumerate(self._tiles) if self.tile_rect(i).contains(where)), "")
            QToolTip.showText(event.globalPos(), found, self)
            return True
        return super().event(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """The tiles."""
        painter = paint.painter_on(self)
        for index, (subject, kept) in enumerate(self._tiles):
            self._draw_tile(painter, self.tile_rect(index), subject, kept)
        if self._more:
            rect = self.tile_rect(len(self._tiles))
            paint.text(painter, rect, f"+{self._more}", colour("muted"), fonts.SECONDARY, 600, paint.CENTRE)
        painter.end()

    @staticmethod
    def _draw_tile(painter: QPainter, rect: QRectF, subject: str, kept: bool) -> None:
        paint.ground(painter, rect, 4, colour("selected" if kept else "raised"), colour("accent" if kept else "line"))
        ink = colour("text" if kept else "muted")
        paint.text(
            painter, rect.adjusted(4, 0, -4, 0), subject, ink, fonts.SECONDARY, 600 if kept else 400, paint.CENTRE
        )
