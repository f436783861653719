"""The strip of tools, 48 px, from the table of actions."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from usfm_studio.ui.shell.action import Situation
from usfm_studio.ui.shell.actions import BY_ID
from usfm_studio.ui.shell.controls import Rule, ToolButton
from usfm_studio.ui.shell.keymap import Keymap
from usfm_studio.ui.shell.keys import shown
from usfm_studio.ui.shell.theme import colour
from usfm_studio.ui.shell.tokens import TOOL_STRIP

TOP = (
    "tool.select", "propose.here", "", "tool.brush", "tool.eraser", "tool.polygon", "tool.lasso", "tool.smart", "",
    "state.flagged", "state.nothing",
)  # fmt: skip
BOTTOM = ("view.overlays", "view.invert", "view.auto_levels")


class ToolStrip(QWidget):
    """`wanted` carries the id of the action that was pressed."""

    wanted = Signal(str)

    def __init__(self, keymap: Keymap, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedWidth(TOOL_STRIP)
        self.setAccessibleName("Tools")
        self.buttons: dict[str, ToolButton] = {}
        box = QVBoxLayout(self)
        box.setContentsMargins(6, 8, 6, 8)
        box.setSpacing(0)
        for id in TOP:
            self._add(box, id)
        box.addStretch(1)
        for id in BOTTOM:
            self._add(box, id)
        self.set_keymap(keymap)

    def _add(self, box: QVBoxLayout, id: str) -> None:
        if not id:
            rule = Rule(ink="line2")
            rule.setFixedWidth(20)
            box.addSpacing(3)
            box.addWidget(rule, 0, Qt.AlignmentFlag.AlignHCenter)
            box.addSpacing(3)
            return
        action = BY_ID[id]
        button = ToolButton(action.icon, action.text, checkable=action.checked is not None)
        button.clicked.connect(lambda _=False: self.wanted.emit(id))
        self.buttons[id] = button
        box.addWidget(button)

    def set_keymap(self, keymap: Keymap) -> None:
        """The keys that the tips tell."""
        for id, button in self.buttons.items():
            key = keymap.first(BY_ID[id])
            button.set_name(BY_ID[id].text, shown(key) if key else "")

    def show_situation(self, situation: Situation) -> None:
        """What is chosen, what is off and why."""
        for id, button in self.buttons.items():
            action = BY_ID[id]
            reason = action.enabled(situation)
            button.setEnabled(reason is None)
            button.set_reason(reason or "")
            if action.checked is not None:
                button.setChecked(action.checked(situation))
            if id == "view.overlays":
                button.set_icon("eye" if situation.overlays else "eye-off")
                button.setChecked(False)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Ground and hairline."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), colour("panel"))
        painter.fillRect(self.width() - 1, 0, 1, self.height(), colour("line"))
        painter.end()
