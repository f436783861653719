"""What the parent asks of the fine-tuning worker: all it needs, in plain values."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from usfm_studio.document.errors import WrongUsage

LONGEST_START_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOrder:
    """One run.

    `snapshot` is a snapshot folder, `run` the folder for all that the run writes. `encoder` is the folder of an encoder
    (or of a model that holds one) to learn over; None means the default that ships. `budget_s` counts from `asked_at`
    (seconds since 1970) to the written model. `champion` is a model folder or None; `trained_before` names subjects
    that an earlier model of this exam learned from. `fraction`, `folds` and `fold` choose subjects by the published
    hashes. `options`: `standalone` (nothing is registered: the final model may learn from the holdout too, after it
    was scored), `max_steps` (count steps instead of seconds), `seen` (the schema is for these classes), and those of
    `learning.plan.plan`.
    """

    snapshot: Path
    run: Path
    budget_s: float
    seed: int = 0
    threads: int | None = None
    device: str = "auto"
    champion: Path | None = None
    encoder: Path | None = None
    task: str = "auto"
    name: str = "model"
    exam: str = ""
    trained_before: tuple[str, ...] = ()
    fraction: float | None = None
    folds: int | None = None
    fold: int | None = None
    options: dict[str, Any] = field(default_factory=dict)
    asked_at: float = field(default_factory=time.time)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        body = asdict(self)
        paths = {name: str(body[name]) for name in ("snapshot", "run")}
        return {
            **body,
            **paths,
            **{name: None if body[name] is None else str(body[name]) for name in ("champion", "encoder")},
            "trained_before": list(self.trained_before),
        }

    @classmethod
    def from_json(cls, body: dict[str, Any]) -> TrainingOrder:
        """Inverse of `to_json`. Raises WrongUsage."""
        try:
            order: TrainingOrder = msgspec.convert(body, cls, dec_hook=_path)
        except msgspec.ValidationError as error:
            raise WrongUsage(
                "The fine-tuning cannot start", "a setting is of another kind than it should be"
            ) from error
        if order.budget_s <= 0:
            raise WrongUsage("The fine-tuning cannot start", "no time is left for it", "Give it some minutes.")
        return order

    @property
    def waited_s(self) -> float:
        """Seconds since the request was made, as the child's clock tells it; nonsense counts as none."""
        waited = time.time() - self.asked_at
        return waited if 0 <= waited <= LONGEST_START_S else 0.0


def _path(kind: type[Any], value: Any) -> Any:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise NotImplementedError
