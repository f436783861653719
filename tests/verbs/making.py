"""Builders: images on disk, houses with a project, and verbs driven by hand. Deliberately not square."""

from __future__ import annotations

import hashlib
import json
import threading
from pathlib import Path

import numpy as np

from tests.imaging.making import a_dataset, a_file
from usfm_studio.document.model_card import ModelCard
from usfm_studio.document.schema import Label, Schema, Segment
from usfm_studio.document.values_json import card_to
from usfm_studio.engine.models.catalogue import read_card, shipped_encoder
from usfm_studio.imaging.pictures import png_bytes
from usfm_studio.project.project import Project
from usfm_studio.verbs.drive import drive
from usfm_studio.verbs.house import House
from usfm_studio.verbs.import_files import ImportArguments
from usfm_studio.verbs.import_files import run as import_files
from usfm_studio.verbs.steps import Apart, Await, Event

ENCODER = read_card(shipped_encoder()).digest
LONG = 90
"""Seconds that no wait of a healthy run comes near."""
ROWS, COLUMNS = 30, 50
SCHEMA = Schema(
    segments=(Segment(value=1, name="Head"), Segment(value=2, name="Lesion", exam="BREAST")),
    labels=(Label(name="benign", exam="BREAST"), Label(name="malignant", exam="BREAST")),
)


def grey(number=0, rows=ROWS, columns=COLUMNS):
    return np.random.default_rng(number).integers(0, 256, (rows, columns), np.uint8)


def a_still(folder: Path, number: int = 1, *, exam: str = "", frames: int = 1, **fields) -> Path:
    """One native DICOM image (or loop) of a patient of its own."""
    pixels = grey(number) if frames == 1 else np.stack([grey(100 * number + n) for n in range(frames)])
    ds = a_dataset(
        pixels, frames=frames, SOPInstanceUID=f"1.2.3.{number}", StudyInstanceUID=f"1.2.4.{number}",
        PatientID=f"P{number}", BodyPartExamined=exam, InstanceNumber=number, **fields,
    )  # fmt: skip
    return Path(a_file(folder, ds, name=f"im{number:04d}.dcm"))


def stills(folder: Path, count: int, **more) -> Path:
    for number in range(1, count + 1):
        a_still(folder, number, **more)
    return folder


def a_project(folder: Path, images: Path | None = None, schema: Schema = SCHEMA) -> House:
    """A house with a new project, filled from a folder of images."""
    house = House()
    house.opened = Project.create(folder, schema)
    if images is not None:
        drive(import_files(ImportArguments(paths=(str(images),)), house))
    return house


def a_shelf_model(folder: Path, weights: bytes = b"weights", **card) -> Path:
    """A model folder that can be listed and moved; its weights are no network."""
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(weights)
    values = {
        "name": "Head v1", "task": "segmentation", "encoder": "usfm_lite0", "encoder_digest": ENCODER,
        "segments": {1: "Head"},
    }  # fmt: skip
    body = ModelCard(digest=hashlib.sha256(weights).hexdigest(), **{**values, **card})
    (folder / "card.json").write_text(json.dumps(card_to(body)))
    return folder


def a_data_folder(folder: Path, subjects: int = 4, *, labels: bool = False, rows: int = 60, columns: int = 80) -> Path:
    """Bright discs in speckle with their masks, one subject each; `labels` by their size."""
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    lines = ["file,label"]
    for number in range(subjects):
        rng = np.random.default_rng(number)
        y, x = np.mgrid[:rows, :columns]
        radius = 12 + 8 * (number % 2)
        ids = ((y - rows / 2) ** 2 + (x - columns / 2 - number) ** 2 < radius**2).astype(np.uint8)
        pixels = np.clip(rng.normal(60, 15, (rows, columns)) + 110 * ids, 0, 255).astype(np.uint8)
        (folder / "images" / f"s{number}.png").write_bytes(png_bytes(pixels))
        (folder / "masks" / f"s{number}.png").write_bytes(png_bytes(ids))
        lines.append(f"s{number}.png,{'large' if number % 2 else 'small'}")
    (folder / "schema.toml").write_text('[[segments]]\nvalue = 1\nname = "Head"\n')
    if labels:
        (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder


def by_hand(steps, reply=None):
    """Drive a verb by `send` alone: (what it yielded, its result). Tickets are waited for here."""
    wishes = []
    while True:
        try:
            wish = steps.send(reply)
        except StopIteration as stop:
            return wishes, stop.value
        wishes.append(wish)
        reply = None
        if isinstance(wish, Await):
            reply = wish.ticket.result(timeout=LONG)
        elif isinstance(wish, Apart):
            reply = wish.work()
        else:
            assert isinstance(wish, Event)


def lent_out(house, most: int = 0) -> int:
    """Shared arrays that are not given back, once there are at most so many (they come back a moment later)."""
    pool, pause = house._reader._pool, threading.Event()
    for _ in range(100):
        if len(pool._used) <= most:
            break
        pause.wait(0.02)
    return len(pool._used)


def kinds(wishes):
    """Kinds of the events among what a verb yielded, repeats once."""
    found = [wish.kind for wish in wishes if isinstance(wish, Event)]
    return [kind for n, kind in enumerate(found) if n == 0 or found[n - 1] != kind]
