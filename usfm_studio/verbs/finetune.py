"""`finetune`: learn from the frames corrected so far, compare on subjects kept apart, promote only when better."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from time import monotonic
from typing import Any

from usfm_studio.document.annotation import State
from usfm_studio.document.edit import SetChampion
from usfm_studio.document.errors import (
    ChildDied,
    Interrupted,
    NothingToLearn,
    OutOfMemory,
    ReadOnly,
    StudioError,
    WrongUsage,
)
from usfm_studio.document.frame import Frame
from usfm_studio.document.model_card import ModelCard
from usfm_studio.document.snapshot import SnapshotWriter
from usfm_studio.engine.models.catalogue import WEIGHTS
from usfm_studio.engine.trainer_client import TrainingOrder, Work, train
from usfm_studio.project.models import ENHANCEMENT
from usfm_studio.project.project import Project
from usfm_studio.verbs import data_folder, early_end, runs
from usfm_studio.verbs.export import collect
from usfm_studio.verbs.house import House
from usfm_studio.verbs.runs import InterruptedRun, discard, interrupted_runs
from usfm_studio.verbs.scratch import scratch
from usfm_studio.verbs.shelf import copy_model, refuse_taken, resolve_model, usable_card
from usfm_studio.verbs.steps import Apart, Await, Event, Failure, Steps

__all__ = [
    "FinetuneArguments", "FinetuneResult", "InterruptedRun", "Running", "discard", "interrupted_runs", "ready", "run",
]  # fmt: skip

DEFAULT_MINUTES = 5.0
SHELVING_S = 1.0
"""Of the time given: for copying the written model to its place."""
BYTES_A_SECOND = 100e6
"""Of a slow disk: what an encoder inside the model adds to that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuneArguments:
    """Either the house's project (limited to one exam group) or a DATA folder; see the contract for the rest.

    `encoder`: what it learns over: M of the contract, an encoder or a model with one; left out: the one that ships.
    `spent_s`: seconds of `minutes` that are gone already.
    """

    data: Path | None = None
    fraction: float | None = None
    folds: int | None = None
    fold: int | None = None
    task: str = "auto"
    minutes: float = DEFAULT_MINUTES
    spent_s: float = 0.0
    out: Path | None = None
    exam: str | None = None
    encoder: str | None = None
    name: str | None = None
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuneResult:
    """Fields of the contract; `holdout` is {metric, champion, challenger, interval, subjects, kind}.

    `comparison` has `per_subject` ({subject: {challenger, champion}}) and the `worst` frames, from a project with
    their mask files.
    """

    model: str
    promoted: bool
    reason: str
    holdout: dict[str, Any]
    train_subjects: int
    seconds: float
    settings: dict[str, Any]
    data_digest: str
    seed: int
    comparison: dict[str, Any] = field(default_factory=dict)
    failed: list[Failure] = field(default_factory=list)

    @property
    def partial(self) -> bool:
        """True where some file could not be read, and was not learned from."""
        return bool(self.failed)


class Running:
    """A hand on the run: whoever started the verb may stop it (the best so far is kept) or give it up."""

    def __init__(self) -> None:
        self.training: Work | None = None
        self.given_up = False

    def stop(self) -> None:
        """Go straight to the comparison with the best so far."""
        if self.training is not None:
            self.training.stop()

    def cancel(self) -> None:
        """Give the run up: nothing of it stays."""
        self.given_up = True
        if self.training is not None:
            self.training.cancel()


def run(arguments: FinetuneArguments, house: House, running: Running | None = None) -> Steps[FinetuneResult]:
    """Learn from the project, or from the DATA folder when one is given."""
    end = monotonic() + arguments.minutes * 60 - arguments.spent_s - SHELVING_S
    running = running or Running()
    encoder = yield from _encoder(arguments.encoder, house)
    if encoder is not None:
        end -= encoder.shelving_s
    if arguments.data is not None:
        return (yield from _from_data(arguments, house, end, running, encoder))
    return (yield from _from_project(arguments, house, end, running, encoder))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Encoder:
    """What the run learns over, checked; and how much longer its weights make the copy of the written model."""

    folder: Path
    shelving_s: float


def _encoder(name: str | None, house: House) -> Steps[_Encoder | None]:
    """The encoder of the arguments. Raises NotFound, BadModel, WrongUsage; says where it is inside a whole model."""
    if name is None:
        return None
    folder = resolve_model(name, house.opened)
    card = yield Apart(lambda: usable_card(folder))
    if card.task != "encoder":
        note = f"{card.name} is a whole model: its encoder alone is used, and nothing of what it marks."
        yield Event("note", {"event": "note", "note": note})
    size = (folder / WEIGHTS).stat().st_size
    return _Encoder(folder=folder.absolute(), shelving_s=size / BYTES_A_SECOND)


