"""What a person decides about a frame, as edits: accept, reject, label, state. Pure: project in, edit out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import MappingProxyType

import numpy as np

from usfm_studio.document.annotation import Decision, Proposal, Provenance, State
from usfm_studio.document.edit import Edit, PaintTiles, SetAnnotation, Several, paint
from usfm_studio.document.frame import FrameId
from usfm_studio.document.mask import Mask
from usfm_studio.project.project import Project

READER = "reader"
LABEL_CERTAIN = 0.5
GIVEN = frozenset({"accepted", "imported", "edited"})
"""Steps after which drawing is a correction of what was there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposedFrame:
    """What of a proposal still awaits a person: its undecided segments and labels."""

    model: str
    model_name: str
    mask: Mask
    values: tuple[int, ...]
    confidences: dict[int, float]
    predicted_dice: dict[int, float]
    labels: dict[str, float]


def now() -> str:
    """The present moment, ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def proposed(project: Project, frame: FrameId) -> ProposedFrame | None:
    """The undecided part of a frame's proposal; None where nothing is left to decide."""
    proposal = project.proposal(frame)
    if proposal is None:
        return None
    annotation = project.annotation(frame)
    values = tuple(v for v in proposal.mask.values() if annotation.decision(proposal.model, v) is None)
    labels = {
        name: p
        for name, p in proposal.labels.items()
        if annotation.label_decision(proposal.model, name) is None and not annotation.labels
    }
    if annotation.state in (State.NOTHING, State.UNUSABLE) or not (values or labels):
        return None
    return ProposedFrame(
        model=proposal.model,
        model_name=proposal.model_name,
        mask=_only(proposal.mask, values),
        values=values,
        confidences={v: proposal.confidences.get(v, 0.0) for v in values},
        predicted_dice={v: d for v, d in proposal.predicted_dice.items() if v in values},
        labels=labels,
    )


def untouched(project: Project, frame: FrameId) -> bool:
    """True where nobody has marked, labelled or decided the state of a frame: such frames get proposals."""
    annotation = project.annotation(frame)
    return annotation.state in (State.TODO, State.FLAGGED) and not annotation.labels and not project.layers(frame)


def accept(project: Project, frame: FrameId, values: Iterable[int] | None = None, who: str = READER) -> Edit | None:
    """Copy proposed segments (all by default) into the accepted layer; labels go along when all are accepted.

    Accepted pixels of other segments stay as they are. The frame is done when nothing is left to decide.
    """
    waiting = proposed(project, frame)
    proposal = project.proposal(frame)
    if waiting is None or proposal is None:
        return None
    wanted = _wanted(waiting, values)
    if values is not None and not wanted:
        return None
    everything = wanted == waiting.values
    labels = _likely_labels(project, waiting) if everything else ()
    before = project.annotation(frame)
    decisions = dict(before.decisions)
    decisions |= {f"{proposal.model}:segment:{v}": Decision.ACCEPTED for v in wanted}
    if everything:
        decisions |= {
            f"{proposal.model}:label:{name}": Decision.ACCEPTED if name in labels else Decision.REJECTED
            for name in waiting.labels
        }
    name = f"Accept, {_names(project, wanted) or ', '.join(labels) or 'nothing to mark'}"
    painted = _copied(project, proposal, frame, wanted, name)
    left = [v for v in waiting.values if v not in wanted]
    after = replace(
        before,
        decisions=MappingProxyType(decisions),
        labels=labels or before.labels,
        state=State.DOING if left else _finished_state(project, frame, painted),
        provenance=(*before.provenance, Provenance(who=who, when=now(), what="accepted", model=proposal.model)),
    )
    return _together(name, painted, SetAnnotation(name=name, frame=frame, before=before, after=after))


def reject(project: Project, frame: FrameId, values: Iterable[int] | None = None, who: str = READER) -> Edit | None:
    """Turn down proposed segments (all, and the labels, by default); remembered for this frame and model."""
    waiting = proposed(project, frame)
    if waiting is None:
        return None
    wanted = _wanted(waiting, values)
    if values is not None and not wanted:
        return None
    before = project.annotation(frame)
    decisions = dict(before.decisions)
    decisions |= {f"{waiting.model}:segment:{v}": Decision.REJECTED for v in wanted}
    if values is None:
        decisions |= {f"{waiting.model}:label:{name}": Decision.REJECTED for name in waiting.labels}
    step = Provenance(who=who, when=now(), what="rejected", model=waiting.model)
    after = replace(before, decisions=MappingProxyType(decisions), provenance=(*before.provenance, step))
    name = f"Reject, {_names(project, wanted) or 'label'}"
    return SetAnnotation(name=name, frame=frame, before=before, after=after)


def mark_done(project: Project, frame: FrameId, who: str = READER) -> Edit | None:
    """Accept what is proposed, if anything, and call the frame done. None where it would stay as it is."""
    accepted = accept(project, frame, who=who)
    if accepted is not None:
        return accepted
    if not project.layers(frame) and not project.annotation(frame).labels:
        return None
    return set_state(project, frame, State.DONE, who)


