"""Builders: small, deliberately not square, everything through public doors."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from types import MappingProxyType

import numpy as np

from usfm_studio.document.annotation import Annotation, Proposal, State
from usfm_studio.document.edit import ReplaceInstances, SetAnnotation, SetProposal, paint
from usfm_studio.document.frame import FrameId, Instance
from usfm_studio.document.mask import Mask
from usfm_studio.document.model_card import ModelCard
from usfm_studio.document.schema import Label, Schema, Segment
from usfm_studio.document.values_json import card_to
from usfm_studio.project.project import Project

A_SCHEMA = Schema(
    segments=(Segment(value=1, name="Fetal head"), Segment(value=2, name="Lesion", exam="BREAST")),
    labels=(Label(name="benign", exam="BREAST"), Label(name="malignant", exam="BREAST")),
)


def an_instance(number: int = 1, rows: int = 300, columns: int = 520, frames: int = 1, **more) -> Instance:
    digest = hashlib.sha256(f"file {number}".encode()).hexdigest()
    values = {
        "digest": digest,
        "path": f"/nowhere/scan{number}.png",
        "name": f"scan{number}.png",
        "rows": rows,
        "columns": columns,
        "frames": frames,
        "kind": "loop" if frames > 1 else "still",
        "subject": f"subject {number}",
    }
    return Instance(**{**values, **more})


def add(project: Project, *instances: Instance) -> None:
    project.apply(ReplaceInstances(name="Import", before=(), after=instances), undoable=False)


def a_project(folder: Path, instances: int = 3, **more) -> Project:
    project = Project.create(folder, A_SCHEMA)
    add(project, *(an_instance(n, **more) for n in range(1, instances + 1)))
    return project


def a_mask(shape, seed: int, value: int = 1) -> np.ndarray:
    random = np.random.default_rng(seed)
    ids = np.zeros(shape, np.uint8)
    y, x = random.integers(0, shape[0] - 20), random.integers(0, shape[1] - 20)
    ids[y : y + random.integers(5, 120), x : x + random.integers(5, 200)] = value
    return ids


def stroke(project: Project, frame: FrameId, seed: int, value: int = 1, layer: int = 0):
    """A brush stroke on top of what is there."""
    before = project.mask(frame, layer)
    ids = before.to_array()
    drawn = a_mask(before.shape_rc, seed, value)
    ids[drawn > 0] = value if seed % 4 else 0
    place = (seed % before.shape_rc[0], seed % before.shape_rc[1])
    ids[place] = before.to_array()[place] % 250 + 1  # whatever was there, something changes
    return paint(f"Brush {seed}", frame, before, Mask.from_array(ids), layer)


def a_proposal(frame: FrameId, shape, seed: int = 0, model: str = "ab" * 32) -> Proposal:
    return Proposal(
        frame=frame,
        model=model,
        model_name="first",
        mask=Mask.from_array(a_mask(shape, seed)),
        confidences=MappingProxyType({1: 0.75}),
        predicted_dice=MappingProxyType({1: 0.9}),
        labels=MappingProxyType({"benign": 0.25}),
    )


def propose(project: Project, frame: FrameId, seed: int = 0) -> None:
    shape = project.frame(frame).shape
    after = a_proposal(frame, shape, seed)
    project.apply(SetProposal(name="Proposal", frame=frame, before=None, after=after))


def set_state(project: Project, frame: FrameId, state: State, labels=()) -> None:
    before = project.annotation(frame)
    after = Annotation(state=state, labels=tuple(labels))
    project.apply(SetAnnotation(name=f"Mark {state}", frame=frame, before=before, after=after))


def a_model(folder: Path, weights: bytes = b"weights", **more) -> Path:
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(weights)
    values = {"name": "Fetal head 1", "task": "segmentation", "encoder": "usfm_lite0", "encoder_digest": "e" * 64}
    card = ModelCard(digest=hashlib.sha256(weights).hexdigest(), **{**values, **more})
    (folder / "card.json").write_text(json.dumps(card_to(card)))
    return folder


def contents(project: Project) -> dict:
    """Everything that a project holds, comparable."""
    frames = {frame.id.key: frame.id for frame in project.frames()}
    masks = {
        (key, layer): hashlib.sha256(project.mask(frame, layer).to_array().tobytes()).hexdigest()
        for key, frame in frames.items()
        for layer in project.layers(frame)
    }
    proposals = {}
    for key, frame in frames.items():
        proposal = project.proposal(frame)
        if proposal is not None:
            proposals[key] = (
                proposal.model,
                proposal.mask.to_array().tobytes(),
                dict(proposal.confidences),
                dict(proposal.labels),
            )
    return {
        "schema": project.schema,
        "instances": [repr(i) for i in project.instances],
        "order": project.subject_order,
        "masks": masks,
        "annotations": {key: project.annotation(frame) for key, frame in frames.items()},
        "proposals": proposals,
        "champions": dict(project._state.champions),
    }
