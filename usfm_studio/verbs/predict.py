"""`predict`: masks, labels or probabilities for any files, with a model that may come from another machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from usfm_studio.document.errors import Interrupted, StudioError, Unsupported, WrongUsage
from usfm_studio.document.frame import Frame, frames_of
from usfm_studio.engine.doors import FramePixels, ProposalParts
from usfm_studio.imaging.client import DecodedFrame
from usfm_studio.imaging.description import FileDescription
from usfm_studio.verbs.house import House
from usfm_studio.verbs.import_files import Failure
from usfm_studio.verbs.info import describe
from usfm_studio.verbs.shelf import read_card, resolve_model
from usfm_studio.verbs.steps import Await, Steps, progress

BATCH = 4
KINDS = ("masks", "labels", "probabilities", "enhanced")


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
    ms_per_frame: float
    predicted_dice: dict[str, float]
    failed: list[Failure] = field(default_factory=list)

    @property
    def partial(self) -> bool:
        """True where some file could not be read."""
        return bool(self.failed)


def run(arguments: PredictArguments, house: House) -> Steps[PredictResult]:
    """Read, predict and write, a few frames at a time."""
    model = resolve_model(arguments.model, house.opened)
    card = read_card(model)
    kind = _kind(arguments.kind, card.task)
    described: list[FileDescription] = []
    yield from describe(house, arguments.inputs, described, digest=True)
    failed = [Failure(path=d.shown_path, error=d.error or "holds no picture") for d in described if d.instance is None]
    jobs = _jobs(described, failed)
    arguments.out.mkdir(parents=True, exist_ok=True)
    yield Await(house.engine.warm(model))
    began, done = monotonic(), 0
    rows: list[dict[str, Any]] = []
    dice: dict[str, float] = {}
    for start in range(0, len(jobs), BATCH):
        batch = jobs[start : start + BATCH]
        parts = yield from _predict_batch(house, model, batch, kind, failed)
        items = [(p.key, p.probabilities if p.probabilities is not None else p.ids) for _, p in parts]
        if kind != "labels" and items:
            yield Await(house.reader.write_predictions(items, arguments.out, kind, card.segments))
        for shown, part in parts:
            rows.append({"file": shown, "labels": dict(part.labels)})
            sure = _predicted_dice(part)
            if sure is not None:
                dice[shown] = sure
        done += len(parts)
        yield progress(min(len(jobs), start + BATCH), len(jobs), "Predicting")
    if card.labels and rows:
        yield Await(house.reader.write_labels(rows, arguments.out, card.labels, exclusive=card.exclusive_labels))
    seconds = monotonic() - began
    return PredictResult(
        frames=done,
        seconds=round(seconds, 3),
        ms_per_frame=round(1000 * seconds / max(1, done), 2),
        predicted_dice=dice,
        failed=failed,
    )


def _kind(asked: str | None, task: str) -> str:
    able = {
        "segmentation": ("masks", "probabilities"),
        "labels": ("labels",),
        "both": ("masks", "labels", "probabilities"),
    }
    can = able.get(task, ())
    if asked is not None and asked not in KINDS:
        raise WrongUsage(f"There is no kind {asked}", "it is not one of masks, labels, probabilities, enhanced")
    if asked is not None and asked not in can:
        raise Unsupported(
            f"This model gives no {asked}", f"it was trained for {task}", f"It can give {', '.join(can)}."
        )
    if not can:
        raise Unsupported("This model predicts nothing", "it is an encoder", "Fine-tune first, or name another model.")
    return asked or can[0]


def _jobs(described: Sequence[FileDescription], failed: list[Failure]) -> list[tuple[str, str, Frame]]:
    jobs, taken = [], set()
    for one in described:
        if one.instance is None:
            continue
        stem = Path(one.member or one.path).stem
        for frame in frames_of(one.instance):
            many = one.instance.frames > 1
            name = f"{stem}_f{frame.index:03d}" if many else stem
            shown = f"{one.instance.name}#{frame.index}" if many else one.instance.name
            if name in taken:
                failed.append(
                    Failure(path=one.shown_path, error=f"{shown}: another input has the same name. Predict it apart.")
                )
                continue
            taken.add(name)
            jobs.append((shown, name, frame))
    return jobs


def _predict_batch(
    house: House, model: Path, batch: Sequence[tuple[str, str, Frame]], kind: str, failed: list[Failure]
) -> Steps[list[tuple[str, ProposalParts]]]:
    decoded: dict[str, tuple[str, DecodedFrame]] = {}
    tickets = [(shown, name, house.reader.pixels(frame.instance, frame.index)) for shown, name, frame in batch]
    for shown, name, ticket in tickets:
        try:
            decoded[name] = (shown, (yield Await(ticket)))
        except Interrupted:
            raise
        except StudioError as error:
            failed.append(Failure(path=shown, error=str(error)))
    if not decoded:
        return []
    pixels = [FramePixels(key=name, digest=d.digest, ref=d.ref) for name, (_, d) in decoded.items()]
    try:
        answers = house.engine.propose(pixels, model, probabilities=kind == "probabilities")
        parts: list[ProposalParts] = yield Await(answers)
    finally:
        for _, one in decoded.values():
            house.reader.release(one)
    return [(decoded[part.key][0], part) for part in parts]


def _predicted_dice(part: ProposalParts) -> float | None:
    values = list(part.predicted_dice.values()) or list(part.confidences.values())
    return round(sum(values) / len(values), 4) if values else None
