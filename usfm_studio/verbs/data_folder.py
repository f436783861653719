"""A DATA folder, read into the form that the worker learns from and scores on."""

from __future__ import annotations

from pathlib import Path
from queue import SimpleQueue
from typing import Any

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
