"""Where the person was: kept in the project's cache, so that a project reopens there after any end of the program."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import msgspec

from usfm_studio.document.frame import FrameId

CACHE = "cache"
FILE = "place.json"


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """The frame that was in view, as `DIGEST#INDEX`."""

    frame: str


def read_place(folder: Path) -> FrameId | None:
    """The frame that was last in view in the project of this folder; None where that is not known."""
    try:
        place = msgspec.json.decode((folder / CACHE / FILE).read_bytes(), type=Place)
        return FrameId.parse(place.frame)
    except (OSError, ValueError):
        return None


def write_place(folder: Path, frame: FrameId) -> None:
    """Keep the frame in view, whole or not at all. Not being able to is no trouble: it is only a convenience."""
    beside = folder / CACHE / f"{FILE}.tmp"
    with suppress(OSError):
        beside.parent.mkdir(exist_ok=True)
        beside.write_bytes(msgspec.json.encode(Place(frame=frame.key)))
        beside.replace(folder / CACHE / FILE)
