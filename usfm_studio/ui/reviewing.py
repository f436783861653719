"""What the person decides, by key or click: each act is one edit through the session's door."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QObject

from usfm_studio.document.annotation import State
from usfm_studio.document.edit import Change, Edit, PaintTiles, ReplaceSchema, SetAnnotation
from usfm_studio.document.errors import StudioError
from usfm_studio.document.frame import FrameId
from usfm_studio.document.schema import Schema
from usfm_studio.project.project import Project
from usfm_studio.ui.navigation import Navigation
from usfm_studio.ui.parts import Whole
from usfm_studio.ui.state import Notice
from usfm_studio.verbs import review

Decide = Callable[[Project, FrameId, tuple[int, ...] | None], Edit | None]


class Reviewing(QObject):
    """Accept, reject, label, state, and the schema that they use."""

    def __init__(self, session: Whole, navigation: Navigation) -> None:
        super().__init__()
        self._session, self._navigation = session, navigation

    def draw(self, edit: Edit | None) -> Change | None:
        """Commit a tool's answer: the stroke, and that a person worked on the frame."""
        project = self._session.project
        if project is not None and isinstance(edit, PaintTiles):
            edit = review.hand_work(project, edit)
        return self._session.commit(edit)

    def accept(self, value: int | None = None) -> None:
        """Accept the proposed segment (the selected one when it is proposed, else all that is proposed)."""
        self._decide(review.accept, value)

    def reject(self, value: int | None = None) -> None:
        """Turn down the proposed segment (the selected one when it is proposed, else all)."""
        self._decide(review.reject, value)

    def reject_all(self) -> None:
        """Turn down everything proposed on this frame."""
        frame = self._frame()
        if frame is not None and self._session.project is not None:
            self._session.commit(review.reject(self._session.project, frame))

    def _decide(
        self, decide: Callable[[Project, FrameId, tuple[int, ...] | None], Edit | None], value: int | None
    ) -> None:
        """One decision; where others are left on the frame, the next of them is selected."""
        session, frame, project = self._session, self._frame(), self._session.project
        waiting = session.proposed
        if waiting is None or frame is None or project is None:
            return
        if value is None and len(waiting.values) > 1 and session.segment in waiting.values:
            value = session.segment
        done = session.commit(decide(project, frame, None if value is None else (value,)))
        left = session.proposed
        if done is not None and left is not None and left.values and session.segment not in left.values:
            session.select_segment(next((v for v in left.values if v > session.segment), left.values[0]))

    def accept_all_and_next(self) -> None:
        """Accept what is proposed, call the frame done and go to the next that waits."""
        frame = self._frame()
        if frame is None or self._session.project is None:
            return
        edit = review.mark_done(self._session.project, frame)
        if edit is None and self._session.annotation.state not in (State.DONE, State.NOTHING):
            self._session.notice.emit(
                Notice(kind="info", title="Nothing is marked here", text="Draw first, or press U for nothing to mark.")
            )
        elif edit is None or self._session.commit(edit) is not None:
            self._navigation.next_open()

    def set_state(self, state: State) -> None:
        """Put the frame into a state; the same state again takes it back to where work stands."""
        frame, project = self._frame(), self._session.project
        if frame is None or project is None:
            return
        if project.annotation(frame).state == state:
            state = State.DOING if project.layers(frame) or project.annotation(frame).labels else State.TODO
        self._session.commit(review.set_state(project, frame, state))

    def toggle_label(self, name: str) -> None:
        """Set or clear a label of the frame."""
        frame, project = self._frame(), self._session.project
        if frame is not None and project is not None:
            self._session.commit(review.toggle_label(project, frame, name))

    def set_note(self, text: str, frame: FrameId | None = None) -> None:
        """Keep a note with a frame, the one in view by default."""
        frame, project = frame or self._frame(), self._session.project
        if frame is None or project is None or project.annotation(frame).note == text:
            return
        before = project.annotation(frame)
        self._session.commit(SetAnnotation(name="Note", frame=frame, before=before, after=replace(before, note=text)))

    # --- schema ------------------------------------------------------------------------------------------------

    def add_segment(self, name: str) -> None:
        """One more segment for this kind of image; it is selected at once."""
        schema = self._changed_schema(lambda s: s.with_segment(name.strip(), exam=self._session.exam), f"Add {name}")
        if schema is not None:
            self._session.select_segment(schema.segments[-1].value)

    def rename_segment(self, value: int, name: str) -> None:
        """Another name for a segment; masks stay as they are."""
        self._changed_schema(
            lambda s: replace(
                s, segments=tuple(replace(x, name=name.strip()) if x.value == value else x for x in s.segments)
            ),
            f"Rename to {name}",
        )

    def recolour_segment(self, value: int, colour: str) -> None:
        """Another colour for a segment."""
        self._changed_schema(
            lambda s: replace(
                s, segments=tuple(replace(x, colour=colour) if x.value == value else x for x in s.segments)
            ),
            "Change a colour",
        )

    def add_label(self, name: str) -> None:
        """One more word for frames of this kind."""
        self._changed_schema(lambda s: s.with_label(name.strip(), exam=self._session.exam), f"Add label {name}")

    def _changed_schema(self, change: Callable[[Schema], Schema], name: str) -> Schema | None:
        project = self._session.project
        if project is None:
            return None
        try:
            after = change(project.schema)
        except StudioError as error:
            self._session.tell(error)
            return None
        done = self._session.commit(ReplaceSchema(name=name, before=project.schema, after=after))
        return after if done is not None else None

    def _frame(self) -> FrameId | None:
        return self._session.current.id if self._session.current else None
