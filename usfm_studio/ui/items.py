"""The worklist's rows, made from the project: one a still or loop, in the project's order."""

from __future__ import annotations

from collections.abc import Iterable

from usfm_studio.document.annotation import Annotation, State
from usfm_studio.document.frame import FrameId, Instance
from usfm_studio.project.project import Project
from usfm_studio.ui.state import Item
from usfm_studio.verbs.review import proposed

WORKED = (State.DOING, State.DONE, State.NOTHING)
SETTLED = (State.DONE, State.NOTHING, State.UNUSABLE)


def items_of(project: Project) -> tuple[Item, ...]:
    """All rows. Reads no mask: safe from another thread, and quick."""
    return tuple(item_of(project, instance) for instance in project.instances)


def item_of(project: Project, instance: Instance) -> Item:
    """One row. A loop's state is DONE when any of its frames is and none is in work."""
    states = []
    marked = waiting = 0
    for index in range(instance.frames):
        frame = FrameId(instance.digest, index)
        annotation = project.annotation(frame)
        states.append(annotation.state)
        marked += annotation.state in WORKED
        waiting += _waits(project, frame, annotation)
    return Item(
        instance=instance,
        title=_title(instance),
        subtitle=_subtitle(instance, marked, waiting),
        subject=instance.subject,
        exam=project.schema.exam_of(instance),
        state=together(states),
        marked_frames=marked,
        proposed_frames=waiting,
        notices=instance.notices,
    )


def together(states: Iterable[State]) -> State:
    """The state of a loop from those of its frames."""
    found = set(states)
    for state in (State.FLAGGED, State.DOING, State.DONE, State.NOTHING, State.UNUSABLE):
        if state in found:
            return state
    return State.TODO


def _waits(project: Project, frame: FrameId, annotation: Annotation) -> bool:
    """Whether a proposal waits for the person. It is read only where she has decided a part of it."""
    model = project.proposer(frame)
    if model is None or annotation.state in SETTLED:
        return False
    if annotation.labels or any(key.startswith(model) for key in annotation.decisions):
        return proposed(project, frame) is not None
    return True


def _title(instance: Instance) -> str:
    what = instance.series_description or instance.body_part.capitalize() or instance.name
    who = instance.patient_id or instance.subject
    return f"{who} · {what}" if what else who


def _subtitle(instance: Instance, marked: int, waiting: int) -> str:
    if instance.frames > 1:
        parts = [f"{instance.frames} frames"]
        if marked:
            parts.append(f"{marked} marked")
        elif waiting:
            parts.append(f"{waiting} proposed")
        return " · ".join(parts)
    return f"Still · {instance.columns} × {instance.rows}"
