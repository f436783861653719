"""Proposals of an instant head: what it must have learned goes along with each request, so that nothing can be lost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from usfm_studio.document.annotation import INSTANT, Decision, Proposal
from usfm_studio.document.edit import SetProposal
from usfm_studio.document.errors import Interrupted, StudioError
from usfm_studio.document.frame import Frame, FrameId
from usfm_studio.document.mask import Mask
from usfm_studio.engine.doors import FramePixels, LessonsLacking, ProposalParts
from usfm_studio.engine.doors import Lesson as LessonSent
from usfm_studio.engine.models.catalogue import shipped_encoder
from usfm_studio.imaging.client import DecodedFrame
from usfm_studio.project.lesson_book import LessonBook
from usfm_studio.project.project import Project
from usfm_studio.verbs import pixels
from usfm_studio.verbs.house import House
from usfm_studio.verbs.lessons import Lesson, Lessons, lessons_of, mask_of, revision_of
from usfm_studio.verbs.review import untouched
from usfm_studio.verbs.shelf import model_for
from usfm_studio.verbs.steps import Apart, Steps, answer, applied

if TYPE_CHECKING:
    from usfm_studio.engine.client import Answers

SENT_AT_ONCE = 8
"""Lessons sent whole in one request: their pixels lie in shared memory meanwhile."""
FURTHER_TRIES = 3
"""The engine may be killed in between, and then knows nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstantArguments:
    """Frames of one exam group, nearest first. `book` is the window's."""

    exam: str
    frames: tuple[Frame, ...]
    book: LessonBook = field(default_factory=LessonBook)


@dataclass(frozen=True, slots=True, kw_only=True)
class InstantResult:
    """How many frames got a proposal, from how many lessons (0: nothing to learn from), and what could not be read."""

    frames: int
    lessons: int
    failed: tuple[FrameId, ...] = ()


def run(arguments: InstantArguments, house: House) -> Steps[InstantResult]:
    """Bring the proposals of some frames up to what has been accepted so far.

    Only frames that nobody has worked on, of which no instant proposal was turned down, and for which no model of the
    shelf or of the program proposes. Where nothing is accepted any more, what was learned from it goes.
    """
    project, exam, book = house.project, arguments.exam, arguments.book
    frames = [frame for frame in arguments.frames if _waits(project, frame)]
    lessons = yield Apart(partial(lessons_of, project, exam, book))
    if lessons is None:
        yield from _withdraw(project, frames)
        return InstantResult(frames=0, lessons=0)
    stale = [frame for frame in frames if project.proposer(frame.id) != lessons.model]
    failed: list[tuple[Frame, StudioError]] = []
    done = (yield from propose(house, lessons, stale, book, failed)) if stale else 0
    return InstantResult(frames=done, lessons=len(lessons.lessons), failed=tuple(frame.id for frame, _ in failed))


def propose(
    house: House,
    lessons: Lessons,
    frames: Sequence[Frame],
    book: LessonBook,
    failed: list[tuple[Frame, StudioError]],
    *,
    all_frames: bool = False,
    sources: pixels.Sources | None = None,
) -> Steps[int]:
    """Read, ask, keep; answers how many frames got a proposal. Frames that cannot be read are put into `failed`.

    With `all_frames`, frames with work on them too.
    """
    sources = sources or pixels.Sources(house.project)
    outcomes = yield from pixels.read(house, frames, sources)
    seen = []
    for frame, outcome in zip(frames, outcomes, strict=True):
        if isinstance(outcome, DecodedFrame):
            seen.append(FramePixels(key=frame.id.key, digest=outcome.digest, ref=outcome.ref))
        else:
            failed.append((frame, outcome))
    if not seen:
        return 0
    asking = _Asking(house, sources, book, seen)
    try:
        taught, found = yield from asking.until_answered(lessons)
    finally:
        asking.give_back(outcomes)
    count = 0
    for part in found:
        count += yield from _keep(house.project, taught, part, all_frames=all_frames)
    return count


