"""A child's two pipes to its parent, taken away from stdin and stdout.

After that, whatever a library prints goes to stderr (which the parent drains) and cannot spoil the channel.
"""

from __future__ import annotations

import os
import sys

from usfm_studio.children.channel import Channel
from usfm_studio.children.limits import Settings

_taken: tuple[Channel, Settings] | None = None


def take(settings: Settings | None = None) -> tuple[Channel, Settings]:
    """The channel to the parent and the settings it gave; the same for every call in a process."""
    global _taken
    if _taken is None:
        sys.stdout.flush()
        read_fd, write_fd = os.dup(0), os.dup(1)  # dup makes them close-on-exec
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)
        _taken = Channel(read_fd, write_fd), settings or Settings()
    return _taken
