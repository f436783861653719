"""`predict`: masks, labels or enhanced images of any files, with a model that may come from another machine."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from time import monotonic
from typing import Any

from numpy.typing import NDArray

from usfm_studio.document.errors import StudioError, Unsupported, WrongUsage
from usfm_studio.document.frame import Frame, frames_of
from usfm_studio.document.model_card import ModelCard
from usfm_studio.engine.doors import Enhanced, FramePixels, ProposalParts
from usfm_studio.imaging.client import DecodedFrame
from usfm_studio.imaging.description import FileDescription
from usfm_studio.verbs import pixels
from usfm_studio.verbs.house import House
from usfm_studio.verbs.info import describe
from usfm_studio.verbs.paths import images_of
from usfm_studio.verbs.propose import ask
from usfm_studio.verbs.scratch import sweep_beside
from usfm_studio.verbs.shelf import resolve_model, usable_card
from usfm_studio.verbs.steps import Apart, Event, Failure, Steps, answer, progress

BATCH = 4
LONGEST_NAME = 255
"""Bytes of a file's name that the usual drives take."""
KINDS = ("masks", "labels", "probabilities", "enhanced")
WRITTEN = ("*.png", "*.npz", "labels.csv", "schema.toml")
ABLE: Mapping[str, tuple[str, ...]] = {
    "segmentation": ("masks", "probabilities"),
    "labels": ("labels",),
    "both": ("masks", "labels", "probabilities"),
    "enhancement": ("enhanced",),
}
"""What a model of each task can give; the first is the default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictArguments:
    """`kind` left out: the first of masks, labels, enhanced that the model can."""

    model: str | None
    inputs: tuple[str, ...]
    out: Path
    kind: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictResult:
    """Fields of the contract; `predicted_dice` by file, where the model can tell."""

    frames: int
    seconds: float
    ms_per_frame: float | None
    predicted_dice: dict[str, float]
    failed: list[Failure] = field(default_factory=list)

    @property
    def partial(self) -> bool:
        """True where some file could not be read."""
        return bool(self.failed)


@dataclass(frozen=True, slots=True)
class _Job:
    """One frame to predict: `stem` names its output, `shown` names it in results."""

    frame: Frame
    stem: str
    shown: str


def run(arguments: PredictArguments, house: House) -> Steps[PredictResult]:
    """Read, predict and write, a few frames at a time."""
    model = resolve_model(arguments.model, house.opened)
    card: ModelCard = yield Apart(lambda: usable_card(model))
    kind = _kind(arguments.kind, card)
    _refuse_file(arguments.out)
    for name in WRITTEN:
        sweep_beside(arguments.out, name)
    jobs, failed = yield from _jobs(arguments, house, kind)
    yield from answer(house.engine.warm(model))
    work = _Work(house, model, card, kind, arguments.out, failed)
    began = monotonic()
    yield from work.through(jobs)
    seconds = monotonic() - began
    return PredictResult(
        frames=len(work.rows),
        seconds=round(seconds, 3),
        ms_per_frame=round(1000 * seconds / len(work.rows), 2) if work.rows else None,
        predicted_dice=work.dice,
        failed=failed,
    )


class _Work:
    """One run: what it works with, and what it has so far."""

    def __init__(self, house: House, model: Path, card: ModelCard, kind: str, out: Path, failed: list[Failure]) -> None:
        self.house, self.model, self.card, self.kind, self.out, self.failed = house, model, card, kind, out, failed
        self.rows: list[dict[str, Any]] = []
        self.dice: dict[str, float] = {}

    def through(self, jobs: Sequence[_Job]) -> Steps[None]:
        """All jobs, batch by batch; the labels' table comes last, also where the work is interrupted."""
        try:
            for start in range(0, len(jobs), BATCH):
                yield from self._batch(jobs[start : start + BATCH])
                yield progress(min(len(jobs), start + BATCH), len(jobs), "Predicting")
        except StudioError:
            yield from self._table()
            raise
        yield from self._table()

    def _batch(self, batch: Sequence[_Job]) -> Steps[None]:
        outcomes = yield from pixels.read(self.house, [job.frame for job in batch])
        seen, shown = [], {}
        for job, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, DecodedFrame):
                seen.append(FramePixels(key=job.stem, digest=outcome.digest, ref=outcome.ref))
                shown[job.stem] = job.shown
            else:
                self.failed.append(Failure(path=job.frame.instance.path, error=str(outcome)))
        if not seen:
            return
        if self.kind == "enhanced":
            pictures = yield from _enhance(self.house, seen, outcomes, self.model)
            yield from self._write([(picture.key, picture.pixels) for picture in pictures])
            self.rows += [{"file": shown[picture.key], "labels": {}} for picture in pictures]
            return
        wanted = self.kind == "probabilities"
        parts = yield from ask(self.house, seen, outcomes, self.model, probabilities=wanted)
        if self.kind != "labels":
            yield from self._write([(p.key, p.ids if p.probabilities is None else p.probabilities) for p in parts])
        for part in parts:
            self._note(shown[part.key], part)

    def _write(self, items: Sequence[tuple[str, NDArray[Any]]]) -> Steps[None]:
        yield from answer(self.house.reader.write_predictions(items, self.out, self.kind, self.card.segments))

    def _note(self, shown: str, part: ProposalParts) -> None:
        self.rows.append({"file": shown, "labels": dict(part.labels)})
        sure = list(part.predicted_dice.values()) or list(part.confidences.values())
        if sure:
            self.dice[shown] = round(sum(sure) / len(sure), 4)

    def _table(self) -> Steps[None]:
        if self.card.labels and self.rows:
            card, reader = self.card, self.house.reader
            exclusive = card.exclusive_labels
            yield from answer(reader.write_labels(self.rows, self.out, card.labels, exclusive=exclusive))


