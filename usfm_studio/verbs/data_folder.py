"""A DATA folder, read into the form that the worker learns from and scores on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from usfm_studio.document.errors import StudioError
from usfm_studio.verbs.house import House
from usfm_studio.verbs.steps import Event, Failure, Steps, answer, progress


def read(house: House, data: Path, snapshot: Path) -> Steps[list[Failure]]:
    """Let the reader convert the folder, telling how far it is; answers what could not be read.

    Raises NotFound, WrongUsage (a schema with equal names), Unreadable.
    """
    events: SimpleQueue[Event] = SimpleQueue()

    def tell(body: dict[str, Any]) -> None:
        events.put(progress(int(body["done"]), int(body["total"]), "Reading images"))

    yield progress(0, 0, "Reading images")
    body = yield from answer(house.reader.data_folder_to_snapshot(data.absolute(), snapshot, on_progress=tell), events)
    return [Failure(path=item["path"], error=item["error"]) for item in body.get("failed", [])]


def naming(failed: Sequence[Failure], error: StudioError) -> StudioError:
    """The error with what was left out of the folder: it may be all that there was to learn from or to score."""
    if not failed:
        return error
    many = f"{len(failed)} things in the folder were left out, first: " if len(failed) > 1 else "left out was: "
    return type(error)(error.what, f"{error.why}; {many}{failed[0].error}", error.hint)
