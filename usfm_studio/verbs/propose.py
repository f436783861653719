"""`propose`: what the model says of every frame that nobody has worked on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from types import MappingProxyType

import numpy as np

from usfm_studio.document.annotation import Proposal
from usfm_studio.document.edit import ReplaceSchema, SetProposal
from usfm_studio.document.errors import NotFound
from usfm_studio.document.frame import Frame, FrameId
from usfm_studio.document.mask import Mask
from usfm_studio.document.model_card import ModelCard
from usfm_studio.document.schema import Schema
from usfm_studio.engine.doors import FramePixels, ProposalParts
from usfm_studio.project.project import Project
from usfm_studio.verbs.house import House
from usfm_studio.verbs.review import untouched
from usfm_studio.verbs.shelf import model_for, read_card, resolve_model
from usfm_studio.verbs.steps import Await, Steps, applied, progress

BATCH = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposeArguments:
    """`model` as in the contract (left out: each frame's own).

    `frames` and `exam` limit it; `all_frames` takes frames with work on them too.
    """

    model: str | None = None
    all_frames: bool = False
    frames: tuple[Frame, ...] | None = None
    exam: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposeResult:
    """How many frames got a proposal, in how many seconds, and from which model (8 digits; several: the first)."""

    frames: int
    seconds: float
    model: str


def run(arguments: ProposeArguments, house: House) -> Steps[ProposeResult]:
    """Propose, a few frames at a time, so that the person at the screen sees the first at once."""
    began = monotonic()
    project = house.project
    jobs = _jobs(arguments, project)
    if not jobs:
        raise NotFound(
            "Nothing to propose", "no frame is waiting or no model fits", "Fine-tune on corrected frames first."
        )
    total, done, first = sum(len(frames) for _, frames in jobs), 0, ""
    for model, frames in jobs:
        card = read_card(model)
        first = first or card.short
        for start in range(0, len(frames), BATCH):
            batch = frames[start : start + BATCH]
            yield from _propose_batch(house, model, card, batch)
            done += len(batch)
            yield progress(done, total, "Proposing")
    return ProposeResult(frames=done, seconds=round(monotonic() - began, 3), model=first)


def _jobs(arguments: ProposeArguments, project: Project) -> list[tuple[Path, list[Frame]]]:
    chosen = resolve_model(arguments.model, project) if arguments.model else None
    jobs: dict[Path, list[Frame]] = {}
    for frame in arguments.frames if arguments.frames is not None else project.frames():
        if arguments.exam is not None and project.schema.exam_of(frame.instance) != arguments.exam:
            continue
        if not arguments.all_frames and not untouched(project, frame.id):
            continue
        model = chosen or model_for(project, frame.instance)
        if model is not None:
            jobs.setdefault(model, []).append(frame)
    return list(jobs.items())


def _propose_batch(house: House, model: Path, card: ModelCard, frames: Sequence[Frame]) -> Steps[None]:
    decoded = []
    try:
        for frame in frames:
            decoded.append((yield Await(house.reader.pixels(frame.instance, frame.index))))
        pixels = [
            FramePixels(key=frame.id.key, digest=d.digest, ref=d.ref) for frame, d in zip(frames, decoded, strict=True)
        ]
        found: list[ProposalParts] = yield Await(house.engine.propose(pixels, model))
        for part in found:
            yield from keep(house.project, card, part)
    finally:
        for one in decoded:
            house.reader.release(one)


def keep(project: Project, card: ModelCard, part: ProposalParts) -> Steps[None]:
    """Put what the engine answered into the project, segments and labels matched by name."""
    frame = project.frame(FrameId.parse(part.key))
    schema, value_of = matched(project.schema, card, project.schema.exam_of(frame.instance))
    if schema is not project.schema:
        yield applied(project, ReplaceSchema(name=f"Add what {card.name} marks", before=project.schema, after=schema))
    proposal = proposal_from(frame, card, part, value_of)
    before = project.proposal(frame.id)
    name = f"Proposal of {card.name}"
    yield applied(project, SetProposal(name=name, frame=frame.id, before=before, after=proposal))


def matched(schema: Schema, card: ModelCard, exam: str) -> tuple[Schema, dict[int, int]]:
    """(the schema with whatever the model marks added, output value -> schema value). Names decide."""
    value_of = {}
    for output, name in sorted(card.segments.items()):
        segment = schema.named(name)
        if segment is None:
            schema = schema.with_segment(name, exam=exam)
            segment = schema.named(name)
        assert segment is not None
        value_of[output] = segment.value
    known = {label.name.casefold() for label in schema.labels}
    for name in card.labels:
        if name.casefold() not in known:
            schema = schema.with_label(name, exam=exam)
    return schema, value_of


def proposal_from(frame: Frame, card: ModelCard, part: ProposalParts, value_of: dict[int, int]) -> Proposal:
    """The engine's answer as a value of the document."""
    lut = np.zeros(256, np.uint8)
    for output, value in value_of.items():
        lut[output] = value
    return Proposal(
        frame=frame.id,
        model=card.digest,
        model_name=card.name,
        mask=Mask.from_array(lut[part.ids]),
        confidences=MappingProxyType({value_of[v]: c for v, c in part.confidences.items() if v in value_of}),
        predicted_dice=MappingProxyType({value_of[v]: d for v, d in part.predicted_dice.items() if v in value_of}),
        labels=MappingProxyType(dict(part.labels)),
    )
