"""Values kept in memory up to a number of bytes; those not on disk yet are never let go."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Cache(Generic[K, V]):
    """Least recently used goes first. `saved` answers the journal position that is on disk."""

    def __init__(self, limit_bytes: int, saved: Callable[[], int]) -> None:
        self.limit_bytes = limit_bytes
        self.held_bytes = 0
        self._saved = saved
        self._items: OrderedDict[K, tuple[V, int, int]] = OrderedDict()  # value, bytes, position

    def __contains__(self, key: K) -> bool:
        return key in self._items

    def get(self, key: K) -> V | None:
        """The value, or None where it is not in memory."""
        item = self._items.get(key)
        if item is None:
            return None
        self._items.move_to_end(key)
        return item[0]

    def put(self, key: K, value: V, cost_bytes: int, position: int = 0) -> None:
        """Keep a value that the journal entry at `position` made (0: it came from the disk)."""
        self.drop(key)
        self._items[key] = (value, cost_bytes, position)
        self.held_bytes += cost_bytes
        if self.held_bytes > self.limit_bytes:
            self._trim()

    def drop(self, key: K) -> None:
        """Let go of one value."""
        item = self._items.pop(key, None)
        if item is not None:
            self.held_bytes -= item[1]

    def _trim(self) -> None:
        saved, newest = self._saved(), next(reversed(self._items))
        for key, (_, cost, position) in list(self._items.items()):
            if self.held_bytes <= self.limit_bytes:
                return
            if position <= saved and key != newest:
                del self._items[key]
                self.held_bytes -= cost
