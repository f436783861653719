"""The loop under the image: play, frames on one axis, what is accepted or proposed, and how sure the model is."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QBrush, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from usfm_studio.document.annotation import State
from usfm_studio.document.frame import FrameId, frames_of
from usfm_studio.ui.session import Session
from usfm_studio.ui.shell import fonts, paint
from usfm_studio.ui.shell.controls import Button, Choice, IconButton, Kind, Label
from usfm_studio.ui.shell.controls.base import Pressable
from usfm_studio.ui.shell.icons import draw_icon
from usfm_studio.ui.shell.theme import colour

SURE = 0.60
FPS = (5, 10, 15, 20, 25, 30, 40, 50, 60)
_AXIS_TOP, _BAND_TOP, _BAND_HEIGHT, _CURVE_HEIGHT = 14, 17, 10, 20


class PlayButton(Pressable):
    """A light disc with play or pause."""

    radius = 18

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._playing = False
        self.setFixedSize(36, 36)
        self.set_playing(False)

    def set_playing(self, playing: bool) -> None:
        """Show what a click does now."""
        self._playing = playing
        words = "Pause" if playing else "Play"
        self.setAccessibleName(words)
        self.setToolTip(f"{words}   C")
        self.update()

    def sizeHint(self) -> QSize:
        """The disc."""
        return QSize(36, 36)

    def draw(self, painter: QPainter) -> None:
        """The disc and its sign."""
        ink = paint.blend("text", "on_plate", self.lit) if self.isEnabled() else colour("disabled")
        paint.dot(painter, QPointF(18, 18), 17 if self.sunk else 18, ink)
        name = "player-pause-filled" if self._playing else "player-play-filled"
        draw_icon(painter, name, QRectF(0, 0, 36, 36), 18, colour("panel"))


class Band(QWidget):
    """Frames along the time axis. A press goes to the frame, a drag scrubs."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.setAccessibleName("Frames of the loop")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._states: list[str] = []
        self._sure: list[float | None] = []

    def refresh(self) -> None:
        """Read the states of all frames anew."""
        project, instance = self._session.project, self._session.instance
        if project is None or instance is None or instance.frames < 2:
            self._states, self._sure = [], []
        else:
            ids = [frame.id for frame in frames_of(instance)]
            self._states = [self._state_of(frame) for frame in ids]
            self._sure = [self._confidence_of(frame) for frame in ids]
        self.update()

    def refresh_frame(self, frame: FrameId) -> None:
        """Read the state of one frame anew."""
        instance = self._session.instance
        if instance is not None and frame.source == instance.digest and frame.index < len(self._states):
            self._states[frame.index] = self._state_of(frame)
            self._sure[frame.index] = self._confidence_of(frame)
            self.update()

    def _state_of(self, frame: FrameId) -> str:
        project = self._session.project
        assert project is not None
        state = project.annotation(frame).state
        if state is State.FLAGGED:
            return "flagged"
        if state in (State.DOING, State.DONE, State.NOTHING):
            return "accepted"
        return "proposed" if project.proposal(frame) is not None and state is State.TODO else ""

    def _confidence_of(self, frame: FrameId) -> float | None:
        project = self._session.project
        proposal = project.proposal(frame) if project else None
        if proposal is None or not proposal.confidences:
            return None
        return min(proposal.confidences.values())

    # --- events ------------------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go to the frame."""
        if event.button() is Qt.MouseButton.LeftButton:
            self._scrub(event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Scrub."""
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._scrub(event.position().x())

    def _scrub(self, x: float) -> None:
        instance = self._session.instance
        if instance is None or not self._states:
            return
        self._session.navigation.stop()
        index = min(max(0, int(x / max(1.0, self.width()) * len(self._states))), len(self._states) - 1)
        self._session.navigation.go(instance.frame_id(index))

    # --- painting ----------------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        """Axis, band, curve, playhead."""
        if not self._states:
            return
        painter = paint.painter_on(self)
        self._draw_axis(painter)
        self._draw_band(painter)
        self._draw_curve(painter)
        self._draw_playhead(painter)
        painter.end()

    def _x(self, index: float) -> float:
        return index / len(self._states) * self.width()

    def _draw_axis(self, painter: QPainter) -> None:
        count = len(self._states)
        step = next(
            s for s in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000) if count / s <= max(2, self.width() / 90)
        )
        for index in range(step, count, step):
            rect = QRectF(self._x(index - 0.5) - 30, 0, 60, _AXIS_TOP)
            paint.text(painter, rect, str(index), colour("muted"), fonts.SMALL, 400, paint.CENTRE)

    def _draw_band(self, painter: QPainter) -> None:
        whole = QRectF(0, _BAND_TOP, self.width(), _BAND_HEIGHT)
        painter.fillRect(whole, colour("raised"))
        segments = self._session.schema.segments
        ink = colour(segments[0].shown_colour if segments else "accent")
        for start, end, state in runs(self._states):
            rect = QRectF(self._x(start), _BAND_TOP, max(1.0, self._x(end) - self._x(start)), _BAND_HEIGHT)
            if state == "accepted":
                painter.fillRect(rect, ink)
            elif state == "proposed":
                painter.fillRect(rect, paint.blend("raised", ink, 0.25))
                painter.fillRect(rect, QBrush(ink, Qt.BrushStyle.BDiagPattern))
            elif state == "flagged":
                painter.fillRect(rect, colour("warning"))

    def _draw_curve(self, painter: QPainter) -> None:
        top = _BAND_TOP + _BAND_HEIGHT + 3
        height = min(_CURVE_HEIGHT, self.height() - top - 3)
        if height < 6 or all(value is None for value in self._sure):
            return
        points = [
            QPointF(self._x(i + 0.5), top + (1 - value) * height)
            for i, value in enumerate(self._sure)
            if value is not None
        ]
        level = top + (1 - SURE) * height
        painter.setPen(QPen(colour("line2"), 1, Qt.PenStyle.DotLine))
        painter.drawLine(QPointF(0, level), QPointF(self.width(), level))
        low = [QPointF(p.x(), max(p.y(), level)) for p in points]
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(paint.clear("warning", 0.35))
        painter.drawPolygon(QPolygonF([QPointF(low[0].x(), level), *low, QPointF(low[-1].x(), level)]))
        painter.setPen(QPen(colour("muted"), 1.25))
        painter.drawPolyline(QPolygonF(points))

    def _draw_playhead(self, painter: QPainter) -> None:
        current = self._session.current
        if current is None:
            return
        x = self._x(current.index + 0.5)
        painter.setPen(QPen(colour("text"), 1.5))
        painter.drawLine(QPointF(x, _AXIS_TOP), QPointF(x, self.height() - 2))
        words = str(current.index + 1)
        width = fonts.text_width(words, fonts.SMALL, 600) + 12
        left = min(max(0.0, x - width / 2), self.width() - width)
        paint.ground(painter, QRectF(left, 0, width, 15), 4, colour("text"))
        paint.text(painter, QRectF(left, 0, width, 15), words, colour("panel"), fonts.SMALL, 600, paint.CENTRE)


def runs(states: list[str]) -> list[tuple[int, int, str]]:
    """Stretches of equal state as (start, end, state); end exclusive."""
    found: list[tuple[int, int, str]] = []
    for index, state in enumerate(states):
        if found and found[-1][2] == state:
            found[-1] = (found[-1][0], index + 1, state)
        else:
            found.append((index, index + 1, state))
    return found


class Timeline(QWidget):
    """Transport, place in time, band and rate of the loop in view. 56 px high (96 in tall windows)."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.setFixedHeight(64)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.band = Band(session, self)
        self._first = IconButton("player-skip-back", "First frame", key="Home", parent=self)
        self._back = IconButton("chevron-left", "Back one frame", key="←", parent=self)
        self._play = PlayButton(self)
        self._forth = IconButton("chevron-right", "On one frame", key="→", parent=self)
        self._last = IconButton("player-skip-forward", "Last frame", key="End", parent=self)
        self._place = Label("", size=fonts.SECONDARY, weight=600, parent=self)
        self._time = Label("", size=fonts.SECONDARY, ink="muted", parent=self)
        self._rate = Choice("Frames a second", tuple(f"{f} fps" for f in FPS), parent=self)
        self._assumed = Button("assumed", Kind.QUIET, icon="alert-triangle", height=20, parent=self)
        self._assumed.setToolTip("The file states no time between frames; 30 frames a second are assumed.")
        self._connect()

    def _connect(self) -> None:
        navigation = self._session.navigation
        self._first.clicked.connect(navigation.first)
        self._back.clicked.connect(lambda: navigation.step(-1))
        self._play.clicked.connect(navigation.toggle_play)
        self._forth.clicked.connect(lambda: navigation.step(1))
        self._last.clicked.connect(navigation.last)
        self._rate.activated.connect(lambda index: navigation.set_fps(float(FPS[index])) if index < len(FPS) else None)
        self._session.current_changed.connect(self._follow)
        self._session.play_changed.connect(self._follow)
        self._session.changed.connect(self._on_changed)
        self._shown_file = ""

    def resizeEvent(self, event: object) -> None:
        """Transport at the left, rate at the right, the band between them."""
        middle = 22 if self.height() < 80 else 32
        x = 8
        for widget, width in (
            (self._first, 32),
            (self._back, 32),
            (self._play, 36),
            (self._forth, 32),
            (self._last, 32),
        ):
            widget.move(x, middle - widget.height() // 2)
            x += width + 4
        under = middle + 19
        self._place.setGeometry(14, under, 120, 18)
        self._time.setGeometry(134, under, 62, 18)
        right = self.width() - 104
        self._rate.setGeometry(right, 6, 92, 28)
        self._assumed.move(right - 4, 38)
        self.band.setGeometry(x + 12, 4, max(40, right - x - 28), self.height() - 8)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Ground."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), colour("panel"))
        painter.fillRect(0, 0, self.width(), 1, colour("line"))
        painter.end()

    def _on_changed(self, change: object) -> None:
        for frame in getattr(change, "frames", ()):
            self.band.refresh_frame(frame)

    def _follow(self) -> None:
        current = self._session.current
        if current is None or current.instance.frames < 2:
            return
        instance = current.instance
        if instance.digest != self._shown_file:
            self._shown_file = instance.digest
            self.band.refresh()
        self._place.setText(f"Frame {current.index + 1} / {instance.frames}")
        seconds = instance.seconds
        self._time.setText(f"{seconds[current.index]:.2f} s" if seconds and current.index < len(seconds) else "")
        self._play.set_playing(self._session.navigation.playing)
        self._assumed.setVisible(instance.playback_assumed)
        self._show_rate()
        self.band.update()

    def _show_rate(self) -> None:
        fps = self._session.navigation.fps
        words = f"{fps:.0f} fps" if abs(fps - round(fps)) < 0.05 else f"{fps:.1f} fps"
        index = self._rate.findText(words)
        if index < 0:
            self._rate.addItem(words)
            index = self._rate.count() - 1
        self._rate.setCurrentIndex(index)
