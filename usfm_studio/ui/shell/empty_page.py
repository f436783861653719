"""The first page: three ways to begin, the place where files are dropped, and what was open before."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QLinearGradient, QPainter, QPainterPath, QPaintEvent, QPen, QPixmap
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from usfm_studio.document.resources import resource
from usfm_studio.ui.shell import fonts, paint
from usfm_studio.ui.shell.actions import BY_ID
from usfm_studio.ui.shell.controls import Heading, Label, LinkButton
from usfm_studio.ui.shell.controls.base import Pressable
from usfm_studio.ui.shell.icons import draw_icon
from usfm_studio.ui.shell.keymap import Keymap
from usfm_studio.ui.shell.keys import shown
from usfm_studio.ui.shell.places import is_project
from usfm_studio.ui.shell.recent_card import RecentCard
from usfm_studio.ui.shell.settings import Recent
from usfm_studio.ui.shell.theme import colour
from usfm_studio.ui.shell.tokens import RADIUS_CHOICE

WIDE, GAP = 936, 24
CHOICE_HIGH = 232
SHOWN = 3
_HEAD = (296.0, 146.6, 182.7, 126.6)  # the skull in sample.jpg (592 x 224): middle and half axes


class Mark(QWidget):
    """The program's sign: one outline, half accepted, half proposed."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedSize(48, 48)
        self.setAccessibleName("USFM Studio")

    def paintEvent(self, event: QPaintEvent) -> None:
        """Two arcs."""
        painter = paint.painter_on(self)
        rect = QRectF(2.5, 6, 43, 36)
        pen = QPen(colour("accent"), 3)
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
        painter.setPen(pen)
        solid = QPainterPath()
        solid.arcMoveTo(rect, 82)
        solid.arcTo(rect, 82, 196)
        painter.drawPath(solid)
        pen.setDashPattern([2.6, 1.7])
        painter.setPen(pen)
        dashed = QPainterPath()
        dashed.arcMoveTo(rect, 66)
        dashed.arcTo(rect, 66, -132)
        painter.drawPath(dashed)
        painter.end()


