"""`models`: the shelf: what is there, its card, and which one proposes."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from usfm_studio.document.edit import SetChampion
from usfm_studio.document.errors import NotFound, WrongUsage
from usfm_studio.document.model_card import ModelCard
from usfm_studio.document.values_json import card_to
from usfm_studio.project.project import Project
from usfm_studio.verbs.house import House
from usfm_studio.verbs.shelf import CARD, read_card, resolve_model, shipped_models
from usfm_studio.verbs.steps import Steps

ACTS = ("list", "show", "import", "export", "promote", "rollback", "remove")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelsArguments:
    """`act` is one of ACTS; `model` is M of the contract; `out` is for export and import."""

    act: str
    model: str | None = None
    out: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelsResult:
    """One entry a model: its card, whether it is in use, and where it comes from."""

    models: list[dict[str, Any]]


def run(arguments: ModelsArguments, house: House) -> Steps[ModelsResult]:
    """Do one act on the shelf (of the project, or of the shipped models) and tell what stands there."""
    act = {
        "list": _list, "show": _show, "import": _import, "export": _export,
        "promote": _promote, "rollback": _rollback, "remove": _remove,
    }.get(arguments.act)  # fmt: skip
    if act is None:
        raise WrongUsage(f"There is no act {arguments.act}", f"models knows {', '.join(ACTS)}")
    return act(arguments, house)
    yield  # a generator like the other verbs, though it waits for nothing


def _entry(card: ModelCard, path: Path, *, champion: bool, shipped: bool) -> dict[str, Any]:
    return {**card_to(card), "path": str(path), "champion": champion, "shipped": shipped}


def _all(house: House) -> list[dict[str, Any]]:
    if house.opened is None:
        return [_entry(card, path, champion=False, shipped=True) for path, card in shipped_models()]
    models = house.opened.models
    return [
        _entry(card, models.path(card.digest), champion=models.champion(card.exam) == card.digest, shipped=False)
        for card in models.cards()
    ]


def _list(_arguments: ModelsArguments, house: House) -> ModelsResult:
    return ModelsResult(models=_all(house))


def _show(arguments: ModelsArguments, house: House) -> ModelsResult:
    path = resolve_model(arguments.model, house.opened)
    card = read_card(path)
    champion = house.opened is not None and house.opened.models.champion(card.exam) == card.digest
    shipped = any(path == shipped_path for shipped_path, _ in shipped_models())
    return ModelsResult(models=[_entry(card, path, champion=champion, shipped=shipped)])


def _import(arguments: ModelsArguments, house: House) -> ModelsResult:
    source = Path(arguments.model or "")
    if not (source / CARD).exists():
        raise NotFound(f"{source.name or 'The model'} is not a model", "a model is a folder with card.json", "")
    card = house.project.models.import_model(source)
    return ModelsResult(models=[_entry(card, house.project.models.path(card.digest), champion=False, shipped=False)])


def _export(arguments: ModelsArguments, house: House) -> ModelsResult:
    path = resolve_model(arguments.model, house.opened)
    out = arguments.out or Path(path.name)
    if out.exists():
        raise WrongUsage(f"{out.name} is not replaced", "it exists", "Choose another --out.")
    beside = out.with_name(f".{out.name}.tmp")
    shutil.rmtree(beside, ignore_errors=True)
    shutil.copytree(path, beside)
    beside.rename(out)
    return ModelsResult(models=[_entry(read_card(out), out, champion=False, shipped=False)])


def _promote(arguments: ModelsArguments, house: House) -> ModelsResult:
    path = resolve_model(arguments.model, house.project)
    card = read_card(path)
    if card.digest not in {c.digest for c in house.project.models.cards()}:
        card = house.project.models.import_model(path)
    edit = promotion(house.project, card)
    if edit is not None:
        house.project.apply(edit)
    return ModelsResult(models=_all(house))


def _rollback(_arguments: ModelsArguments, house: House) -> ModelsResult:
    house.project.apply(going_back(house.project))
    return ModelsResult(models=_all(house))


def _remove(arguments: ModelsArguments, house: House) -> ModelsResult:
    card = read_card(resolve_model(arguments.model, house.project))
    house.project.models.remove(card.digest)
    return ModelsResult(models=_all(house))


def promotion(project: Project, card: ModelCard) -> SetChampion | None:
    """The edit that lets this model propose for its exam group; None where it does already."""
    before = project.models.champion(card.exam)
    if before == card.digest:
        return None
    return SetChampion(name=f"Use {card.name}", exam=card.exam, before=before, after=card.digest)


def going_back(project: Project, exam: str | None = None) -> SetChampion:
    """The edit back to the parent of the model in use (of the exam group, else of the first group that has one).

    Where there is no parent, no model of the project proposes. Raises NotFound where none is in use.
    """
    for group in (exam,) if exam is not None else ("", *project.schema.exams):
        digest = project.models.champion(group)
        if digest is None:
            continue
        card = project.models.card(digest)
        known = {c.digest for c in project.models.cards()}
        parent = next((p for p in card.parents if p in known), None)
        return SetChampion(name=f"Go back from {card.name}", exam=group, before=digest, after=parent)
    raise NotFound("There is no model to go back from", "none is in use", "Fine-tune first.")
