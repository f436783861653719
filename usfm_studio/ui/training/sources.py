"""What a run learns from: so many frames of each segment and label, and what is left out."""

from __future__ import annotations

from PySide6.QtCore import QRectF
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from usfm_studio.ui.shell import fonts, paint
from usfm_studio.ui.shell.theme import colour
from usfm_studio.ui.shell.words import many
from usfm_studio.ui.state import TrainingState

MOST = 3
_LINE, _BAR = 26, 96


class Sources(QWidget):
    """A name, a bar for its share of the frames, and the number; more than three are put together."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._lines: list[tuple[str, float, str]] = []
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(_LINE)

    def show_run(self, state: TrainingState) -> None:
        """Show what this run learns from."""
        lines = source_lines(state)
        if lines == self._lines:
            return
        self._lines = lines
        self.setFixedHeight(len(lines) * _LINE)
        self.setAccessibleName("It learns from " + ", ".join(f"{name} {words}" for name, _, words in lines))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """The lines."""
        painter = paint.painter_on(self)
        for index, (name, part, words) in enumerate(self._lines):
            top, used = index * _LINE, part >= 0
            room = QRectF(0, top, self.width(), _LINE)
            width = fonts.text_width(words, fonts.SECONDARY, 600) + 1
            paint.text(painter, room, words, colour("text" if used else "muted"), fonts.SECONDARY, 500, paint.RIGHT)
            right = self.width() - max(width, 72) - 12
            if part > 0:
                bar = QRectF(right - _BAR, top + _LINE / 2 - 2, _BAR, 4)
                paint.ground(painter, bar, 2, colour("track"))
                bar.setWidth(max(4.0, _BAR * min(1.0, part)))
                paint.ground(painter, bar, 2, colour("accent"))
                right -= _BAR + 12
            name_room = QRectF(0, top, right, _LINE)
            paint.text(painter, name_room, name, colour("text" if used else "muted"), fonts.SECONDARY)
        painter.end()


def source_lines(state: TrainingState) -> list[tuple[str, float, str]]:
    """(name, share of all frames or -1 where there is none to draw, words)."""
    whole = max(1, state.frames)
    found = [(name, count / whole, many(count, "frame")) for name, count in _few(state.segment_frames, "segment")]
    if state.frames_empty:
        found.append(("Nothing to mark", state.frames_empty / whole, many(state.frames_empty, "frame")))
    labels = state.label_frames
    if 1 < len(labels) <= 3:
        found.append((" · ".join(name for name, _ in labels), 0.0, " · ".join(str(count) for _, count in labels)))
    else:
        found += [(name, 0.0, many(count, "frame")) for name, count in _few(labels, "label")]
    return [*found, ("Proposals, unchecked", -1.0, "not used")]


def _few(counts: tuple[tuple[str, int], ...], word: str) -> list[tuple[str, int]]:
    if len(counts) <= MOST:
        return list(counts)
    ordered = sorted(counts, key=lambda pair: -pair[1])
    rest = ordered[MOST - 1 :]
    return [*ordered[: MOST - 1], (f"{len(rest)} more {word}s", sum(count for _, count in rest))]
