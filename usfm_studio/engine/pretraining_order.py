"""What the parent asks of the pre-trainer: all it needs, in plain values. No torch here."""

from __future__ import annotations

from typing import Any

import msgspec

from usfm_studio.document.errors import WrongUsage


class PretrainingOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One run. `config`: a TOML file, or the name of a recipe that ships; `changes`: `key=value` words.

    `out` and `seed` replace the recipe's where given. `snapshots` are the recipe's probing folders as snapshots, by
    name. Paths are absolute.
    """

    config: str
    changes: tuple[str, ...] = ()
    out: str = ""
    seed: int | None = None
    resume: bool = False
    device: str = "auto"
    threads: int | None = None
    snapshots: dict[str, str] = {}

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        body: dict[str, Any] = msgspec.to_builtins(self)
        return body

    @classmethod
    def from_json(cls, body: dict[str, Any]) -> PretrainingOrder:
        """Inverse of `to_json`. Raises WrongUsage."""
        try:
            return msgspec.convert(body, cls)
        except msgspec.ValidationError as error:
            raise WrongUsage("The pre-training cannot start", f"the request is wrong: {error}") from error


class PlannedRun(msgspec.Struct, frozen=True, kw_only=True):
    """What a recipe comes to before anything is read: the folder of the run, its probing folders, its steps."""

    out: str
    probe: tuple[str, ...]
    steps: int
