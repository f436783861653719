"""The project: a folder, its state, and the one door through which it changes.

Every change is one named edit. `apply` changes the state in memory at once, so that the window can show it, and queues
the journal entry; `saved` tells what is on the disk. Safe to call from several threads.
"""

from __future__ import annotations

import atexit
import threading
import weakref
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Concatenate, ParamSpec, TypeVar

from usfm_studio.document.annotation import Annotation, Proposal
from usfm_studio.document.edit import Change, Edit, SetProposal, change_of
from usfm_studio.document.errors import ReadOnly, StudioError
from usfm_studio.document.frame import Frame, FrameId, Instance, Pixels, frames_of
from usfm_studio.document.mask import Ids, Mask
from usfm_studio.document.model_card import subject_code
from usfm_studio.document.schema import Schema
from usfm_studio.document.snapshot import Sample, Snapshot
from usfm_studio.project import opening, tables, taking
from usfm_studio.project.blobs import Blobs
from usfm_studio.project.frozen import frozen_edit
from usfm_studio.project.history import History, HistoryEntry
from usfm_studio.project.journal import Journal, Saved
from usfm_studio.project.models import Models, read_shelf
from usfm_studio.project.opening import Opened
from usfm_studio.project.sources import Sources, SourceState
from usfm_studio.project.state import State
from usfm_studio.project.store import Store
from usfm_studio.project.tables import EDIT, REDO, UNDO, Entry, without_proposals

FLUSH_S = 30.0

T = TypeVar("T")
P = ParamSpec("P")


