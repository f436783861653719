"""What a child is: which module, with which limits, and how its deaths are taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from usfm_studio.children.limits import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """A child's description.

    `module` is run as `__main__` and calls `serve`. `title` names it to people ("The reader", at the beginning of a
    sentence). `retry`: how often a request during whose run the child died is tried again on the next process; with 0
    the request is blamed for the death (the next process starts at once and the death is not counted), else the child.
    `restarts`: deaths in a row after which it stays away; with 0 no process follows the first one. `spare` keeps a
    second process warm, so that the next request need not wait for a start. `recycle`: answers after which a process
    makes room for a fresh one. `heartbeat_s`: interval; dead after 5 without one. `start_s`: time for the imports.
    `cancel_s`: time to give up a cancelled request before the process is ended.
    """

    module: str
    title: str = "A helper process"
    nice: int = 0
    memory_bytes: int | None = None
    seconds_per_request: float | None = None
    heartbeat_s: float | None = 1.0
    restarts: int = 5
    retry: int = 1
    spare: bool = False
    recycle: int | None = None
    start_s: float = 120.0
    cancel_s: float = 10.0
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def settings(self, parent: int) -> Settings:
        """What the process is told on its command line."""
        return Settings(parent, self.nice, self.memory_bytes, self.heartbeat_s)
