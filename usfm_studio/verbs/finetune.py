"""`finetune`: learn from the frames corrected so far, compare on subjects kept apart, promote only when better."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from time import monotonic
from typing import Any

from usfm_studio.document.annotation import State
from usfm_studio.document.edit import SetChampion
from usfm_studio.document.errors import Interrupted, NothingToLearn, WrongUsage
from usfm_studio.document.frame import Frame
from usfm_studio.document.snapshot import SnapshotWriter
from usfm_studio.engine.trainer_client import TrainingOrder, Work, train
from usfm_studio.project.project import Project
from usfm_studio.verbs.house import House
from usfm_studio.verbs.shelf import CARD
from usfm_studio.verbs.steps import Apart, Await, Event, Steps, progress

DEFAULT_MINUTES = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuneArguments:
    """Either the house's project (limited to one exam group) or a DATA folder; see the contract for the rest."""

    data: Path | None = None
    fraction: float | None = None
    folds: int | None = None
    fold: int | None = None
    task: str = "auto"
    minutes: float = DEFAULT_MINUTES
    out: Path | None = None
    exam: str | None = None
    name: str | None = None
    subjects: tuple[str, ...] | None = None
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuneResult:
    """Fields of the contract; `holdout` is {metric, champion, challenger, interval, subjects, kind}."""

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
    failed: list[dict[str, str]] = field(default_factory=list)


class Running:
    """A hand on the run: whoever started the verb may stop it (the best so far is kept) or give it up."""

    def __init__(self) -> None:
        self.training: Work | None = None

    def stop(self) -> None:
        """Go straight to the comparison with the best so far."""
        if self.training is not None:
            self.training.stop()

    def cancel(self) -> None:
        """Give the run up."""
        if self.training is not None:
            self.training.cancel()


def run(arguments: FinetuneArguments, house: House, running: Running | None = None) -> Steps[FinetuneResult]:
    """Learn from the project, or from the DATA folder when one is given."""
    end = monotonic() + arguments.minutes * 60
    running = running or Running()
    if arguments.data is not None:
        return (yield from _from_data(arguments, house, end, running))
    return (yield from _from_project(arguments, house, end, running))


def ready(project: Project, exam: str) -> list[Frame]:
    """Frames of one exam group that count: done, or looked at with nothing to mark."""
    return [
        frame
        for frame in project.frames()
        if project.annotation(frame.id).state in (State.DONE, State.NOTHING)
        and project.schema.exam_of(frame.instance) == exam
    ]


def _from_project(arguments: FinetuneArguments, house: House, end: float, running: Running) -> Steps[FinetuneResult]:
    project = house.project
    exam = arguments.exam if arguments.exam is not None else _busiest_exam(project)
    frames = ready(project, exam)
    if not frames:
        raise NothingToLearn(
            "There is nothing to learn from yet",
            "no frame is done",
            "Accept or draw frames of two subjects, then try again.",
        )
    run_folder = project.folder / "runs" / f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}"
    run_folder.mkdir(parents=True)
    yield Event("stage", {"stage": "reading"})
    yield from _snapshot(house, frames, exam, run_folder / "snapshot")
    champion = project.models.champion(exam)
    order = TrainingOrder(
        snapshot=run_folder / "snapshot",
        run=run_folder,
        budget_s=end - monotonic(),
        seed=house.options.seed,
        threads=house.options.threads,
        device=house.options.device,
        champion=project.models.path(champion) if champion else None,
        task=arguments.task,
        name=arguments.name or _next_name(project, exam),
        exam=exam,
        trained_before=tuple(sorted(project.trained_subjects(exam))),
        options=dict(arguments.options),
    )
    body = yield from _train(order, running)
    card = yield Apart(lambda: project.models.adopt(Path(body["model_folder"])))
    yield Apart(lambda: shutil.rmtree(run_folder / "snapshot", ignore_errors=True))
    if body["promoted"]:
        edit = SetChampion(name=f"Promote {card.name}", exam=exam, before=champion, after=card.digest)
        project.apply(edit)
        yield Event("applied", {"edit": edit})
    return _result(body, card.digest, house.options.seed)


def _snapshot(house: House, frames: Sequence[Frame], exam: str, folder: Path) -> Steps[None]:
    project = house.project
    writer = SnapshotWriter(folder, project.schema.for_exam(exam))
    order = {subject: i for i, subject in enumerate(project.subject_order)}
    for number, frame in enumerate(sorted(frames, key=lambda f: (order.get(f.instance.subject, 0), f.id))):
        decoded = yield Await(house.reader.pixels(frame.instance, frame.index))
        try:
            sample, mask = project.sample(frame, f"s{number:05d}", exam)
            yield Apart(partial(writer.add, sample, decoded.array, mask))
        finally:
            house.reader.release(decoded)
        yield progress(number + 1, len(frames), "Collecting frames")
    yield Apart(writer.finish)


def _from_data(arguments: FinetuneArguments, house: House, end: float, running: Running) -> Steps[FinetuneResult]:
    assert arguments.data is not None
    with tempfile.TemporaryDirectory(prefix="usfm-run-") as scratch:
        run_folder = Path(scratch)
        yield Event("stage", {"stage": "reading"})
        read = yield Await(house.reader.data_folder_to_snapshot(arguments.data, run_folder / "snapshot"))
        order = TrainingOrder(
            snapshot=run_folder / "snapshot",
            run=run_folder,
            budget_s=end - monotonic(),
            seed=house.options.seed,
            threads=house.options.threads,
            device=house.options.device,
            champion=None,
            task=arguments.task,
            name=arguments.name or arguments.data.name,
            exam="",
            trained_before=(),
            fraction=arguments.fraction,
            folds=arguments.folds,
            fold=arguments.fold,
            options={**arguments.options, "standalone": True},
        )
        body = yield from _train(order, running)
        digest = str(body["model"])
        out = arguments.out or Path(f"model-{digest[:8]}")
        _move(Path(body["model_folder"]), out)
    result = _result(body, str(out), house.options.seed)
    result.failed.extend(read.get("failed", []))
    return result


def _train(order: TrainingOrder, running: Running) -> Steps[dict[str, Any]]:
    events: SimpleQueue[Event] = SimpleQueue()
    training = train(order, on_event=lambda body: events.put(Event(str(body.get("event", "note")), body)))
    running.training = training
    try:
        body: dict[str, Any] = yield Await(training.ticket, events)
        return body
    except (Interrupted, GeneratorExit):
        training.cancel()
        raise
    finally:
        training.close()


def _result(body: dict[str, Any], model: str, seed: int) -> FinetuneResult:
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
    )


def _busiest_exam(project: Project) -> str:
    counts = Counter(
        project.schema.exam_of(f.instance)
        for f in project.frames()
        if project.annotation(f.id).state in (State.DONE, State.NOTHING)
    )
    return counts.most_common(1)[0][0] if counts else ""


def _next_name(project: Project, exam: str) -> str:
    earlier = sum(1 for card in project.models.cards() if card.exam == exam)
    title = exam.capitalize() if exam else "Model"
    return f"{title} v{earlier + 1}"


def _move(source: Path, out: Path) -> None:
    """Into place whole: copied beside, then renamed; an older model of that name is replaced."""
    if out.exists() and not (out / CARD).exists():
        raise WrongUsage(f"{out.name} is not replaced", "it exists and is not a model", "Choose another --out.")
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = out.with_name(f".{out.name}.tmp")
    shutil.rmtree(beside, ignore_errors=True)
    shutil.copytree(source, beside)
    if out.exists():
        shutil.rmtree(out)
    beside.rename(out)
