"""What is known of each frame of the loop in view: its state, whether something is proposed, how sure the model is."""

from __future__ import annotations

from time import perf_counter

from PySide6.QtCore import QObject, QTimer, Signal

from usfm_studio.document.annotation import State
from usfm_studio.document.edit import Change
from usfm_studio.document.errors import StudioError
from usfm_studio.document.frame import Instance
from usfm_studio.ui.session import Session
from usfm_studio.ui.worklist.badges import STATE_WORDS

READ_S = 0.004
"""Proposals may have to be read from the disk: so much of a turn of the event loop goes into that."""


class LoopValues(QObject):
    """Three lists, an entry a frame; empty while no loop is in view. `follow` looks at the session, `changed` tells."""

    changed = Signal()

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.instance: Instance | None = None
        self.states: list[State] = []
        self.proposed: list[bool] = []
        self.sure: list[float | None] = []
        self._unread: list[int] = []
        self._read = QTimer(self)
        self._read.setSingleShot(True)
        self._read.setInterval(0)
        self._read.timeout.connect(self._read_some)
        session.changed.connect(self._on_changed)
        session.closed.connect(self._forget)

    def follow(self) -> None:
        """Read the loop in view anew if it is another one."""
        instance = self._session.instance
        if instance is not self.instance and (
            instance is None or self.instance is None or instance.digest != self.instance.digest
        ):
            self._read_all(instance)

    def look(self, index: int) -> str:
        """How a frame looks on the band: accepted, nothing, proposed or empty."""
        state = self.states[index]
        if state in (State.DOING, State.DONE):
            return "accepted"
        if state is State.NOTHING:
            return "nothing"
        return "proposed" if self.proposed[index] and state in (State.TODO, State.FLAGGED) else ""

    def words(self, index: int) -> str:
        """`Frame 9: proposed, 0.67`."""
        sure = self.sure[index]
        if self.states[index] is State.TODO and self.proposed[index]:
            said = "proposed" + (f", {sure:.2f}" if sure is not None else "")
        else:
            said = STATE_WORDS[self.states[index]].lower()
        return f"Frame {index + 1}: {said}"

    def least_sure(self, count: int, below: float) -> list[tuple[int, float]]:
        """(index, how sure) of undecided frames under a level, the least sure first; of neighbours the worst one."""
        found: list[tuple[int, float]] = []
        waiting = [i for i in range(len(self.sure)) if self.look(i) == "proposed" and self.sure[i] is not None]
        for index in sorted(waiting, key=lambda i: self.sure[i] or 0.0):
            sure = self.sure[index] or 0.0
            if sure >= below or len(found) >= count:
                break
            if all(abs(index - other) > 2 for other, _ in found):
                found.append((index, sure))
        return found

    def _forget(self) -> None:
        self._read_all(None)

    def _read_all(self, instance: Instance | None) -> None:
        project = self._session.project
        if project is None or instance is None or instance.frames < 2:
            self.instance = None if project is None else instance
            self.states, self.proposed, self.sure, self._unread = [], [], [], []
        else:
            there = project.proposed()
            ids = [instance.frame_id(index) for index in range(instance.frames)]
            self.instance = instance
            self.states = [project.annotation(frame).state for frame in ids]
            self.proposed = [frame in there for frame in ids]
            self.sure = [None] * instance.frames
            self._unread = [index for index in reversed(range(instance.frames)) if self.proposed[index]]
            if self._unread:
                self._read.start()
        self.changed.emit()

    def _on_changed(self, change: Change) -> None:
        project, instance = self._session.project, self.instance
        if change.kinds & {"instances", "schema"}:
            self._read_all(self._session.instance)
        elif project is not None and instance is not None and self.states:
            indexes = [frame.index for frame in change.frames if frame.source == instance.digest]
            for index in indexes:
                self.states[index] = project.annotation(instance.frame_id(index)).state
                self._read_proposal(index)
            if indexes:
                self.changed.emit()

    def _read_some(self) -> None:
        began = perf_counter()
        while self._unread and perf_counter() - began < READ_S:
            self._read_proposal(self._unread.pop())
        if self._unread:
            self._read.start()
        self.changed.emit()

    def _read_proposal(self, index: int) -> None:
        project, instance = self._session.project, self.instance
        if project is None or instance is None:
            return
        try:
            proposal = project.proposal(instance.frame_id(index))
        except StudioError:
            proposal = None  # damage is told where the frame is looked at
        self.proposed[index] = proposal is not None
        self.sure[index] = min(proposal.confidences.values(), default=None) if proposal is not None else None