class Project:
    """An open project. Made by `create` or `open`; ends with `close` or the end of its `with` block."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._lock = threading.RLock()
        self._journal = opened.journal
        self._closed = False
        self._at_exit: Callable[[], None] = lambda: None
        self.folder = opened.folder
        self.read_only = opened.journal is None
        self.read_only_reason = opened.reason
        self.notices = opened.notices
        saved = self._saved_position
        self._state = State(opened.reader, saved)
        self._history = History(opened.reader, saved)
        self._sources = Sources(self.folder)
        self._position = opened.reader.read(tables.last_position)
        self._frames: tuple[Frame, ...] | None = None
        self.blobs = Blobs(self.folder, self._writing)
        self.models = Models(self.folder, opened.reader.read(read_shelf), self._writing, self.champions)

    @classmethod
    def create(cls, folder: Path, schema: Schema | None = None) -> Project:
        """Make a project in a folder (made if absent) and open it.

        Raises WrongUsage where there is one already, DiskFull, ReadOnly; nothing is left then.
        """
        folder = Path(folder).absolute()
        opening.create(folder, schema or Schema())
        return cls.open(folder)

    @classmethod
    def open(cls, folder: Path, *, read_only: bool = False) -> Project:
        """Open a project, to change it or to look at it only.

        Raises NotFound, ProjectBusy (who has it open), ReadOnly, WrongVersion, Damaged (with the newest backup).
        """
        opened = opening.open_to_read(folder) if read_only else opening.open_to_write(folder)
        try:
            project = opening.offering_backup(opened.folder, lambda: cls(opened))
        except BaseException:
            opened.close()
            raise
        if project._journal is not None:
            opening.tidy_when_idle(opened)
            project._at_exit = _closer(project)
            atexit.register(project._at_exit)
        return project

    # ---- looking ----

    @property
    def schema(self) -> Schema:
        """What can be marked."""
        with self._lock:
            return self._state.schema

    @property
    def instances(self) -> tuple[Instance, ...]:
        """All images and loops, by subject, study, series and number."""
        with self._lock:
            return self._state.instances

    def instance(self, digest: str) -> Instance:
        """One image or loop. Raises NotFound."""
        return self.frame(FrameId(digest, 0)).instance

    def frames(self) -> tuple[Frame, ...]:
        """All frames, in the order of `instances`."""
        with self._lock:
            if self._frames is None:
                self._frames = tuple(frame for instance in self._state.instances for frame in frames_of(instance))
            return self._frames

    def frame(self, frame: FrameId) -> Frame:
        """One frame. Raises NotFound."""
        with self._lock:
            return self._state.frame(frame)

    def mask(self, frame: FrameId, layer: int = 0) -> Mask:
        """One mask layer of a frame, empty where nothing is marked. Raises NotFound, Damaged."""
        with self._lock:
            return self._state.mask(frame, layer)

    def layers(self, frame: FrameId) -> tuple[int, ...]:
        """Layers that hold marks, ascending; empty where nothing is marked."""
        with self._lock:
            return tuple(sorted(self._state.marked.get(frame, ())))

    def annotation(self, frame: FrameId) -> Annotation:
        """A person's decisions on a frame."""
        with self._lock:
            return self._state.annotation(frame)

    def proposal(self, frame: FrameId) -> Proposal | None:
        """What the model says of a frame, or None. Raises Damaged."""
        with self._lock:
            return self._state.proposal(frame)

    def proposer(self, frame: FrameId) -> str | None:
        """Digest of the model that has a proposal on a frame, or None. Costs no reading."""
        with self._lock:
            return self._state.proposed.get(frame)

    def proposed(self) -> dict[FrameId, str]:
        """Frames that have a proposal, and the digest of the model that made it."""
        with self._lock:
            return dict(self._state.proposed)

    def champions(self) -> dict[str, str]:
        """Which model proposes for each exam: digest by exam, models that left the shelf included."""
        with self._lock:
            return dict(self._state.champions)

    def annotated(self) -> tuple[Frame, ...]:
        """Frames that a person has worked on, in the order of `frames`."""
        with self._lock:
            worked = {*self._state.annotations, *self._state.marked}
            if len(worked) * 4 > len(self._state.by_digest):
                return tuple(frame for frame in self.frames() if frame.id in worked)
            sources = {frame.source for frame in worked}
            ordered = (i for i in self._state.instances if i.digest in sources)
            return tuple(frame for instance in ordered for frame in frames_of(instance) if frame.id in worked)

    @property
    def subject_order(self) -> tuple[str, ...]:
        """Subjects in the order in which they joined the project."""
        with self._lock:
            return self._state.subject_order

    def trained_subjects(self, exam: str, *, enhancement: bool = False) -> set[str]:
        """Subjects of the project that a model of this exam was ever trained on; they are never held out again."""
        hashes = self.models.trained_hashes(exam, enhancement=enhancement)
        return {subject for subject in self.subject_order if subject_code(subject) in hashes}

    def source_path(self, instance: Instance) -> Path:
        """Where an instance's file (or its archive) is expected."""
        return self._sources.path(instance)

    def source_state(self, instance: Instance) -> SourceState:
        """Whether the file is there and looks unchanged, by size and time alone; cheap."""
        known = self._opened.reader.read(tables.read_stat, instance.digest)
        return self._sources.state(instance, known)

    # ---- changing ----

    def apply(self, edit: Edit, *, undoable: bool = True) -> Change:
        """Make one change. It is in force when this returns, and on the disk when `saved` says so.

        Proposals are never steps that undo takes back. Raises WrongUsage where the edit starts from what is not so
        (nothing is changed then), ReadOnly, and DiskFull while there is no room.
        """
        return self._commit(edit, undoable=undoable, strictly=True)

    def apply_unchecked(self, edit: Edit) -> Change:
        """As `apply`, for repair: also on frames whose image is not in the project."""
        return self._commit(edit, undoable=True, strictly=False)

    def _commit(self, edit: Edit, *, undoable: bool, strictly: bool) -> Change:
        with self._lock:
            self._may_write()
            kinds = [type(part) for part in tables.parts_of(edit)]
            if not kinds:
                return change_of(edit, self._position)
            edit = frozen_edit(self._state.based(edit))
            step = undoable and any(kind is not SetProposal for kind in kinds)
            self._state.apply(edit, self._position + 1, strictly=strictly)
            entry = self._append(edit, EDIT, undoable=step)
            if step:
                self._history.add(entry)
            return self._changed(edit)

    def undo(self) -> Change | None:
        """Take the newest step back; None where there is none. Raises ReadOnly, DiskFull, Damaged.

        What it changed becomes as it was before the step, also where a quiet edit has touched it since.
        """
        with self._lock:
            self._may_write()
            position = self._history.next_undo
            if position is None:
                return None
            edit = without_proposals(self._history.edit(position)).inverse()
            self._state.apply(edit, self._position + 1, strictly=False)
            self._append(edit, UNDO, of=position)
            self._history.moved_back()
            return self._changed(edit)

    def redo(self) -> Change | None:
        """Make the newest undone step again; None where there is none. Raises as `undo`."""
        with self._lock:
            self._may_write()
            position = self._history.next_redo
            if position is None:
                return None
            edit = without_proposals(self._history.edit(position))
            self._state.apply(edit, self._position + 1, strictly=False)
            self._append(edit, REDO, of=position)
            self._history.moved_on()
            return self._changed(edit)

    @property
    def undo_name(self) -> str | None:
        """Name of the step that undo takes back, e.g. "Brush, Fetal head"; None where there is none."""
        with self._lock:
            return self._history.name_and_frame(self._history.next_undo)[0]

    @property
    def redo_name(self) -> str | None:
        """Name of the step that redo makes again; None where there is none."""
        with self._lock:
            return self._history.name_and_frame(self._history.next_redo)[0]

    @property
    def undo_frame(self) -> FrameId | None:
        """The frame of the step that undo takes back, or None."""
        with self._lock:
            return self._history.name_and_frame(self._history.next_undo)[1]

    @property
    def redo_frame(self) -> FrameId | None:
        """The frame of the step that redo makes again, or None."""
        with self._lock:
            return self._history.name_and_frame(self._history.next_redo)[1]

    def history(self, count: int = 100) -> list[HistoryEntry]:
        """The newest steps, newest first; undone ones on top."""
        with self._lock:
            return self._history.newest(count)

    # ---- saving ----

    @property
    def saved(self) -> Saved:
        """What is on the disk, what waits, and why it must."""
        return Saved(position=self._position) if self._journal is None else self._journal.saved

    def on_saved(self, callback: Callable[[Saved], None]) -> Callable[[], None]:
        """Be told, on the journal's thread, whenever `saved` changes; answers the function that ends it."""
        return (lambda: None) if self._journal is None else self._journal.on_saved(callback)

    def flush(self, timeout_s: float = FLUSH_S) -> None:
        """Wait until every change so far is on the disk. Raises DiskFull or what else keeps it from there."""
        if self._journal is not None:
            self._journal.flush(timeout_s)

    def snapshot(self, frames: Iterable[Frame], folder: Path, pixels_of: Callable[[Frame], Pixels | None]) -> Snapshot:
        """Write the finished ones of these frames as a training folder; see `taking.take`."""
        with self._lock:
            schema, finished = self._state.schema, []
            for frame in frames:
                annotation = self._state.annotation(frame.id)
                if annotation.state in taking.LEARNED:
                    finished.append(taking.Finished(frame, annotation, self._state.mask(frame.id)))
        return taking.take(finished, schema, folder, pixels_of)

    def sample(self, frame: Frame, stem: str, exam: str | None = None) -> tuple[Sample, Ids | None]:
        """A frame as a sample of a snapshot (file name stem), and its mask in layer 0 or None.

        With `exam`, marks outside of that group's schema are left out.
        """
        with self._lock:
            schema = self._state.schema if exam is None else self._state.schema.for_exam(exam)
            finished = taking.Finished(frame, self._state.annotation(frame.id), self._state.mask(frame.id))
        return taking.sample_of(finished, schema, stem)

    def verify_source(self, instance: Instance) -> SourceState:
        """Like `source_state`, but reads the file: one that was only copied or touched counts as unchanged again.

        Not for the window's thread. An entry of an archive cannot be told by its archive: size and time count.
        """
        state = self.source_state(instance)
        if state != "changed" or instance.member:
            return state
        same, stat = self._sources.compare(instance)
        if not same or stat is None:
            return "changed"
        if self._journal is not None:
            self._journal.run(lambda store: _note_stat(store, instance.digest, stat))
        return "ok"

    def on_reader(self, question: Callable[Concatenate[Store, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The answer of a function that reads what is on the disk (flushed first), for checks."""
        self.flush()
        return question(self._opened.reader, *args, **kwargs)

    def compact(self) -> None:
        """Give back the space that project.db no longer needs. Raises DiskFull, ReadOnly."""
        self._writing().run(_vacuum, timeout_s=3600.0)

    def close(self, timeout_s: float = FLUSH_S, *, discard: bool = False) -> None:
        """Save what waits and let the project go. Closing twice is no error.

        Raises what keeps changes from the disk, the project staying open; with `discard` it closes all the same.
        """
        if self._closed:
            return
        try:
            self.flush(timeout_s)
        except StudioError:
            if not discard:
                raise
        with self._lock:
            if self._closed:
                return
            self._closed = True
        atexit.unregister(self._at_exit)
        self._opened.close()

    def __enter__(self) -> Project:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            self.close()
        except StudioError:
            self.close(0, discard=True)
            if error is None:
                raise

    # ---- within ----

    def _append(self, edit: Edit, kind: str, *, undoable: bool = False, of: int | None = None) -> Entry:
        self._position += 1
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        entry = Entry(position=self._position, edit=edit, time=time, kind=kind, undoable=undoable, of=of)
        self._writing().append(entry)
        return entry

    def _changed(self, edit: Edit) -> Change:
        change = change_of(edit, self._position)
        if "instances" in change.kinds:
            self._frames = None
        return change

    def _may_write(self) -> None:
        error = self._writing().saved.error
        if error is not None:
            raise error

    def _writing(self) -> Journal:
        if self._closed:
            raise ReadOnly("The project cannot be changed", "it is closed")
        if self._journal is None:
            raise ReadOnly("The project can only be looked at", self.read_only_reason)
        return self._journal

    def _saved_position(self) -> int:
        return 1 << 62 if self._journal is None else self._journal.saved_position()


def _note_stat(store: Store, digest: str, stat: tuple[int, int]) -> None:
    with store.transaction() as connection:
        connection.execute("UPDATE instances SET size = ?, mtime_ns = ? WHERE digest = ?", (*stat, digest))


def _vacuum(store: Store) -> None:
    with store.lock:
        store.connection.execute("VACUUM")
    store.checkpoint("TRUNCATE")


def _closer(project: Project) -> Callable[[], None]:
    """A process that ends without closing still writes what waits."""
    reference = weakref.ref(project)

    def close() -> None:
        held = reference()
        if held is not None:
            with suppress(StudioError):
                held.close(5.0, discard=True)

    return close
