"""Scores subject by subject: the old model's, the new one's, and the difference with its sign (losses in amber)."""

from __future__ import annotations

import math

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from usfm_studio.ui.shell import fonts, paint
from usfm_studio.ui.shell.controls import Heading, Label, ScrollBox, column, row
from usfm_studio.ui.shell.theme import colour
from usfm_studio.ui.state import Verdict

FEW, LEAST = 6, 5
"""More than a few are counted in words as well; at least five rows are in view."""
LOST = -0.005
_ROW, _ROW_LOW, _AXIS, _RIGHT = 34, 22, 24, 56

Pair = tuple[str, float | None, float]


def gain(pair: Pair) -> float:
    """New minus old score; the new score where there is no old one."""
    return pair[2] - (pair[1] if pair[1] is not None else 0.0)


def scale_from(verdict: Verdict) -> tuple[float, float]:
    """(lowest value, step) of an axis that ends at 1 and holds every score, on round numbers."""
    values = [v for _, old, new in verdict.per_subject for v in (old, new) if v is not None]
    values += [
        v for v in (*(verdict.interval or ()), verdict.champion_score, verdict.challenger_score) if v is not None
    ]
    lowest = min([*values, 0.9])
    step = next(s for s in (0.05, 0.1, 0.2, 0.25) if (1.0 - lowest) / s <= 4 or s == 0.25)
    return max(0.0, math.floor((lowest - 0.01) / step) * step), step


