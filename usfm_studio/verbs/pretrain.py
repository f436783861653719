"""`pretrain`: dual-masked pre-training by a recipe; one process, or one of the ranks that `torchrun` starts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import msgspec

from usfm_studio.document.errors import Interrupted, StudioError, WrongUsage
from usfm_studio.engine.pretrainer_client import PlannedRun, Pretrainer, PretrainingOrder
from usfm_studio.verbs import data_folder
from usfm_studio.verbs.house import House
from usfm_studio.verbs.scratch import scratch
from usfm_studio.verbs.steps import Await, Event, Failure, Steps


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainArguments:
    """`config`: a TOML file, or the name of a recipe that ships. `changes`: `key=value` words.

    `seed` replaces the recipe's where it is given.
    """

    config: str
    changes: tuple[str, ...] = ()
    out: Path | None = None
    resume: bool = False
    seed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainResult:
    """Fields of the contract, and beside them what the run counted and scored; `failed`: of the probing folders."""

    checkpoint: str
    images: int
    seconds: float
    more: Mapping[str, Any] = field(default_factory=dict)
    failed: list[Failure] = field(default_factory=list)

    @property
    def partial(self) -> bool:
        """True where some file of a probing folder could not be read."""
        return bool(self.failed)

    def fields(self) -> dict[str, Any]:
        """The result line."""
        failed = [{"path": failure.path, "error": failure.error} for failure in self.failed]
        first = {"checkpoint": self.checkpoint, "images": self.images, "seconds": self.seconds}
        return {**first, **self.more, "failed": failed}


def is_first_rank() -> bool:
    """True in the one process that prints and writes: where no RANK is set, or it is 0."""
    return os.environ.get("RANK", "0").strip() in ("", "0")


def run(arguments: PretrainArguments, house: House) -> Steps[PretrainResult]:
    """Read the probing folders, then learn; interrupted, the state is kept."""
    events: SimpleQueue[Event] = SimpleQueue()
    pretrainer = Pretrainer(lambda body: events.put(Event(str(body.get("event", "note")), body)))
    order = _order(arguments, house)
    try:
        body = yield Await(pretrainer.plan(order))
        planned = msgspec.convert(body, PlannedRun)
        with scratch("pretrain") as folder:
            snapshots, failed = yield from _snapshots(house, planned, folder)
            order = msgspec.structs.replace(order, snapshots=snapshots)
            body = yield from _learned(pretrainer, order, events)
    except StudioError as error:
        raise pretrainer.lost or error from error
    finally:
        pretrainer.close()
    fields = dict(body)
    first = {name: fields.pop(name) for name in ("checkpoint", "images", "seconds")}
    return PretrainResult(**first, more=fields, failed=failed)


def _order(arguments: PretrainArguments, house: House) -> PretrainingOrder:
    config = Path(arguments.config)
    return PretrainingOrder(
        config=str(config.absolute()) if config.is_file() else arguments.config,
        changes=arguments.changes,
        out="" if arguments.out is None else str(arguments.out.absolute()),
        seed=arguments.seed,
        resume=arguments.resume,
        device=house.options.device,
        threads=house.options.threads,
    )


def _snapshots(house: House, planned: PlannedRun, folder: Path) -> Steps[tuple[dict[str, str], list[Failure]]]:
    """The probing folders as the child reads them; the first rank alone probes."""
    found: dict[str, str] = {}
    failed: list[Failure] = []
    for place in planned.probe if is_first_rank() else ():
        name = Path(place).absolute().name
        if name in found:
            why = f"two of its probing folders are called {name}"
            raise WrongUsage("The recipe cannot be used", why, "Rename one of them.")
        failed += yield from data_folder.read(house, Path(place), folder / name)
        found[name] = str(folder / name)
    return found, failed


def _learned(pretrainer: Pretrainer, order: PretrainingOrder, events: SimpleQueue[Event]) -> Steps[dict[str, Any]]:
    ticket = pretrainer.run(order)
    try:
        body: dict[str, Any] = yield Await(ticket, events)
    except Interrupted:
        if ticket.done():
            raise
        pretrainer.stop()
        body = yield Await(ticket, events)  # raises Interrupted, saying what is kept
    return body
