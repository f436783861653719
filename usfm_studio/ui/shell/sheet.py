"""All keys on one page, made from the table of actions."""

from __future__ import annotations

import re
from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from usfm_studio.ui.shell import fonts, paint
from usfm_studio.ui.shell.action import Action
from usfm_studio.ui.shell.actions import GROUPS, in_group
from usfm_studio.ui.shell.controls import Button, ElidedLabel, Heading, ScrollBox
from usfm_studio.ui.shell.keymap import Keymap
from usfm_studio.ui.shell.keys import caps, shown
from usfm_studio.ui.shell.overlay import TitledOverlay

COLUMNS = 3
LINE_HIGH = 26


class Caps(QWidget):
    """The keys of an action, side by side, `or` between two ways."""

    def __init__(self, ways: tuple[str, ...], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._ways = ways[:2]
        self.setAccessibleName(" or ".join(shown(way) for way in self._ways))
        self.setFixedSize(round(self._walk(None)), 22)

    def _walk(self, painter: QPainter | None) -> float:
        left = 0.0
        for number, way in enumerate(self._ways):
            if number:
                left += 6
            for cap in caps(way):
                if painter is not None:
                    paint.draw_key_cap(painter, left, 11, cap, on_accent=False, faint=False)
                left += paint.key_cap_width(cap) + 3
        return max(left, 1.0)

    def paintEvent(self, event: QPaintEvent) -> None:
        """The caps."""
        painter = paint.painter_on(self)
        self._walk(painter)
        painter.end()


class KeySheet(TitledOverlay):
    """Read only: what each key does, by group."""

    def __init__(self, room: QWidget, keymap: Keymap, edit: Callable[[], None]) -> None:
        super().__init__(room, "All keys", width=1080, top=24)
        inside = QWidget()
        area = ScrollBox(inside, "Keys")
        self._columns = QHBoxLayout(inside)
        self._columns.setContentsMargins(8, 4, 12, 4)
        self._columns.setSpacing(32)
        for column in self._share_out(keymap):
            self._columns.addLayout(column, 1)
        self.content.addWidget(area, 1)
        self._change = Button("Change keys …", icon="keyboard")
        self._change.clicked.connect(self.close_it)
        self._change.clicked.connect(edit)
        foot = QHBoxLayout()
        foot.addWidget(self._change)
        foot.addStretch(1)
        self.content.addLayout(foot)

    def wanted_height(self) -> int:
        """As much as there is."""
        return 2000

    def _share_out(self, keymap: Keymap) -> list[QVBoxLayout]:
        blocks = [(g, [a for a in in_group(g) if keymap.keys(a)]) for g in GROUPS]
        blocks = [(g, _short(actions)) for g, actions in blocks if actions]
        most = sum(len(actions) + 2 for _, actions in blocks) / COLUMNS
        columns, used = [QVBoxLayout()], 0.0
        for group, actions in blocks:
            if used > 0 and used + len(actions) / 2 > most and len(columns) < COLUMNS:
                columns.append(QVBoxLayout())
                used = 0.0
            columns[-1].addLayout(self._block(group, actions, keymap))
            used += len(actions) + 2
        for column in columns:
            column.setSpacing(16)
            column.addStretch(1)
        return columns

    def _block(self, group: str, actions: list[Action], keymap: Keymap) -> QGridLayout:
        grid = QGridLayout()
        grid.setVerticalSpacing(0)
        grid.setColumnStretch(0, 1)
        grid.addWidget(Heading(group, size=fonts.SECONDARY), 0, 0)
        for line, action in enumerate(actions, start=1):
            words = ElidedLabel(_range_words(action), size=fonts.SECONDARY, ink="muted", least=60)
            words.setFixedHeight(LINE_HIGH)
            grid.addWidget(words, line, 0)
            grid.addWidget(Caps(_range_keys(action, keymap)), line, 1, Qt.AlignmentFlag.AlignRight)
        return grid


def _short(actions: list[Action]) -> list[Action]:
    """One line for ten segments, one for nine labels."""
    return [a for a in actions if not re.fullmatch(r"(segment|label)\.(?!1$)\d+", a.id)]


def _range_words(action: Action) -> str:
    return {"segment.1": "Segment 1 to 10", "label.1": "Label 1 to 9"}.get(action.id, action.text.rstrip(" …"))


def _range_keys(action: Action, keymap: Keymap) -> tuple[str, ...]:
    return ("Digit1", "Digit0") if action.id == "segment.1" else keymap.keys(action)
