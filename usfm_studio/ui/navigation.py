"""Where the person looks: the worklist's rows, the current frame and its pixels."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QTimer

from usfm_studio.document.annotation import State
from usfm_studio.document.edit import Change
from usfm_studio.document.errors import StudioError
from usfm_studio.document.frame import Frame, FrameId, Instance
from usfm_studio.project.project import Project
from usfm_studio.ui.items import item_of
from usfm_studio.ui.parts import Whole
from usfm_studio.ui.pictures import Pictures
from usfm_studio.ui.playing import Playing
from usfm_studio.ui.state import Item

REFRESH_MS = 40
WAITING = (State.TODO, State.DOING)


class Navigation(QObject):
    """The place in the project. Frame changes are announced at once; pixels follow when they are decoded."""

    def __init__(self, session: Whole) -> None:
        super().__init__()
        self._session = session
        self.items: tuple[Item, ...] = ()
        self.current: Frame | None = None
        self.pictures = Pictures(session.house, self)
        self.pictures.arrived.connect(self._on_arrived)
        self.pictures.failed.connect(self._on_failed)
        self.play = Playing(self.pictures, lambda: self.current, self)
        self.play.due.connect(self._show)
        self.play.changed.connect(session.play_changed)
        self._stale: set[str] = set()
        self._refresh = QTimer(self)
        self._refresh.setSingleShot(True)
        self._refresh.setInterval(REFRESH_MS)
        self._refresh.timeout.connect(self._refresh_stale)
        self._row_of: dict[str, int] = {}
        self._suggested: tuple[tuple[int, str, int] | None, int] = (None, -1)  # what it was found for, and the row

    # --- rows --------------------------------------------------------------------------------------------------

    def enter(self, items: tuple[Item, ...], place: FrameId | None) -> None:
        """The rows of a project that was opened, and where to begin (else at the first row that waits)."""
        self._take(items)
        row = self._row_of.get(place.source) if place is not None else None
        if place is not None and row is not None and place.index < items[row].instance.frames:
            self._show(Frame(instance=items[row].instance, index=place.index))
        else:
            self._show(self._start())

    def refresh(self) -> None:
        """Make the rows of files that came, went or changed anew; stay where the person is, if that is still there."""
        project = self._session.project
        known = {item.instance.digest: item for item in self.items}
        self._take(_merged(project, known) if project else ())
        here = self.current
        row = self._row_of.get(here.instance.digest) if here is not None else None
        if here is None or row is None:
            self._show(self._start())
        elif self.items[row].instance is not here.instance:
            self.current = replace(here, instance=self.items[row].instance)

    def _take(self, items: tuple[Item, ...]) -> None:
        self.items = items
        self._row_of = {item.instance.digest: row for row, item in enumerate(items)}
        self._suggested = (None, -1)

    def _start(self) -> Frame | None:
        return Frame(instance=self.items[self.first_open_row()].instance, index=0) if self.items else None

    def first_open_row(self) -> int:
        """The first row that waits for the person, or 0."""
        return next((r for r, item in enumerate(self.items) if item.state in WAITING), 0)

    def follow(self, change: Change) -> None:
        """Bring the rows up to date after a change; bursts are gathered."""
        if "schema" in change.kinds:
            self._regroup()
            self.choose_segment()
        if "instances" in change.kinds:
            self.refresh()
        if change.kinds & {"instances", "schema"}:
            self._session.current_changed.emit()
        self._stale.update(frame.source for frame in change.frames)
        if self._stale and not self._refresh.isActive():
            self._refresh.start()

    def _regroup(self) -> None:
        """Another schema may sort the images into other exam groups."""
        project = self._session.project
        if project is None:
            return
        schema = project.schema
        exams: dict[str, str] = {}
        rows = []
        for item in self.items:
            part = item.instance.body_part
            if part not in exams:
                exams[part] = schema.exam_of(item.instance)
            rows.append(item if item.exam == exams[part] else replace(item, exam=exams[part]))
        self._take(tuple(rows))

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
        self._take(tuple(rows))
        self._session.current_changed.emit()

    # --- moving ------------------------------------------------------------------------------------------------

    @property
    def item_index(self) -> int:
        """The current row, or -1."""
        return self._row_of.get(self.current.instance.digest, -1) if self.current else -1

    def row_of(self, frame: FrameId) -> int:
        """The row of a frame's file, or -1."""
        return self._row_of.get(frame.source, -1)

    @property
    def pixels(self) -> NDArray[np.uint8] | NDArray[np.uint16] | None:
        """Pixels of the current frame, or None while they are being decoded."""
        decoded = self.pictures.get(self.current.id) if self.current else None
        return decoded.array if decoded else None

    @property
    def trouble(self) -> StudioError | None:
        """Why the current frame cannot be shown, or None."""
        return self.pictures.error(self.current.id) if self.current else None

    def go(self, frame: FrameId) -> None:
        """Look at this frame."""
        row = self._row_of.get(frame.source)
        if row is not None and 0 <= frame.index < self.items[row].instance.frames:
            self.play.stop()
            self._show(Frame(instance=self.items[row].instance, index=frame.index))

    def go_item(self, row: int, *, index: int = 0) -> None:
        """Look at a row's first frame."""
        if 0 <= row < len(self.items):
            self.go(self.items[row].instance.frame_id(index))

    def step(self, by: int) -> None:
        """Forward or back by frames; on a still, by rows."""
        if self.current is None:
            return
        if self.current.instance.frames == 1:
            self.step_item(by)
            return
        index = min(max(0, self.current.index + by), self.current.instance.frames - 1)
        self.go(self.current.instance.frame_id(index))

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
        if self._suggested[0] != (here, exam, id(self.items)):
            self._suggested = ((here, exam, id(self.items)), self._find_suggested(here, exam))
        return self._suggested[1]

    def _find_suggested(self, here: int, exam: str) -> int:
        anywhere = -1
        for row in chain(range(here + 1, len(self.items)), range(here)):
            item = self.items[row]
            if item.state in WAITING:
                if item.exam == exam:
                    return row
                anywhere = row if anywhere < 0 else anywhere
        return anywhere

    def next_open(self) -> None:
        """The next row that waits for the person."""
        if self.suggested_row >= 0:
            self.go_item(self.suggested_row)

    def place_of(self, frame: FrameId) -> str:
        """Where a frame is, in words; empty for a file that is not in the project any more."""
        row = self.row_of(frame)
        if row < 0:
            return ""
        many = self.items[row].instance.frames > 1
        return f"item {row + 1}, frame {frame.index + 1}" if many else f"item {row + 1}"

    def leave(self) -> None:
        """Forget everything; the project closes."""
        self.play.stop()
        self.pictures.clear()
        self._take(())
        self.current = None
        self._stale.clear()
        self._refresh.stop()

    def _show(self, frame: Frame | None) -> None:
        if frame == self.current:
            return
        before = self.current.instance.digest if self.current else None
        other_file = frame is None or frame.instance.digest != before
        self.current = frame
        if frame is not None:
            if other_file:
                self.play.fps = frame.instance.playback_fps
            self.pictures.show(frame)
        if other_file:
            self.choose_segment()
        self._session.current_changed.emit()
        self._session.pixels_changed.emit()
        if frame is not None:
            self.pictures.ahead(self._neighbours(frame))

    def choose_segment(self) -> None:
        """Keep the chosen segment where this kind of image has it; else take the first that it has."""
        values = [s.value for s in self._session.schema.segments]
        if self._session.segment not in values:
            self._session.select_segment(values[0] if values else 0)

    def _neighbours(self, frame: Frame) -> list[Frame]:
        if frame.instance.frames > 1:
            count = min(4, frame.instance.frames - 1)
            return [self.play.after(frame, k) for k in range(1, count + 1)]
        row = self.item_index
        near = [self.items[r].instance for r in (row + 1, row + 2, row - 1) if 0 <= r < len(self.items)]
        return [Frame(instance=instance, index=0) for instance in near]

    def _on_arrived(self, frame: FrameId) -> None:
        if self.current is not None and frame == self.current.id:
            self._session.pixels_changed.emit()
            self.pictures.ahead(self._neighbours(self.current))

    def _on_failed(self, frame: FrameId, error: StudioError) -> None:
        if self.current is not None and frame == self.current.id:
            self._session.pixels_changed.emit()
            self._session.tell(error)

    # --- playing -----------------------------------------------------------------------------------------------

    @property
    def playing(self) -> bool:
        """True while a loop plays."""
        return self.play.playing

    @property
    def fps(self) -> float:
        """Frames a second at which the loop in view plays."""
        return self.play.fps

    @property
    def dropped(self) -> int:
        """Frames that were left out since playing began, because time had gone on."""
        return self.play.dropped

    def toggle_play(self) -> None:
        """Play the loop at its recorded rate, or stop."""
        self.play.toggle()

    def stop(self) -> None:
        """Stop playing."""
        self.play.stop()

    def set_fps(self, fps: float) -> None:
        """Play at this rate from now on."""
        self.play.set_fps(fps)

    def faster(self, by: int) -> None:
        """One step up or down the ladder of rates."""
        self.play.faster(by)


def _merged(project: Project, known: dict[str, Item]) -> tuple[Item, ...]:
    """Rows for all files; those of files that stay as they were are kept."""
    return tuple(_row(project, instance, known.get(instance.digest)) for instance in project.instances)


def _row(project: Project, instance: Instance, item: Item | None) -> Item:
    return item if item is not None and item.instance is instance else item_of(project, instance)