def _enhance(
    house: House, seen: Sequence[FramePixels], outcomes: Sequence[pixels.Outcome], model: Path
) -> Steps[list[Enhanced]]:
    """The frames enhanced; as in `ask`, the pixels go back when the engine has let go of them."""
    try:
        asked = house.engine.enhance(seen, model)
    except BaseException:
        pixels.give_back(house, outcomes)
        raise
    assert asked.ticket is not None
    asked.ticket.when_released(lambda: pixels.give_back(house, outcomes))
    found: list[Enhanced] = yield from answer(asked)
    return found


def _kind(asked: str | None, card: ModelCard) -> str:
    can = ABLE.get(card.task, ())
    if asked is not None and asked not in KINDS:
        raise WrongUsage(f"There is no kind {asked}", f"it is not one of {', '.join(KINDS)}")
    if not can:
        raise Unsupported("This model predicts nothing", "it is an encoder", "Fine-tune first, or name another model.")
    if asked is not None and asked not in can:
        raise Unsupported(f"This model gives no {asked}", f"its task is {card.task}", f"It can give {', '.join(can)}.")
    return asked or can[0]


def _refuse_file(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise WrongUsage(f"Nothing was written to {out.name}", "it is a file", "Name a folder with --out.")


def _jobs(arguments: PredictArguments, house: House, kind: str) -> Steps[tuple[list[_Job], list[Failure]]]:
    jobs: list[_Job] = []
    failed: list[Failure] = []
    taken: dict[str, str] = {}

    def take(files: Sequence[FileDescription]) -> Iterable[Event]:
        for file in files:
            found = _jobs_of(file)
            other = next((taken[job.stem] for job in found if job.stem in taken), None)
            unfit = next((why for job in found if kind != "labels" and (why := _unfit(job.stem))), None)
            if unfit is not None:
                error = f"Nothing was predicted for {_name(file)}: {unfit}. Rename it."
                failed.append(Failure(path=file.shown_path, error=error))
            elif other is not None:
                error = f"Nothing was predicted for {_name(file)}: {other} has the same name. Predict it apart."
                failed.append(Failure(path=file.shown_path, error=error))
            elif not found:
                failed.append(Failure(path=file.shown_path, error=file.not_imported or ""))
            else:
                jobs.extend(found)
                taken.update({job.stem: _name(file) for job in found})
        return ()

    yield from describe(house, images_of(arguments.inputs), take, digest=False)
    return jobs, failed


def _unfit(stem: str) -> str | None:
    """Why a result cannot be called so; None where it can."""
    if stem in ("", ".", "..") or any(mark in stem for mark in "/\\\0"):
        return "a result cannot have its name"
    if len(os.fsencode(stem)) + len(".png") > LONGEST_NAME:
        return "its name is too long for a result's"
    return None


def _jobs_of(file: FileDescription) -> list[_Job]:
    if file.instance is None:
        return []
    name = _name(file)
    stem = PurePosixPath(name).stem
    if file.instance.frames == 1:
        return [_Job(frame, stem, name) for frame in frames_of(file.instance)]
    return [_Job(f, f"{stem}_f{f.index:03d}", f"{name}#{f.index}") for f in frames_of(file.instance)]


def _name(file: FileDescription) -> str:
    return PurePosixPath(file.member or file.path).name
