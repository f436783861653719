"""`models`: the shelf: what is there, its card, and which one proposes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from usfm_studio.document.edit import SetChampion
from usfm_studio.document.errors import NotFound, Unsupported, WrongUsage
from usfm_studio.document.model_card import ModelCard
from usfm_studio.document.values_json import card_to
from usfm_studio.project.models import read_card as checked_card
from usfm_studio.project.project import Project
from usfm_studio.verbs.foreign import encoder_from, is_foreign
from usfm_studio.verbs.house import House
from usfm_studio.verbs.scratch import scratch
from usfm_studio.verbs.shelf import copy_model, read_card, refuse_enhancer, refuse_taken, resolve_model, shipped
from usfm_studio.verbs.steps import Apart, Event, Steps

ACTS = ("list", "show", "import", "export", "promote", "rollback", "remove")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelsArguments:
    """`act` is one of ACTS; `model` is M of the contract.

    `out` is for export and import, `exam` for promote and rollback; `licence` and `choices` (`heads`, `pixels`) for the
    import of another program's file, which does not tell them.
    """

    act: str
    model: str | None = None
    out: Path | None = None
    exam: str | None = None
    licence: str = ""
    choices: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelsResult:
    """One entry a model: its card, whether it is in use, and where it comes from."""

    models: list[dict[str, Any]]


Act = Callable[[ModelsArguments, House], Steps[ModelsResult]]


def run(arguments: ModelsArguments, house: House) -> Steps[ModelsResult]:
    """Do one act on the shelf (of the project, or of the shipped models) and tell what stands there."""
    acts: dict[str, Act] = {
        "list": _list, "show": _show, "import": _import, "export": _export,
        "promote": _promote, "rollback": _rollback, "remove": _remove,
    }  # fmt: skip
    if arguments.act not in acts:
        raise WrongUsage(f"There is no act {arguments.act}", f"models knows {', '.join(ACTS)}")
    return (yield from acts[arguments.act](arguments, house))


def _entry(card: ModelCard, path: Path, *, champion: bool = False) -> dict[str, Any]:
    return {
        **card_to(card), "path": str(path), "champion": champion,
        "shipped": any(path == shipped_path for shipped_path, _ in shipped()),
    }  # fmt: skip


def _all(house: House) -> list[dict[str, Any]]:
    if house.opened is None:
        return [_entry(card, path) for path, card in shipped()]
    return [_on_shelf(house.opened, card) for card in house.opened.models.cards()]


def _on_shelf(project: Project, card: ModelCard) -> dict[str, Any]:
    champion = card.digest in project.champions().values()
    return _entry(card, project.models.path(card.digest), champion=champion)


def _list(_arguments: ModelsArguments, house: House) -> Steps[ModelsResult]:
    return ModelsResult(models=_all(house))
    yield  # a generator like the others, though it waits for nothing


def _show(arguments: ModelsArguments, house: House) -> Steps[ModelsResult]:
    path = resolve_model(arguments.model, house.opened)
    card = yield Apart(lambda: checked_card(path))
    champion = house.opened is not None and card.digest in house.opened.champions().values()
    return ModelsResult(models=[_entry(card, path, champion=champion)])


def _import(arguments: ModelsArguments, house: House) -> Steps[ModelsResult]:
    source = Path(arguments.model or "")
    if not is_foreign(source):
        out = arguments.out or Path(source.resolve().name)
        return (yield from _take(source, out, house))
    out = arguments.out or Path(source.stem)
    if house.opened is None:
        refuse_taken(out, replace=False)
    with scratch("encoder") as folder:
        yield Event("stage", {"stage": "reading"})
        yield from encoder_from(source, folder / out.name, arguments.licence, arguments.choices)
        result = yield from _take(folder / out.name, out, house)
    (entry,) = result.models
    source_told = entry["settings"]["source"]
    return ModelsResult(models=[{**entry, "spare": source_told["spare"], "assumed": source_told["assumed"]}])


def _take(folder: Path, out: Path, house: House) -> Steps[ModelsResult]:
    """Bring a model folder onto the project's shelf, or where there is no project to `out`."""
    if house.opened is None:
        card = yield Apart(lambda: copy_model(folder, out))
        return ModelsResult(models=[_entry(card, out)])
    project = house.opened
    card = yield Apart(lambda: project.models.import_model(folder))
    return ModelsResult(models=[_on_shelf(project, card)])


