"""A run from a DATA folder that ends before it is through: the best model that it had comes out of it all the same."""

from __future__ import annotations

from pathlib import Path

from usfm_studio.document.errors import BadModel, Interrupted, StudioError
from usfm_studio.document.model_card import ModelCard
from usfm_studio.engine.trainer_client import Work
from usfm_studio.verbs.shelf import CARD, copy_model, read_card
from usfm_studio.verbs.steps import Await, Steps

WRAP_UP_S = 1.2
"""The worker's time to compare and write: the command line breaks a verb off after 2.5 seconds."""
NOTHING = "Nothing was learned yet, and no model was written."


def wrapped_up(work: Work) -> Steps[None]:
    """Let a run that is interrupted come to its end, if it can at once; else it is ended, its best model on disk."""
    if work.ticket.done():
        return
    work.stop(WRAP_UP_S)
    try:
        yield Await(work.ticket)
    except StudioError:  # it was too late for the comparison, or there is nothing to compare
        return


def with_best(error: StudioError, run: Path, out: Path | None) -> StudioError:
    """The error that ended the run in this folder, saying where its best model was written.

    Raises DiskFull, ReadOnly where it cannot be. A model that is at `out` already stays: this one was cut short.
    """
    hint = "" if isinstance(error, Interrupted) else error.hint
    if not has_model(run):
        return type(error)(error.what, error.why, hint or NOTHING)
    found = _models(run)[0]
    card = read_card(found)
    place = _free(out or Path(f"model-{card.short}"), card)
    if not place.exists():
        copy_model(found, place)
    told = f"The best model so far is in {place}; {_standing(card)}."
    return type(error)(error.what, error.why, f"{hint} {told}".strip())


def has_model(run: Path) -> bool:
    """True where the run in this folder has written a model."""
    return bool(_models(run))


def stopped() -> Interrupted:
    """What the person is told who broke the verb off."""
    return Interrupted("Stopped", "you asked for it")


def _models(run: Path) -> list[Path]:
    """Where a run keeps its model; a worker killed while it replaces one leaves the older beside."""
    return [folder for folder in (run / "model", *sorted(run.glob(".model.*.old"))) if (folder / CARD).is_file()]


def _free(out: Path, card: ModelCard) -> Path:
    """A place that is not taken, or that holds this very model already."""
    place, number = out, 1
    while place.exists() and not _holds(place, card):
        place = out.with_name(f"{out.name}-{card.short}{'' if number == 1 else f'-{number}'}")
        number += 1
    return place


def _holds(place: Path, card: ModelCard) -> bool:
    try:
        return read_card(place).digest == card.digest
    except BadModel:
        return False


def _standing(card: ModelCard) -> str:
    score, metric = card.comparison.get("challenger"), card.comparison.get("metric")
    if score is None:
        return "it was not compared with anything"
    return f"on {card.comparison.get('subjects')} subjects that it had not seen its {metric} is {score:.3f}"