class PairRows(QWidget):
    """One row a subject, the most lost on top."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._verdict: Verdict | None = None
        self._low, self._step, self._names = 0.0, 0.2, 56.0
        self._pairs: list[Pair] = []
        self._row = _ROW
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_verdict(self, verdict: Verdict) -> None:
        """Show these subjects."""
        self._pairs = sorted(verdict.per_subject, key=gain)
        words = ", ".join(f"{s} {new:.2f}" for s, _, new in self._pairs)
        self.setAccessibleName(f"Score of each subject: {words}")
        self._verdict = verdict
        self._low, self._step = scale_from(verdict)
        widths = [fonts.text_width(s, fonts.SECONDARY, 600) for s, _, _ in self._pairs]
        self._names = min(112.0, max([40.0, *widths]))
        self.update()

    def set_room(self, height: int) -> None:
        """Tall rows where they fit, else low ones."""
        count = max(1, len(self._pairs))
        self._row = _ROW if _ROW * count <= height else _ROW_LOW
        self.setFixedHeight(self._row * count)
        self.update()

    def _area(self) -> QRectF:
        return QRectF(self._names + 16, 0, self.width() - self._names - 16 - _RIGHT, self.height())

    def _x(self, value: float) -> float:
        area = self._area()
        return area.left() + (max(value, self._low) - self._low) / (1.0 - self._low) * area.width()

    def ticks(self) -> list[tuple[float, str]]:
        """(place, words) of the numbers of the scale."""
        if self._verdict is None:
            return []
        digits = 2 if self._step * 100 % 10 > 1e-6 else 1
        values = [self._low + k * self._step for k in range(round((1.0 - self._low) / self._step) + 1)]
        return [(self._x(value), f"{value:.{digits}f}") for value in values]

    def paintEvent(self, event: QPaintEvent) -> None:
        """Interval, grid, means, pairs."""
        if self._verdict is None:
            return
        painter = paint.painter_on(self)
        self._draw_grid(painter, self._verdict)
        for index, pair in enumerate(self._pairs):
            self._draw_pair(painter, index, pair)
        painter.end()

    def _draw_grid(self, painter: QPainter, verdict: Verdict) -> None:
        height = float(self.height())
        if verdict.interval is not None:
            left, right = (self._x(v) for v in verdict.interval)
            painter.fillRect(QRectF(left, 0, max(2.0, right - left), height), colour("selected"))
        painter.setPen(QPen(colour("line"), 1))
        for place, _ in self.ticks():
            x = round(place) + 0.5
            painter.drawLine(QPointF(x, 0), QPointF(x, height))
        for score, style in (
            (verdict.champion_score, Qt.PenStyle.DashLine),
            (verdict.challenger_score, Qt.PenStyle.SolidLine),
        ):
            if score is not None:
                painter.setPen(QPen(colour("text"), 1.25, style))
                painter.drawLine(QPointF(self._x(score), 0), QPointF(self._x(score), height))

    def _draw_pair(self, painter: QPainter, index: int, pair: Pair) -> None:
        subject, old, new = pair
        top = index * self._row
        middle, low = top + self._row / 2, self._row == _ROW_LOW
        lost = old is not None and new - old < LOST
        ink = colour("warning" if lost else "accent")
        room = QRectF(0, top, self._names + 1, self._row)
        paint.text(painter, room, subject, colour("text"), fonts.SECONDARY, 600)
        if old is not None:
            painter.setPen(QPen(ink, 2))
            painter.drawLine(QPointF(self._x(old), middle), QPointF(self._x(new), middle))
            paint.dot(painter, QPointF(self._x(old), middle), 3 if low else 4, colour("muted"))
        paint.dot(painter, QPointF(self._x(new), middle), 4 if low else 5.5, ink)
        words = signed(new - old) if old is not None else f"{new:.2f}"
        room = QRectF(self.width() - _RIGHT, top, _RIGHT, self._row)
        paint.text(painter, room, words, ink if lost else colour("text"), fonts.SECONDARY, 600, paint.RIGHT)


class _Axis(QWidget):
    """The numbers under the rows; they stay when the rows scroll."""

    def __init__(self, rows: PairRows, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows = rows
        self.setFixedHeight(_AXIS)

    def paintEvent(self, event: QPaintEvent) -> None:
        """The numbers."""
        painter = paint.painter_on(self)
        for x, words in self._rows.ticks():
            rect = QRectF(x - 24, 4, 48, 18)
            paint.text(painter, rect, words, colour("muted"), fonts.SMALL, 400, paint.CENTRE)
        painter.end()


class _Key(QWidget):
    """Which dot is whose: grey the old model, accent the new one, a line the mean."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._parts: list[tuple[str, str]] = []
        self.setFixedHeight(20)

    def show_names(self, old: str, new: str) -> None:
        """Names of the two models; an empty one is left out."""
        old, new = short_names(old, new)
        cut = [fonts.metrics(fonts.SECONDARY).elidedText(name, Qt.TextElideMode.ElideRight, 120) for name in (old, new)]
        self._parts = [(kind, name) for kind, name in (("old", cut[0]), ("new", cut[1]), ("mean", "mean")) if name]
        self.setAccessibleName(f"Grey: {old}, accent: {new}" if old else f"Accent: {new}")
        self.setFixedWidth(self.sizeHint().width())
        self.update()

    def sizeHint(self) -> QSize:
        """Marks and names."""
        return QSize(round(sum(fonts.text_width(n, fonts.SECONDARY) + 32 for _, n in self._parts)), 20)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Marks and names side by side."""
        painter = paint.painter_on(self)
        x = 16.0
        for kind, name in self._parts:
            if kind == "mean":
                painter.fillRect(QRectF(x + 4, 4, 1.5, 12), colour("text"))
            else:
                paint.dot(
                    painter,
                    QPointF(x + 5, 10),
                    4 if kind == "old" else 5,
                    colour("muted" if kind == "old" else "accent"),
                )
            width = fonts.text_width(name, fonts.SECONDARY)
            paint.text(painter, QRectF(x + 16, 0, width + 1, 20), name, colour("muted"), fonts.SECONDARY)
            x += width + 32
        painter.end()


class SubjectPairs(QWidget):
    """Head, rows, axis, and in words what the shaded part is and how many won and lost."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._key, self.rows = _Key(), PairRows()
        self._axis = _Axis(self.rows)
        self._room = FEW * _ROW
        self._scroll = ScrollBox(self.rows, "Scores by subject")
        self._shaded = Label("", size=fonts.SECONDARY, ink="muted", wrap=True)
        self._title = Heading("Score, subject by subject")
        self.setLayout(column(spacing=8))
        box = self.layout()
        assert box is not None
        head = QWidget()
        head.setLayout(row(self._title, None, self._key))
        inner = QWidget()
        inner.setLayout(column(self._scroll, self._axis))
        for part in (head, inner, self._shaded):
            box.addWidget(part)

    def set_room(self, height: int) -> None:
        """So much of the height is for the rows; more of them scroll."""
        self._room = height
        self.rows.set_room(height)
        whole = max(height, LEAST * _ROW_LOW) // _ROW_LOW * _ROW_LOW
        self._scroll.setFixedHeight(min(self.rows.height(), whole))

    def show_verdict(self, verdict: Verdict) -> None:
        """Show a comparison."""
        self._title.setText("Dice, subject by subject" if verdict.metric == "dice_all" else "Score, subject by subject")
        self._key.show_names(verdict.champion.name if verdict.champion else "", verdict.challenger.name)
        self.rows.show_verdict(verdict)
        self._axis.update()
        self.set_room(self._room)
        self._shaded.setText(in_words(verdict))
        self._shaded.setVisible(bool(self._shaded.text()))


def short_names(old: str, new: str) -> tuple[str, str]:
    """`v4` and `v5` of `Lesions v4` and `Lesions v5`; names that differ otherwise stay whole."""
    first, second = old.split(), new.split()
    same = len(first) > 1 and first[:-1] == second[:-1] and first[-1] != second[-1]
    return (first[-1], second[-1]) if same else (old, new)


def in_words(verdict: Verdict) -> str:
    """What the shaded part is; with many subjects also how many won and lost."""
    parts = []
    pairs = [pair for pair in verdict.per_subject if pair[1] is not None]
    if len(pairs) > FEW:
        won = sum(1 for pair in pairs if gain(pair) > -LOST)
        lost = sum(1 for pair in pairs if gain(pair) < LOST)
        parts.append(f"Won {won}, lost {lost}, equal {len(pairs) - won - lost}.")
    if verdict.interval is not None:
        low, high = verdict.interval
        count = len(verdict.per_subject)
        what = f"range of the {count}" if count < 10 else "95 % interval"
        parts.append(f"Shaded: {what} under {verdict.challenger.name}, {low:.2f} to {high:.2f}.")
    return " ".join(parts)


def signed(value: float) -> str:
    """`+0.21` or `−0.02`."""
    words = f"{value:+.2f}"
    return words.replace("-", "−") if words not in ("-0.00", "+0.00") else "0.00"
