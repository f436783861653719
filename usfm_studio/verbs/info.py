"""`info`: what each file holds, without decoding a picture."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from queue import SimpleQueue
from typing import Any

from usfm_studio.children.ticket import Body, Ticket
from usfm_studio.document.errors import StudioError
from usfm_studio.imaging.description import FileDescription, descriptions_from, with_clashes
from usfm_studio.imaging.walk import Found
from usfm_studio.verbs.house import House
from usfm_studio.verbs.steps import Event, Steps, answer, progress

GROUP = 200
"""Files that are asked for together; while one group is read, the next one waits with the readers."""
AHEAD = 2

Take = Callable[[Sequence[FileDescription]], Iterable[Event]]


@dataclass(frozen=True, slots=True, kw_only=True)
class InfoArguments:
    """Files, folders, zips or DICOMDIRs."""

    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class InfoResult:
    """One entry a file, fields as in the command line's contract."""

    files: list[dict[str, Any]]

    @property
    def partial(self) -> bool:
        """True where some file could not be read."""
        return any(not file["ok"] for file in self.files)


def run(arguments: InfoArguments, house: House) -> Steps[InfoResult]:
    """Describe everything under the paths."""
    described: list[FileDescription] = []

    def take(files: Sequence[FileDescription]) -> Iterable[Event]:
        described.extend(files)
        return ()

    yield from describe(house, arguments.paths, take, digest=False)
    return InfoResult(files=[d.to_info() for d in with_clashes(described)])


def describe(house: House, paths: Sequence[str], take: Take, *, digest: bool) -> Steps[None]:
    """Hand one outcome a file below the paths to `take`, group by group in order; it answers with events to show.

    `digest` also gives each file its instance's digest. Where the reading ends early (Interrupted, or a reader that
    does not stay up), `take` gets what had been read, and the error goes on.
    """
    yield progress(0, 0, "Looking for files")
    found, failed = yield from _find(house, paths)
    reading = _Reading(house, found, digest)
    try:
        while reading.go_on():
            files = descriptions_from((yield from answer(reading.first, reading.events)))
            reading.done()
            yield from take(files)
    except StudioError:
        yield from take(reading.left_over())
        raise
    finally:
        reading.stop()
    yield from take([FileDescription(path=f["path"], error=f["error"]) for f in failed])


def _find(house: House, paths: Sequence[str]) -> Steps[tuple[list[Found], list[Body]]]:
    events: SimpleQueue[Event] = SimpleQueue()
    counts: list[int] = []

    def part(body: Body) -> None:
        counts.append(len(body["found"]))
        events.put(progress(0, sum(counts), "Looking for files"))

    wanted = [os.path.abspath(path) for path in paths]  # noqa: PTH100 - keeps what it does not understand as it is
    body = yield from answer(house.reader.find(wanted, on_part=part), events)
    return [Found(**item) for item in body["found"]], body["failed"]


class _Reading:
    """Groups of files in the readers' hands, oldest first. Parts come on the readers' threads."""

    def __init__(self, house: House, files: Sequence[Found], digest: bool) -> None:
        self._house, self._digest, self._total = house, digest, len(files)
        self._groups = _grouped(files)
        self._asked: deque[tuple[Ticket, list[FileDescription]]] = deque()
        self._counts: list[int] = []
        self.events: SimpleQueue[Event] = SimpleQueue()

    @property
    def first(self) -> Ticket:
        """The group that was asked for first."""
        return self._asked[0][0]

    def go_on(self) -> bool:
        """Keep the readers busy; False when everything has been read."""
        while len(self._asked) < AHEAD and (group := next(self._groups, None)):
            self._ask(group)
        return bool(self._asked)

    def done(self) -> None:
        """The first group has been taken."""
        self._asked.popleft()

    def left_over(self) -> list[FileDescription]:
        """What has been read of groups that have not been taken."""
        return [description for _, parts in self._asked for description in list(parts)]

    def stop(self) -> None:
        """Take back what is still asked for."""
        for ticket, _ in self._asked:
            ticket.cancel()

    def _ask(self, group: Sequence[Found]) -> None:
        parts: list[FileDescription] = []

        def part(files: list[FileDescription]) -> None:
            parts.extend(files)
            self._counts.append(len(files))
            self.events.put(progress(sum(self._counts), self._total, "Reading files"))

        self._asked.append((self._house.reader.describe(group, digest=self._digest, on_part=part), parts))


def _grouped(files: Sequence[Found]) -> Iterator[list[Found]]:
    rest = iter(files)
    while group := list(islice(rest, GROUP)):
        yield group
