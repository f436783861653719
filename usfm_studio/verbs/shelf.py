"""Which model a name means, and which model proposes for an image: the project's shelf, then the shipped ones."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from usfm_studio.document.errors import BadModel, NotFound, Unsupported, WrongUsage
from usfm_studio.document.frame import Instance
from usfm_studio.document.model_card import ModelCard
from usfm_studio.document.resources import resource
from usfm_studio.engine.models.blueprint import check_card
from usfm_studio.engine.models.catalogue import ENCODERS_KNOWN, PROMPTS, find_encoder
from usfm_studio.project import files
from usfm_studio.project.models import ENHANCEMENT, card_in
from usfm_studio.project.models import read_card as checked_card
from usfm_studio.project.project import Project
from usfm_studio.project.trouble import explained

CARD = "card.json"
LEAST_DIGITS = 8


def read_card(folder: Path) -> ModelCard:
    """The card of a model folder, its weights not looked at. Raises BadModel."""
    try:
        changed_ns = (folder / CARD).stat().st_mtime_ns
    except OSError:
        changed_ns = 0  # `card_in` says what is wrong
    return _card(folder, changed_ns)


@lru_cache(maxsize=256)
def _card(folder: Path, _changed_ns: int) -> ModelCard:
    return card_in(folder)


def usable_card(folder: Path) -> ModelCard:
    """The card of a model (or encoder) that is what its card says, as far as that can be told without loading it.

    Raises BadModel: damaged, of a wrong digest, of another program, or without its encoder here.
    """
    card = checked_card(folder)
    check_card(card)
    if card.encoder_digest != card.digest and card.task != "encoder":
        find_encoder(card.encoder_digest)
    return card


def refuse_enhancer(card: ModelCard) -> None:
    """Raise Unsupported for a model that marks nothing."""
    if card.task == ENHANCEMENT:
        hint = "Use it with `predict --kind enhanced`."
        raise Unsupported("This model cannot propose", "it enhances images and marks nothing", hint)


@lru_cache(maxsize=1)
def shipped() -> tuple[tuple[Path, ModelCard], ...]:
    """All that comes with the program: encoders and models."""
    return tuple((path.parent, read_card(path.parent)) for path in sorted(resource("weights").glob(f"*/{CARD}")))


def shipped_models() -> tuple[tuple[Path, ModelCard], ...]:
    """Models that come with the program and propose for a known organ: neither encoders nor what answers prompts."""
    return tuple((path, card) for path, card in shipped() if card.task not in ("encoder", PROMPTS))


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
    """The folder that M of the command line means: a path, a digest (8 digits suffice), a name or `champion`.

    Left out: the project's champion, else the shipped model. Raises NotFound; WrongUsage where it could mean several.
    """
    if name and Path(name).is_dir():
        return Path(name)
    if name and Path(name).is_file():
        raise BadModel(f"{Path(name).name} is not a model", "a model is a folder with card.json and its weights", "")
    if project is not None and name in (None, "champion"):
        champions = {digest for exam in project.champions() if (digest := project.models.champion(exam))}
        if len(champions) > 1:
            shown = ", ".join(sorted(digest[:8] for digest in champions))
            raise WrongUsage("More than one model is in use", f"one for each kind of image ({shown})", "Name one.")
        if champions:
            return project.models.path(champions.pop())
    elif project is not None and name and any(_means(name, card) for card in project.models.cards()):
        return project.models.resolve(name)
    return _shipped(name)


def _means(name: str, card: ModelCard) -> bool:
    return name == card.name or (len(name) >= LEAST_DIGITS and card.digest.startswith(name.lower()))


def _shipped(name: str | None) -> Path:
    if name is None:
        models = shipped_models()
        if len(models) > 1:
            shown = ", ".join(path.name for path, _ in models)
            raise WrongUsage("More than one model comes with the program", shown, "Name one with --model.")
        found = [path for path, _ in models]
    else:
        found = [path for path, card in shipped() if name == path.name or _means(name, card)]
    if found:
        return found[0]
    if name in ENCODERS_KNOWN:
        hint = "Import a checkpoint of it (`models import`) and name its folder."
        raise NotFound(f"The encoder {name} has no weights here", "they do not ship with the program", hint)
    raise NotFound(
        f"There is no model {name or 'yet'}",
        "neither the project nor the program has it",
        "Fine-tune first, or name a model folder.",
    )


def copy_model(source: Path, out: Path, *, replace: bool = False) -> ModelCard:
    """A model folder at a place of its own, checked, whole or not at all; with `replace` an older model may be there.

    Raises BadModel, WrongUsage where something (else) is there, DiskFull, ReadOnly.
    """
    card = checked_card(source)
    refuse_taken(out, replace=replace)
    out = out.absolute()
    beside, old = files.beside(out), files.beside(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        files.copy_folder(source, beside)
        if out.exists():
            files.rename(out, old)
        files.rename(beside, out)
    except OSError as error:
        if old.exists() and not out.exists():
            old.rename(out)
        raise explained(error, f"The model could not be written to {out.name}") from error
    finally:
        files.remove(beside)
        files.remove(old)
    return card


def refuse_taken(out: Path, *, replace: bool) -> None:
    """Raise WrongUsage where a model may not be written."""
    if not out.exists() or (replace and (out / CARD).is_file()):
        return
    why = "it exists and is not a model" if replace else "it exists"
    raise WrongUsage(f"{out.name} is not replaced", why, "Choose another --out.")
