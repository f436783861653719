"""Playing a loop: which frame the elapsed time calls for, at the recorded rate or another."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from usfm_studio.document.frame import Frame
from usfm_studio.ui.pictures import Pictures

FPS_STEPS = (1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 60.0)
SOONEST_MS = 4
AHEAD = 4


class Playing(QObject):
    """The clock decides, not the count of ticks: a late tick leaves frames out rather than slowing the heart down."""

    due = Signal(object)  # Frame: to be shown now
    changed = Signal()
    """Playing began or ended, or goes at another rate."""

    def __init__(
        self,
        pictures: Pictures,
        in_view: Callable[[], Frame | None],
        parent: QObject | None = None,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        super().__init__(parent)
        self._pictures, self._in_view, self._clock = pictures, in_view, clock
        self.playing = False
        self.fps = 30.0
        self.dropped = 0
        self._since, self._first = 0.0, 0
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.tick)

    def toggle(self) -> None:
        """Play, or stop."""
        current = self._in_view()
        if self.playing:
            self.stop()
        elif current is not None and current.instance.frames > 1:
            self.playing, self.dropped = True, 0
            self._from_here(current)
            self.changed.emit()

    def stop(self) -> None:
        """Stop."""
        if self.playing:
            self.playing = False
            self._timer.stop()
            self.changed.emit()

    def set_fps(self, fps: float) -> None:
        """Play at this rate from now on."""
        self.fps = fps
        current = self._in_view()
        if self.playing and current is not None:
            self._from_here(current)
        self.changed.emit()

    def faster(self, by: int) -> None:
        """One step up or down the ladder of rates."""
        near = min(range(len(FPS_STEPS)), key=lambda i: abs(FPS_STEPS[i] - self.fps))
        self.set_fps(FPS_STEPS[min(max(0, near + by), len(FPS_STEPS) - 1)])

    def after(self, frame: Frame, steps: int) -> Frame:
        """The frame that many steps further; after the last comes the first."""
        return Frame(instance=frame.instance, index=(frame.index + steps) % frame.instance.frames)

    def tick(self) -> None:
        """Show the frame that is due. One that is still being decoded is waited for, one that cannot be is left out."""
        current = self._in_view()
        if current is None or not self.playing:
            return
        due = self._due(current)
        if due.index == current.index:
            self._again()
            return
        pictures = self._pictures
        if pictures.want(due) is None and pictures.error(due.id) is None:
            self._from_here(current)
            pictures.ahead([self.after(due, k) for k in range(AHEAD)])
            return
        self.dropped += max(0, (due.index - current.index) % current.instance.frames - 1)
        if pictures.error(due.id) is None:
            self.due.emit(due)
        self._again()

    def _due(self, current: Frame) -> Frame:
        gone = int((self._clock() - self._since) * self.fps)
        return Frame(instance=current.instance, index=(self._first + gone) % current.instance.frames)

    def _from_here(self, current: Frame) -> None:
        self._since, self._first = self._clock(), current.index
        self._again()

    def _again(self) -> None:
        """Be back when the next frame is due."""
        period = 1.0 / self.fps
        left = period - (self._clock() - self._since) % period
        self._timer.start(max(SOONEST_MS, round(1000 * left)))
