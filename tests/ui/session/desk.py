"""A real session with its real reader on a small project, and all that was heard of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np

from tests.imaging.making import a_dataset, a_file
from usfm_studio.document.annotation import Proposal
from usfm_studio.document.edit import PaintTiles, SetChampion, SetProposal, paint
from usfm_studio.document.frame import FrameId
from usfm_studio.document.mask import Mask
from usfm_studio.document.model_card import ModelCard
from usfm_studio.document.schema import Label, Schema, Segment
from usfm_studio.document.values_json import card_to
from usfm_studio.project.project import Project
from usfm_studio.ui.session import Session

ROWS, COLUMNS = 60, 100
HEAD, NECK = "HEAD", "NECK"
STILLS, LOOP, LESION = 4, 4, 5
"""Rows 0 to 3 are stills of heads of four subjects, row 4 a loop, row 5 an image of a neck."""
FRAMES = 8
SCHEMA = Schema(
    segments=(
        Segment(value=1, name="Head", exam=HEAD),
        Segment(value=2, name="Midline", exam=HEAD),
        Segment(value=3, name="Cavum", exam=HEAD),
        Segment(value=4, name="Lesion", exam=NECK),
    ),
    labels=(Label(name="good", exam=HEAD), Label(name="poor", exam=HEAD)),
)
MODEL = "ab" * 32
LONG_MS = 30_000
"""No wait of a healthy run comes near."""
SIGNALS = (
    "opened", "closing", "closed", "changed", "current_changed", "pixels_changed", "segment_changed", "saved_changed",
    "engine_changed", "training_changed", "import_changed", "play_changed", "notice", "settled",
)  # fmt: skip


def write_images(folder: Path) -> Path:
    """Four heads, a loop of heads of a fifth subject, and a neck; a bright disc in each."""
    for number in range(1, 7):
        frames = FRAMES if number == 5 else 1
        pixels = np.stack([_disc(number, frame) for frame in range(frames)])
        ds = a_dataset(
            pixels if frames > 1 else pixels[0], frames=frames, SOPInstanceUID=f"1.2.3.{number}",
            StudyInstanceUID=f"1.2.4.{number}", PatientID=f"P{number}", InstanceNumber=number,
            BodyPartExamined=NECK if number == 6 else HEAD,
        )  # fmt: skip
        a_file(folder, ds, name=f"im{number}.dcm")
    return folder


def _disc(number: int, frame: int) -> np.ndarray:
    rows, columns = np.mgrid[0:ROWS, 0:COLUMNS]
    inside = (columns - 30 - 5 * number - frame) ** 2 + (rows - 30) ** 2 < 15**2
    return np.where(inside, 200, 10 * number + frame).astype(np.uint8)


def a_model(folder: Path, name: str = "Head v1", exam: str = HEAD, **card) -> Path:
    """A model folder for the shelf; its weights are no network."""
    folder.mkdir(parents=True)
    weights = name.encode()
    (folder / "model.safetensors").write_bytes(weights)
    made = ModelCard(
        digest=hashlib.sha256(weights).hexdigest(), name=name, task="segmentation", encoder="usfm_lite0",
        encoder_digest="e" * 64, exam=exam, segments={1: "Head"}, **card,
    )  # fmt: skip
    (folder / "card.json").write_text(json.dumps(card_to(made)))
    return folder


def crown(project: Project, folder: Path, name: str = "Head v1", exam: str = HEAD) -> ModelCard:
    """Put a model on the shelf and let it propose."""
    card = project.models.adopt(a_model(folder, name, exam))
    edit = SetChampion(name="Promote", exam=exam, before=project.models.champion(exam), after=card.digest)
    project.apply(edit)
    return card


@dataclass
class Desk:
    """A session, what its signals said, and a hand to act with."""

    session: Session
    qtbot: object
    heard: list[tuple[str, object]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in SIGNALS:
            getattr(self.session, name).connect(lambda *said, name=name: self.heard.append((name, *said)))

    def count(self, name: str) -> int:
        return sum(1 for said in self.heard if said[0] == name)

    @property
    def notices(self) -> list:
        return [said[1] for said in self.heard if said[0] == "notice"]

    @property
    def titles(self) -> list[str]:
        return [notice.title for notice in self.notices]

    @property
    def project(self) -> Project:
        return self.session.project

    @property
    def row(self) -> int:
        return self.session.navigation.item_index

    def wait(self, ready, timeout: int = LONG_MS) -> None:
        self.qtbot.waitUntil(ready, timeout=timeout)

    def open(self, folder: Path, **more) -> None:
        done = []
        self.session.open_project(folder, lambda: done.append(True), **more)
        self.wait(lambda: bool(done))

    def close(self) -> None:
        assert self.session.close_project()
        assert self.session.opening.wait(20)

    def quiet(self) -> None:
        """Rows are up to date, pixels are here, nothing is being written."""
        navigation, session = self.session.navigation, self.session
        self.wait(lambda: not navigation._refresh.isActive() and session.saved.kind != "saving")
        self.wait(lambda: session.current is None or session.pixels is not None or navigation.trouble is not None)
        self.qtbot.wait(5)

    def forget(self) -> None:
        """What was heard before does not count."""
        self.quiet()
        self.heard.clear()

    def go(self, row: int, index: int = 0) -> None:
        self.session.navigation.go_item(row, index=index)

    def frame(self, row: int, index: int = 0) -> FrameId:
        return self.session.navigation.items[row].instance.frame_id(index)

    def stroke(self, value: int = 1, at: int = 10) -> PaintTiles:
        """What the brush would answer for the frame in view."""
        before = self.session.mask()
        ids = before.to_array()
        ids[at : at + 8, 5:40] = value
        edit = paint(f"Brush, {value}", self.session.current.id, before, Mask.from_array(ids))
        assert edit is not None
        return edit

    def propose(self, row: int, values=(1,), *, index: int = 0, model: str = MODEL, labels=None) -> Proposal:
        """A proposal as the engine's answer would be."""
        frame = self.frame(row, index)
        ids = np.zeros((ROWS, COLUMNS), np.uint8)
        for number, value in enumerate(values):
            ids[5 + 15 * number : 15 + 15 * number, 20:60] = value
        made = Proposal(
            frame=frame, model=model, model_name="Heads v1", mask=Mask.from_array(ids),
            confidences=MappingProxyType(dict.fromkeys(values, 0.9)), labels=MappingProxyType(labels or {}),
        )  # fmt: skip
        self.session.commit(SetProposal(name="Proposal", frame=frame, before=None, after=made))
        return made
