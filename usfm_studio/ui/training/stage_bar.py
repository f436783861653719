"""The stages of a run side by side: done, running, still to come."""

from __future__ import annotations

from PySide6.QtCore import QRectF
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from usfm_studio.ui.shell import fonts, paint
from usfm_studio.ui.shell.icons import draw_icon
from usfm_studio.ui.shell.theme import colour

WEIGHTS = {"Collect": 1.0, "Ready": 1.0, "Learn": 5.0, "Compare": 1.6, "Write": 1.2}
LEARN_ENDS = 88.0
"""Per cent of a run's time at which learning gives way to comparing."""


class StageBar(QWidget):
    """A bar a stage; its length is the share of the time that it usually takes."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._stages: tuple[tuple[str, str], ...] = ()
        self._percent = 0.0
        self.setFixedHeight(36)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_stages(self, stages: tuple[tuple[str, str], ...], percent: float) -> None:
        """Show where the run stands."""
        if (stages, percent) == (self._stages, self._percent):
            return
        self._stages, self._percent = stages, percent
        self.setAccessibleName(f"{percent:.0f} %, " + ", ".join(f"{name} {state}" for name, state in stages))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Bars and their names."""
        if not self._stages:
            return
        painter = paint.painter_on(self)
        weights = [WEIGHTS.get(name, 1.0) for name, _ in self._stages]
        room = self.width() - 4.0 * (len(weights) - 1)
        left = 0.0
        for (name, state), weight in zip(self._stages, weights, strict=True):
            width = room * weight / sum(weights)
            self._draw_stage(painter, QRectF(left, 2, width, 6), name, state)
            left += width + 4
        painter.end()

    def _draw_stage(self, painter: QPainter, bar: QRectF, name: str, state: str) -> None:
        paint.ground(painter, bar, 3, colour("track"))
        if state != "todo":
            part = QRectF(bar)
            if state == "running" and name == "Learn":
                part.setWidth(max(6.0, bar.width() * min(1.0, self._percent / LEARN_ENDS)))
            elif state == "running":
                part.setWidth(bar.width() * 0.5)
            paint.ground(painter, part, 3, colour("accent"))
        text = QRectF(bar.left(), 14, bar.width(), 18)
        if state == "done":
            draw_icon(painter, "check", QRectF(bar.left(), 15, 14, 16), 14, colour("ok"))
            text.adjust(18, 0, 0, 0)
        ink, weight = (colour("text"), 600) if state == "running" else (colour("muted"), 400)
        paint.text(painter, text, name, ink, fonts.SECONDARY, weight)
