"""The worklist's rows, made from the project: one a still or loop, in the project's order."""

from __future__ import annotations

from usfm_studio.document.annotation import State
from usfm_studio.document.frame import Instance, frames_of
from usfm_studio.project.project import Project
from usfm_studio.ui.state import Item
from usfm_studio.verbs.review import proposed


def item_of(project: Project, instance: Instance) -> Item:
    """One row. A loop's state is DONE when any of its frames is and none is in work."""
    states = [project.annotation(frame.id).state for frame in frames_of(instance)]
    ids = [frame.id for frame in frames_of(instance)]
    marked = sum(1 for state in states if state in (State.DOING, State.DONE, State.NOTHING))
    waiting = sum(1 for frame in ids if proposed(project, frame) is not None)
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


def together(states: list[State]) -> State:
    """The state of a loop from those of its frames."""
    for state in (State.FLAGGED, State.DOING, State.DONE, State.NOTHING, State.UNUSABLE):
        if state in states:
            return state
    return State.TODO


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
