"""`evaluate`: scores of a model against a DATA folder's own masks and labels."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from usfm_studio.document.errors import NotFound, Unsupported
from usfm_studio.engine.trainer_client import evaluate
from usfm_studio.verbs import data_folder
from usfm_studio.verbs.house import House
from usfm_studio.verbs.runs import SNAPSHOT
from usfm_studio.verbs.scratch import scratch
from usfm_studio.verbs.shelf import resolve_model, usable_card
from usfm_studio.verbs.steps import Apart, Failure, Steps
from usfm_studio.verbs.worker_answer import asked


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateArguments:
    """`folds` and `fold` score only the subjects of that fold."""

    model: str | None
    data: Path
    folds: int | None = None
    fold: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateResult:
    """Scores as far as they apply, with `interval`, `per_subject` and `per_image`."""

    scores: dict[str, Any]
    failed: list[Failure] = field(default_factory=list)

    @property
    def partial(self) -> bool:
        """True where some file could not be read."""
        return bool(self.failed)

    def fields(self) -> dict[str, Any]:
        """The result line: the scores themselves at its top."""
        return {**self.scores, "failed": [asdict(failure) for failure in self.failed]}


def run(arguments: EvaluateArguments, house: House) -> Steps[EvaluateResult]:
    """Read the folder, predict each image and score it at its native size."""
    model = resolve_model(arguments.model, house.opened)
    if (yield Apart(lambda: usable_card(model))).task == "encoder":
        raise Unsupported("This model predicts nothing", "it is an encoder", "Name a model made by fine-tuning.")
    with scratch("evaluate") as folder:
        failed = yield from data_folder.read(house, arguments.data, folder / SNAPSHOT)
        try:
            scores = yield from _score(arguments, house, model, folder / SNAPSHOT)
        except NotFound as error:
            raise data_folder.naming(failed, error) from error
    return EvaluateResult(scores=scores, failed=failed)


def _score(arguments: EvaluateArguments, house: House, model: Path, snapshot: Path) -> Steps[dict[str, Any]]:
    begin = partial(
        evaluate,
        model.absolute(),
        snapshot,
        folds=arguments.folds,
        fold=arguments.fold,
        device=house.options.device,
        threads=house.options.threads,
    )
    return (yield from asked(lambda tell: begin(on_event=tell), "Scoring"))
