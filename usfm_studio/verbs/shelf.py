"""Which model a name means, and which model proposes for an image: the project's shelf, then the shipped ones."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

from usfm_studio.document.errors import BadModel, NotFound
from usfm_studio.document.frame import Instance
from usfm_studio.document.model_card import ModelCard
from usfm_studio.document.resources import resource
from usfm_studio.document.values_json import card_from
from usfm_studio.project.project import Project

CARD = "card.json"


def read_card(folder: Path) -> ModelCard:
    """The card of a model folder. Raises BadModel."""
    try:
        return _card(folder, (folder / CARD).stat().st_mtime_ns)
    except (OSError, ValueError, KeyError) as error:
        raise BadModel(
            f"The model {folder.name} cannot be used", "its card is missing or malformed", "Copy the model again."
        ) from error


@lru_cache(maxsize=256)
def _card(folder: Path, _changed_ns: int) -> ModelCard:
    return card_from(json.loads((folder / CARD).read_text("utf-8")))


@lru_cache(maxsize=1)
def shipped_models() -> tuple[tuple[Path, ModelCard], ...]:
    """Models that come with the program and propose for a known organ (bare encoders are left out)."""
    found = []
    for path in sorted(resource("weights").glob("*/card.json")):
        card = read_card(path.parent)
        if card.task != "encoder":
            found.append((path.parent, card))
    return tuple(found)


def starter_for(instance: Instance, exam: str = "") -> Path | None:
    """The shipped model whose organ the image names (body part, descriptions or exam group), or None."""
    words = " ".join((exam, instance.body_part, instance.study_description, instance.series_description)).casefold()
    return next((path for path, card in shipped_models() if card.organ and card.organ.casefold() in words), None)


def model_for(project: Project, instance: Instance) -> Path | None:
    """The model that proposes for this image: the champion of its exam group, else a shipped starter, else None."""
    exam = project.schema.exam_of(instance)
    champion = project.models.champion(exam)
    if champion is not None:
        return project.models.path(champion)
    return starter_for(instance, exam)


def resolve_model(name: str | None, project: Project | None = None) -> Path:
    """The folder that M of the command line means: a path, a digest (8 digits suffice) or `champion`.

    Left out: the project's champion, else the only shipped model. Raises NotFound.
    """
    if name and Path(name).is_dir():
        return Path(name)
    if project is not None:
        champion = next((c for exam in ("", *project.schema.exams) if (c := project.models.champion(exam))), None)
        if name in (None, "champion") and champion:
            return project.models.path(champion)
        if name and name != "champion":
            card = next((c for c in project.models.cards() if len(name) >= 8 and c.digest.startswith(name)), None)
            if card is not None:
                return project.models.path(card.digest)
    for path, card in shipped_models():
        if name is None or (len(name) >= 8 and card.digest.startswith(name)) or name == path.name:
            return path
    raise NotFound(
        f"There is no model {name or 'yet'}",
        "neither the project nor the program has it",
        "Fine-tune first, or name a model folder.",
    )