def ready(project: Project, exam: str) -> list[Frame]:
    """Frames of one exam group that count: done, or looked at with nothing to mark."""
    return [
        frame
        for frame in project.annotated()
        if project.annotation(frame.id).state in (State.DONE, State.NOTHING)
        and project.schema.exam_of(frame.instance) == exam
    ]


# ---- from a project ----


def _from_project(
    arguments: FinetuneArguments, house: House, end: float, running: Running, encoder: _Encoder | None
) -> Steps[FinetuneResult]:
    project = house.project
    exam = _exam(project, arguments.exam)
    frames = ready(project, exam)
    if not frames:
        raise _nothing("no frame is done")
    folder = yield Apart(lambda: runs.begin(project))
    try:
        yield Event("stage", {"stage": "reading"})
        failed = yield from _snapshot(house, frames, exam, folder / runs.SNAPSHOT)
        enhancing = arguments.task == ENHANCEMENT
        champion = project.models.enhancer(exam) if enhancing else project.models.champion(exam)
        order = _order(
            arguments,
            house,
            folder,
            end,
            encoder=None if encoder is None else encoder.folder,
            name=arguments.name or _next_name(project, exam),
            exam=exam,
            champion=project.models.path(champion) if champion else None,
            trained_before=tuple(sorted(project.trained_subjects(exam, enhancement=enhancing))),
            options=dict(arguments.options),
        )
        body = yield from _train(order, running)
        card = yield Apart(lambda: project.models.adopt(Path(body["model_folder"])))
    except GeneratorExit:
        _leave(folder, running)
        raise
    except Interrupted as error:
        _leave(folder, running, error)
        raise
    except StudioError as error:
        runs.failed(folder, error)
        raise
    yield Apart(lambda: runs.finished(folder))
    if enhancing:
        pass  # who makes views proposes nothing: the champion stays, and the card says which of its kind was better
    elif body["promoted"] and project.models.champion(exam) == champion:
        yield from _promote(project, exam, champion, card)
    elif body["promoted"]:
        body |= {"promoted": False, "reason": "another model was chosen while this one was learning"}
    return _result(body, card.digest, house.options.seed, failed)


def _leave(folder: Path, running: Running, error: StudioError | None = None) -> None:
    """The run ends early: it is forgotten where the person gave it up, else kept and marked."""
    if not running.given_up:
        runs.interrupted(folder, error.why if error is not None else "it was closed")
    elif running.training is None:
        runs.remove(folder)
    else:
        running.training.ticket.when_released(lambda: runs.remove(folder))


def _promote(project: Project, exam: str, champion: str | None, card: ModelCard) -> Steps[None]:
    edit = SetChampion(name=f"Promote {card.name}", exam=exam, before=champion, after=card.digest)
    project.apply(edit)
    yield Event("applied", {"edit": edit})


def _snapshot(house: House, frames: list[Frame], exam: str, folder: Path) -> Steps[list[Failure]]:
    """The frames as a snapshot, subjects in the order in which they joined the project."""
    project = house.project
    order = {subject: i for i, subject in enumerate(project.subject_order)}
    frames = sorted(frames, key=lambda frame: (order.get(frame.instance.subject, 0), frame.id))
    writer = SnapshotWriter(folder, project.schema.for_exam(exam))
    collected, failed = yield from collect(house, writer, frames, exam)
    if not collected:
        raise _nothing("no finished frame has a mark or a label of this kind of image")
    yield Apart(writer.finish)
    return failed


def _nothing(why: str) -> NothingToLearn:
    hint = "Accept or draw frames of two subjects, then try again."
    return NothingToLearn("There is nothing to learn from yet", why, hint)


def _exam(project: Project, asked: str | None) -> str:
    """The exam group to learn: the one asked for, else the one with the most finished frames."""
    known = {exam.casefold(): exam for exam in ("", *project.schema.exams)}
    if asked is not None:
        if asked.casefold() not in known:
            shown = ", ".join(exam for exam in known.values() if exam) or "none apart"
            raise WrongUsage(f"There is no exam {asked}", f"the project's label schema knows {shown}")
        return known[asked.casefold()]
    counts = Counter({exam: len(ready(project, exam)) for exam in known.values()})
    return counts.most_common(1)[0][0]


def _next_name(project: Project, exam: str) -> str:
    earlier = sum(1 for card in project.models.cards() if card.exam == exam)
    title = exam.capitalize() if exam else "Model"
    return f"{title} v{earlier + 1}"


# ---- from a DATA folder ----


