"""`probe`: how good a frozen encoder is, on labelled folders, by subjects that it was not pre-trained on."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from usfm_studio.document.errors import Unsupported, WrongUsage
from usfm_studio.engine.prober_client import probe
from usfm_studio.verbs import data_folder
from usfm_studio.verbs.house import House
from usfm_studio.verbs.scratch import scratch
from usfm_studio.verbs.shelf import read_card, resolve_model
from usfm_studio.verbs.steps import Failure, Steps
from usfm_studio.verbs.worker_answer import asked

RANDOM = "random:"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeArguments:
    """`encoder` and `against`: an encoder's folder, digest or catalogue name, or `random:NAME` (untrained).

    `fold_role`: "decide" tests on fold 0; "steer" on fold 1, without looking at fold 0. `quick`: at most 150 frames a
    folder.
    """

    encoder: str
    data: tuple[Path, ...]
    against: str | None = None
    fold_role: str = "decide"
    quick: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """`knn`, `linear`, `fewshot`: means over the folders; `folders` holds each; `verdict` with `against`."""

    body: dict[str, Any]
    failed: list[Failure] = field(default_factory=list)

    @property
    def partial(self) -> bool:
        """True where some file could not be read."""
        return bool(self.failed)

    def fields(self) -> dict[str, Any]:
        """The result line."""
        return {**self.body, "failed": [asdict(failure) for failure in self.failed]}


def run(arguments: ProbeArguments, house: House) -> Steps[ProbeResult]:
    """Read the folders, then let the worker embed every frame and learn from it."""
    encoder = _encoder(arguments.encoder, house)
    against = None if arguments.against is None else _encoder(arguments.against, house)
    names = _names(arguments.data)
    failed: list[Failure] = []
    with scratch("probe") as folder:
        snapshots = {}
        for number, data in enumerate(arguments.data):
            snapshots[names[number]] = folder / str(number)
            failed += yield from data_folder.read(house, data, folder / str(number))
        body = yield from _score(arguments, house, encoder, against, snapshots)
    return ProbeResult(body=body, failed=failed)


def _encoder(name: str, house: House) -> str:
    """As the worker knows it. Raises NotFound, BadModel, Unsupported."""
    if name.startswith(RANDOM):
        return name
    folder = resolve_model(name, house.opened)
    if read_card(folder).task != "encoder":
        hint = "Name an encoder, such as usfm_lite0."
        raise Unsupported(f"{folder.name} cannot be probed", "it is a model that answers itself, no encoder", hint)
    return str(folder.absolute())


def _names(data: tuple[Path, ...]) -> list[str]:
    """The folders' own names. Raises WrongUsage where two are equal."""
    names = [path.absolute().name for path in data]
    if not names:
        raise WrongUsage("There is nothing to probe with", "no folder was named", "Name one with --data.")
    double = next((name for name in names if names.count(name) > 1), None)
    if double is not None:
        raise WrongUsage("The folders cannot be told apart", f"two are called {double}", "Give one another name.")
    return names


def _score(
    arguments: ProbeArguments, house: House, encoder: str, against: str | None, snapshots: dict[str, Path]
) -> Steps[dict[str, Any]]:
    begin = partial(
        probe,
        encoder,
        snapshots,
        against=against,
        fold_role=arguments.fold_role,
        quick=arguments.quick,
        seed=house.options.seed,
        device=house.options.device,
        threads=house.options.threads,
    )
    return (yield from asked(lambda tell: begin(on_event=tell), "Probing"))
