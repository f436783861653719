"""A real session on a small project for the tests of panels: six stills of three subjects, and a loop."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QPoint, QPointF, QRectF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QWidget

from usfm_studio.document.annotation import Proposal
from usfm_studio.document.edit import Change, ReplaceInstances, ReplaceSchema, SetProposal
from usfm_studio.document.frame import FrameId
from usfm_studio.document.mask import Mask
from usfm_studio.document.model_card import ModelCard
from usfm_studio.document.resources import resource
from usfm_studio.document.schema import Label, Schema, Segment
from usfm_studio.document.values_json import card_to
from usfm_studio.ui.session import Session
from usfm_studio.ui.shell.theme import apply_theme, set_motion
from usfm_studio.ui.state import EngineState
from usfm_studio.verbs.drive import drive
from usfm_studio.verbs.house import House
from usfm_studio.verbs.import_files import ImportArguments
from usfm_studio.verbs.import_files import run as import_files

HEAD, CAROTID = "HEAD", "CAROTID"
LOOP = 6  # row of the loop
MODEL = "a" * 64
COMPARISON = {"challenger": 0.8, "interval": [0.7, 0.9], "metric": "dice_all"}
SCHEMA = Schema(
    segments=(
        Segment(value=1, name="Head", exam=HEAD),
        Segment(value=2, name="Midline", exam=HEAD),
        Segment(value=3, name="Lumen", exam=CAROTID),
    ),
    labels=(Label(name="good", exam=HEAD), Label(name="poor", exam=HEAD)),
)


def write_stills(folder: Path) -> list[Path]:
    """Six grey pictures, 160 x 120, each with a bright disc at another place."""
    folder.mkdir(parents=True)
    rows, columns = np.mgrid[0:120, 0:160]
    paths = []
    for number in range(6):
        disc = (columns - 50 - 10 * number) ** 2 + (rows - 60) ** 2 < 30**2
        paths.append(folder / f"AB-{number // 2 + 1}_{number}.png")
        Image.fromarray(np.where(disc, 200, 30 + 5 * number).astype(np.uint8)).save(paths[-1])
    return paths


@pytest.fixture(scope="session")
def kitchen():
    """A house whose reader lives as long as the tests."""
    house = House(readers=1)
    yield house
    house.leave()


@pytest.fixture(scope="session")
def template(kitchen, tmp_path_factory) -> Path:
    """The project as a folder, to be copied."""
    folder = tmp_path_factory.mktemp("template")
    stills = write_stills(folder / "files")
    loop = next(resource("sample", "dicom", "carotid").rglob("*.dcm"))
    with House.at(folder / "project", create=True) as house:
        house._reader = kitchen.reader
        drive(import_files(ImportArguments(paths=(*map(str, stills), str(loop))), house))
        project = house.project
        after = []
        for instance in project.instances:
            number = instance.name.removesuffix(".png").rpartition("_")[2]
            if instance.frames == 1:
                subject = f"AB-{int(number) // 2 + 1}"
                named = {"patient_id": subject, "subject": subject, "instance_number": int(number), "body_part": HEAD}
                instance = replace(instance, **named, series_description="Plane")
            after.append(instance)
        project.apply(ReplaceInstances(name="Describe", before=project.instances, after=tuple(after)), undoable=False)
        project.apply(ReplaceSchema(name="Schema", before=project.schema, after=SCHEMA), undoable=False)
        house._reader = None
    return folder / "project"


@dataclass
class Bench:
    """A session and what was heard of it."""

    session: Session
    changes: list[Change] = field(default_factory=list)
    notices: list = field(default_factory=list)
    wanted: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.session.changed.connect(self.changes.append)
        self.session.notice.connect(self.notices.append)

    @property
    def project(self):
        return self.session.project

    @property
    def row(self) -> int:
        return self.session.navigation.item_index

    def open(self, folder: Path, qtbot) -> None:
        """Open a project and wait until it is shown."""
        self.session.open_project(folder)
        qtbot.waitUntil(lambda: self.session.project is not None, timeout=10000)

    def frame(self, row: int, index: int = 0) -> FrameId:
        return self.session.navigation.items[row].instance.frame_id(index)

    def go(self, row: int, index: int = 0) -> None:
        self.session.navigation.go_item(row, index=index)

    def propose(
        self, row: int, index: int = 0, *, confidence: float = 0.9, labels=None, values=(1,),
        model: str = MODEL, model_name: str = "Heads v1",
    ) -> Proposal:  # fmt: skip
        """Put a proposal there, as the engine's answer would be; it is no act of the person."""
        frame = self.frame(row, index)
        rows, columns = self.project.frame(frame).shape
        ids = np.zeros((rows, columns), np.uint8)
        for number, value in enumerate(values):
            ids[20 + 40 * number : 50 + 40 * number, 30:90] = value
        made = Proposal(
            frame=frame,
            model=model,
            model_name=model_name,
            mask=Mask.from_array(ids),
            confidences=MappingProxyType(dict.fromkeys(values, confidence)),
            labels=MappingProxyType(labels or {}),
        )
        self.session.commit(SetProposal(name="Propose", frame=frame, before=None, after=made))
        self.changes.clear()
        return made

    def settle(self, qtbot) -> None:
        """Let gathered news be told."""
        self.session.navigation._refresh_stale()
        qtbot.wait(1)

    def adopt(self, folder: Path, name: str, *, parents=(), exam: str = HEAD, **more) -> ModelCard:
        """Put a tiny model on the shelf."""
        folder.mkdir(parents=True)
        weights = name.encode()
        (folder / "model.safetensors").write_bytes(weights)
        card = ModelCard(
            digest=hashlib.sha256(weights).hexdigest(), name=name, task="segmentation", encoder="usfm_lite0",
            encoder_digest="e" * 64, exam=exam, parents=tuple(parents),
            **{"created": "2026-11-25T10:00:00+00:00", "comparison": COMPARISON, **more},
        )  # fmt: skip
        (folder / "card.json").write_text(json.dumps(card_to(card)))
        return self.project.models.adopt(folder)


