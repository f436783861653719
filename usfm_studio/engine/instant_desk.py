"""Where the host answers `instant`: heads kept warm by group, and whatever a request says they must have learned.

A request lists all lessons; it brings the pixels and masks of those the host may not know. Where others are unknown
(the host was killed meanwhile), the answer names them and nothing is proposed: the client sends them, and asks again.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from numpy.typing import NDArray

from usfm_studio.children.serve import Context
from usfm_studio.document.errors import WrongUsage
from usfm_studio.engine.learning.lessons import Lesson, TaughtHead
from usfm_studio.engine.lent_arrays import attached, fill
from usfm_studio.engine.models.predictor import Predictor
from usfm_studio.engine.requests import FrameIn, InstantIn, InstantOut, LessonIn, ProposalOut, to_body

HEADS_HELD = 2
"""A head of 40 lessons holds about 100 MB."""


class InstantDesk:
    """Holds nothing that the next request could not bring again."""

    def __init__(self) -> None:
        self._heads: OrderedDict[tuple[str, str], TaughtHead] = OrderedDict()

    def answer(self, request: InstantIn, predictor: Predictor, context: Context) -> InstantOut:
        """Learn what is new, then propose: each frame as progress, in order."""
        head = self._head(request.group, predictor)
        lessons = [Lesson(one.key, one.revision, one.subject) for one in request.lessons]
        unknown = set(head.missing(lessons))
        for lesson, brought in zip(lessons, request.lessons, strict=True):
            context.check()
            if lesson in unknown and brought.pixels is not None and brought.ids is not None:
                _teach(head, lesson, brought, predictor)
        lacking = head.missing(lessons)
        if lacking:
            return InstantOut(lacking=tuple(lesson.key for lesson in lacking))
        head.learn(lessons)
        for index, frame in enumerate(request.frames):
            context.check()
            context.progress(to_body(_proposed(head, index, frame, predictor)))
        return InstantOut(left_out=head.left_out)

    def _head(self, group: str, predictor: Predictor) -> TaughtHead:
        key = group, predictor.card.digest
        if key not in self._heads:
            self._heads[key] = TaughtHead(predictor.channels)
            while len(self._heads) > HEADS_HELD:
                self._heads.popitem(last=False)
        self._heads.move_to_end(key)
        return self._heads[key]


def _teach(head: TaughtHead, lesson: Lesson, brought: LessonIn, predictor: Predictor) -> None:
    assert brought.pixels is not None
    assert brought.ids is not None
    pixels: NDArray[Any] = attached(brought.pixels)
    ids: NDArray[Any] = attached(brought.ids)
    if ids.shape != pixels.shape[:2]:
        raise WrongUsage("The mask does not fit its frame", f"it is {ids.shape}, the frame {pixels.shape[:2]}")
    prepared = predictor.prepare(pixels, brought.digest)
    head.take(lesson, predictor.embed([prepared]), prepared.placement, ids, prepared.x_CHW)


def _proposed(head: TaughtHead, index: int, frame: FrameIn, predictor: Predictor) -> ProposalOut:
    prepared = predictor.prepare(attached(frame.pixels), frame.digest)
    ids, confidences = head.propose(predictor.embed([prepared]), prepared.placement, prepared.x_CHW)
    fill(frame.ids, ids)
    return ProposalOut(index=index, confidences=confidences)
