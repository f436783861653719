"""The rooms of the program. What is not shown at the start is imported when it is made."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from usfm_studio.ui.session import Session
from usfm_studio.ui.shell.rooms import Rooms
from usfm_studio.ui.work_canvas import work_canvas
from usfm_studio.ui.worklist.filmstrip import Filmstrip
from usfm_studio.ui.worklist.thumbnails import Thumbnails


def furnished() -> Rooms:
    """All rooms, for one session; the parts that show small pictures share them."""
    pictures = _Pictures()
    return Rooms(
        canvas=work_canvas,
        inspector=lambda session: _inspector(session, pictures.of(session)),
        filmstrip=lambda session: Filmstrip(session, pictures.of(session)),
        timeline=_timeline,
        worklist=lambda session: _worklist(session, pictures.of(session)),
        learn=_learn,
        verdict=_verdict,
        files=lambda session: _files(session, pictures.of(session)),
    )


class _Pictures:
    """The small pictures, made at first use."""

    def __init__(self) -> None:
        self._made: Thumbnails | None = None

    def of(self, session: Session) -> Thumbnails:
        if self._made is None:
            self._made = Thumbnails(session)
        return self._made


def _inspector(session: Session, pictures: Thumbnails) -> QWidget:
    from usfm_studio.ui.review.inspector import Inspector

    return Inspector(session, pictures)


def _timeline(session: Session) -> QWidget:
    from usfm_studio.ui.worklist.timeline import Timeline

    return Timeline(session)


def _worklist(session: Session, pictures: Thumbnails) -> QWidget:
    from usfm_studio.ui.worklist.drawer import Drawer

    return Drawer(session, pictures)


def _learn(session: Session) -> QWidget:
    from usfm_studio.ui.training.learn_page import LearnPage

    return LearnPage(session)


def _verdict(session: Session) -> QWidget:
    from usfm_studio.ui.training.verdict_page import VerdictPage

    return VerdictPage(session)


def _files(session: Session, pictures: Thumbnails) -> QWidget:
    from usfm_studio.ui.worklist.import_page import ImportPage

    return ImportPage(session, pictures)