STATE_NAMES = {
    State.TODO: "To do",
    State.DOING: "In work",
    State.DONE: "Done",
    State.NOTHING: "Nothing to mark",
    State.FLAGGED: "Flag",
    State.UNUSABLE: "Unusable",
}


def set_state(project: Project, frame: FrameId, state: State, who: str = READER) -> Edit | None:
    """Put a frame into a state; "nothing to mark" clears its marks in the same act."""
    before = project.annotation(frame)
    if before.state == state:
        return None
    step = Provenance(who=who, when=now(), what=f"state {state.value}")
    after = replace(before, state=state, provenance=(*before.provenance, step))
    name = STATE_NAMES[state]
    mask = project.mask(frame)
    cleared = paint(name, frame, mask, Mask.empty(mask.shape_rc)) if state is State.NOTHING else None
    return _together(name, cleared, SetAnnotation(name=name, frame=frame, before=before, after=after))


def toggle_label(project: Project, frame: FrameId, label: str, who: str = READER) -> Edit:
    """Set or clear one label of the frame; where labels exclude each other, the others go."""
    before = project.annotation(frame)
    if label in before.labels:
        labels = tuple(name for name in before.labels if name != label)
    else:
        labels = (label,) if project.schema.exclusive_labels else (*before.labels, label)
    step = Provenance(who=who, when=now(), what="labelled")
    state = State.DOING if before.state is State.TODO else before.state
    after = replace(before, labels=labels, state=state, provenance=(*before.provenance, step))
    return SetAnnotation(name=f"Label {label}", frame=frame, before=before, after=after)


def hand_work(project: Project, edit: PaintTiles, who: str = READER) -> Edit:
    """A stroke as one act: the pixels, and the frame's note that a person worked on it.

    Segments that the stroke touched count as decided, so that their proposal does not cover the person's work.
    """
    before = project.annotation(edit.frame)
    proposal = project.proposal(edit.frame)
    decisions = dict(before.decisions)
    if proposal is not None:
        for value in _touched(edit) & set(proposal.mask.values()):
            decisions.setdefault(f"{proposal.model}:segment:{value}", Decision.ACCEPTED)
    state = State.DOING if before.state in (State.TODO, State.NOTHING) else before.state
    what = "edited" if {step.what for step in before.provenance} & GIVEN else "drawn"
    said = any(step.what == what and step.who == who for step in before.provenance[-1:])
    steps = before.provenance if said else (*before.provenance, Provenance(who=who, when=now(), what=what))
    after = replace(before, decisions=MappingProxyType(decisions), state=state, provenance=steps)
    if after == before:
        return edit
    return Several(
        name=edit.name, edits=(edit, SetAnnotation(name=edit.name, frame=edit.frame, before=before, after=after))
    )


def _touched(edit: PaintTiles) -> set[int]:
    found: set[int] = set()
    for index, new in edit.after.items():
        old = edit.before[index]
        differ = old != new
        found.update(np.unique(old[differ]).tolist(), np.unique(new[differ]).tolist())
    return found - {0}


def _wanted(waiting: ProposedFrame, values: Iterable[int] | None) -> tuple[int, ...]:
    asked = waiting.values if values is None else frozenset(values)
    return tuple(value for value in waiting.values if value in asked)


def _finished_state(project: Project, frame: FrameId, painted: PaintTiles | None) -> State:
    """DONE, or NOTHING where segments could be marked on such an image and none is: that trains as an empty mask."""
    mask = project.mask(frame)
    if painted is not None:
        mask = mask.with_tiles(painted.after)
    exam = project.schema.exam_of(project.instance(frame.source))
    return State.DONE if mask.tiles or not project.schema.for_exam(exam).segments else State.NOTHING


def _likely_labels(project: Project, waiting: ProposedFrame) -> tuple[str, ...]:
    if not waiting.labels:
        return ()
    if project.schema.exclusive_labels:
        return (max(waiting.labels, key=lambda name: waiting.labels[name]),)
    return tuple(name for name, p in waiting.labels.items() if p >= LABEL_CERTAIN)


def _copied(
    project: Project, proposal: Proposal, frame: FrameId, values: tuple[int, ...], name: str
) -> PaintTiles | None:
    before = project.mask(frame)
    mine, taken = np.zeros(256, np.bool_), np.zeros(256, np.uint8)
    mine[[0, *values]] = True
    taken[list(values)] = values
    changed = {}
    for index in {*proposal.mask.tiles, *before.tiles}:
        old, new = before.tile(index), proposal.mask.tile(index)
        changed[index] = np.where(mine[old], taken[new], old)
    return paint(name, frame, before, before.with_tiles(changed))


def _only(mask: Mask, values: tuple[int, ...]) -> Mask:
    if set(mask.values()) <= set(values):
        return mask
    lut = np.zeros(256, np.uint8)
    lut[list(values)] = values
    return Mask.empty(mask.shape_rc).with_tiles({i: lut[tile] for i, tile in mask.tiles.items()})


def _names(project: Project, values: tuple[int, ...]) -> str:
    found = [segment.name for v in values if (segment := project.schema.segment(v))]
    return ", ".join(found)


def _together(name: str, painted: PaintTiles | None, decided: SetAnnotation) -> Edit:
    return decided if painted is None else Several(name=name, edits=(painted, decided))
