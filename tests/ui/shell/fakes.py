"""A session without a project, engine or files behind it: plain values that tests set, and a list of what was asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

from PySide6.QtCore import QObject, QSize, Qt, Signal
from PySide6.QtGui import QColor, QLinearGradient, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from usfm_studio.document.annotation import NO_ANNOTATION, Annotation, State
from usfm_studio.document.frame import Frame, Instance
from usfm_studio.document.schema import Label, Schema, Segment
from usfm_studio.ui.shell.rooms import CanvasLink, Rooms
from usfm_studio.ui.state import EngineState, Item, Readiness, SavedState, TrainingState

SCHEMA = Schema(
    segments=(Segment(value=1, name="Fetal head"), Segment(value=2, name="Choroid plexus")),
    labels=(Label(name="Transventricular"), Label(name="Transthalamic")),
)


def an_instance(number: int = 1, *, frames: int = 1, patient: str = "SAMPLE^ONE", study: str = "1") -> Instance:
    return Instance(
        digest=f"{number:064x}",
        path=f"IM{number:04}.dcm",
        name=f"IM{number:04}",
        kind="loop" if frames > 1 else "still",
        rows=300,
        columns=500,
        frames=frames,
        study_uid=study,
        study_date="2026-03-14",
        study_description="OB 2nd trimester",
        device="C5-1",
        patient_id="0412",
        patient_name=patient,
        subject=patient,
    )


def an_item(instance: Instance, state: State = State.TODO) -> Item:
    return Item(
        instance=instance,
        title=f"{instance.patient_id} · Head",
        subtitle="Still · 500 × 300",
        subject=instance.subject,
        exam="",
        state=state,
        marked_frames=0,
        proposed_frames=0,
    )


@dataclass
class Waiting:
    values: tuple[int, ...] = (1,)
    confidences: dict[int, float] = field(default_factory=lambda: {1: 0.94})


class Recorder:
    """Remembers what was asked of it, as text: `step(1)`."""

    def __init__(self, asked: list[str], **values: object) -> None:
        self.__dict__["_asked"] = asked
        self.__dict__.update(values)

    def __getattr__(self, name: str):
        def called(*args: object, **kwargs: object) -> None:
            words = ", ".join([*map(repr, args), *(f"{k}={v!r}" for k, v in kwargs.items())])
            self._asked.append(f"{name}({words})")

        return called


class FakeSession(QObject):
    opened = Signal()
    closed = Signal()
    changed = Signal(object)
    current_changed = Signal()
    pixels_changed = Signal()
    segment_changed = Signal()
    saved_changed = Signal()
    engine_changed = Signal()
    training_changed = Signal()
    import_changed = Signal()
    play_changed = Signal()
    notice = Signal(object)
    settled = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.project: SimpleNamespace | None = None
        self.saved, self.engine = SavedState(), EngineState(kind="ready", text="Engine · CPU", device="CPU")
        self.segment, self.read_only, self.schema = 1, False, SCHEMA
        self.undo_text = self.redo_text = ""
        self.current: Frame | None = None
        self.proposed: Waiting | None = None
        self.annotation: Annotation = NO_ANNOTATION
        self.navigation = Recorder(self.asked, items=(), item_index=-1, playing=False)
        self.reviewing = Recorder(self.asked)
        self.proposing = Recorder(self.asked)
        self.learning = Recorder(
            self.asked,
            running=False,
            verdict=None,
            proposer_name="",
            models=(),
            readiness=Readiness(),
            training=None,
            interrupted=(),
        )
        self.bringing_in = Recorder(self.asked, state=None)

    @property
    def instance(self) -> Instance | None:
        return self.current.instance if self.current else None

    def open_project(self, folder: Path, then: Callable[[], object] = lambda: None) -> None:
        self.asked.append(f"open_project({folder.name!r})")
        self.fill(folder=folder)
        self.opened.emit()
        then()

    def close_project(self, *, discard: bool = False) -> bool:
        self.asked.append("close_project()")
        if self.saved.kind == "unsaved" and not discard:
            return False
        self.project, self.current, self.saved = None, None, SavedState()
        self.closed.emit()
        return True

    def shut_down(self, *, discard: bool = False) -> bool:
        self.asked.append(f"shut_down({discard})")
        return self.saved.kind != "unsaved" or discard

    def undo(self) -> None:
        self.asked.append("undo()")

    def redo(self) -> None:
        self.asked.append("redo()")

    def select_segment(self, value: int) -> None:
        self.asked.append(f"select_segment({value})")

    def tell(self, error: BaseException) -> None:
        self.asked.append(f"tell({error})")

    def fill(self, count: int = 240, *, at: int = 11, frames: int = 1, folder: Path | None = None) -> FakeSession:
        """A project with this many items, one of them in view, something proposed on it."""
        self.project = SimpleNamespace(
            folder=folder or Path("/projects/Fetal heads"), annotated=tuple, annotation=lambda _id: NO_ANNOTATION
        )
        instances = [
            an_instance(
                n + 1, frames=frames, study=str(n // 5), patient="SAMPLE^ONE" if n // 10 == 1 else f"P{n // 10}"
            )
            for n in range(count)
        ]
        self.navigation.__dict__["items"] = tuple(an_item(i) for i in instances)
        self.navigation.__dict__["item_index"] = at
        self.current = Frame(instance=instances[at], index=0)
        self.proposed = Waiting()
        self.undo_text = "Negative click, Fetal head"
        self.saved = SavedState(kind="saved", text="Saved 14:02")
        self.learning.__dict__["proposer_name"] = "Heads v4"
        return self

    def learn(self, percent: float = 63, left_s: float = 80) -> FakeSession:
        self.learning.__dict__["running"] = True
        self.learning.__dict__["training"] = TrainingState(
            running=True, name="Heads", exam="", started="13:58", percent=percent, left_s=left_s
        )
        return self


class Ground(QWidget):
    """A part of another room: a ground of one colour that takes the keyboard if told to."""

    def __init__(self, name: str, colour: str, *, height: int = 0, width: int = 0, focus: bool = False) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self._colour = colour
        if height:
            self.setFixedHeight(height)
        if width:
            self.setFixedWidth(width)
        if focus:
            self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def sizeHint(self) -> QSize:
        return QSize(100, 100)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        shade = QLinearGradient(0, 0, 0, self.height())
        shade.setColorAt(0, QColor(self._colour))
        shade.setColorAt(1, QColor(self._colour).darker(120))
        painter.fillRect(self.rect(), shade)
        painter.end()


class FakeLink(CanvasLink):
    def __init__(self, asked: list[str]) -> None:
        super().__init__(Ground("Image", "#34383d", focus=True), Recorder(asked, take_key=lambda name: False))


def rooms(session: FakeSession) -> Rooms:
    def part(name: str, **size: int):
        return lambda _session: Ground(name, "#171b1f", **size)

    return Rooms(
        canvas=lambda _session: FakeLink(session.asked),
        inspector=part("Inspector"),
        filmstrip=part("Filmstrip", height=64),
        timeline=part("Timeline", height=64),
        worklist=part("Worklist", width=272),
        learn=part("Learning"),
        verdict=part("Verdict"),
        files=part("Files"),
    )
