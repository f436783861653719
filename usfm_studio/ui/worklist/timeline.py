"""The loop under the image: play, place in time, the band of its frames, and the rate."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from usfm_studio.ui.session import Session
from usfm_studio.ui.shell import fonts, paint
from usfm_studio.ui.shell.controls import Choice, IconButton, IconMark, Label
from usfm_studio.ui.shell.controls.base import Pressable
from usfm_studio.ui.shell.icons import draw_icon
from usfm_studio.ui.shell.theme import colour
from usfm_studio.ui.worklist.band import Band
from usfm_studio.ui.worklist.heights import TALL_WINDOW, WindowHeight

FPS = (5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 60.0)
HEIGHT, HEIGHT_TALL = 56, 96
_LEFT, _TRANSPORT, _RATE, _GAP = 8, 172, 104, 16


class PlayButton(Pressable):
    """A light disc with play or pause."""

    radius = 17

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._playing: bool | None = None
        self.setFixedSize(34, 34)
        self.set_playing(False)

    def set_playing(self, playing: bool) -> None:
        """Show what a click does now."""
        if playing == self._playing:
            return
        self._playing = playing
        words = "Pause" if playing else "Play"
        self.setAccessibleName(words)
        self.setToolTip(f"{words}   C")
        self.update()

    def sizeHint(self) -> QSize:
        """The disc."""
        return QSize(34, 34)

    def draw(self, painter: QPainter) -> None:
        """The disc and its sign."""
        ink = paint.blend("text", "accent_hover", self.lit) if self.isEnabled() else colour("disabled")
        paint.dot(painter, QPointF(17, 17), 16 if self.sunk else 17, ink)
        name = "player-pause-filled" if self._playing else "player-play-filled"
        draw_icon(painter, name, QRectF(0, 0, 34, 34), 18, colour("panel"))


class RateChoice(Choice):
    """Frames a second, without a ground until the mouse or the keyboard is on it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Frames a second", parent=parent)
        for fps in FPS:
            self.addItem(rate_words(fps), fps)
        self.setFixedHeight(26)

    def show_rate(self, fps: float) -> None:
        """Choose this rate; one that is not among them is put in its place."""
        words = rate_words(fps)
        index = self.findText(words)
        if index < 0:
            index = next((i for i in range(self.count()) if self.itemData(i) > fps), self.count())
            self.insertItem(index, words, fps)
        if index != self.currentIndex():
            self.setCurrentIndex(index)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Words and arrow."""
        if self.hasFocus() or self._fade.over:
            super().paintEvent(event)
            return
        painter = paint.painter_on(self)
        rect = QRectF(self.rect())
        paint.text(painter, rect.adjusted(10, 0, -28, 0), self.currentText(), colour("text"), fonts.BASE, 500)
        draw_icon(painter, "chevron-down", QRectF(rect.right() - 25, 0, 16, rect.height()), 16, colour("muted"))
        painter.end()


def rate_words(fps: float) -> str:
    """`30 fps`, `29.97 fps`."""
    return f"{fps:.0f} fps" if abs(fps - round(fps)) < 0.005 else f"{fps:.2f}".rstrip("0") + " fps"


class Timeline(QWidget):
    """Transport, place in time, band and rate of the loop in view. 56 px high (96 in tall windows)."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.setFixedHeight(HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._first = IconButton("player-skip-back", "First frame", key="Home", parent=self)
        self._back = IconButton("chevron-left", "Back one frame", key="←", parent=self)
        self.play = PlayButton(self)
        self._forth = IconButton("chevron-right", "On one frame", key="→", parent=self)
        self._last = IconButton("player-skip-forward", "Last frame", key="End", parent=self)
        self.place = Label("", size=fonts.SECONDARY, weight=600, parent=self)
        self._time = Label("", size=fonts.SECONDARY, ink="muted", align=paint.RIGHT, parent=self)
        self.band = Band(session, self)
        self.rate = RateChoice(self)
        self._assumed_mark = IconMark("alert-triangle", "Assumed", size=14, ink="warning", parent=self)
        self.assumed = Label("assumed", size=fonts.SECONDARY, weight=500, ink="warning", parent=self)
        self.assumed.setToolTip("The file states no time between frames; 30 frames a second are assumed.")
        self._window_height = WindowHeight(self, self._fit_height)
        self._connect()

    def _connect(self) -> None:
        navigation = self._session.navigation
        self._first.clicked.connect(navigation.first)
        self._back.clicked.connect(lambda: navigation.step(-1))
        self.play.clicked.connect(navigation.toggle_play)
        self._forth.clicked.connect(lambda: navigation.step(1))
        self._last.clicked.connect(navigation.last)
        self.rate.activated.connect(lambda index: navigation.set_fps(float(self.rate.itemData(index))))
        self._session.current_changed.connect(self._follow)
        self._session.play_changed.connect(self._follow)

    def showEvent(self, event: QShowEvent) -> None:
        """Take the height that the window allows; be where the session is."""
        super().showEvent(event)
        self._window_height.follow()
        self._follow()

    def _fit_height(self, window: int) -> None:
        self.setFixedHeight(HEIGHT_TALL if window >= TALL_WINDOW else HEIGHT)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Transport at the left, rate at the right, the band between them."""
        tall = self.height() >= HEIGHT_TALL
        middle = 30 if tall else 19
        x = _LEFT
        for widget in (self._first, self._back, self.play, self._forth, self._last):
            widget.move(x, middle - widget.height() // 2)
            x += widget.width() + (2 if widget.width() == 32 else 4)
        under = 56 if tall else 37
        self.place.setGeometry(_LEFT + 6, under, 100, 18)
        self._time.setGeometry(_LEFT + 106, under, _TRANSPORT - 112, 18)
        right = self.width() - _RATE - 8
        self.rate.setGeometry(right, 12 if tall else 3, _RATE, 26)
        assumed = 44 if tall else 33
        self._assumed_mark.move(right + 10, assumed + 2)
        self.assumed.setGeometry(right + 30, assumed, _RATE - 30, 18)
        left = _LEFT + _TRANSPORT + _GAP
        self.band.setGeometry(left, 1, max(40, right - _GAP - left), self.height() - 1)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Ground."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), colour("panel"))
        painter.fillRect(0, 0, self.width(), 1, colour("line"))
        painter.end()

    def _follow(self) -> None:
        current = self._session.current
        if current is None or current.instance.frames < 2 or not self.isVisible():
            return
        instance = current.instance
        self.band.values.follow()
        self.assumed.setVisible(instance.playback_assumed)
        self._assumed_mark.setVisible(instance.playback_assumed)
        self.place.setText(f"Frame {current.index + 1} / {instance.frames}")
        seconds = instance.seconds
        self._time.setText(f"{seconds[current.index]:.2f} s" if seconds and current.index < len(seconds) else "")
        self.play.set_playing(self._session.navigation.playing)
        self.rate.show_rate(self._session.navigation.fps)
        self.band.say()
        self.band.update()