def _export(arguments: ModelsArguments, house: House) -> Steps[ModelsResult]:
    path = resolve_model(arguments.model, house.opened)
    out = arguments.out or Path(path.name)
    card = yield Apart(lambda: copy_model(path, out))
    return ModelsResult(models=[_entry(card, out)])


def _promote(arguments: ModelsArguments, house: House) -> Steps[ModelsResult]:
    project = house.project
    path = resolve_model(arguments.model, project)
    card = read_card(path)
    if card.task == "encoder":
        raise Unsupported("This model cannot propose", "it is an encoder", "Choose a model made by fine-tuning.")
    refuse_enhancer(card)
    if card.digest not in {c.digest for c in project.models.cards()}:
        card = yield Apart(lambda: project.models.import_model(path))
    edit = promotion(project, card, arguments.exam)
    if edit is not None:
        yield _applied(project, edit)
    return ModelsResult(models=_all(house))


def _rollback(arguments: ModelsArguments, house: House) -> Steps[ModelsResult]:
    yield _applied(house.project, going_back(house.project, arguments.exam))
    return ModelsResult(models=_all(house))


def _remove(arguments: ModelsArguments, house: House) -> Steps[ModelsResult]:
    project = house.project
    card = read_card(resolve_model(arguments.model, project))
    yield Apart(lambda: project.models.remove(card.digest))
    return ModelsResult(models=_all(house))


def _applied(project: Project, edit: SetChampion) -> Event:
    project.apply(edit)
    return Event("applied", {"edit": edit})


def promotion(project: Project, card: ModelCard, exam: str | None = None) -> SetChampion | None:
    """The edit that lets this model propose for an exam group (left out: its own); None where it does already.

    Raises WrongUsage for a group that the project does not know, Unsupported for a model that marks nothing.
    """
    refuse_enhancer(card)
    group = exam_for(project, card) if exam is None else known_group(project, exam)
    before = project.models.champion(group)
    if before == card.digest:
        return None
    return SetChampion(name=f"Use {card.name}", exam=group, before=before, after=card.digest)


def exam_for(project: Project, card: ModelCard) -> str:
    """The exam group of the project that a model is for: its card's, letter case apart, else the one whose segments or
    labels it knows by name (a model from elsewhere names no group of ours).
    """
    schema = project.schema
    same = next((exam for exam in schema.exams if exam.casefold() == card.exam.casefold()), None)
    if same is not None:
        return same
    names = {name.strip().casefold() for name in (*card.segments.values(), *card.labels)}
    named = [(item.name, item.exam) for item in schema.segments] + [(item.name, item.exam) for item in schema.labels]
    known = {exam for name, exam in named if name.strip().casefold() in names}
    return known.pop() if len(known) == 1 else card.exam


def known_group(project: Project, exam: str) -> str:
    """An exam group of the project, as its schema spells it. Raises WrongUsage for one that it does not know."""
    groups = ("", *project.schema.exams)
    found = next((group for group in groups if group.casefold() == exam.casefold()), None)
    if found is None:
        shown = ", ".join(group for group in groups if group) or "none apart"
        raise WrongUsage(f"There is no exam {exam}", f"the project's label schema knows {shown}")
    return found


def going_back(project: Project, exam: str | None = None) -> SetChampion:
    """The edit back to the parent of the model in use (of the exam group, else of the only group that has one).

    Where there is no parent, no model of the project proposes. Raises NotFound where none is in use, WrongUsage where
    several groups have one and none is named.
    """
    groups = (known_group(project, exam),) if exam is not None else tuple(project.champions())
    used = {group: digest for group in groups if (digest := project.models.champion(group)) is not None}
    if not used:
        raise NotFound("There is no model to go back from", "none is in use", "Fine-tune first.")
    if len(used) > 1:
        shown = ", ".join(group or "all images" for group in used)
        raise WrongUsage("More than one model is in use", f"one for each of {shown}", "Name the group with --exam.")
    group, digest = used.popitem()
    card = project.models.card(digest)
    known = {c.digest for c in project.models.cards()}
    parent = next((p for p in card.parents if p in known), None)
    return SetChampion(name=f"Go back from {card.name}", exam=group, before=digest, after=parent)
