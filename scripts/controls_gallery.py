"""Picture of all controls in all states, to be laid beside the drawn one.

Usage: python -m scripts.controls_gallery OUT.png [THEME]
"""

from __future__ import annotations

import os
import sys

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QRectF
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QApplication, QWidget

from usfm_studio.document.schema import SEGMENT_COLOURS
from usfm_studio.ui.shell import paint
from usfm_studio.ui.shell.controls import (
    Button,
    Choice,
    Field,
    Heading,
    Kind,
    Label,
    ListRow,
    Pose,
    Rule,
    Slider,
    Swatch,
    Switch,
    Tabs,
    Tick,
    ToolButton,
)  # fmt: skip
from usfm_studio.ui.shell.focus import FocusRing
from usfm_studio.ui.shell.theme import apply_theme, colour, tokens

COLUMNS = {"Rest": 144, "Hover": 260, "Pressed": 376, "Focus": 492, "Disabled": 608, "Selected": 724}
POSES = {"Rest": Pose.REST, "Hover": Pose.HOVER, "Pressed": Pose.PRESSED, "Focus": Pose.REST, "Disabled": Pose.REST}
TOKENS = (
    "canvas", "panel", "raised", "hover", "line", "line2", "muted",
    "text", "accent", "selected", "ok", "warning", "error", "focus",
)  # fmt: skip


class Gallery(QWidget):
    def __init__(self) -> None:
        super().__init__()
        self.resize(1280, 800)
        self._put(Heading("Controls and marks", size=20), 24, 17)
        note = "Every state at its real size. Focus is a 2 px ring that never moves the layout."
        self._put(Label(note, size=12, ink="muted"), 24, 45)
        for name, x in COLUMNS.items():
            self._put(Label(name, size=12, weight=500, ink="muted"), x, 81)
        rule = self._put(Rule(), 24, 104)
        rule.resize(804, 1)
        for index, (name, make) in enumerate(ROWS):
            y = 128 + 44 * index + (8 if index > 5 else 0)
            self._put(Label(name, size=12, ink="muted"), 24, y - 9)
            for column, pose in POSES.items():
                self._state(make, column, pose, y)
        self._selected()
        self._put(Heading("Colour", size=12), 24, 577)
        self._put(Heading("Segments, in this order", size=12), 24, 701)
        self._put(Heading("Type: 28, 20, 15, 13, 12, 11", size=12), 496, 701)
        for index, ink in enumerate(SEGMENT_COLOURS):
            self._put(Swatch(str(index + 1), ink, side=28), 24 + 56 * index, 728)
        x = 496
        for size, weight in ((28, 600), (20, 600), (15, 600), (13, 400), (12, 400), (11, 400)):
            label = self._put(Label("0.82", size=size, weight=weight), x, 742 - size * 7 // 10)
            x += label.sizeHint().width() + 12

    def _put(self, widget: QWidget, x: int, y: int) -> QWidget:
        widget.setParent(self)
        widget.move(x, y)
        widget.resize(widget.sizeHint().expandedTo(widget.minimumSize()))
        return widget

    def _state(self, make, column: str, pose: Pose, y: int) -> None:
        for offset, widget in make(column):
            self._put(widget, COLUMNS[column] + offset, y)
            widget.move(widget.x(), y - widget.height() // 2)
            if hasattr(widget, "hold"):
                widget.hold(pose)
            widget.setEnabled(column != "Disabled")
            if column == "Focus" and offset < 40:
                ring = FocusRing(self)
                widget.show()
                ring.point_at(widget)
                ring.setObjectName("gallery-ring")

    def _selected(self) -> None:
        x = COLUMNS["Selected"]
        field = Field("Name", text="Lesion?")
        self._put(field, x, 244).resize(92, 32)
        field.set_wrong(True)
        tool = ToolButton("brush", "Brush")
        tool.setChecked(True)
        self._put(tool, x, 330)
        row = a_row()
        row.setCheckable(True)
        row.setChecked(True)
        self._put(row, x - 12, 384).resize(112, 32)
        tabs = Tabs("Tabs", ["Measure"])
        self._put(tabs, x - 12, 426)
        self._put(Switch("On", on=True), x, 523)
        self._put(Tick(on=True, name="On"), x + 48, 524)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = paint.painter_on(self)
        painter.fillRect(self.rect(), colour("panel"))
        for index, name in enumerate(TOKENS):
            x, y = 24 + 114 * (index % 7), 604 + 44 * (index // 7)
            paint.ground(painter, QRectF(x, y, 28, 28), 6, colour(name), colour("line2"))
            paint.text(painter, QRectF(x + 36, y - 4, 80, 20), name.replace("line2", "line 2"), colour("text"), 12, 500)
            paint.text(painter, QRectF(x + 36, y + 12, 80, 20), getattr(tokens(), name), colour("muted"), 11, 500)
        painter.end()


def sized(widget: QWidget, width: int) -> QWidget:
    widget.setFixedWidth(width)
    return widget


def a_row() -> ListRow:
    row = ListRow("Head")
    row.box.addWidget(Swatch("1", SEGMENT_COLOURS[0]))
    row.box.addWidget(Label("Head"))
    row.box.addStretch(1)
    return row


def a_tab() -> QWidget:
    return Tabs("Tabs", ["Measure"]).button(0)


ROWS = (
    ("Primary button", lambda c: [(0, sized(Button("Accept", Kind.PRIMARY), 92))]),
    ("Button", lambda c: [(0, sized(Button("Report"), 92))]),
    ("Quiet button", lambda c: [(0, sized(Button("Reject", Kind.QUIET), 92))]),
    ("Field", lambda c: [(0, sized(Field("Name", "Name", "" if c == "Rest" else "Lesion"), 92))]),
    ("Choice", lambda c: [(0, sized(Choice("Rate", ("30 fps",)), 92))]),
    ("Tool button", lambda c: [(0, ToolButton("brush", "Brush"))]),
    ("List row", lambda c: [(-12, sized(a_row(), 112))]),
    ("Tab", lambda c: [(-2, a_plain_tab(c))]),
    ("Slider", lambda c: [(0, sized(Slider("Value", 0, 100, 50), 92))]),
    ("Switch, tick", lambda c: [(0, Switch("On")), (48, Tick(name="On"))]),
)


def a_plain_tab(column: str) -> QWidget:
    tabs = Tabs("Tabs", ["Measure"])
    KEPT.append(tabs)
    tab = tabs.button(0)
    tabs.set_current(-1)
    return tab


KEPT: list[QWidget] = []


def main() -> None:
    application = QApplication(sys.argv[:1])
    apply_theme(application, sys.argv[2] if len(sys.argv) > 2 else "reading-room")
    gallery = Gallery()
    gallery.show()
    application.processEvents()
    application.processEvents()
    gallery.grab().save(sys.argv[1])


if __name__ == "__main__":
    main()
