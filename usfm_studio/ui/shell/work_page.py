"""The page for work: tools, image, inspector, the strip below, and the worklist as a drawer or pinned."""

from __future__ import annotations

from PySide6.QtCore import QRect, QVariantAnimation, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QGridLayout, QWidget

from usfm_studio.ui.shell.theme import duration
from usfm_studio.ui.shell.tokens import (
    DRAWER_MS,
    INSPECTOR,
    INSPECTOR_WIDE,
    INSPECTOR_WIDE_FROM,
    TOOL_STRIP,
    WIDE_FROM,
    WORKLIST,
)  # fmt: skip


class WorkPage(QWidget):
    """Places what it is given; `covered` tells how much of the image a drawer hides at its left."""

    covered = Signal(int)

    def __init__(
        self, *, tools: QWidget, canvas: QWidget, inspector: QWidget, below: QWidget, worklist: QWidget,
        parent: QWidget | None = None,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self.tools, self.canvas, self.inspector, self.below, self.worklist = tools, canvas, inspector, below, worklist
        self._wide: bool | None = None
        self._pin_allowed, self._drawer_open, self._panels_hidden = True, False, False
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(0)
        self._grid.setRowStretch(0, 1)
        self._slide = QVariantAnimation(self)
        self._slide.valueChanged.connect(lambda _: self._place_drawer())
        for part in (tools, canvas, inspector, below, worklist):
            part.setParent(self)
        self._arrange()

    # --- worklist ----------------------------------------------------------------------------------------------

    @property
    def worklist_shown(self) -> bool:
        """Whether the worklist is in view."""
        return self.worklist.isVisibleTo(self)

    @property
    def pinned(self) -> bool:
        """Whether it stands beside the image instead of over it."""
        return bool(self._wide) and self._pin_allowed

    def allow_pin(self, allowed: bool) -> None:
        """Whether a wide window pins the worklist."""
        self._pin_allowed = allowed
        self._arrange()

    def toggle_worklist(self) -> None:
        """Open or close the drawer; where it could be pinned, pin or put away."""
        if self._wide:
            self.allow_pin(not self._pin_allowed)
            return
        self._drawer_open = not self._drawer_open
        self._arrange()
        if self._drawer_open and duration(DRAWER_MS):
            self._slide.setDuration(duration(DRAWER_MS))
            self._slide.setStartValue(-8.0)
            self._slide.setEndValue(0.0)
            self._slide.start()

    def hide_panels(self, hidden: bool) -> None:
        """All the room to the image, or everything back."""
        self._panels_hidden = hidden
        self._arrange()

    @property
    def panels_hidden(self) -> bool:
        """Whether the image has all the room."""
        return self._panels_hidden

    # --- places ------------------------------------------------------------------------------------------------

    def _arrange(self) -> None:
        for part in (self.tools, self.canvas, self.inspector, self.below, self.worklist):
            self._grid.removeWidget(part)
        pinned, shown = self.pinned, not self._panels_hidden
        if pinned:
            self._grid.addWidget(self.worklist, 0, 0, 2, 1)
        self._grid.addWidget(self.tools, 0, 1)
        self._grid.addWidget(self.canvas, 0, 2)
        self._grid.addWidget(self.inspector, 0, 3, 2 if self._wide else 1, 1)
        self._grid.addWidget(self.below, 1, 1, 1, 2 if self._wide else 3)
        self._grid.setColumnStretch(2, 1)
        self.inspector.setFixedWidth(INSPECTOR_WIDE if self.width() >= INSPECTOR_WIDE_FROM else INSPECTOR)
        for part in (self.inspector, self.below):
            part.setVisible(shown)
        self.worklist.setVisible(shown and (pinned or (self._drawer_open and not self._wide)))
        self._place_drawer()

    def _place_drawer(self) -> None:
        over = self.worklist_shown and not self.pinned
        self.covered.emit(WORKLIST if over else 0)
        if not over:
            return
        running = self._slide.state() == QVariantAnimation.State.Running
        shift = round(float(self._slide.currentValue())) if running else 0
        below = self.below.height() if self.below.isVisibleTo(self) else 0
        self.worklist.setGeometry(QRect(TOOL_STRIP + shift, 0, WORKLIST, self.height() - below))
        self.worklist.raise_()
        self.tools.raise_()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Pin or unpin with the width."""
        wide = self.width() >= WIDE_FROM
        if wide != self._wide or self.width() >= INSPECTOR_WIDE_FROM or self.inspector.width() != INSPECTOR:
            self._wide = wide
            self._arrange()
        self._place_drawer()
        super().resizeEvent(event)
