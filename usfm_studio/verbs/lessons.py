"""What the instant head of an exam group learns from: accepted frames, in an order that stays as others come and go."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from usfm_studio.document.annotation import INSTANT
from usfm_studio.document.errors import StudioError
from usfm_studio.document.frame import Frame
from usfm_studio.document.mask import Ids
from usfm_studio.document.model_card import subject_code
from usfm_studio.engine.models.catalogue import shipped_encoder
from usfm_studio.project.lesson_book import UNSEEN, LessonBook, Seen
from usfm_studio.project.project import Project
from usfm_studio.verbs.finetune import ready
from usfm_studio.verbs.shelf import read_card

MOST = 40
"""Lessons of a head: what it holds in memory, and the time of a new one, grow with them."""
ANCHORS = 8
"""The first lessons give the head its directions: they stay where they are, one a subject first."""
METHOD = "instant head 1"
"""Part of a head's digest: another method would be another head."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """A frame to learn from. `revision` is a digest of its mask."""

    frame: Frame
    revision: str

    @property
    def key(self) -> str:
        """The frame's."""
        return self.frame.id.key

    @property
    def subject(self) -> str:
        """A code of the subject, no name."""
        return subject_code(self.frame.instance.subject)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lessons:
    """All that a head learns from, in order; never empty."""

    exam: str
    group: str
    lessons: tuple[Lesson, ...]

    @property
    def model(self) -> str:
        """What names the head among models: INSTANT and a digest of the method, the encoder and the lessons."""
        said = [METHOD, read_card(shipped_encoder()).digest]
        said += [f"{lesson.key} {lesson.revision} {lesson.subject}" for lesson in self.lessons]
        return INSTANT + hashlib.sha256("\n".join(said).encode()).hexdigest()

    @property
    def words(self) -> str:
        """Where a proposal comes from, for the person."""
        count = len(self.lessons)
        return f"learned from {count} frame{'s' if count > 1 else ''}, not yet tested"

    def without(self, keys: Iterable[str]) -> Lessons | None:
        """The same without some frames; None where nothing is left."""
        gone = set(keys)
        left = tuple(lesson for lesson in self.lessons if lesson.key not in gone)
        return replace(self, lessons=left) if left else None


@dataclass(frozen=True, slots=True)
class Able:
    """An accepted frame, and when a person first worked on it."""

    frame: Frame
    since: str

    @classmethod
    def of(cls, project: Project, frame: Frame) -> Able:
        """As the project has it."""
        steps = project.annotation(frame.id).provenance
        return cls(frame, steps[0].when if steps else "")


REVISION_DIGITS = 16


def lessons_of(project: Project, exam: str, book: LessonBook) -> Lessons | None:
    """What the instant head of an exam group learns from; None where nothing is marked on an accepted frame.

    Reads masks that the book does not know: not for the window's thread.
    """
    edition, seen = book.open_at()
    able = [Able.of(project, frame) for frame in ready(project, exam) if frame.id not in book.unreadable]
    while True:
        able = [one for one in able if seen.get(one.frame.id, UNSEEN).revision is not None]
        found = chosen(able)
        new = {one.frame.id: _look(project, one.frame, exam) for one in found if one.frame.id not in seen}
        seen |= new
        book.note(edition, new)
        if not new:
            break
    if not any(seen[one.frame.id].marked for one in found):
        return None
    group = hashlib.sha256(f"{project.folder}\0{exam}".encode("utf-8", "surrogatepass")).hexdigest()[:16]
    lessons = (Lesson(frame=one.frame, revision=seen[one.frame.id].revision or "") for one in found)
    return Lessons(exam=exam, group=group, lessons=tuple(lessons))


def mask_of(project: Project, frame: Frame, exam: str) -> Ids | None:
    """What a frame teaches: (rows, columns) uint8 ids of the group's segments; None where it teaches no mask."""
    return project.sample(frame, "lesson", exam)[1]


def revision_of(ids: Ids) -> str:
    """A digest of a mask."""
    return hashlib.sha256(repr(ids.shape).encode() + ids.tobytes()).hexdigest()[:REVISION_DIGITS]


def chosen(able: Sequence[Able]) -> list[Able]:
    """At most 40, anchors first: the first frame of each subject, then the earliest others, eight in all. Then the rest
    in order of time: where there are more than 40, the newest of each subject in turn.

    A later frame of a subject that is known moves no anchor.
    """
    in_time = sorted(able, key=lambda one: (one.since, one.frame.id))
    firsts = [theirs[0] for theirs in _by_subject(in_time).values()]
    anchors = [*firsts, *_but(in_time, firsts)][:ANCHORS]
    others = _but(in_time, anchors)
    if len(able) > MOST:
        newest = {who: list(reversed(theirs)) for who, theirs in _by_subject(others).items()}
        left_out = _but(others, _in_turn(newest)[: MOST - len(anchors)])
        others = _but(others, left_out)
    return [*anchors, *others]


def _but(some: Iterable[Able], without: Iterable[Able]) -> list[Able]:
    gone = {one.frame.id for one in without}
    return [one for one in some if one.frame.id not in gone]


def _by_subject(able: Iterable[Able]) -> dict[str, list[Able]]:
    found: dict[str, list[Able]] = {}
    for one in able:
        found.setdefault(one.frame.instance.subject, []).append(one)
    return found


def _in_turn(by_subject: Mapping[str, Sequence[Able]]) -> list[Able]:
    """The first of each subject, then the second of each …"""
    rounds = zip_longest(*by_subject.values())
    return [one for turn in rounds for one in turn if one is not None]


def _look(project: Project, frame: Frame, exam: str) -> Seen:
    try:
        ids = mask_of(project, frame, exam)
    except StudioError:
        ids = None  # damaged: it is told where it is shown
    if ids is None:
        return Seen(None, False)
    return Seen(revision_of(ids), bool(ids.any()))
