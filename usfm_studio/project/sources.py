"""The files that a project refers to: are they still there, and still the same? Originals are never written to."""

from __future__ import annotations

import stat as modes
from pathlib import Path
from typing import Literal

from usfm_studio.document.frame import Instance
from usfm_studio.project.files import digest_of
from usfm_studio.project.tables import Stat

SourceState = Literal["ok", "missing", "changed"]


class Sources:
    """Sources seen from one project's folder; relative paths are files that were copied in."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, instance: Instance) -> Path:
        """Where the file (or the archive that holds it) is."""
        return self._folder / instance.path

    def stat(self, path: str) -> Stat:
        """Size and time of change; None when the file is not there or cannot be asked."""
        try:
            found = (self._folder / path).stat()
        except (OSError, ValueError):
            return None
        return (found.st_size, found.st_mtime_ns) if modes.S_ISREG(found.st_mode) else None

    def state(self, instance: Instance, known: Stat) -> SourceState:
        """By size and time of change alone: cheap enough for the window. `known` is what was recorded, or None."""
        now = self.stat(instance.path)
        if now is None:
            return "missing"
        return "ok" if known is None or known == now else "changed"

    def compare(self, instance: Instance) -> tuple[bool, Stat]:
        """Read the file: whether its bytes are still those of the digest, and its size and time as they were read."""
        stat = self.stat(instance.path)
        try:
            return digest_of(self.path(instance)) == instance.digest, stat
        except OSError:
            return False, None
