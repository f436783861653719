"""`import --annotations`: masks and labels that were made elsewhere, onto the frames they belong to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from usfm_studio.document.annotation import Annotation, Decision, Provenance, State
from usfm_studio.document.edit import Edit, PaintTiles, ReplaceSchema, SetAnnotation, Several, paint
from usfm_studio.document.errors import Unreadable
from usfm_studio.document.frame import FrameId
from usfm_studio.document.mask import Mask
from usfm_studio.document.schema_merge import Merged, merged
from usfm_studio.document.snapshot import schema_from
from usfm_studio.project.project import Project
from usfm_studio.verbs import pixels
from usfm_studio.verbs.house import House
from usfm_studio.verbs.review import now
from usfm_studio.verbs.scratch import scratch
from usfm_studio.verbs.steps import Apart, Event, Failure, Steps, answer, progress

NAME = "Import annotations"
STEP_TILES = 512
"""Mask tiles (64 KB each) in one step of the history: thousands of frames come in as several steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BroughtBack:
    """Frames whose marks or labels came in (also where they were the same already), and what was left out: entries
    that fit no frame, labels that contradict a person's or each other.
    """

    frames: int
    failed: list[Failure] = field(default_factory=list)


def run(house: House, format: str, path: Path) -> Steps[BroughtBack]:
    """Read, match by name and apply, as a step that undo takes back. Bringing in the same again changes nothing."""
    project = house.project
    yield progress(0, 0, "Reading annotations")
    with scratch("annotations") as folder:
        body = yield from answer(house.reader.read_annotations(format, path, project.instances, folder))
        found = _Found.of(body)
        match = yield Apart(lambda: found.matched(project))
        refused = yield from _apply_all(project, found, match)
    failed = [Failure(path=item["path"], error=item["error"]) for item in body["failed"]]
    failed += [Failure(path=pixels.shown(project.frame(frame)), error=why) for frame, why in refused.items()]
    return BroughtBack(frames=sum(f in found.masks or f not in refused for f in found.frames), failed=failed)


@dataclass(frozen=True, slots=True)
class _Found:
    """What the reader read: mask files and labels by frame, and what their values mean."""

    body: Mapping[str, Any]
    masks: Mapping[FrameId, Path]
    labels: Mapping[FrameId, tuple[str, ...]]

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> _Found:
        """From the reader's answer."""
        masks = {FrameId.parse(m["frame_key"]): Path(m["file"]) for m in body["masks"]}
        return cls(body, masks, {FrameId.parse(key): tuple(names) for key, names in body["labels"].items()})

    @property
    def frames(self) -> list[FrameId]:
        """All frames that something is known of."""
        return sorted({*self.masks, *self.labels})

    def matched(self, project: Project) -> Merged:
        """Their segments and labels as ours. Reads every mask once."""
        theirs = schema_from(self.body["schema"]) if self.body["schema"] else None
        values = {int(v) for file in self.masks.values() for v in np.unique(np.load(file))}
        names = {name for labels in self.labels.values() for name in labels}
        return merged(project.schema, theirs, values, sorted(names))


def _apply_all(project: Project, found: _Found, match: Merged) -> Steps[dict[FrameId, str]]:
    """Apply all that was found, some frames a step; answers whose labels were not taken over, and why."""
    edits: list[Edit] = []
    refused: dict[FrameId, str] = {}
    if match.schema != project.schema:
        edits.append(ReplaceSchema(name=NAME, before=project.schema, after=match.schema))
    frames = found.frames
    for number, frame in enumerate(frames, 1):
        labels, why = _labels(project.annotation(frame), found.labels.get(frame, ()), match.schema.exclusive_labels)
        if why:
            refused[frame] = str(Unreadable(f"Could not take over the labels of {_name(project, frame)}", why))
        edits += yield Apart(partial(_of_frame, project, frame, labels, found.masks.get(frame), match))
        if _tiles(edits) >= STEP_TILES or number == len(frames):
            yield from _apply(project, edits)
            edits = []
            yield progress(number, len(frames), "Bringing in annotations")
    return refused


def _labels(before: Annotation, incoming: tuple[str, ...], exclusive: bool) -> tuple[tuple[str, ...], str]:
    """(the frame's labels from now on, why the incoming ones are not taken over): a person's word stays."""
    if not incoming:
        return before.labels, ""
    if exclusive and len(incoming) > 1:
        return before.labels, f"it comes with {len(incoming)} labels ({', '.join(incoming)}), and only one can be right"
    if not _said_by_person(before):
        return incoming, ""
    if not exclusive:
        return tuple(dict.fromkeys((*before.labels, *incoming))), ""
    if incoming == before.labels:
        return before.labels, ""
    return before.labels, f"a person has labelled it {before.labels[0]}, and it comes as {incoming[0]}"


def _said_by_person(annotation: Annotation) -> bool:
    """True where a person gave the frame its labels, or accepted them."""
    accepted = {key.rpartition(":label:")[2] for key, what in annotation.decisions.items() if what is Decision.ACCEPTED}
    labelled = any(step.what == "labelled" for step in annotation.provenance)
    return bool(annotation.labels) and (labelled or bool(accepted & set(annotation.labels)))


def _name(project: Project, frame: FrameId) -> str:
    return PurePath(pixels.shown(project.frame(frame))).name


def _apply(project: Project, edits: Sequence[Edit]) -> Iterator[Event]:
    if edits:
        edit = Several(name=NAME, edits=tuple(edits))
        project.apply(edit)
        yield Event("applied", {"edit": edit})


def _tiles(edits: Sequence[Edit]) -> int:
    return sum(len(edit.after) for edit in edits if isinstance(edit, PaintTiles))


def _of_frame(
    project: Project, frame: FrameId, labels: tuple[str, ...], mask_file: Path | None, match: Merged
) -> list[Edit]:
    before = project.annotation(frame)
    state = State.DONE if labels and before.state is State.TODO else before.state
    painted = None
    if mask_file is not None:
        mask = Mask.from_array(match.translated(np.load(mask_file)))
        painted = paint(NAME, frame, project.mask(frame), mask)
        if before.state not in (State.FLAGGED, State.UNUSABLE):  # a person's word on the frame itself stays
            state = State.DONE if mask.tiles else State.NOTHING
    edits: list[Edit] = [] if painted is None else [painted]
    if painted is not None or (labels, state) != (before.labels, before.state):
        after = _imported(before, labels, state)
        edits.append(SetAnnotation(name=NAME, frame=frame, before=before, after=after))
    return edits


def _imported(before: Annotation, labels: tuple[str, ...], state: State) -> Annotation:
    step = Provenance(who="import", when=now(), what="imported")
    return replace(before, state=state, labels=labels, provenance=(*before.provenance, step))
