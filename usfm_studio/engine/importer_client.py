"""The parent's door to the importer. No torch here: the process is named, not imported."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from usfm_studio.children.supervisor import Child, ChildSpec, Ticket

MODULE = "usfm_studio.engine.importer"
NICE = 10
MEMORY_BYTES = 64 << 30
"""Of addresses, for the start: torch's libraries alone take 3 GiB. What a file may take is set when it is known."""
ROOM_BYTES = 512 << 20
TIMES_THE_FILE = 4
"""Memory for one file: so much, and so many times its size (the file, its single-precision and its half copy)."""
SECONDS = 60.0
BYTES_PER_SECOND = 10e6
"""A slow drive."""


@dataclass(frozen=True, slots=True)
class Importing:
    """A conversion under way. `ticket.result()` is {"card"}; call `close` in the end."""

    child: Child
    ticket: Ticket

    def close(self) -> None:
        """End the process."""
        self.child.stop()


def start(
    file: Path, out: Path, *, licence: str = "", heads: int | None = None, pixels: str | None = None
) -> Importing:
    """Convert a checkpoint into the encoder folder `out`, which must not be there.

    The ticket raises BadModel with the reason; ChildDied or OutOfMemory where the file ended the process.
    """
    spec = ChildSpec(
        module=MODULE,
        title="The import",
        nice=NICE,
        memory_bytes=MEMORY_BYTES,
        retry=0,
        restarts=0,
        env=MappingProxyType({"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}),
    )
    child = Child(spec)
    body = {"file": str(file), "out": str(out), "licence": licence, "heads": heads, "pixels": pixels}
    timeout_s = SECONDS + file.stat().st_size / BYTES_PER_SECOND
    return Importing(child, child.ask("convert", body, timeout_s=timeout_s))
