"""A project that was open before, as the first page shows it."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPainterPath, QPixmap
from PySide6.QtWidgets import QSizePolicy, QWidget

from usfm_studio.ui.shell import fonts, paint
from usfm_studio.ui.shell.controls.base import Pressable
from usfm_studio.ui.shell.icons import draw_icon
from usfm_studio.ui.shell.settings import Recent
from usfm_studio.ui.shell.theme import colour
from usfm_studio.ui.shell.tokens import RADIUS, RADIUS_CARD
from usfm_studio.ui.shell.words import many, moment


class RecentCard(Pressable):
    """A project that was open before."""

    radius = RADIUS_CARD

    def __init__(self, project: Recent, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.project = project
        self._picture = QPixmap(project.picture) if project.picture else QPixmap()
        self.setText(project.name)
        self.setAccessibleName(f"Project {project.name}, {self._counts()}, {moment(project.opened)}")
        self.setToolTip(project.folder)
        self.setFixedHeight(84)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        """A third of the page."""
        return QSize(301, 84)

    def _counts(self) -> str:
        project = self.project
        parts = [many(project.items, "item")]
        if project.done:
            parts.append(f"{project.done} done")
        if project.flagged:
            parts.append(f"{project.flagged} flagged")
        return " · ".join(parts)

    def draw(self, painter: QPainter) -> None:
        """Picture, name, counts, how far, when."""
        rect, project = QRectF(self.rect()), self.project
        fill = colour("pressed") if self.sunk else paint.blend(paint.clear("raised", 0), "raised", self.lit)
        paint.ground(painter, rect, self.radius, fill, paint.blend("line", "line2", self.lit))
        frame = QRectF(12, 12, 80, 60)
        self._draw_picture(painter, frame)
        left, right = 104.0, rect.width() - 12
        paint.text(painter, QRectF(left, 10, right - left, 20), project.name, colour("text"), fonts.BASE, 600)
        counts = QRectF(left, 29, right - left, 18)
        paint.text(painter, counts, self._counts(), colour("muted"), fonts.SECONDARY, 500)
        when = moment(project.opened)
        wide = fonts.text_width(when, fonts.SECONDARY, 500)
        room = QRectF(right - wide - 1, 49, wide + 1, 18)
        paint.text(painter, room, when, colour("muted"), fonts.SECONDARY, 500, paint.RIGHT)
        track = QRectF(left, 56, max(20.0, right - wide - 10 - left), 4)
        paint.ground(painter, track, 2, colour("track"))
        if project.items and project.done:
            track.setWidth(max(4.0, track.width() * min(1.0, project.done / project.items)))
            paint.ground(painter, track, 2, colour("accent"))

    def _draw_picture(self, painter: QPainter, frame: QRectF) -> None:
        painter.save()
        clip = QPainterPath()
        clip.addRoundedRect(frame, RADIUS, RADIUS)
        painter.setClipPath(clip)
        painter.fillRect(frame, colour("canvas"))
        if self._picture.isNull():
            draw_icon(painter, "photo", frame, 20, colour("disabled"))
        else:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            size = self._picture.size().scaled(frame.size().toSize(), Qt.AspectRatioMode.KeepAspectRatioByExpanding)
            target = QRectF(0, 0, size.width(), size.height())
            target.moveCenter(frame.center())
            painter.drawPixmap(target, self._picture, QRectF(self._picture.rect()))
        painter.restore()
        paint.ground(painter, frame, RADIUS, None, colour("line2"))