class BigChoice(Pressable):
    """One way to begin: icon, title, two lines, perhaps a key or a picture behind."""

    radius = RADIUS_CHOICE

    def __init__(
        self, title: str, lines: tuple[str, str], icon: str = "", picture: QPixmap | None = None,
        parent: QWidget | None = None,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self._title, self._lines, self._icon, self._picture, self._key = title, lines, icon, picture, ""
        self.setText(title)
        self.setAccessibleName(f"{title}. {' '.join(lines)}")
        self.setFixedHeight(CHOICE_HIGH)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_key(self, key: str) -> None:
        """The key in the corner."""
        self._key = key
        self.update()

    def sizeHint(self) -> QSize:
        """A third of the page."""
        return QSize((WIDE - 2 * GAP) // 3, CHOICE_HIGH)

    def text_room(self) -> tuple[float, float]:
        """(width of the longest line, room for it)."""
        return max(fonts.text_width(line) for line in self._lines), self.width() - 48.0

    def draw(self, painter: QPainter) -> None:
        """Ground, picture or icon, words."""
        rect = QRectF(self.rect())
        fill = colour("pressed") if self.sunk else paint.blend("panel", "raised", self.lit)
        if self.hasFocus():
            fill = colour("raised")
        paint.ground(painter, rect, self.radius, fill)
        if self._picture is not None:
            self._draw_picture(painter, rect)
        paint.ground(painter, rect, self.radius, None, paint.blend("line2", "line_hover", self.lit))
        if self._icon:
            paint.ground(painter, QRectF(24, 64, 64, 64), RADIUS_CHOICE, colour("selected"))
            draw_icon(painter, self._icon, QRectF(24, 64, 64, 64), 32, colour("accent"))
        paint.text(painter, QRectF(24, 140, rect.width() - 48, 24), self._title, colour("text"), fonts.CARD_TITLE, 600)
        for number, line in enumerate(self._lines):
            paint.text(painter, QRectF(24, 166 + 18 * number, rect.width() - 48, 20), line, colour("muted"))
        if self._key:
            left = rect.width() - 16 - paint.key_cap_width(self._key)
            paint.draw_key_cap(painter, left, 26, self._key, on_accent=False, faint=False)

    def _draw_picture(self, painter: QPainter, rect: QRectF) -> None:
        assert self._picture is not None
        scale = rect.width() / 592
        high = 224 * scale
        painter.save()
        clip = QPainterPath()
        clip.addRoundedRect(rect, self.radius, self.radius)
        painter.setClipPath(clip)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawPixmap(QRectF(0, 0, rect.width(), high), self._picture, QRectF(self._picture.rect()))
        painter.setClipRect(QRectF(0, 0, rect.width(), high), Qt.ClipOperation.IntersectClip)
        self._draw_outline(painter, scale)
        fade = QLinearGradient(QPointF(0, high * 0.55), QPointF(0, high))
        ground = colour("raised") if self.hasFocus() else paint.blend("panel", "raised", self.lit)
        bare = QColor(ground)
        bare.setAlpha(0)
        fade.setColorAt(0, bare)
        fade.setColorAt(1, ground)
        painter.fillRect(QRectF(0, high * 0.55, rect.width(), high * 0.45 + 1), fade)
        painter.restore()
        paint.dot(painter, QPointF(48, 104), 24, colour("#E6E8EB"))
        draw_icon(painter, "player-play-filled", QRectF(25, 80, 48, 48), 20, "#0B0D0F")

    def _draw_outline(self, painter: QPainter, scale: float) -> None:
        x, y, a, b = (value * scale for value in _HEAD)
        skull = QRectF(x - a, y - b, 2 * a, 2 * b)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(paint.clear("#000000", 0.6), 4))
        painter.drawEllipse(skull)
        pen = QPen(colour("#56B4E9"), 2)
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
        pen.setDashPattern([4, 2.5])
        painter.setPen(pen)
        painter.drawEllipse(skull)


class DropZone(QWidget):
    """A reminder only: the whole window takes what is dropped."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._over = False
        self.setFixedHeight(64)
        self.setAccessibleName("Drop files, folders or a disc anywhere in this window")

    def set_over(self, over: bool) -> None:
        """Files hang over the window."""
        self._over = over
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Dashed border, icon, words."""
        painter = paint.painter_on(self)
        rect = QRectF(self.rect())
        pen = QPen(colour("accent" if self._over else "line2"), 1.5)
        pen.setDashPattern([5, 4])
        painter.setPen(pen)
        painter.setBrush(colour("selected") if self._over else Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(rect.adjusted(1, 1, -1, -1), RADIUS_CHOICE, RADIUS_CHOICE)
        words = "or drop files, folders or a disc anywhere in this window"
        width = fonts.text_width(words) + 28
        left = (rect.width() - width) / 2
        draw_icon(painter, "drag-drop", QRectF(left, 0, 20, rect.height()), 20, colour("muted"))
        paint.text(painter, QRectF(left + 28, 0, width, rect.height()), words, colour("muted"))
        painter.end()


class EmptyPage(QWidget):
    """`wanted` carries an action id, `project` the folder of a recent one."""

    wanted = Signal(str)
    project = Signal(str)

    def __init__(self, keymap: Keymap, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Begin")
        sample = QPixmap(str(resource("theme", "sample.jpg")))
        self.study = BigChoice("Open a study", ("A DICOM file, a DICOMDIR", "or one exam"), "file-import")
        self.folder = BigChoice(
            "Open a folder", ("Everything below it, sorted by", "patient, study and series"), "folder-open"
        )
        self.sample = BigChoice("Try the sample", ("Heads, breasts and a loop,", "about four minutes"), picture=sample)
        self.drop = DropZone()
        self._all: list[Recent] = []
        self._unfolded = False
        self.more = LinkButton("Show all")
        self.more.clicked.connect(self._unfold)
        self._cards = QVBoxLayout()
        self._cards.setSpacing(12)
        self._recent = QWidget()
        self._lay_out()
        self.set_keymap(keymap)
        for button, id in ((self.study, "open_study"), (self.folder, "open_folder"), (self.sample, "sample")):
            button.clicked.connect(lambda _=False, id=id: self.wanted.emit(f"project.{id}"))

    def _lay_out(self) -> None:
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(Heading("Open an ultrasound study to begin", size=fonts.TITLE))
        formats = "Stills and loops: DICOM, PNG, JPEG, TIFF, BMP. Files stay where they are and are never changed."
        words.addWidget(Label(formats, ink="muted"))
        head = QHBoxLayout()
        head.setSpacing(16)
        head.addWidget(Mark())
        head.addLayout(words)
        head.addStretch(1)
        choices = QHBoxLayout()
        choices.setSpacing(GAP)
        for choice in (self.study, self.folder, self.sample):
            choices.addWidget(choice)
        recent_head = QHBoxLayout()
        recent_head.addWidget(Heading("Recent projects"))
        recent_head.addStretch(1)
        recent_head.addWidget(self.more)
        recent = QVBoxLayout(self._recent)
        recent.setContentsMargins(0, 0, 0, 0)
        recent.setSpacing(6)
        recent.addLayout(recent_head)
        recent.addLayout(self._cards)
        page = QWidget()
        page.setMaximumWidth(WIDE)
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GAP)
        column.addLayout(head)
        column.addSpacing(12)
        column.addLayout(choices)
        column.addWidget(self.drop)
        column.addSpacing(4)
        column.addWidget(self._recent)
        across = QHBoxLayout(self)
        across.setContentsMargins(24, 24, 24, 24)
        across.addStretch(1)
        across.addWidget(page, 100, Qt.AlignmentFlag.AlignVCenter)
        across.addStretch(1)

    def set_keymap(self, keymap: Keymap) -> None:
        """The keys in the corners."""
        for choice, id in ((self.study, "project.open_study"), (self.folder, "project.open_folder")):
            key = keymap.first(BY_ID[id])
            choice.set_key(shown(key) if key else "")

    def show_recent(self, projects: Sequence[Recent]) -> None:
        """What was open before; folders that are gone are left out."""
        self._all = [project for project in projects if is_project(project.folder)]
        self._fill()

    def _unfold(self) -> None:
        self._unfolded = not self._unfolded
        self._fill()

    def _fill(self) -> None:
        _empty(self._cards)
        shown_now = self._all if self._unfolded else self._all[:SHOWN]
        for first in range(0, len(shown_now), SHOWN):
            line = QHBoxLayout()
            line.setSpacing(16)
            part = shown_now[first : first + SHOWN]
            for project in part:
                card = RecentCard(project)
                card.clicked.connect(lambda _=False, folder=project.folder: self.project.emit(folder))
                line.addWidget(card, 1)
            for _ in range(SHOWN - len(part)):
                line.addWidget(QWidget(), 1)
            self._cards.addLayout(line)
        self._recent.setVisible(bool(self._all))
        self.more.setVisible(len(self._all) > SHOWN)
        self.more.setText("Show fewer" if self._unfolded else f"Show all {len(self._all)}")
        self.more.updateGeometry()

    def paintEvent(self, event: QPaintEvent) -> None:
        """The canvas' ground; in the light theme the panel's."""
        painter = QPainter(self)
        light = colour("panel").lightness() > 128
        painter.fillRect(self.rect(), colour("panel" if light else "canvas"))
        painter.end()


def _empty(box: QVBoxLayout) -> None:
    while box.count():
        line = box.takeAt(0)
        inner = line.layout() if line is not None else None
        while inner is not None and inner.count():
            taken = inner.takeAt(0)
            widget = taken.widget() if taken is not None else None
            if widget is not None:
                widget.hide()
                widget.deleteLater()
