"""`info`: what each file holds, without decoding a picture."""

from __future__ import annotations

import os
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

from usfm_studio.imaging.client import survey_from
from usfm_studio.imaging.description import FileDescription
from usfm_studio.verbs.house import House
from usfm_studio.verbs.steps import Await, Event, Steps, progress


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
    """Describe everything under the paths, in chunks."""
    described: list[FileDescription] = []
    yield from describe(house, arguments.paths, described, digest=False)
    return InfoResult(files=[d.to_info() for d in described])


def describe(house: House, paths: tuple[str, ...], described: list[FileDescription], *, digest: bool) -> Steps[None]:
    """Fill `described` with one outcome a file below the paths; `digest` also gives each its instance.

    It fills as answers come, so that an interrupted reading leaves what it has seen.
    """
    events: SimpleQueue[Event] = SimpleQueue()

    def part(files: list[FileDescription], total: int) -> None:
        described.extend(files)
        events.put(progress(len(described), total, "Reading files"))

    wanted = [os.path.abspath(path) for path in paths]  # noqa: PTH100 - keeps what it does not understand as it is
    ticket = house.reader.survey(wanted, digest=digest, on_part=part)
    try:
        survey = survey_from((yield Await(ticket, events)))
    finally:
        ticket.cancel()
    described[:] = [*survey.files, *(_never_opened(failure) for failure in survey.failed)]


def _never_opened(failure: dict[str, str]) -> FileDescription:
    return FileDescription(path=failure["path"], error=failure["error"])
