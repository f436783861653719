"""`info`: what each file holds, without decoding a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from usfm_studio.imaging.client import descriptions_from
from usfm_studio.imaging.description import FileDescription
from usfm_studio.verbs.house import House
from usfm_studio.verbs.steps import Await, Steps, progress


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


CHUNK = 50


def describe(house: House, paths: tuple[str, ...], described: list[FileDescription], *, digest: bool) -> Steps[None]:
    """Fill `described` with one outcome a file below the paths; `digest` also gives each its instance."""
    found = yield Await(house.reader.walk(list(paths)))
    described.extend(found.failed)
    total = len(found.files)
    for start in range(0, total, CHUNK):
        chunk = found.files[start : start + CHUNK]
        body = yield Await(house.reader.describe(chunk, digest=digest))
        described.extend(descriptions_from(body))
        yield progress(min(total, start + CHUNK), total, "Reading files")
