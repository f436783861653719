"""Keys that act while they are held: a short press is a tap, a longer one a hold."""

from __future__ import annotations

import time
from collections.abc import Callable

TAP_S = 0.25


class Momentary:
    """Tells taps from holds; `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: dict[int, float] = {}
        self._used: set[int] = set()

    def press(self, key: int) -> bool:
        """The key goes down; True unless it was down already."""
        fresh = key not in self._since
        if fresh:
            self._since[key] = self._clock()
        return fresh

    def used(self, key: int) -> None:
        """Something was done with the key held: however short, it was not a tap."""
        if key in self._since:
            self._used.add(key)

    def release(self, key: int) -> bool:
        """The key comes up; True when it was a tap."""
        since = self._since.pop(key, None)
        used = key in self._used
        self._used.discard(key)
        return since is not None and not used and self._clock() - since < TAP_S

    def held(self, key: int) -> bool:
        """True while it is down."""
        return key in self._since

    def forget(self) -> None:
        """Nothing is held any more (the focus went)."""
        self._since.clear()
        self._used.clear()
