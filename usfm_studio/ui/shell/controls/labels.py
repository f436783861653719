"""Words on the screen that are not pressed."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QPaintEvent, QTextLayout, QTextOption
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QWidget

from usfm_studio.ui.shell import fonts, paint
from usfm_studio.ui.shell.theme import colour
from usfm_studio.ui.shell.tokens import PADDING, SECTION_HEAD

_LINE_HEIGHT = {11: 16, 12: 18, 13: 20, 15: 22, 20: 26, 28: 34}


class Label(QLabel):
    """Words of one size, weight and colour (a token's name). With `wrap` they break into lines; else they never do."""

    def __init__(
        self,
        text: str = "",
        *,
        size: int = fonts.BASE,
        weight: int = 400,
        ink: str = "text",
        wrap: bool = False,
        align: Qt.AlignmentFlag = paint.LEFT,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(text, parent)
        self.text_size, self.text_weight, self._ink, self._align = size, weight, ink, align
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setFont(fonts.font(size, weight))
        self.setWordWrap(wrap)
        across = QSizePolicy.Policy.Preferred if wrap else QSizePolicy.Policy.Minimum
        policy = QSizePolicy(across, QSizePolicy.Policy.Minimum if wrap else QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(wrap)
        self.setSizePolicy(policy)

    def set_ink(self, ink: str) -> None:
        """Another token as colour."""
        if ink != self._ink:
            self._ink = ink
            self.update()

    def setText(self, text: str) -> None:
        """Other words; nothing happens when they are the same."""
        if text != self.text():
            super().setText(text)
            self.updateGeometry()
            self.update()

    @property
    def line_height(self) -> int:
        """Distance of two lines in logical pixels."""
        return _LINE_HEIGHT.get(self.text_size, round(self.text_size * 1.4))

    def text_room(self) -> tuple[float, float]:
        """(width of the longest line, room for it)."""
        if self.wordWrap():
            longest = max(
                (fonts.text_width(w, self.text_size, self.text_weight) for w in self.text().split()), default=0
            )
            return longest, float(self.width())
        return fonts.text_width(self.text(), self.text_size, self.text_weight), float(self.width())

    def sizeHint(self) -> QSize:
        """One line, or the lines that come of a width of 240 px."""
        wide = fonts.text_width(self.text(), self.text_size, self.text_weight)
        if not self.wordWrap():
            return QSize(round(wide + 1), self.line_height)
        width = min(round(wide + 1), 240)
        return QSize(width, self.heightForWidth(width))

    def minimumSizeHint(self) -> QSize:
        """One line in full, or the longest word."""
        if not self.wordWrap():
            return self.sizeHint()
        return QSize(round(self.text_room()[0] + 1), self.line_height)

    def hasHeightForWidth(self) -> bool:
        """Whether it wraps."""
        return self.wordWrap()

    def heightForWidth(self, width: int) -> int:
        """Height of the lines at a width."""
        return self.line_height * max(1, len(self._lines(width)[1])) if self.wordWrap() else self.line_height

    def _lines(self, width: float) -> tuple[QTextLayout, list[float]]:
        layout = QTextLayout(self.text(), fonts.font(self.text_size, self.text_weight))
        option = QTextOption(self._align & Qt.AlignmentFlag.AlignHorizontal_Mask)
        option.setWrapMode(QTextOption.WrapMode.WordWrap)
        layout.setTextOption(option)
        layout.beginLayout()
        tops: list[float] = []
        natural = fonts.metrics(self.text_size, self.text_weight).height()
        while True:
            line = layout.createLine()
            if not line.isValid():
                break
            line.setLineWidth(max(width, 1))
            tops.append(len(tops) * self.line_height + (self.line_height - natural) / 2)
            line.setPosition(QPointF(0, tops[-1]))
        layout.endLayout()
        return layout, tops

    def paintEvent(self, event: QPaintEvent) -> None:
        """The words, each line in the middle of its height."""
        painter = paint.painter_on(self)
        ink = colour(self._ink if self.isEnabled() else "disabled")
        if self.wordWrap():
            painter.setPen(ink)
            self._lines(self.width())[0].draw(painter, QPointF(0, 0))
        else:
            paint.text(painter, QRectF(self.rect()), self.text(), ink, self.text_size, self.text_weight, self._align)
        painter.end()


class ElidedLabel(Label):
    """One line that gives way: cut with an ellipsis where room is short, and then whole in the tip."""

    def __init__(
        self, text: str = "", *, size: int = fonts.BASE, weight: int = 400, ink: str = "text", least: int = 24,
        parent: QWidget | None = None,
    ) -> None:  # fmt: skip
        super().__init__(text, size=size, weight=weight, ink=ink, parent=parent)
        self._least = least
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def minimumSizeHint(self) -> QSize:
        """A few letters."""
        return QSize(min(self._least, self.sizeHint().width()), self.line_height)

    def text_room(self) -> tuple[float, float]:
        """Nothing is wrong with being cut: the tip has the whole."""
        return 0.0, float(self.width())

    def paintEvent(self, event: QPaintEvent) -> None:
        """The words, and the tip when they are cut."""
        cut = fonts.text_width(self.text(), self.text_size, self.text_weight) > self.width() + 1
        if self.toolTip() != (self.text() if cut else ""):
            self.setToolTip(self.text() if cut else "")
        super().paintEvent(event)


class Heading(Label):
    """A title: 13/600 unless told otherwise."""

    def __init__(self, text: str = "", *, size: int = fonts.BASE, parent: QWidget | None = None) -> None:
        super().__init__(text, size=size, weight=600, parent=parent)


class SectionHead(QWidget):
    """Head of a section, 36 px: name, a word in muted beside it, and what is put at its right end."""

    def __init__(self, title: str, note: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedHeight(SECTION_HEAD)
        self.title = Label(title, size=fonts.SECONDARY, weight=600)
        self.note = ElidedLabel(note, size=fonts.SECONDARY, ink="muted")
        self._box = QHBoxLayout(self)
        self._box.setContentsMargins(PADDING, 0, 4, 0)
        self._box.setSpacing(8)
        self._box.addWidget(self.title)
        self._box.addWidget(self.note)
        self._box.addStretch(1)

    def set_note(self, note: str) -> None:
        """Other words in muted."""
        self.note.setText(note)

    def add(self, widget: QWidget) -> None:
        """Put something at the right end."""
        self._box.addWidget(widget)
        self._box.setSpacing(8 if self._box.count() < 5 else 0)
