"""`import --annotations`: masks and labels that were made elsewhere, onto the frames they belong to."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from usfm_studio.document.annotation import Provenance, State
from usfm_studio.document.edit import Edit, ReplaceSchema, SetAnnotation, Several, paint
from usfm_studio.document.frame import FrameId
from usfm_studio.document.mask import Mask
from usfm_studio.document.schema import Schema, Segment
from usfm_studio.document.snapshot import schema_from
from usfm_studio.project.project import Project
from usfm_studio.verbs.house import House
from usfm_studio.verbs.review import now
from usfm_studio.verbs.steps import Await, Event, Steps


@dataclass(frozen=True, slots=True, kw_only=True)
class BroughtBack:
    """Frames that got marks or labels, and entries that fit no frame."""

    frames: int
    failed: list[dict[str, str]] = field(default_factory=list)


def run(house: House, format: str, path: Path) -> Steps[BroughtBack]:
    """Read, match and apply as one act that undo takes back."""
    project = house.project
    with tempfile.TemporaryDirectory(prefix="usfm-annotations-") as scratch:
        ticket = house.reader.read_annotations(format, path, project.instances, Path(scratch))
        body = yield Await(ticket)
        edit, frames = _edit(project, body)
    if edit is not None:
        project.apply(edit)
        yield Event("applied", {"edit": edit})
    return BroughtBack(frames=frames, failed=list(body["failed"]))


def _edit(project: Project, body: dict[str, Any]) -> tuple[Edit | None, int]:
    masks = {FrameId.parse(m["frame_key"]): Path(m["file"]) for m in body["masks"]}
    labels = {FrameId.parse(key): tuple(names) for key, names in body["labels"].items()}
    theirs = schema_from(body["schema"]) if body["schema"] else None
    values = {int(v) for file in masks.values() for v in np.unique(np.load(file)) if v}
    schema, lut = _merged(project.schema, theirs, values, {name for names in labels.values() for name in names})
    edits: list[Edit] = []
    if schema != project.schema:
        edits.append(ReplaceSchema(name="Import annotations", before=project.schema, after=schema))
    frames = sorted({*masks, *labels})
    for frame in frames:
        edits += _frame_edits(project, frame, masks.get(frame), labels.get(frame), lut)
    if not edits:
        return None, 0
    return Several(name="Import annotations", edits=tuple(edits)), len(frames)


def _frame_edits(
    project: Project, frame: FrameId, file: Path | None, labels: tuple[str, ...] | None, lut: np.ndarray
) -> list[Edit]:
    name = "Import annotations"
    edits: list[Edit] = []
    before = project.annotation(frame)
    state = before.state
    if file is not None:
        mask = Mask.from_array(lut[np.load(file)])
        painted = paint(name, frame, project.mask(frame), mask)
        if painted is not None:
            edits.append(painted)
        state = State.DONE if mask.tiles or labels or before.labels else State.NOTHING
    elif labels and state is State.TODO:
        state = State.DONE
    step = Provenance(who="import", when=now(), what="imported")
    after = replace(before, state=state, labels=labels or before.labels, provenance=(*before.provenance, step))
    edits.append(SetAnnotation(name=name, frame=frame, before=before, after=after))
    return edits


def _merged(ours: Schema, theirs: Schema | None, values: set[int], labels: set[str]) -> tuple[Schema, np.ndarray]:
    """(our schema with what theirs adds, their value -> our value). Names decide; without names, values do."""
    lut = np.arange(256, dtype=np.uint8)
    for value in sorted(values):
        segment = theirs.segment(value) if theirs else None
        if segment is None:
            if ours.segment(value) is None:
                ours = replace(ours, segments=(*ours.segments, _plain_segment(ours, value)))
            continue
        if ours.named(segment.name) is None:
            free = ours.segment(value) is None
            ours = (
                replace(ours, segments=(*ours.segments, replace(segment, exam="")))
                if free
                else ours.with_segment(segment.name, colour=segment.colour)
            )
        mine = ours.named(segment.name)
        lut[value] = mine.value if mine else value
    known = {label.name.casefold() for label in ours.labels}
    for name in sorted(labels):
        if name.casefold() not in known:
            ours = ours.with_label(name)
    return ours, lut


def _plain_segment(schema: Schema, value: int) -> Segment:
    name = f"Segment {value}"
    while schema.named(name) is not None:
        name += " (imported)"
    return Segment(value=value, name=name)
