"""Grounds on which the controls lie: cards, rows, floating plates; and two short ways to lay out."""

from __future__ import annotations

from typing import TypeVar

from PySide6.QtCore import QEvent, QObject, QRectF, QSize, QSizeF, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPixmap
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from usfm_studio.ui.shell import paint
from usfm_studio.ui.shell.controls.base import Pressable
from usfm_studio.ui.shell.focus import Shape
from usfm_studio.ui.shell.theme import colour
from usfm_studio.ui.shell.tokens import CARD_PADDING, RADIUS, RADIUS_CARD, ROW

Part = QWidget | int | None
Box = TypeVar("Box", QHBoxLayout, QVBoxLayout)


def row(*parts: Part, spacing: int = 8, margins: tuple[int, int, int, int] = (0, 0, 0, 0)) -> QHBoxLayout:
    """Widgets side by side; a number is an empty space of that size, None takes what is left."""
    return _fill(QHBoxLayout(), parts, spacing, margins)


def column(*parts: Part, spacing: int = 0, margins: tuple[int, int, int, int] = (0, 0, 0, 0)) -> QVBoxLayout:
    """Widgets under each other; a number is an empty space of that size, None takes what is left."""
    return _fill(QVBoxLayout(), parts, spacing, margins)


def _fill(box: Box, parts: tuple[Part, ...], spacing: int, margins: tuple[int, int, int, int]) -> Box:
    box.setSpacing(spacing)
    box.setContentsMargins(*margins)
    for part in parts:
        if part is None:
            box.addStretch(1)
        elif isinstance(part, int):
            box.addSpacing(part)
        else:
            box.addWidget(part)
    return box


class Rule(QWidget):
    """A hairline, across or (with `upright`) down."""

    def __init__(self, *, upright: bool = False, ink: str = "line", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._ink = ink
        fixed, free = QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding
        if upright:
            self.setFixedWidth(1)
            self.setSizePolicy(fixed, free)
        else:
            self.setFixedHeight(1)
            self.setSizePolicy(free, fixed)

    def paintEvent(self, event: QPaintEvent) -> None:
        """One pixel."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), colour(self._ink))
        painter.end()


class ScrollBox(QScrollArea):
    """Room for more than fits, up and down only; the ground behind it shows through."""

    def __init__(self, inside: QWidget, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidget(inside)
        inside.setAutoFillBackground(False)
        self.viewport().setAutoFillBackground(False)


class Card(QWidget):
    """A ground with rounded corners; a `chosen` one has an accent border. What lies in it goes into `body`."""

    def __init__(self, *, padding: int = CARD_PADDING, chosen: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._chosen = chosen
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(padding, padding, padding, padding)
        self.body.setSpacing(8)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Ground and border."""
        painter = paint.painter_on(self)
        fill, border = ("selected", "accent") if self._chosen else ("card", "line")
        paint.ground(painter, QRectF(self.rect()), RADIUS_CARD, colour(fill), colour(border))
        painter.end()


class ListRow(Pressable):
    """One row of a list, on which subclasses lay out what they show. The ground stays 4 px from the edge.

    `setCheckable(True)` and `setChecked` say whether it is the chosen one.
    """

    def __init__(self, name: str, *, height: int = ROW, inset: int = 4, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._inset = inset
        self.setAccessibleName(name)
        self.setFixedHeight(height)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.box = QHBoxLayout(self)
        self.box.setContentsMargins(inset + 8, 0, inset + 8, 0)
        self.box.setSpacing(8)

    def sizeHint(self) -> QSize:
        """What lies in it."""
        return QSize(self.box.sizeHint().width(), self.height())

    def minimumSizeHint(self) -> QSize:
        """The least that lies in it."""
        return QSize(self.box.minimumSize().width(), self.height())

    def ground_rect(self) -> QRectF:
        """The part that lights up."""
        return QRectF(self.rect()).adjusted(self._inset, 0, -self._inset, 0)

    def focus_shape(self) -> Shape:
        """Inside the ground."""
        return Shape(self.ground_rect().adjusted(2, 2, -2, -2), RADIUS - 2, inside=True)

    def draw(self, painter: QPainter) -> None:
        """The ground; the contents are widgets of their own, or painted by the subclass after it."""
        rect = self.ground_rect()
        if self.isChecked():
            paint.ground(painter, rect, RADIUS, colour("selected"))
        elif self.sunk:
            paint.ground(painter, rect, RADIUS, colour("pressed"))
        elif self.lit:
            paint.ground(painter, rect, RADIUS, paint.blend(paint.clear("hover", 0), "hover", self.lit))


class _Shadow(QWidget):
    """What a floating thing throws on the image: 6 px down, 20 px soft, black, about half."""

    SOFT, DOWN = 20, 6

    def __init__(self, parent: QWidget | None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAttribute(Qt.WidgetAttribute.WA_NoSystemBackground)
        self._kept: tuple[QSize, float, QColor, QPixmap] | None = None

    def follow(self, plate: QWidget) -> None:
        """Lie under a plate."""
        soft = self.SOFT
        self.setGeometry(plate.geometry().adjusted(-soft, -soft + self.DOWN, soft, soft + self.DOWN))
        self.setVisible(plate.isVisible())
        self.stackUnder(plate)

    def paintEvent(self, event: QPaintEvent) -> None:
        """The soft edge, which is made once for a size: it is painted whenever the image under it is."""
        ratio, ink = self.devicePixelRatioF(), colour("shadow")
        if self._kept is None or self._kept[:3] != (self.size(), ratio, ink):
            self._kept = (self.size(), ratio, ink, self._made(ratio))
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._kept[3])
        painter.end()

    def _made(self, ratio: float) -> QPixmap:
        """Rings of growing size, each adding a little: a soft edge without a blur."""
        made = QPixmap((QSizeF(self.size()) * ratio).toSize())
        made.setDevicePixelRatio(ratio)
        made.fill(Qt.GlobalColor.transparent)
        painter = paint.painter_on(made)
        rect = QRectF(self.rect())
        steps = 10
        for step in range(steps):
            inset = 2.0 * step
            ring = rect.adjusted(inset, inset, -inset, -inset)
            part = (step + 1) / steps
            paint.ground(painter, ring, RADIUS_CARD + self.SOFT - inset, paint.clear("shadow", 0.10 * part * part))
        painter.end()
        return made


class Plate(QWidget):
    """A thing that floats over the image or the page: raised ground, border, shadow. Lay out in `body`."""

    def __init__(
        self, parent: QWidget | None = None, *, radius: int = RADIUS_CARD, shadow: bool = True, padding: int = 12
    ) -> None:
        super().__init__(parent)
        self._radius = radius
        self._shadow = _Shadow(parent) if shadow and parent is not None else None
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(padding, padding, padding, padding)
        self.body.setSpacing(8)
        self.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take the shadow along."""
        kinds = (QEvent.Type.Move, QEvent.Type.Resize, QEvent.Type.Show, QEvent.Type.Hide, QEvent.Type.ZOrderChange)
        if watched is self and self._shadow is not None and event.type() in kinds:
            self._shadow.follow(self)
        return False

    def paintEvent(self, event: QPaintEvent) -> None:
        """Ground and border."""
        painter = paint.painter_on(self)
        paint.ground(painter, QRectF(self.rect()), self._radius, colour("raised"), colour("line2"))
        painter.end()
