"""The few settings of the program as a whole."""

from __future__ import annotations

import msgspec
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QWidget

from usfm_studio.ui.shell import fonts
from usfm_studio.ui.shell.controls import Button, Choice, Label, Segmented, Switch
from usfm_studio.ui.shell.overlay import TitledOverlay
from usfm_studio.ui.shell.settings import SCALES, Settings
from usfm_studio.ui.shell.tokens import THEMES


class SettingsPanel(TitledOverlay):
    """Every choice is in force at once, but for the size, which the next start brings. `changed` carries them all."""

    changed = Signal(object)
    keys_wanted = Signal()

    def __init__(self, room: QWidget, settings: Settings) -> None:
        super().__init__(room, "Settings", width=520)
        self._settings = settings
        self._started_at = settings.scale
        self._themes = tuple(THEMES)
        self.theme = Segmented("Theme", [THEMES[name].title for name in self._themes])
        self.theme.set_current(self._themes.index(settings.theme) if settings.theme in self._themes else 0)
        self.scale = Choice("Size", tuple(f"{scale} %" for scale in SCALES))
        self.scale.setCurrentIndex(SCALES.index(settings.scale))
        self.motion = Switch("Reduce motion", on=settings.reduce_motion)
        self.pinned = Switch("Keep the worklist open on wide screens", on=settings.worklist_pinned)
        self.later = Label("From the next start on.", size=fonts.SECONDARY, ink="muted")
        self.keys = Button("Change keys …", icon="keyboard")
        self._lay_out()
        self.theme.changed.connect(lambda index: self._change(theme=self._themes[index]))
        self.scale.activated.connect(lambda index: self._change(scale=SCALES[index]))
        self.motion.toggled.connect(lambda on: self._change(reduce_motion=on))
        self.pinned.toggled.connect(lambda on: self._change(worklist_pinned=on))
        self.keys.clicked.connect(self.close_it)
        self.keys.clicked.connect(self.keys_wanted)

    def _lay_out(self) -> None:
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(12)
        grid.setColumnStretch(1, 1)
        size = QHBoxLayout()
        size.setSpacing(12)
        size.addWidget(self.scale)
        size.addWidget(self.later)
        size.addStretch(1)
        rows: tuple[tuple[str, QWidget | QHBoxLayout], ...] = (
            ("Theme", self.theme), ("Size", size), ("Reduce motion", self.motion),
            ("Worklist open on wide screens", self.pinned), ("Keys", self.keys),
        )  # fmt: skip
        for line, (words, part) in enumerate(rows):
            grid.addWidget(Label(words), line, 0)
            if isinstance(part, QWidget):
                grid.addWidget(part, line, 1)
            else:
                grid.addLayout(part, line, 1)
            grid.setRowMinimumHeight(line, 32)
        self.content.addLayout(grid)
        self.later.setVisible(False)

    def _change(self, **fields: object) -> None:
        self._settings = msgspec.structs.replace(self._settings, **fields)
        self.later.setVisible(self._settings.scale != self._started_at)
        self.changed.emit(self._settings)
