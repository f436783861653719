"""The guide: short texts by topic, from `resources/help/guide.md`. Every action names the topic that explains it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QTextBrowser, QVBoxLayout, QWidget

from usfm_studio.document.resources import resource
from usfm_studio.ui.shell import fonts
from usfm_studio.ui.shell.controls import Heading, Label, ListRow, ScrollBox
from usfm_studio.ui.shell.overlay import TitledOverlay
from usfm_studio.ui.shell.theme import tokens

FIRST = "guide"


@dataclass(frozen=True, slots=True)
class Topic:
    """One piece of the guide; `text` is Markdown without the heading."""

    part: str
    title: str
    anchor: str
    text: str


@lru_cache(maxsize=1)
def topics() -> tuple[Topic, ...]:
    """All topics in their order. Raises OSError where the guide is not installed."""
    found, part = [], ""
    for block in re.split(r"^(?=#{1,2} )", resource("help", "guide.md").read_text("utf-8"), flags=re.MULTILINE):
        head, _, body = block.partition("\n")
        named = re.fullmatch(r"## (.+) \{([a-z-]+)\}", head.strip())
        if named is not None:
            found.append(Topic(part, named[1], named[2], body.strip()))
        elif head.startswith("# "):
            part = head[2:].strip()
    return tuple(found)


class Guide(TitledOverlay):
    """Topics at the left, the text at the right."""

    def __init__(self, room: QWidget) -> None:
        super().__init__(room, "Guide", width=860, top=24)
        self.heading = Heading(size=fonts.CARD_TITLE)
        self.heading.setContentsMargins(0, 0, 0, 0)
        self.text = QTextBrowser()
        self.text.setAccessibleName("Text")
        self.text.setOpenLinks(False)
        self.text.setFont(fonts.font(fonts.BASE))
        self.text.document().setDocumentMargin(0)
        self.text.setStyleSheet("padding: 0; border: none; background: transparent;")
        self._rows: dict[str, ListRow] = {}
        list_of_topics = QWidget()
        self._fill(list_of_topics)
        area = ScrollBox(list_of_topics, "Topics")
        area.setFixedWidth(232)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        across = QHBoxLayout()
        across.setSpacing(16)
        across.addWidget(area)
        beside = QVBoxLayout()
        beside.setContentsMargins(0, 8, 0, 0)
        beside.addWidget(self.heading)
        beside.addWidget(self.text, 1)
        across.addLayout(beside, 1)
        self.content.addLayout(across, 1)
        self.show_topic(FIRST)

    def wanted_height(self) -> int:
        """As much as there is, up to a page."""
        return 640

    def first_focus(self) -> QWidget:
        """The topic that is shown."""
        return next((row for row in self._rows.values() if row.isChecked()), self.cross)

    def _fill(self, inside: QWidget) -> None:
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, 12, 0)
        column.setSpacing(0)
        part = ""
        for topic in topics():
            if topic.part != part:
                part = topic.part
                head = Label(part, size=fonts.SECONDARY, weight=600, ink="muted")
                head.setContentsMargins(12, 8, 0, 4)
                head.setFixedHeight(32)
                column.addWidget(head)
            row = ListRow(topic.title, height=30, inset=0)
            row.setCheckable(True)
            row.box.addWidget(Label(topic.title))
            row.clicked.connect(lambda _=False, anchor=topic.anchor: self.show_topic(anchor))
            self._rows[topic.anchor] = row
            column.addWidget(row)
        column.addStretch(1)

    def show_topic(self, anchor: str) -> None:
        """Show a topic by its anchor; an unknown one shows the first."""
        topic = next((t for t in topics() if t.anchor == anchor), topics()[0])
        for name, row in self._rows.items():
            row.setChecked(name == topic.anchor)
        self.text.document().setDefaultStyleSheet(f"p {{ line-height: 140%; color: {tokens().text}; }}")
        self.heading.setText(topic.title)
        self.text.setHtml("".join(f"<p>{_inline(part)}</p>" for part in topic.text.split("\n\n")))


def _inline(text: str) -> str:
    safe = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"\*([^*]+)\*", r"<i>\1</i>", safe)
