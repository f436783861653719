"""16 MB that are kept full, so that a stroke can still be written when the disk is.

While a disk is full, SQLite cannot even delete; dropping this file makes room at once (measured).
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from usfm_studio.project import faults
from usfm_studio.project.files import beside, sync_file

NAME = "ballast"
BALLAST_BYTES = 16 << 20
MARGIN_BYTES = 2 << 20


class Ballast:
    """The file in one project's folder."""

    def __init__(self, folder: Path, size_bytes: int = BALLAST_BYTES) -> None:
        self.path = folder / NAME
        self.size_bytes = size_bytes

    @property
    def is_there(self) -> bool:
        """True while the room is held."""
        return self.path.exists()

    def make(self) -> None:
        """Take the room. Raises OSError; nothing is left then."""
        temporary = beside(self.path)
        try:
            with temporary.open("xb") as file:
                faults.step("write")
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(file.fileno(), 0, self.size_bytes)
                else:
                    for _ in range(self.size_bytes >> 20):
                        file.write(os.urandom(1 << 20))
                sync_file(file)
            temporary.replace(self.path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def make_if_room(self) -> bool:
        """Take the room again when there is enough beyond it; True when it is held."""
        try:
            if not self.is_there:
                if shutil.disk_usage(self.path.parent).free < self.size_bytes + MARGIN_BYTES:
                    return False
                self.make()
        except OSError:
            return False
        return True

    def drop(self) -> bool:
        """Give the room; True when there was some."""
        try:
            self.path.unlink()
        except OSError:
            return False
        return True