def _from_data(
    arguments: FinetuneArguments, house: House, end: float, running: Running, encoder: _Encoder | None
) -> Steps[FinetuneResult]:
    _refuse_place(arguments.out)
    with scratch("run") as folder:
        try:
            return (yield from _in_folder(arguments, house, end, running, encoder, folder))
        except (GeneratorExit, KeyboardInterrupt) as end:  # broken off: there is time for the copy alone
            asked = isinstance(end, KeyboardInterrupt)  # somebody waits for an answer, though nothing was learned
            if running.given_up or not (asked or early_end.has_model(folder)):
                raise
            raise early_end.with_best(early_end.stopped(), folder, arguments.out) from None


def _in_folder(
    arguments: FinetuneArguments, house: House, end: float, running: Running, encoder: _Encoder | None, folder: Path
) -> Steps[FinetuneResult]:
    """The run in its folder, and its model at its place; the best so far where it ends early."""
    assert arguments.data is not None
    data = arguments.data.absolute()
    failed: list[Failure] = []
    try:
        yield Event("stage", {"stage": "reading"})
        failed = yield from data_folder.read(house, data, folder / runs.SNAPSHOT)
        options = {**arguments.options, "standalone": True}
        over = None if encoder is None else encoder.folder
        order = _order(arguments, house, folder, end, encoder=over, name=arguments.name or data.name, options=options)
        body = yield from _train(order, running, wraps_up=True)
        out = arguments.out or Path(f"model-{str(body['model'])[:8]}")
        yield Apart(lambda: copy_model(Path(body["model_folder"]), out, replace=True))
    except NothingToLearn as error:
        raise data_folder.naming(failed, error) from error
    except (Interrupted, ChildDied, OutOfMemory) as error:
        if running.given_up:
            raise
        raise (yield Apart(partial(early_end.with_best, error, folder, arguments.out))) from error
    body["worst"] = [{k: v for k, v in row.items() if k not in ("new", "old")} for row in body.get("worst", [])]
    return _result(body, str(out), house.options.seed, failed)


def _refuse_place(out: Path | None) -> None:
    """Say before the run, not after it, that the model cannot be written there."""
    if out is not None:
        refuse_taken(out, replace=True)
    folder = Path.cwd() if out is None else out.absolute().parent
    while not folder.exists():
        folder = folder.parent
    if not os.access(folder, os.W_OK):
        raise ReadOnly("The model cannot be written", f"{folder.name} cannot be written to", "Choose another --out.")


# ---- both ----


def _order(arguments: FinetuneArguments, house: House, folder: Path, end: float, **more: Any) -> TrainingOrder:
    return TrainingOrder(
        snapshot=folder / runs.SNAPSHOT,
        run=folder,
        budget_s=_time_left(end),
        seed=house.options.seed,
        threads=house.options.threads,
        device=house.options.device,
        task=arguments.task,
        fraction=arguments.fraction,
        folds=arguments.folds,
        fold=arguments.fold,
        **more,
    )


def _time_left(end: float) -> float:
    left = end - monotonic()
    if left <= 0:
        why = "reading the frames took all of the time given"
        raise WrongUsage("There is no time to learn in", why, "Give it more minutes.")
    return left


def _train(order: TrainingOrder, running: Running, *, wraps_up: bool = False) -> Steps[dict[str, Any]]:
    """Run the worker to its answer. Left early, the worker is ended: its best model so far is on disk.

    With `wraps_up`, an interrupted one is given a moment to write and to compare what it has.
    """
    events: SimpleQueue[Event] = SimpleQueue()
    training = train(order, on_event=lambda body: events.put(Event(str(body.get("event", "note")), body)))
    running.training = training
    try:
        body: dict[str, Any] = yield Await(training.ticket, events)
    except Interrupted:
        wraps_up = wraps_up and not running.given_up
        if wraps_up:
            yield from early_end.wrapped_up(training)
        training.child.kill(0.0 if wraps_up or running.given_up else 1.0)
        raise
    except BaseException:
        training.child.kill(0.0 if running.given_up else 1.0)  # the window does not wait
        raise
    training.child.stop(0.0)
    return body


def _result(body: Mapping[str, Any], model: str, seed: int, failed: list[Failure]) -> FinetuneResult:
    return FinetuneResult(
        model=model,
        promoted=bool(body["promoted"]),
        reason=str(body["reason"]),
        holdout=dict(body["holdout"]),
        train_subjects=int(body["train_subjects"]),
        seconds=float(body["seconds"]),
        settings=dict(body["settings"]),
        data_digest=str(body["data_digest"]),
        seed=seed,
        comparison={"per_subject": body.get("per_subject", {}), "worst": body.get("worst", [])},
        failed=failed,
    )
