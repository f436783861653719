"""`propose`: what the model says of every frame that nobody has worked on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import monotonic
from types import MappingProxyType
from typing import TypeVar

import numpy as np

from usfm_studio.document.annotation import Proposal
from usfm_studio.document.edit import ReplaceSchema, SetProposal
from usfm_studio.document.errors import NotFound, StudioError
from usfm_studio.document.frame import Frame, FrameId
from usfm_studio.document.mask import Mask
from usfm_studio.document.model_card import ModelCard
from usfm_studio.document.schema import Schema, Segment
from usfm_studio.engine.doors import FramePixels, ProposalParts
from usfm_studio.imaging.client import DecodedFrame
from usfm_studio.project.lesson_book import LessonBook
from usfm_studio.project.project import Project
from usfm_studio.verbs import instant, pixels
from usfm_studio.verbs.house import House
from usfm_studio.verbs.lessons import Lessons, lessons_of
from usfm_studio.verbs.review import untouched
from usfm_studio.verbs.shelf import model_for, read_card, refuse_enhancer, resolve_model, usable_card
from usfm_studio.verbs.steps import Apart, Failure, Steps, answer, applied, progress

BATCH = 4
CHAMPION = "champion"
INSTANTLY = "instant"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposeArguments:
    """`model` as in the contract (left out: each frame's own).

    `frames` and `exam` limit it; `all_frames` takes frames with work on them too.
    """

    model: str | None = None
    all_frames: bool = False
    frames: tuple[Frame, ...] | None = None
    exam: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposeResult:
    """How many frames got a proposal, in how many seconds, and from which model.

    8 digits of its digest (several: the first), or `instant`: a head that learned from the accepted frames just now.
    """

    frames: int
    seconds: float
    model: str | None
    failed: list[Failure] = field(default_factory=list)

    @property
    def partial(self) -> bool:
        """True where some frame could not be read."""
        return bool(self.failed)


def run(arguments: ProposeArguments, house: House) -> Steps[ProposeResult]:
    """Propose, a few frames at a time, so that the person at the screen sees the first at once.

    A frame that cannot be read is left out and listed; where the frames were named, the first such error is raised
    after the others have their proposals.
    """
    began = monotonic()
    chosen = _chosen(arguments, house.project)
    if chosen is not None:
        refuse_enhancer((yield Apart(partial(usable_card, chosen))))  # before the engine is up
    jobs, untaught = _jobs(arguments, house.project, chosen)
    taught = (yield from _taught(house.project, untaught)) if arguments.model is None else {}
    if untaught and not (jobs or taught):
        raise NotFound("Nothing to propose", "no model is for these images yet", "Fine-tune on corrected frames first.")
    work = _Work(house, pixels.Sources(house.project), all_frames=arguments.all_frames)
    batches: list[tuple[Path | str, Sequence[Frame]]] = [*_batches(jobs), *_batches({e: untaught[e] for e in taught})]
    total, done, looked_at = sum(len(frames) for _, frames in batches), 0, 0
    for by, batch in batches:
        done += yield from (work.by_model(by, batch) if isinstance(by, Path) else work.instantly(taught[by], batch))
        looked_at += len(batch)
        yield progress(looked_at, total, "Proposing")
    if work.failed and (arguments.frames is not None or not done):
        raise work.failed[0][1]
    first = batches[0][0] if batches else None
    return ProposeResult(
        frames=done,
        seconds=round(monotonic() - began, 3),
        model=None if first is None else read_card(first).short if isinstance(first, Path) else INSTANTLY,
        failed=[Failure(path=pixels.shown(frame), error=str(error)) for frame, error in work.failed],
    )


def _chosen(arguments: ProposeArguments, project: Project) -> Path | None:
    """The model that was named; None where each exam's own proposes, the champion."""
    return None if arguments.model in (None, CHAMPION) else resolve_model(arguments.model, project)


def _jobs(
    arguments: ProposeArguments, project: Project, chosen: Path | None
) -> tuple[dict[Path, list[Frame]], dict[str, list[Frame]]]:
    """(the frames that wait, by model; those without a model, by exam group)."""
    jobs: dict[Path, list[Frame]] = {}
    without: dict[str, list[Frame]] = {}
    for frame in arguments.frames if arguments.frames is not None else project.frames():
        exam = project.schema.exam_of(frame.instance)
        if arguments.exam is not None and exam != arguments.exam:
            continue
        if not arguments.all_frames and not untouched(project, frame.id):
            continue
        model = chosen or model_for(project, frame.instance)
        if model is not None:
            jobs.setdefault(model, []).append(frame)
        else:
            without.setdefault(exam, []).append(frame)
    return jobs, without


def _taught(project: Project, exams: Iterable[str]) -> Steps[dict[str, Lessons]]:
    """What the instant heads of some exam groups learn from; groups without an accepted mask are left out."""
    found = {}
    for exam in exams:
        lessons = yield Apart(partial(lessons_of, project, exam, LessonBook()))
        if lessons is not None:
            found[exam] = lessons
    return found


By = TypeVar("By", Path, str)


def _batches(jobs: Mapping[By, Sequence[Frame]]) -> Iterator[tuple[By, Sequence[Frame]]]:
    for by, frames in jobs.items():
        for start in range(0, len(frames), BATCH):
            yield by, frames[start : start + BATCH]


class _Work:
    """One run: what it works with, and what could not be read."""

    def __init__(self, house: House, sources: pixels.Sources, *, all_frames: bool) -> None:
        self._house, self._sources, self._all_frames = house, sources, all_frames
        self._book = LessonBook()
        self.failed: list[tuple[Frame, StudioError]] = []

    def by_model(self, model: Path, frames: Sequence[Frame]) -> Steps[int]:
        """Answers how many frames got a proposal."""
        return _propose_batch(self._house, self._sources, model, frames, self.failed)

    def instantly(self, lessons: Lessons, frames: Sequence[Frame]) -> Steps[int]:
        """The same, by the instant head of their exam group."""
        return instant.propose(
            self._house, lessons, frames, self._book, self.failed, all_frames=self._all_frames, sources=self._sources
        )


def _propose_batch(
    house: House,
    sources: pixels.Sources,
    model: Path,
    frames: Sequence[Frame],
    failed: list[tuple[Frame, StudioError]],
) -> Steps[int]:
    """Read, ask, keep; answers how many frames got a proposal."""
    card = read_card(model)
    outcomes = yield from pixels.read(house, frames, sources)
    seen = []
    for frame, outcome in zip(frames, outcomes, strict=True):
        if isinstance(outcome, DecodedFrame):
            seen.append(FramePixels(key=frame.id.key, digest=outcome.digest, ref=outcome.ref))
        else:
            failed.append((frame, outcome))
    if not seen:
        return 0
    found = yield from ask(house, seen, outcomes, model)
    for part in found:
        yield from keep(house.project, card, part)
    return len(found)


def ask(
    house: House,
    seen: Sequence[FramePixels],
    outcomes: Sequence[pixels.Outcome],
    model: Path,
    *,
    probabilities: bool = False,
) -> Steps[list[ProposalParts]]:
    """The engine's answers. The pixels go back when the engine has let go of them, answered or not: it may still be
    looking at them when the verb is closed, and would take another frame's pixels for these."""
    try:
        asked = house.engine.propose(seen, model, probabilities=probabilities)
    except BaseException:
        pixels.give_back(house, outcomes)
        raise
    assert asked.ticket is not None
    asked.ticket.when_released(lambda: pixels.give_back(house, outcomes))
    found: list[ProposalParts] = yield from answer(asked)
    return found


def keep(project: Project, card: ModelCard, part: ProposalParts) -> Steps[None]:
    """Put what the engine answered into the project, segments and labels matched by name."""
    frame = project.frame(FrameId.parse(part.key))
    schema, value_of = matched(project.schema, card, project.schema.exam_of(frame.instance))
    if schema is not project.schema:
        yield applied(project, ReplaceSchema(name=f"Add what {card.name} marks", before=project.schema, after=schema))
    proposal = yield Apart(partial(proposal_from, frame, card, part, value_of))  # of a large frame it takes a while
    before = project.proposal(frame.id)
    name = f"Proposal of {card.name}"
    yield applied(project, SetProposal(name=name, frame=frame.id, before=before, after=proposal))


def matched(schema: Schema, card: ModelCard, exam: str) -> tuple[Schema, dict[int, int]]:
    """(the schema with whatever the model marks added, output value -> schema value).

    Names decide, among what can be marked on images of this exam.
    """
    value_of = {}
    for output, name in sorted(card.segments.items()):
        segment = _segment(schema, name, exam)
        if segment is None:
            schema = schema.with_segment(name, exam=exam)
            segment = schema.segments[-1]
        value_of[output] = segment.value
    for name in card.labels:
        known = {label.name.casefold() for label in schema.for_exam(exam).labels}
        if name.casefold() not in known:
            schema = schema.with_label(name, exam=exam)
    return schema, value_of


def _segment(schema: Schema, name: str, exam: str) -> Segment | None:
    wanted = name.strip().casefold()
    able = [s for s in schema.for_exam(exam).segments if s.name.strip().casefold() == wanted]
    return next(iter(sorted(able, key=lambda s: s.exam != exam)), None)


def proposal_from(frame: Frame, card: ModelCard, part: ProposalParts, value_of: Mapping[int, int]) -> Proposal:
    """The engine's answer as a value of the document."""
    lut = np.zeros(256, np.uint8)
    for output, value in value_of.items():
        lut[output] = value
    return Proposal(
        frame=frame.id,
        model=card.digest,
        model_name=card.name,
        mask=Mask.from_array(lut[part.ids]),
        confidences=MappingProxyType({value_of[v]: c for v, c in part.confidences.items() if v in value_of}),
        predicted_dice=MappingProxyType({value_of[v]: d for v, d in part.predicted_dice.items() if v in value_of}),
        labels=MappingProxyType(dict(part.labels)),
    )
