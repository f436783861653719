"""Pixels of a project's frames for a verb: asked for ahead, one outcome a frame, given back when nobody needs them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from usfm_studio.children.ticket import Ticket
from usfm_studio.document.errors import Interrupted, StudioError, Unreadable
from usfm_studio.document.frame import Frame, Instance
from usfm_studio.imaging.client import DecodedFrame
from usfm_studio.project.project import Project
from usfm_studio.verbs.house import House
from usfm_studio.verbs.steps import Apart, Await, Steps

Outcome = DecodedFrame | StudioError


class Sources:
    """The files behind a project's frames, each looked at once a run: is it there, and still the one that was added?"""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._known: dict[str, Unreadable | None] = {}

    def trouble(self, instance: Instance) -> Steps[Unreadable | None]:
        """Why the file must not be read in place of the one that was added; None where all is well."""
        if instance.digest not in self._known:
            state = yield Apart(lambda: self._project.verify_source(instance))
            self._known[instance.digest] = _in_words(instance, state)
        return self._known[instance.digest]


def read(house: House, frames: Sequence[Frame], sources: Sources | None = None) -> Steps[list[Outcome]]:
    """One outcome a frame, in their order. The caller gives the pixels back (`give_back`).

    With `sources`, files that are gone or changed are not read. Raises Interrupted; nothing is held then.
    """
    tickets: list[Ticket] = []
    outcomes: list[Outcome] = []
    try:
        troubles: list[Unreadable | None] = []
        for frame in frames:
            trouble = (yield from sources.trouble(frame.instance)) if sources is not None else None
            troubles.append(trouble)
            if trouble is None:
                tickets.append(house.reader.pixels(located(house, frame.instance), frame.index))
        waiting = iter(tickets)
        for trouble in troubles:
            outcomes.append(trouble if trouble is not None else (yield from _outcome(next(waiting))))
    except BaseException:
        _let_go(house, tickets)
        raise
    return outcomes


def located(house: House, instance: Instance) -> Instance:
    """The instance with its file's full path: a file that was copied into the project is named relative to it."""
    project = house.opened
    if project is None or Path(instance.path).is_absolute():
        return instance
    return replace(instance, path=str(project.source_path(instance)))


def shown(frame: Frame) -> str:
    """A frame as the contract names it: its file's path, with `#N` behind it where the file has several."""
    instance = frame.instance
    path = f"{instance.path}/{instance.member}" if instance.member else instance.path
    return f"{path}#{frame.index}" if instance.frames > 1 else path


def give_back(house: House, outcomes: Iterable[Outcome]) -> None:
    """The pixels are no longer needed by anyone."""
    for outcome in outcomes:
        if isinstance(outcome, DecodedFrame):
            house.reader.release(outcome)


def _outcome(ticket: Ticket) -> Steps[Outcome]:
    try:
        decoded: DecodedFrame = yield Await(ticket)
    except Interrupted:
        raise
    except StudioError as error:
        return error
    return decoded


def _let_go(house: House, tickets: Iterable[Ticket]) -> None:
    for ticket in tickets:
        if not ticket.done():
            ticket.cancel()
            ticket.add_done_callback(lambda done: _release(house, done))
        else:
            _release(house, ticket)


def _release(house: House, ticket: object) -> None:
    assert isinstance(ticket, Ticket)
    with suppress(StudioError):
        decoded: object = ticket.result()
        if isinstance(decoded, DecodedFrame):
            house.reader.release(decoded)


def _in_words(instance: Instance, state: str) -> Unreadable | None:
    what = f"Could not read {instance.name or 'the image'}"
    if state == "missing":
        return Unreadable(what, "it is not where it was when it was added", "Add it again from its new place.")
    if state == "changed":
        return Unreadable(what, "it has changed since it was added", "Add the changed file as a new one.")
    return None