class _Asking:
    """One question about frames, asked until the engine knows all lessons."""

    def __init__(self, house: House, sources: pixels.Sources, book: LessonBook, seen: Sequence[FramePixels]) -> None:
        self._house, self._sources, self._book, self._seen = house, sources, book, seen
        self._asked: Answers[ProposalParts] | None = None

    def until_answered(self, lessons: Lessons) -> Steps[tuple[Lessons, list[ProposalParts]]]:
        """The lessons that counted (without those that cannot be read), and the answers. Raises StudioError."""
        wanted = [lesson for lesson in lessons.lessons if (lesson.key, lesson.revision) not in self._book.sent]
        for _ in range(len(lessons.lessons) + FURTHER_TRIES):
            held: list[pixels.Outcome] = []
            try:
                found = yield from self._ask(lessons, wanted[:SENT_AT_ONCE], held)
            except LessonsLacking as lacking:
                wanted = [lesson for lesson in lessons.lessons if lesson.key in lacking.keys]
                continue
            lessons = self._readable(lessons)
            self._book.sent |= {(lesson.key, lesson.revision) for lesson in lessons.lessons}
            return lessons, found
        raise StudioError("The engine did not learn from the accepted frames", "it forgets them again and again")

    def _ask(
        self, lessons: Lessons, wanted: Sequence[Lesson], held: list[pixels.Outcome]
    ) -> Steps[list[ProposalParts]]:
        """One try, the wanted lessons sent whole; their pixels go back when the engine has let go of them."""
        try:
            whole = yield from self._whole(wanted, lessons.exam, held)
            sent = [whole.get(one.key) or _bare(one) for one in self._readable(lessons).lessons]
            self._asked = self._house.engine.instant(self._seen, sent, shipped_encoder(), lessons.group)
            found: list[ProposalParts] = yield from answer(self._asked)
            return found
        finally:
            self.give_back(held)

    def give_back(self, held: Sequence[pixels.Outcome]) -> None:
        """The pixels are not needed any more, once the engine has let go of what it was asked last."""
        if self._asked is not None and self._asked.ticket is not None:
            self._asked.ticket.when_released(lambda: pixels.give_back(self._house, held))
        else:
            pixels.give_back(self._house, held)

    def _whole(self, wanted: Sequence[Lesson], exam: str, held: list[pixels.Outcome]) -> Steps[dict[str, LessonSent]]:
        """Lessons with their pixels and masks, by key; those whose file cannot be read are noted in the book."""
        held += yield from pixels.read(self._house, [lesson.frame for lesson in wanted], self._sources)
        found = {}
        for lesson, outcome in zip(wanted, held, strict=True):
            ids = yield Apart(partial(mask_of, self._house.project, lesson.frame, exam))
            if not isinstance(outcome, DecodedFrame) or ids is None:
                self._book.unreadable.add(lesson.frame.id)
                continue
            if revision_of(ids) != lesson.revision:
                raise Interrupted("Stopped", "a mask was changed meanwhile")  # whoever changed it asks again
            seen = FramePixels(key=lesson.key, digest=outcome.digest, ref=outcome.ref)
            found[lesson.key] = LessonSent(
                key=lesson.key, revision=lesson.revision, subject=lesson.subject, pixels=seen, ids=ids
            )
        return found

    def _readable(self, lessons: Lessons) -> Lessons:
        left = lessons.without(frame.key for frame in self._book.unreadable)
        if left is None:
            what, why = "The accepted frames cannot be learned from", "none of their files can be read"
            raise StudioError(what, why, "Add them again from their new place.")
        return left


def _bare(lesson: Lesson) -> LessonSent:
    return LessonSent(key=lesson.key, revision=lesson.revision, subject=lesson.subject)


def _keep(project: Project, lessons: Lessons, part: ProposalParts, *, all_frames: bool) -> Steps[int]:
    """Put an answer into the project, unless the person has begun with the frame meanwhile; 1 if it was kept."""
    frame = FrameId.parse(part.key)
    mask = yield Apart(partial(Mask.from_array, part.ids))
    if not (all_frames or _waits(project, project.frame(frame))):
        return 0
    proposal = Proposal(
        frame=frame,
        model=lessons.model,
        model_name=lessons.words,
        mask=mask,
        confidences=MappingProxyType(dict(part.confidences)),
    )
    before = project.proposal(frame)
    yield applied(project, SetProposal(name="Instant proposal", frame=frame, before=before, after=proposal))
    return 1


def _withdraw(project: Project, frames: Iterable[Frame]) -> Steps[None]:
    """Take away what was learned from frames that are not accepted any more."""
    for frame in frames:
        if (project.proposer(frame.id) or "").startswith(INSTANT):
            before = project.proposal(frame.id)
            yield applied(project, SetProposal(name="Withdraw", frame=frame.id, before=before, after=None))


def _waits(project: Project, frame: Frame) -> bool:
    """Whether an instant head may speak here."""
    declined = any(
        key.startswith(INSTANT) and said is Decision.REJECTED
        for key, said in project.annotation(frame.id).decisions.items()
    )
    return not declined and untouched(project, frame.id) and model_for(project, frame.instance) is None