@pytest.fixture
def themed(qapp: QApplication):
    apply_theme(qapp)
    set_motion(False)
    yield qapp
    set_motion(True)


@pytest.fixture
def bench(themed, kitchen, template, tmp_path, qtbot):
    """A session on its own copy of the project, first still in view; the engine stays asleep."""
    folder = tmp_path / "project"
    shutil.copytree(template, folder)
    session = Session()
    session.house._reader = kitchen.reader
    session.engine_watch.state = EngineState(kind="stopped", text="Engine stopped")
    made = Bench(session)
    made.open(folder, qtbot)
    made.go(0)
    made.changes.clear()
    yield made
    session.close_project(discard=True)
    assert session.opening.wait(10)
    qtbot.wait(1)
    session.house._reader = None


def show(qtbot, widget: QWidget, width: int, height: int) -> QWidget:
    """Put a widget on the screen at a size."""
    qtbot.addWidget(widget)
    widget.resize(width, height)
    widget.show()
    qtbot.waitExposed(widget)
    return widget


def click(qtbot, widget: QWidget, where: QRectF | QPointF | None = None) -> None:
    """A real click, in the middle of the widget or of a part of it."""
    point = widget.rect().center() if where is None else _point(where)
    qtbot.mouseClick(widget, Qt.MouseButton.LeftButton, pos=point)


def drag(qtbot, widget: QWidget, start: QPointF, end: QPointF) -> None:
    """Press, move in three steps, let go."""
    left = Qt.MouseButton.LeftButton
    qtbot.mousePress(widget, left, pos=_point(start))
    for part in (0.3, 0.6, 1.0):
        move(widget, start + (end - start) * part, left)
    qtbot.mouseRelease(widget, left, pos=_point(end))


def move(widget: QWidget, to: QPointF, held: Qt.MouseButton = Qt.MouseButton.NoButton) -> None:
    """The mouse moves over a widget, perhaps with a button held."""
    from PySide6.QtCore import QEvent
    from PySide6.QtGui import QMouseEvent

    event = QMouseEvent(
        QEvent.Type.MouseMove, to, widget.mapToGlobal(to), Qt.MouseButton.NoButton, held, Qt.KeyboardModifier.NoModifier
    )
    QApplication.sendEvent(widget, event)


def wheel(widget: QWidget, notches: float) -> None:
    """Turn the wheel over the middle of a widget; positive is away from the person."""
    at = QPointF(widget.rect().center())
    event = QWheelEvent(
        at, widget.mapToGlobal(at), QPoint(), QPoint(0, round(120 * notches)), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(widget, event)


def _point(where: QRectF | QPointF) -> QPoint:
    return (where.center() if isinstance(where, QRectF) else where).toPoint()


def pixels(widget: QWidget) -> np.ndarray:
    """What a widget looks like, (rows, columns, 4) uint8."""
    image = widget.grab().toImage()
    view = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine() // 4, 4)
    return view[:, : image.width()].copy()


def too_long(widget: QWidget) -> list[str]:
    """Words inside a widget that have not the room they need."""
    found = []
    for part in widget.findChildren(QWidget):
        room = getattr(part, "text_room", None)
        if room is not None and part.isVisible():
            needs, has = room()
            if needs > has + 0.5:
                found.append(f"{part.accessibleName() or part.text()}: {needs:.0f} of {has:.0f}")
    return found
