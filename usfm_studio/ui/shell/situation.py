"""The situation, read from the session: which actions can be done now, and what they are called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from usfm_studio.ui.shell.action import Situation

if TYPE_CHECKING:
    from usfm_studio.ui.session import Session


def situation_of(session: Session, page: str, *, view: dict[str, Any] | None = None) -> Situation:
    """What is so now. `view` adds what only the window and the canvas know, by the names of `Situation`."""
    if session.project is None:
        return Situation(page=page, read_only=False, **(view or {}))
    current, proposed = session.current, session.proposed
    schema, learning, bringing_in = session.schema, session.learning, session.bringing_in
    state = bringing_in.state
    return Situation(
        page=page,
        has_project=True,
        has_items=bool(session.navigation.items),
        has_frame=current is not None,
        has_proposal=proposed is not None,
        proposals=len(proposed.values) if proposed is not None else 0,
        is_loop=current is not None and current.instance.frames > 1,
        playing=session.navigation.playing,
        read_only=session.read_only,
        undo_name=session.undo_text,
        redo_name=session.redo_text,
        training=learning.running,
        interrupted_runs=len(learning.interrupted),
        has_verdict=learning.verdict is not None,
        has_model=bool(learning.proposer_name) or learning.readiness.frames > 0,
        can_roll_back=any(row.champion and row.card.parents for row in learning.models),
        can_train=learning.readiness.enough,
        train_needs=_needs(session),
        importing=state is not None and state.running,
        import_seen=state is not None,
        state=str(session.annotation.state),
        segments=tuple(s.name for s in schema.segments),
        segment=session.segment,
        labels=tuple(label.name for label in schema.labels),
        labels_on=session.annotation.labels,
        **(view or {}),
    )


def _needs(session: Session) -> str:
    have = session.learning.readiness
    frames, subjects = have.frames_needed - have.frames, have.subjects_needed - have.subjects
    parts = []
    if frames > 0:
        parts.append(f"{frames} more frame{'s' if frames > 1 else ''}")
    if subjects > 0:
        parts.append(f"{subjects} more subject{'s' if subjects > 1 else ''}")
    return f"needs {' of '.join(parts)} done" if parts else ""
