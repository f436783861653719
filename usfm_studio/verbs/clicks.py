"""`clicks`: how many prompts a mask costs, counted by a simulated person on a DATA folder's own masks."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from usfm_studio.document.errors import NotFound, Unsupported
from usfm_studio.engine.clicks_client import clicks
from usfm_studio.engine.models.catalogue import PROMPTS, shipped_prompter
from usfm_studio.verbs import data_folder
from usfm_studio.verbs.house import House
from usfm_studio.verbs.runs import SNAPSHOT
from usfm_studio.verbs.scratch import scratch
from usfm_studio.verbs.shelf import resolve_model, usable_card
from usfm_studio.verbs.steps import Apart, Failure, Steps
from usfm_studio.verbs.worker_answer import asked

MASKING = ("segmentation", "both")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClicksArguments:
    """`model`: a prompter to measure, or with `from_proposal` the model whose masks are started from.

    `prompt` is the first interaction: click, box or scribble. `jitter`: the seed of clicks off the centre.
    """

    data: Path
    model: str | None = None
    prompt: str = "click"
    cap: int = 20
    from_proposal: bool = False
    folds: int | None = None
    fold: int | None = None
    jitter: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClicksResult:
    """Fields of the contract, with `interval`, `targets`, `seen_subjects` and `per_image` beside."""

    scores: dict[str, Any]
    failed: list[Failure] = field(default_factory=list)

    @property
    def partial(self) -> bool:
        """True where some file could not be read."""
        return bool(self.failed)

    def fields(self) -> dict[str, Any]:
        """The result line: the scores themselves at its top."""
        return {**self.scores, "failed": [asdict(failure) for failure in self.failed]}


def run(arguments: ClicksArguments, house: House) -> Steps[ClicksResult]:
    """Read the folder, then let the worker click on every segment of every mask."""
    prompter, proposer = yield Apart(lambda: _models(arguments, house))
    with scratch("clicks") as folder:
        failed = yield from data_folder.read(house, arguments.data, folder / SNAPSHOT)
        try:
            scores = yield from _measured(arguments, house, prompter, proposer, folder / SNAPSHOT)
        except NotFound as error:
            raise data_folder.naming(failed, error) from error
    return ClicksResult(scores=scores, failed=failed)


def _models(arguments: ClicksArguments, house: House) -> tuple[Path, Path | None]:
    """The prompter, and the model that proposes (if it is asked to). Raises BadModel, NotFound, Unsupported."""
    named = None if arguments.model is None else resolve_model(arguments.model, house.opened)
    task = None if named is None else usable_card(named).task
    prompter = named if named is not None and task == PROMPTS else shipped_prompter()
    if not arguments.from_proposal:
        if task not in (None, PROMPTS):
            hint = "Leave --model out, or add --from-proposal to start from its masks."
            raise Unsupported("This model cannot be measured", "it does not answer prompts", hint)
        return prompter, None
    proposer = named if named is not None and task != PROMPTS else resolve_model(None, house.opened)
    if usable_card(proposer).task not in MASKING:
        raise Unsupported("This model proposes no masks", "it has no segments", "Name one made by fine-tuning.")
    return prompter, proposer


def _measured(
    arguments: ClicksArguments, house: House, prompter: Path, proposer: Path | None, snapshot: Path
) -> Steps[dict[str, Any]]:
    begin = partial(
        clicks,
        prompter.absolute(),
        snapshot,
        prompt=arguments.prompt,
        cap=arguments.cap,
        proposer=None if proposer is None else proposer.absolute(),
        folds=arguments.folds,
        fold=arguments.fold,
        jitter=arguments.jitter,
        device=house.options.device,
        threads=house.options.threads,
    )
    return (yield from asked(lambda tell: begin(on_event=tell), "Clicking"))
