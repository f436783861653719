"""The shelf: model folders that the project keeps, their cards, and which one proposes for an exam (the champion)."""

from __future__ import annotations

import json
import logging
import re
import sqlite3
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from usfm_studio.document import values_json
from usfm_studio.document.errors import BadModel, NotFound, WrongUsage
from usfm_studio.document.model_card import ModelCard
from usfm_studio.project import faults, files
from usfm_studio.project.codec import plain
from usfm_studio.project.journal import Journal
from usfm_studio.project.store import Store
from usfm_studio.project.trouble import explained

LOG = logging.getLogger(__name__)
FOLDER = "models"
WEIGHTS = "model.safetensors"
CARD = "card.json"
CARD_MOST_BYTES = 1 << 20
PREFIX_LEAST = 8
CHAMPION = "champion"
ENHANCEMENT = "enhancement"
"""The task of models that make pictures for people: nothing is proposed from those, and nothing measured on them."""


@dataclass(frozen=True, slots=True)
class Shelved:
    """One row of the shelf. A removed model's card is kept: its subjects must never be held out again."""

    card: ModelCard
    folder: str
    removed: bool


class Models:
    """The models of one project. Adopting, importing and removing wait for the disk: not for the window's thread."""

    def __init__(
        self,
        folder: Path,
        rows: Iterable[Shelved],
        journal: Callable[[], Journal],
        champions: Callable[[], Mapping[str, str]],
    ) -> None:
        self.folder = folder / FOLDER
        self._journal = journal
        self._champions = champions
        self._rows = {row.card.digest: row for row in rows}

    # ---- looking ----

    def cards(self) -> list[ModelCard]:
        """Cards on the shelf, oldest first."""
        return [row.card for row in self._rows.values() if not row.removed]

    def card(self, digest: str) -> ModelCard:
        """The card of one model. Raises NotFound."""
        return self._row(digest).card

    def path(self, digest: str) -> Path:
        """The folder of one model. Raises NotFound."""
        return self.folder / self._row(digest).folder

    def champion(self, exam: str = "") -> str | None:
        """Digest of the model that proposes for an exam, or None; a model that is not on the shelf does not count."""
        digest = self._champions().get(exam)
        row = self._rows.get(digest) if digest else None
        return None if row is None or row.removed else digest

    def resolve(self, name: str, exam: str = "") -> Path:
        """The folder of a model by `champion`, digest (8 digits suffice), path, or name (the newest so named).

        Raises NotFound, WrongUsage where several fit.
        """
        if name == CHAMPION:
            return self.path(self._any_champion(exam))
        if (Path(name) / CARD).is_file():
            return Path(name)
        cards = self.cards()
        wanted = name.lower()
        if len(name) >= PREFIX_LEAST and re.fullmatch("[0-9a-f]+", wanted):
            found = [card for card in cards if card.digest.startswith(wanted)]
            if len(found) > 1:
                raise WrongUsage(f"{len(found)} models begin with {name}", "which one is meant?", "Give more digits.")
            if found:
                return self.path(found[0].digest)
        named = [card for card in cards if card.name == name]
        if named:
            return self.path(named[-1].digest)
        raise NotFound(
            f"There is no model {name}",
            "it is neither on the project's shelf nor a model folder",
            "See `usfm-studio models list`; a digest needs 8 digits at least.",
        )

    def enhancer(self, exam: str = "") -> str | None:
        """Digest of the newest model of this exam that enhances and was better than the one before, or None."""
        able = [c for c in self.cards() if c.task == ENHANCEMENT and c.exam == exam and c.comparison.get("promoted")]
        return able[-1].digest if able else None

    def trained_hashes(self, exam: str, *, enhancement: bool = False) -> set[str]:
        """First 16 digits of the sha256 of every subject that a model of this exam, or an ancestor, was trained on.

        Models that mark and models that enhance count apart: the second look at no mark and at no label.
        """
        wanted = {
            digest
            for digest, row in self._rows.items()
            if row.card.exam == exam and (row.card.task == ENHANCEMENT) == enhancement
        }
        while True:
            parents = {p for digest in wanted for p in self._rows[digest].card.parents if p in self._rows} - wanted
            if not parents:
                break
            wanted |= parents
        return {subject for digest in wanted for subject in self._rows[digest].card.train_subjects}

    # ---- changing ----

    def adopt(self, run_folder: Path) -> ModelCard:
        """Copy a model folder (or the `model` folder in a run's) onto the shelf, checked, whole or not at all.

        Raises BadModel, DiskFull, ReadOnly. Adopting what is there already changes nothing.
        """
        self._journal()  # a project that cannot be written to says so before anything is copied
        source = run_folder if (run_folder / CARD).is_file() else run_folder / "model"
        card = read_card(source)
        held = self._rows.get(card.digest)
        if held is not None and not held.removed and (self.folder / held.folder / CARD).is_file():
            return held.card
        self._record(card, self._place(source, card))
        return card

    def shelve(self, name: str) -> ModelCard:
        """List a model folder that lies on the shelf already. Raises BadModel, DiskFull, ReadOnly."""
        card = read_card(self.folder / name)
        self._record(card, name)
        return card

    def import_model(self, path: Path) -> ModelCard:
        """Bring a model folder from elsewhere onto the shelf. Raises as `adopt`."""
        return self.adopt(path)

    def export(self, digest: str, out: Path) -> Path:
        """Copy a model to a folder that is not there yet. Raises NotFound, WrongUsage, DiskFull."""
        source = self.path(digest)
        if out.exists():
            raise WrongUsage(f"{out.name} is there already", "nothing is overwritten", "Give another name.")
        _copy_whole(source, out, f"The model could not be written to {out.name}")
        return out

    def remove(self, digest: str) -> None:
        """Take a model off the shelf and delete its folder. Raises NotFound; WrongUsage for a champion."""
        row = self._row(digest)
        if digest in self._champions().values():
            raise WrongUsage(
                f"The model {row.card.short} is in use",
                "it makes the project's proposals",
                "Promote another one first.",
            )

        self.forget(digest)
        doomed = files.beside(self.folder / row.folder)
        try:
            (self.folder / row.folder).rename(doomed)
        except OSError:
            return  # what is left is named by `project check`
        files.remove(doomed)

    def forget(self, digest: str) -> None:
        """Take a model off the list; its folder is left where it is. Raises NotFound, ReadOnly, DiskFull."""
        row = self._row(digest)

        def mark(store: Store) -> None:
            with store.transaction() as connection:
                connection.execute("UPDATE models SET removed = 1 WHERE digest = ?", (digest,))

        self._journal().run(mark)
        self._rows = {**self._rows, digest: Shelved(row.card, row.folder, True)}

    def _record(self, card: ModelCard, name: str) -> None:
        added = datetime.now(UTC).isoformat(timespec="seconds")
        body = json.dumps(values_json.card_to(card), default=plain)

        def row(store: Store) -> None:
            with store.transaction() as connection:
                faults.step("statement")
                connection.execute("DELETE FROM models WHERE digest = ?", (card.digest,))
                connection.execute("INSERT INTO models VALUES (?, ?, ?, 0, ?)", (card.digest, name, added, body))

        self._journal().run(row)
        others = {digest: row for digest, row in self._rows.items() if digest != card.digest}
        self._rows = {**others, card.digest: Shelved(card, name, False)}  # replaced whole: other threads may be reading

    def _row(self, digest: str) -> Shelved:
        row = self._rows.get(digest)
        if row is None or row.removed:
            raise NotFound("There is no such model on the shelf", digest[:8], "See `usfm-studio models list`.")
        return row

    def _any_champion(self, exam: str) -> str:
        found = self.champion(exam)
        if found is None and not exam:
            held = {d for e in self._champions() if (d := self.champion(e)) is not None}
            found = held.pop() if len(held) == 1 else None
        if found is None:
            raise NotFound("No model is in use yet", "the project has no champion", "Fine-tune one, or promote one.")
        return found

    def _place(self, source: Path, card: ModelCard) -> str:
        what = f"The model {card.short} could not be put on the shelf"
        try:
            self.folder.mkdir(exist_ok=True)
        except OSError as error:
            raise explained(error, what) from error
        for digits in (8, 16, 64):
            name = f"{card.digest[:digits]}-{slug(card.name)}"
            there = self.folder / name
            if not there.exists():
                _copy_whole(source, there, what)
                return name
            if _same_model(there, card.digest):
                return name
        raise BadModel(what, "a folder of its name is in the way", "Run `usfm-studio project check`.")


