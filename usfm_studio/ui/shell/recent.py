"""The open project as the first page will show it among the recent ones."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import datetime
from itertools import islice
from pathlib import Path

from usfm_studio.ui.session import Session
from usfm_studio.ui.shell.settings import Recent

LOOKED_AT = 32
"""Names in the cache that are looked at, at most: it may hold one for each of many thousand frames."""


def recent_of(session: Session, known: Iterable[Recent] = ()) -> Recent | None:
    """The open project; None without one. It keeps the picture that it has among the `known` ones."""
    project = session.project
    if project is None:
        return None
    states = [str(item.state) for item in session.navigation.items]
    return Recent(
        folder=str(project.folder),
        name=project.folder.name,
        opened=f"{datetime.now():%Y-%m-%dT%H:%M:%S}",
        items=len(states),
        done=sum(state in ("done", "nothing") for state in states),
        flagged=states.count("flagged"),
        picture=_known_picture(str(project.folder), known) or _picture_of(project.folder),
    )


def _known_picture(folder: str, known: Iterable[Recent]) -> str:
    found = next((recent.picture for recent in known if recent.folder == folder), "")
    return found if found and Path(found).is_file() else ""


def _picture_of(folder: Path) -> str:
    """A thumbnail that the reader has made; empty where there is none among the first names."""
    try:
        with os.scandir(folder / "cache" / "thumbnails") as entries:
            return next((entry.path for entry in islice(entries, LOOKED_AT) if entry.name.endswith(".jpg")), "")
    except OSError:
        return ""
