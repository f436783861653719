"""What the parts of the session need of it. The session knows its parts; a part knows no more than this of the session.

Where a part needs another part, the session hands it over when it makes them (`session.py` holds the order).
"""

from __future__ import annotations

from typing import Protocol

from PySide6.QtCore import SignalInstance

from usfm_studio.document.annotation import Annotation
from usfm_studio.document.edit import Change, Edit
from usfm_studio.document.frame import Frame, Instance
from usfm_studio.document.schema import Schema
from usfm_studio.project.project import Project
from usfm_studio.verbs.house import House
from usfm_studio.verbs.review import ProposedFrame


class News(Protocol):
    """What the session announces."""

    @property
    def closing(self) -> SignalInstance:
        """The project is about to be written and closed."""
        ...

    @property
    def changed(self) -> SignalInstance:
        """The project was changed; carries the Change."""
        ...

    @property
    def current_changed(self) -> SignalInstance:
        """Another frame is in view, or rows of the worklist are others."""
        ...

    @property
    def pixels_changed(self) -> SignalInstance:
        """The pixels in view came or went."""
        ...

    @property
    def saved_changed(self) -> SignalInstance:
        """What is on the disk."""
        ...

    @property
    def engine_changed(self) -> SignalInstance:
        """Where the engine stands."""
        ...

    @property
    def training_changed(self) -> SignalInstance:
        """Runs, models, and what could be learned from."""
        ...

    @property
    def import_changed(self) -> SignalInstance:
        """Files coming in."""
        ...

    @property
    def play_changed(self) -> SignalInstance:
        """Playing began or ended, or goes at another rate."""
        ...

    @property
    def notice(self) -> SignalInstance:
        """Words for the person; carries the Notice."""
        ...

    @property
    def settled(self) -> SignalInstance:
        """A trouble is over; carries the key of its notice."""
        ...


class Whole(News, Protocol):
    """The session as its parts see it."""

    house: House
    segment: int

    @property
    def project(self) -> Project | None:
        """The open project, or None."""
        ...

    @property
    def read_only(self) -> bool:
        """True where nothing can be changed."""
        ...

    @property
    def current(self) -> Frame | None:
        """The frame in view."""
        ...

    @property
    def instance(self) -> Instance | None:
        """The file in view."""
        ...

    @property
    def exam(self) -> str:
        """The exam group of the frame in view."""
        ...

    @property
    def schema(self) -> Schema:
        """What can be marked on the frame in view."""
        ...

    @property
    def annotation(self) -> Annotation:
        """The person's decisions on the frame in view."""
        ...

    @property
    def proposed(self) -> ProposedFrame | None:
        """What is proposed for the frame in view and not decided."""
        ...

    def commit(self, edit: Edit | None) -> Change | None:
        """The one door for changes."""
        ...

    def announce(self, change: Change) -> None:
        """Tell of a change that a verb has applied."""
        ...

    def select_segment(self, value: int) -> None:
        """Choose what the tools paint."""
        ...

    def tell(self, error: BaseException) -> None:
        """An error as one quiet line."""
        ...