def read_card(folder: Path) -> ModelCard:
    """The card of a model folder, whose weights have the digest that it states. Raises BadModel."""
    what = f"The model in {folder.name} cannot be used"
    if not folder.is_dir():
        raise BadModel(what, "it is not a model folder", "A model is a folder with card.json and model.safetensors.")
    card = card_in(folder)
    try:
        digest = files.digest_of(folder / WEIGHTS)
    except OSError as error:
        raise BadModel(what, f"{WEIGHTS} is missing or unreadable", "Copy it again.") from error
    if digest != card.digest:
        raise BadModel(what, "its weights are not those that its card names (wrong digest)", "Copy it again.")
    return card


def card_in(folder: Path) -> ModelCard:
    """The card of a model folder, its weights not looked at. Raises BadModel."""
    what = f"The model in {folder.name} cannot be used"
    try:
        with (folder / CARD).open("rb") as file:
            content = file.read(CARD_MOST_BYTES + 1)
    except OSError as error:
        raise BadModel(what, f"{CARD} is missing or unreadable", "Copy it again.") from error
    if len(content) > CARD_MOST_BYTES:
        raise BadModel(what, "its card is larger than a card can be", "Copy it again.")
    try:
        return values_json.card_from(json.loads(content))
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        LOG.warning("malformed model card", exc_info=error)
        raise BadModel(what, f"its card ({CARD}) is malformed", "Copy it again.") from error


def read_shelf(connection: sqlite3.Connection) -> list[Shelved]:
    """All rows, oldest first; one whose folder is no plain name (a stranger wrote it) counts as removed.

    Raises ValueError.
    """
    rows = connection.execute("SELECT card, folder, removed FROM models ORDER BY rowid").fetchall()
    return [
        Shelved(values_json.card_from(json.loads(card)), str(folder), bool(gone) or not _is_plain(str(folder)))
        for card, folder, gone in rows
    ]


def slug(name: str) -> str:
    """A name as part of a folder's name: a-z, 0-9 and dashes, at most 40."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub("[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-") or "model"


def _is_plain(name: str) -> bool:
    """True for the name of one folder, which leads nowhere else."""
    return name not in ("", ".", "..") and not re.search(r"[/\\:\0]", name)


def _same_model(folder: Path, digest: str) -> bool:
    try:
        return read_card(folder).digest == digest
    except BadModel:
        return False


def _copy_whole(source: Path, target: Path, what: str) -> None:
    temporary = files.beside(target)
    try:
        files.copy_folder(source, temporary)
        files.rename(temporary, target)
    except OSError as error:
        raise explained(error, what) from error
    finally:
        files.remove(temporary)
