"""A file that one process at a time holds; the system lets it go when that process ends, however it ends."""

from __future__ import annotations

import sys
from typing import IO

if sys.platform == "win32":
    import msvcrt

    def take(file: IO[bytes]) -> bool:
        """Hold the open file until it is closed; False, at once, where another process holds it. Raises OSError."""
        try:
            file.seek(1 << 30)  # beyond any text in it, which others must be able to read
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def take(file: IO[bytes]) -> bool:
        """Hold the open file until it is closed; False, at once, where another process holds it. Raises OSError."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
