"""What a search found: entries under their sections, painted, because only a few of hundreds are in view."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QRectF, QSize, Signal
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent, QWheelEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from usfm_studio.ui.shell import fonts, paint
from usfm_studio.ui.shell.icons import draw_icon
from usfm_studio.ui.shell.keys import caps
from usfm_studio.ui.shell.overlay import hairline
from usfm_studio.ui.shell.search import Match, match
from usfm_studio.ui.shell.theme import colour
from usfm_studio.ui.shell.tokens import RADIUS

ROW_HIGH, HEAD_HIGH, ROWS_SHOWN = 40, 32, 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line: what it is called, a word beside it, and what choosing it does. `reason` says why it is off."""

    section: str
    words: str
    note: str = ""
    icon: str = ""
    key: str = ""
    reason: str | None = None
    chosen: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Found:
    """An entry and how it fits."""

    entry: Entry
    match: Match


def find(query: str, entries: Sequence[Entry]) -> list[Found]:
    """Entries that fit, best first, in the order of their sections; what is off comes after what is on."""
    found = [Found(entry, hit) for entry in entries if (hit := match(query, entry.words)) is not None]
    order = {section: n for n, section in enumerate(dict.fromkeys(e.section for e in entries))}
    if query.strip():
        found.sort(key=lambda f: (order[f.entry.section], -f.match.score + (5 if f.entry.reason else 0)))
    else:
        found.sort(key=lambda f: (order[f.entry.section], bool(f.entry.reason)))
    return found


class ResultList(QWidget):
    """The found entries under their sections. Painted, because only a few of hundreds are in view."""

    chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._found: list[Found] = []
        self._lines: list[int | str] = []
        self._top = 0
        self.current = 0
        self.setMouseTracking(True)
        self.setAccessibleName("Found")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def show_found(self, found: list[Found]) -> None:
        """Other results; the first is chosen."""
        self._found, self._lines = found, []
        section = ""
        for index, one in enumerate(found):
            if one.entry.section != section:
                section = one.entry.section
                self._lines.append(section)
            self._lines.append(index)
        self._top, self.current = 0, 0
        self._tell()

    def move(self, by: int) -> None:  # type: ignore[override]
        """Choose another."""
        if self._found:
            self.current = (self.current + by) % len(self._found)
            self._tell()

    def _tell(self) -> None:
        line = self._lines.index(self.current) if self._found else 0
        while self._height(self._top, line + 1) > self.height() > 0 and self._top < line:
            self._top += 1
        if line <= self._top:
            self._top = max(0, line - 1 if line and isinstance(self._lines[line - 1], str) else line)
        words = self._found[self.current].entry.words if self._found else "Nothing found"
        self.setAccessibleDescription(words)
        self.update()

    def _height(self, first: int, end: int) -> int:
        return sum(HEAD_HIGH if isinstance(line, str) else ROW_HIGH for line in self._lines[first:end])

    def sizeHint(self) -> QSize:
        """As high as what was found, at most nine rows."""
        return QSize(400, min(self._height(0, len(self._lines)) + 8, ROWS_SHOWN * ROW_HIGH))

    def _at(self, y: float) -> int | None:
        top = 4.0
        for line in self._lines[self._top :]:
            high = HEAD_HIGH if isinstance(line, str) else ROW_HIGH
            if top <= y < top + high:
                return None if isinstance(line, str) else line
            top += high
        return None

    def paintEvent(self, event: QPaintEvent) -> None:
        """Sections and rows from the top line on."""
        painter = paint.painter_on(self)
        top = 4.0
        for place, line in enumerate(self._lines[self._top :]):
            if top > self.height():
                break
            if isinstance(line, str):
                if place:
                    hairline(painter, top, self.width(), margin=19)
                head = QRectF(20, top + 2, self.width() - 40, HEAD_HIGH)
                paint.text(painter, head, line, colour("muted"), fonts.SECONDARY, 500)
                top += HEAD_HIGH
            else:
                self._draw_row(painter, QRectF(8, top, self.width() - 16, ROW_HIGH), line)
                top += ROW_HIGH
        if not self._found:
            room = QRectF(20, 8, self.width() - 40, ROW_HIGH)
            paint.text(painter, room, "Nothing found. Try fewer letters.", colour("muted"))
        painter.end()

    def _draw_row(self, painter: QPainter, rect: QRectF, index: int) -> None:
        entry, hit = self._found[index].entry, self._found[index].match
        if index == self.current:
            paint.ground(painter, rect, RADIUS, colour("selected"))
        off = entry.reason is not None
        icon_ink = "disabled" if off else "accent" if index == self.current else "muted"
        if entry.icon:
            draw_icon(painter, entry.icon, QRectF(rect.x() + 12, rect.y(), 18, rect.height()), 18, colour(icon_ink))
        right = self._draw_caps(painter, rect, entry)
        left = self._draw_words(painter, rect.adjusted(44, 0, 0, 0), entry, hit, right)
        room = QRectF(left + 12, rect.y(), right - left - 20, rect.height())
        if entry.note and room.width() > 30:
            paint.text(painter, room, entry.note, colour("disabled" if off else "muted"), fonts.SECONDARY, 500)

    def _draw_caps(self, painter: QPainter, rect: QRectF, entry: Entry) -> float:
        right = rect.right() - 8
        for cap in reversed(caps(entry.key) if entry.key else ()):
            right -= paint.key_cap_width(cap)
            paint.draw_key_cap(painter, right, rect.center().y(), cap, on_accent=False, faint=entry.reason is not None)
            right -= 6
        return right

    def _draw_words(self, painter: QPainter, rect: QRectF, entry: Entry, hit: Match, right: float) -> float:
        left = rect.x()
        for text, meant in _pieces(entry.words, hit.at):
            ink = "disabled" if entry.reason is not None else "accent" if meant else "text"
            width = fonts.text_width(text, fonts.BASE, 500)
            room = min(width + 1, right - left - 8)
            if room <= 0:
                break
            paint.text(painter, QRectF(left, rect.y(), room, rect.height()), text, colour(ink), fonts.BASE, 500)
            left += width
        return left

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """The row under the mouse is the chosen one."""
        found = self._at(event.position().y())
        if found is not None and found != self.current:
            self.current = found
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Do it."""
        found = self._at(event.position().y())
        if found is not None:
            self.chosen.emit(found)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """A notch is a row."""
        step = -1 if event.angleDelta().y() > 0 else 1
        most = max(0, len(self._lines) - self.height() // ROW_HIGH)
        self._top = min(max(0, self._top + step), most)
        self.update()


def _pieces(text: str, at: tuple[int, ...]) -> list[tuple[str, bool]]:
    meant = set(at)
    pieces: list[tuple[str, bool]] = []
    for index, letter in enumerate(text):
        if pieces and pieces[-1][1] == (index in meant):
            pieces[-1] = (pieces[-1][0] + letter, pieces[-1][1])
        else:
            pieces.append((letter, index in meant))
    return pieces
