"""Projects are opened, made and closed off the window's thread: an fsync on a busy disk takes as long as it takes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from time import monotonic

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from usfm_studio.document.errors import ProjectBusy, ReadOnly, StudioError
from usfm_studio.document.frame import FrameId
from usfm_studio.project.project import Project
from usfm_studio.ui.items import items_of
from usfm_studio.ui.job import hands, in_words
from usfm_studio.ui.parts import Whole
from usfm_studio.ui.place import read_place, write_place
from usfm_studio.ui.readiness import Done, done_in
from usfm_studio.ui.state import Item, Notice
from usfm_studio.verbs.runs import InterruptedRun, interrupted_runs

LOG = logging.getLogger(__name__)
FLUSH_S = 2.0
LAST_S = 2.0
"""At most so long is waited for the disk, and then for the children: a signal leaves five seconds for everything."""
PLACE_MS = 400

Make = Callable[[Path], Project]
Then = Callable[[], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedProject:
    """A project and what the window shows of it first, made ready off its thread."""

    project: Project
    items: tuple[Item, ...]
    place: FrameId | None
    notices: tuple[Notice, ...]
    interrupted: tuple[InterruptedRun, ...]
    done: dict[FrameId, Done]


@dataclass(slots=True)
class _Wish:
    """A project that is on its way. One that is `dropped` is closed again, in the thread that has opened it."""

    folder: Path
    then: list[Then]
    dropped: bool = False
    answer: Future[OpenedProject | None] | None = None

    def work(self, make: Make) -> OpenedProject | None:
        if self.dropped:
            return None
        opened = open_project(self.folder, make)
        if not self.dropped:
            return opened
        _close(opened.project)
        return None


class Opening(QObject):
    """One project at a time. The newest wish counts; a project that comes too late is closed again.

    `take` shows a project that was opened, `let_go` forgets the one that is about to be closed.
    """

    _answered = Signal(object)  # _Wish

    def __init__(self, session: Whole, take: Callable[[OpenedProject], None], let_go: Callable[[], None]) -> None:
        super().__init__()
        self._session, self._take, self._let_go = session, take, let_go
        self._wish: _Wish | None = None
        self._closing: Future[None] | None = None
        self._kept: FrameId | None = None
        self._answered.connect(self._on_answered, Qt.ConnectionType.QueuedConnection)
        self._note = QTimer(self)
        self._note.setSingleShot(True)
        self._note.setInterval(PLACE_MS)
        self._note.timeout.connect(self.keep_place)
        session.current_changed.connect(self._on_current)

    @property
    def busy(self) -> bool:
        """True while a project is on its way."""
        return self._wish is not None

    def open(self, folder: Path, make: Make = Project.create, then: Then = lambda: None) -> None:
        """Open the project in this folder, or make it with `make`; `then` is called when it is shown.

        Where it cannot be opened the person is told why, and what was open before stays open.
        """
        folder = folder.absolute()
        held = self._session.project
        if self._wish is not None and self._wish.folder == folder:
            self._wish.then.append(then)
            return
        self._drop_wish()
        if held is not None and held.folder == folder:
            then()
            return
        self._wish = wish = _Wish(folder, [then])
        wish.answer = hands().submit(wish.work, make)
        wish.answer.add_done_callback(lambda _answer: self._tell(wish))

    def close(self, *, discard: bool = False) -> bool:
        """Write what waits and let the project go. False, and all stays, where something cannot be written.

        With `discard` it goes all the same.
        """
        session, project = self._session, self._session.project
        self._drop_wish()
        if project is None:
            return True
        session.closing.emit()
        try:
            project.flush(FLUSH_S)
        except StudioError as error:
            if not discard:
                session.tell(error)
                return False
        self._leave(project)
        return True

    def flush(self) -> None:
        """The session of the computer may end at any moment: write what waits."""
        project = self._session.project
        if project is not None:
            with suppress(StudioError):
                project.flush(FLUSH_S)

    def wait(self, seconds: float) -> bool:
        """Wait until what was closed is closed; False when that takes longer."""
        closing = self._closing
        if closing is not None:
            with suppress(TimeoutError, StudioError):
                closing.result(seconds)
        return closing is None or closing.done()

    def shut_down(self) -> None:
        """End the children and wait for what was closed, neither for long: what is left ends with this process."""
        until = monotonic() + LAST_S
        last_acts = Thread(target=self._session.house.close, name="last acts", daemon=True)
        last_acts.start()
        self.wait(LAST_S)
        last_acts.join(max(0.0, until - monotonic()))

    def keep_place(self) -> None:
        """Remember the frame in view."""
        project, current = self._session.project, self._session.current
        if project is None or current is None or project.read_only or current.id == self._kept:
            return
        self._kept = current.id
        hands().submit(write_place, project.folder, current.id)

    def _leave(self, project: Project) -> None:
        if self._note.isActive():
            self._note.stop()
            self.keep_place()
        self._kept = None
        self._let_go()
        self._closing = hands().submit(_close, project)

    def _on_current(self) -> None:
        if not self._note.isActive():
            self._note.start()

    def _drop_wish(self) -> None:
        if self._wish is not None:
            self._wish.dropped = True
            self._wish = None

    def _tell(self, wish: _Wish) -> None:
        try:
            self._answered.emit(wish)
        except RuntimeError:
            _close_late(wish)  # the window is gone

    def _on_answered(self, wish: _Wish) -> None:
        if wish is not self._wish or wish.answer is None:
            _close_late(wish)
            return
        self._wish = None
        error = wish.answer.exception(timeout=0)
        if error is not None:
            self._session.tell(in_words(error))
            return
        opened = wish.answer.result(timeout=0)
        if opened is None or not self.close():
            _close_late(wish)
            return
        self._take(opened)
        for then in wish.then:
            then()


def open_project(folder: Path, make: Make) -> OpenedProject:
    """The project in a folder, to be changed if possible, else to be looked at. Raises StudioError, OSError."""
    notices: list[Notice] = []
    project = _opened(folder, make, notices)
    try:
        notices += [Notice(kind="warning", title=title, text=text) for title, text in map(_split, project.notices)]
        return OpenedProject(
            project=project,
            items=items_of(project),
            place=read_place(folder),
            notices=tuple(notices),
            interrupted=tuple(() if project.read_only else interrupted_runs(project)),
            done=done_in(project),
        )
    except BaseException:
        project.close(0, discard=True)
        raise


def _opened(folder: Path, make: Make, notices: list[Notice]) -> Project:
    if not (folder / "project.db").exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        return make(folder)
    try:
        return Project.open(folder)
    except ProjectBusy as busy:
        text = f"{busy.why}. Here it is open to look at only."
        notices.append(Notice(kind="warning", title=busy.what, text=text, key="readonly"))
    except ReadOnly as locked:
        text = f"{locked.why}. You can look but not change."
        notices.append(Notice(kind="warning", title=locked.what, text=text, key="readonly"))
    return Project.open(folder, read_only=True)


def _split(notice: str) -> tuple[str, str]:
    """A project's notice as title and text."""
    title, _, text = notice.partition(": ")
    return title.rstrip("."), text


def _close(project: Project) -> None:
    began = monotonic()
    try:
        project.close(FLUSH_S, discard=True)
    except Exception:
        LOG.exception("a project did not close cleanly", extra={"seconds": round(monotonic() - began, 1)})


def _close_late(wish: _Wish) -> None:
    """Close what a wish has opened and nobody wants any more; closing twice is no error."""
    if wish.answer is not None and wish.answer.done() and wish.answer.exception() is None:
        opened = wish.answer.result()
        if opened is not None:
            hands().submit(_close, opened.project)
