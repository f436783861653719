"""Where the person looks: the worklist's rows, the current frame, its pixels, and playing a loop."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QTimer

from usfm_studio.document.annotation import State
from usfm_studio.document.edit import Change
from usfm_studio.document.errors import StudioError
from usfm_studio.document.frame import Frame, FrameId
from usfm_studio.ui.items import item_of
from usfm_studio.ui.pictures import Pictures
from usfm_studio.ui.state import Item

if TYPE_CHECKING:
    from usfm_studio.ui.session import Session

FPS_STEPS = (1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 60.0)
REFRESH_MS = 40


class Navigation(QObject):
    """The place in the project. Frame changes are announced at once; pixels follow when they are decoded."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self.items: tuple[Item, ...] = ()
        self.current: Frame | None = None
        self.pictures = Pictures(lambda: session.house.reader, self)
        self.pictures.arrived.connect(self._on_arrived)
        self.pictures.failed.connect(self._on_failed)
        self.playing = False
        self.fps = 30.0
        self.dropped = 0
        self._played_from = (0.0, 0)
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._on_tick)
        self._stale: set[str] = set()
        self._refresh = QTimer(self)
        self._refresh.setSingleShot(True)
        self._refresh.setInterval(REFRESH_MS)
        self._refresh.timeout.connect(self._refresh_stale)
        self._row_of: dict[str, int] = {}
        self._suggested: tuple[tuple[int, str, tuple[Item, ...]] | None, int] = (None, -1)

    # --- rows --------------------------------------------------------------------------------------------------

    def refresh(self, *, keep: bool = True) -> None:
        """Make all rows anew (files came or went)."""
        project = self._session.project
        self.items = tuple(item_of(project, i) for i in project.instances) if project else ()
        self._row_of = {item.instance.digest: row for row, item in enumerate(self.items)}
        if keep and self.current is not None and self.current.instance.digest in self._row_of:
            return
        self._show(Frame(instance=self.items[self.first_open_row()].instance, index=0) if self.items else None)

    def first_open_row(self) -> int:
        """The first row that waits for the person, or 0."""
        return next((r for r, item in enumerate(self.items) if item.state in (State.TODO, State.DOING)), 0)

    def follow(self, change: Change) -> None:
        """Bring the rows up to date after a change; bursts are gathered."""
        if change.kinds & {"instances", "schema"}:
            self.refresh()
            self._session.current_changed.emit()
        self._stale.update(frame.source for frame in change.frames)
        if self._stale and not self._refresh.isActive():
            self._refresh.start()

    def _refresh_stale(self) -> None:
        project = self._session.project
        if project is None:
            return
        rows = list(self.items)
        for digest in self._stale:
            row = self._row_of.get(digest)
            if row is not None:
                rows[row] = item_of(project, rows[row].instance)
        self._stale.clear()
        self.items = tuple(rows)
        self._session.current_changed.emit()

    # --- moving ------------------------------------------------------------------------------------------------

    @property
    def item_index(self) -> int:
        """The current row, or -1."""
        return self._row_of.get(self.current.instance.digest, -1) if self.current else -1

    @property
    def pixels(self) -> NDArray[np.uint8] | NDArray[np.uint16] | None:
        """Pixels of the current frame, or None while they are being decoded."""
        decoded = self.pictures.get(self.current.id) if self.current else None
        return decoded.array if decoded else None

    def go(self, frame: FrameId) -> None:
        """Look at this frame."""
        row = self._row_of.get(frame.source)
        if row is not None:
            self._show(Frame(instance=self.items[row].instance, index=frame.index))

    def go_item(self, row: int, *, index: int = 0) -> None:
        """Look at a row's first frame."""
        if 0 <= row < len(self.items):
            self.stop()
            self._show(Frame(instance=self.items[row].instance, index=index))

    def step(self, by: int) -> None:
        """Forward or back by frames; on a still, by rows."""
        if self.current is None:
            return
        if self.current.instance.frames == 1:
            self.step_item(by)
            return
        index = min(max(0, self.current.index + by), self.current.instance.frames - 1)
        self._show(Frame(instance=self.current.instance, index=index))

    def step_item(self, by: int) -> None:
        """Forward or back by rows."""
        self.go_item(min(max(0, self.item_index + by), len(self.items) - 1))

    def first(self) -> None:
        """The loop's first frame, or the first row."""
        self.step(-(10**9))

    def last(self) -> None:
        """The loop's last frame, or the last row."""
        self.step(10**9)

    @property
    def suggested_row(self) -> int:
        """The row that `next_open` goes to: one that waits, further in the same exam group, then anywhere; or -1."""
        here, exam = self.item_index, self._session.exam
        if self._suggested[0] != (here, exam, self.items):
            order = [*range(here + 1, len(self.items)), *range(here)]
            waiting = [row for row in order if self.items[row].state in (State.TODO, State.DOING)]
            same = next((row for row in waiting if self.items[row].exam == exam), None)
            self._suggested = (here, exam, self.items), same if same is not None else (waiting or [-1])[0]
        return self._suggested[1]

    def next_open(self) -> None:
        """The next row that waits for the person."""
        if self.suggested_row >= 0:
            self.go_item(self.suggested_row)

    def place_of(self, frame: FrameId) -> str:
        """Where a frame is, in words."""
        row = self._row_of.get(frame.source)
        if row is None:
            return "a file that left"
        many = self.items[row].instance.frames > 1
        return f"item {row + 1}, frame {frame.index + 1}" if many else f"item {row + 1}"

    def leave(self) -> None:
        """Forget everything; the project closes."""
        self.stop()
        self.pictures.clear()
        self.items, self.current, self._row_of = (), None, {}
        self._stale.clear()

    def _show(self, frame: Frame | None) -> None:
        if frame == self.current:
            return
        other_file = frame is None or self.current is None or frame.instance.digest != self.current.instance.digest
        self.current = frame
        if frame is not None:
            if other_file:
                self.fps = frame.instance.playback_fps
            self.pictures.want(frame, current=True)
        if other_file:
            self._choose_segment()
        self._session.current_changed.emit()
        self._session.pixels_changed.emit()
        if frame is not None:
            self.pictures.ahead(self._neighbours(frame))

    def _choose_segment(self) -> None:
        values = [s.value for s in self._session.schema.segments]
        if self._session.segment not in values:
            self._session.select_segment(values[0] if values else 0)

    def _neighbours(self, frame: Frame) -> list[Frame]:
        if frame.instance.frames > 1:
            count = frame.instance.frames
            return [Frame(instance=frame.instance, index=(frame.index + k) % count) for k in (1, 2, 3, 4)]
        row = self.item_index
        near = [self.items[r].instance for r in (row + 1, row + 2, row - 1) if 0 <= r < len(self.items)]
        return [Frame(instance=instance, index=0) for instance in near]

    def _on_arrived(self, frame: FrameId) -> None:
        if self.current is not None and frame == self.current.id:
            self._session.pixels_changed.emit()
            self.pictures.ahead(self._neighbours(self.current))

    def _on_failed(self, frame: FrameId, error: StudioError) -> None:
        if self.current is not None and frame == self.current.id:
            self._session.tell(error)

    # --- playing -----------------------------------------------------------------------------------------------

    def toggle_play(self) -> None:
        """Play the loop at its recorded rate, or stop."""
        if self.playing:
            self.stop()
            return
        if self.current is None or self.current.instance.frames < 2:
            return
        self.playing, self.dropped = True, 0
        self._played_from = (perf_counter(), self.current.index)
        self._timer.start(max(5, round(500 / self.fps)))
        self._session.play_changed.emit()

    def stop(self) -> None:
        """Stop playing."""
        if self.playing:
            self.playing = False
            self._timer.stop()
            self._session.play_changed.emit()

    def set_fps(self, fps: float) -> None:
        """Play at this rate from now on."""
        self.fps = fps
        if self.playing and self.current is not None:
            self._played_from = (perf_counter(), self.current.index)
            self._timer.start(max(5, round(500 / fps)))
        self._session.play_changed.emit()

    def faster(self, by: int) -> None:
        """One step up or down the ladder of rates."""
        near = min(range(len(FPS_STEPS)), key=lambda i: abs(FPS_STEPS[i] - self.fps))
        self.set_fps(FPS_STEPS[min(max(0, near + by), len(FPS_STEPS) - 1)])

    def _on_tick(self) -> None:
        """The frame that the elapsed time calls for; one that is not decoded yet is waited for, not skipped."""
        if self.current is None:
            return
        began, first = self._played_from
        count = self.current.instance.frames
        due = (first + int((perf_counter() - began) * self.fps)) % count
        if due == self.current.index:
            return
        frame = Frame(instance=self.current.instance, index=due)
        if self.pictures.want(frame) is None:
            self._played_from = (perf_counter(), self.current.index)
            self.pictures.ahead([Frame(instance=frame.instance, index=(due + k) % count) for k in range(4)])
            return
        self.dropped += max(0, (due - self.current.index) % count - 1)
        self._show(frame)
