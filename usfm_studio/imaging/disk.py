"""Writing in the reader: what the disk reports, in a clinician's words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from usfm_studio.document.disk_trouble import is_full, told

__all__ = ["is_full", "translated"]


@contextmanager
def translated(what: str) -> Iterator[None]:
    """File system errors in a clinician's words. `what` says what could not be done."""
    try:
        yield
    except OSError as error:
        raise told(error, what) from error
