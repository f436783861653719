"""The processes that share one run: who this one is, sums over all, and what happens when one is lost.

`torchrun` (or a scheduler) sets RANK, WORLD_SIZE, LOCAL_RANK and MASTER_*. Without them a run is one process, and
every function here does nothing. Small sums go over the CPU (gloo) even where gradients go over NCCL, so that a rank
may wait there for another one's probe without NCCL's timeouts.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from usfm_studio.document.errors import ChildDied, StudioError, WrongUsage

BEAT_S = 3.0
LOST_S = 40.0
"""A rank that has been silent for so long is lost: the others end."""
WAIT_S = 3600.0
"""The longest that ranks wait for each other: one probes or writes, the others wait."""
JOIN_S = 900.0
"""The first rank may read probing folders before it comes."""
DEAD = "dead"
_NETWORK_WORDS = ("gloo", "nccl", "connection", "socket", "broken pipe", "store", "peer")


@dataclass(frozen=True, slots=True)
class Place:
    """This process among `count`; `local` among the `local_count` of its machine."""

    rank: int = 0
    count: int = 1
    local: int = 0
    local_count: int = 1

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Place:
        """As `torchrun` says; one process where it says nothing. Raises WrongUsage."""
        try:
            count = int(environment.get("WORLD_SIZE", "1"))
            place = cls(
                int(environment.get("RANK", "0")),
                count,
                int(environment.get("LOCAL_RANK", environment.get("RANK", "0"))),
                int(environment.get("LOCAL_WORLD_SIZE", "1")),
            )
        except ValueError as error:
            raise _unclear(str(error)) from error
        if not 0 <= place.rank < count:
            raise _unclear(f"RANK is {place.rank} of {count}")
        if count > 1 and not {"MASTER_ADDR", "MASTER_PORT"} <= set(environment):
            raise _unclear("MASTER_ADDR or MASTER_PORT is not set")
        return place


def _unclear(why: str) -> WrongUsage:
    return WrongUsage("The ranks of this run are not clear", why, "Start it with torchrun.")


class World:
    """The ranks of one run. Use as a context: it ends the connections."""

    def __init__(self, place: Place | None = None) -> None:
        self.place = place or Place()
        self._group: Any = None
        self._store: Any = None
        self._over = threading.Event()

    @property
    def chief(self) -> bool:
        """True for the one rank that prints and writes."""
        return self.place.rank == 0

    @property
    def count(self) -> int:
        """How many ranks there are."""
        return self.place.count

    def join(self, *, gpu: bool, on_lost: Callable[[StudioError], None]) -> World:
        """Meet the other ranks. Raises StudioError when they do not come.

        `on_lost` is called on a thread of its own once a rank has been silent for `LOST_S`: it must end the process,
        whose main thread may be held in a sum that never comes.
        """
        if self.count == 1:
            return self
        try:
            store, rank, count = next(rendezvous("env://", timeout=datetime.timedelta(seconds=JOIN_S)))
            wait = datetime.timedelta(seconds=WAIT_S)
            backend = "nccl" if gpu else "gloo"
            dist.init_process_group(
                backend, store=PrefixStore("group", store), rank=rank, world_size=count, timeout=wait
            )
            self._group = dist.new_group(backend="gloo", timeout=wait) if gpu else dist.group.WORLD
        except (RuntimeError, ValueError) as error:
            why = f"rank {self.place.rank} of {self.count} did not find the others ({type(error).__name__})"
            raise StudioError("The pre-training cannot start", why, "Check MASTER_ADDR and MASTER_PORT.") from error
        self._store = store.clone()
        threading.Thread(target=self._watch, args=(store.clone(), on_lost), name="ranks", daemon=True).start()
        return self

    def sum(self, values: Sequence[float]) -> list[float]:
        """The values added up over all ranks (float64). Raises ChildDied when a rank is lost."""
        if self.count == 1:
            return list(values)
        total = torch.tensor(values, dtype=torch.float64)
        try:
            dist.all_reduce(total, group=self._group)
        except RuntimeError as error:
            raise lost(f"{type(error).__name__} in a sum") from error
        return total.tolist()

    def give_up(self) -> None:
        """Tell the other ranks that this one goes, so that they need not wait to find out."""
        if self.count > 1 and self._store is not None and not self._over.is_set():
            with contextlib.suppress(RuntimeError):
                self._store.set(DEAD, str(self.place.rank))

    def leave(self) -> None:
        """End the connections."""
        self._over.set()
        if self.count > 1 and dist.is_initialized():
            dist.destroy_process_group()

    def __enter__(self) -> World:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def _watch(self, store: Any, on_lost: Callable[[StudioError], None]) -> None:
        """Say that this rank lives, and look whether the next one does; the first to notice tells everybody."""
        watched = (self.place.rank + 1) % self.count
        beats, seen, last = 0, b"", monotonic()
        while not self._over.wait(BEAT_S):
            try:
                beats += 1
                store.set(f"beat/{self.place.rank}", str(beats))
                if store.check([DEAD]):
                    break
                if store.check([f"beat/{watched}"]) and (beat := store.get(f"beat/{watched}")) != seen:
                    seen, last = beat, monotonic()
                elif monotonic() - last > LOST_S:
                    store.set(DEAD, str(watched))
                    break
            except RuntimeError:  # the store's host is gone
                break
        if not self._over.wait(BEAT_S):  # at the end of a run the host may leave first
            on_lost(lost(""))


def lost(detail: str) -> ChildDied:
    """The error that another rank has gone."""
    why = "another of its ranks has ended or does not answer" + (f" ({detail})" if detail else "")
    return ChildDied("The pre-training stopped", why, "Start all ranks again with --resume.")


def is_loss_of_a_rank(error: BaseException) -> bool:
    """True where torch's error says that the connection to another rank broke."""
    if isinstance(error, dist.DistError):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error).lower() for word in _NETWORK_WORDS)
