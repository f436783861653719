"""`next`: which frames to annotate next and why, and how many more subjects a score would take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usfm_studio.document.frame import Frame
from usfm_studio.engine.active_learning import Choice, k_centre, standardised, unsure_and_different
from usfm_studio.engine.doors import FramePixels
from usfm_studio.engine.models.catalogue import shipped_encoder
from usfm_studio.imaging.client import DecodedFrame
from usfm_studio.verbs import pixels
from usfm_studio.verbs.certainty import Certainty, certainties
from usfm_studio.verbs.finetune import ready
from usfm_studio.verbs.house import CACHE, House
from usfm_studio.verbs.models import known_group
from usfm_studio.verbs.prospects import prospect
from usfm_studio.verbs.review import untouched
from usfm_studio.verbs.steps import Failure, Steps, answer, progress

DEFAULT_COUNT = 5
MOST_WAITING, MOST_DONE = 240, 120
"""Frames that are looked at: of each subject one, then a second of each …"""
BATCH = 8
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class NextArguments:
    """`target`: the score to reach (left out: a little above the present one). `exam`: an exam group of the project."""

    count: int = DEFAULT_COUNT
    target: float | None = None
    exam: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NextFrame:
    """`frame` as the contract names it; `score` 0 to 1; `reason` for a person."""

    frame: str
    score: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NextResult:
    """Frames, the most wanted first; `learning_curve` is {target, more_subjects, low, high, note}."""

    frames: list[NextFrame]
    learning_curve: dict[str, Any]
    exam: str
    failed: list[Failure] = field(default_factory=list)

    @property
    def partial(self) -> bool:
        """True where some file could not be read."""
        return bool(self.failed)


def run(arguments: NextArguments, house: House) -> Steps[NextResult]:
    """Look at frames that nobody has worked on, and choose. Changes nothing."""
    project = house.project
    waiting: dict[str, list[Frame]] = {}
    for frame in project.frames():
        if untouched(project, frame.id):
            waiting.setdefault(project.schema.exam_of(frame.instance), []).append(frame)
    exam = _exam(house, arguments.exam, waiting)
    ahead = prospect(project, exam, arguments.target, seed=house.options.seed)
    look = _Look(house, exam)
    chosen = yield from look.choose(some_of(waiting.get(exam, ()), MOST_WAITING), arguments.count, good=ahead.good)
    return NextResult(frames=chosen, learning_curve=ahead.fields(), exam=exam, failed=look.failed)


def _exam(house: House, asked: str | None, waiting: dict[str, list[Frame]]) -> str:
    """The group asked for, else that with the most finished frames among those where frames wait."""
    if asked is not None:
        return known_group(house.project, asked)
    counts = Counter({exam: len(ready(house.project, exam)) for exam in waiting})
    return max(waiting, key=lambda exam: (counts[exam], len(waiting[exam])), default="")


def some_of(frames: Sequence[Frame], most: int) -> list[Frame]:
    """At most so many: a frame of every subject before anybody's second, spread over each subject's frames."""
    theirs: dict[str, list[Frame]] = {}
    for frame in frames:
        theirs.setdefault(frame.instance.subject, []).append(frame)
    ranked = [(turn, frame) for own in theirs.values() for turn, frame in enumerate(_spread(own))]
    return [frame for _, frame in sorted(ranked, key=lambda item: item[0])[:most]]


def _spread(frames: Sequence[Frame]) -> list[Frame]:
    """The middle one first, then the middles of both halves …"""
    order: list[Frame] = []
    parts = [(0, len(frames))]
    for low, high in parts:
        if low < high:
            middle = (low + high) // 2
            order.append(frames[middle])
            parts += [(low, middle), (middle + 1, high)]
    return order


class _Look:
    """One look at the frames of an exam group."""

    def __init__(self, house: House, exam: str) -> None:
        self._house, self._exam = house, exam
        self._sources = pixels.Sources(house.project)
        self.failed: list[Failure] = []

    def choose(self, frames: Sequence[Frame], count: int, *, good: bool) -> Steps[list[NextFrame]]:
        """The frames wanted most, best first. `good`: the model in use is worth asking where it is unsure."""
        done = some_of(ready(self._house.project, self._exam), MOST_DONE)
        total = len(frames) + len(done)
        waiting = yield from self._seen(frames, 0, total)
        if not waiting:
            return []
        shown, subjects = list(waiting), [frame.instance.subject for frame in waiting]
        finished = yield from self._seen(done, len(frames), total)
        x_ND, done_MD = standardised(_matrix(waiting), _matrix(finished, waiting))
        known = (yield from certainties(self._house, shown, self._sources)) if good else {}
        if all(frame in known for frame in shown):
            said = [known[frame] for frame in shown]
            rng = np.random.default_rng(self._house.options.seed)
            chosen = unsure_and_different(x_ND, np.array([s.value for s in said]), subjects, count, rng)
            return [_next(shown, choice, _unsure(choice.index, said)) for choice in chosen]
        chosen = k_centre(x_ND, done_MD, subjects, count)
        return [_next(shown, choice, _different(turn, len(finished))) for turn, choice in enumerate(chosen)]

    def _seen(self, frames: Sequence[Frame], before: int, total: int) -> Steps[dict[Frame, Floats]]:
        """What the encoder makes of each frame that can be read."""
        found: dict[Frame, Floats] = {}
        for start in range(0, len(frames), BATCH):
            found |= yield from self._batch(frames[start : start + BATCH])
            yield progress(before + min(start + BATCH, len(frames)), total, "Looking at frames")
        return found

    def _batch(self, frames: Sequence[Frame]) -> Steps[dict[Frame, Floats]]:
        outcomes = yield from pixels.read(self._house, frames, self._sources)
        shown = []
        for frame, outcome in zip(frames, outcomes, strict=True):
            if isinstance(outcome, DecodedFrame):
                shown.append((frame, FramePixels(key=frame.id.key, digest=outcome.digest, ref=outcome.ref)))
            else:
                self.failed.append(Failure(path=pixels.shown(frame), error=str(outcome)))
        if not shown:
            return {}
        asked = None
        try:
            engine = self._house.engine
            engine.keep_in(self._house.project.folder / CACHE)  # also where the project is only looked at
            asked = engine.encode([seen for _, seen in shown], shipped_encoder())
            found = yield from answer(asked)
        finally:
            if asked is not None and asked.ticket is not None:
                asked.ticket.when_released(lambda: pixels.give_back(self._house, outcomes))
            else:
                pixels.give_back(self._house, outcomes)
        return {frame: np.asarray(said.pooled, np.float64) for (frame, _), said in zip(shown, found, strict=True)}


def _matrix(seen: dict[Frame, Floats], like: dict[Frame, Floats] | None = None) -> Floats:
    """The embeddings as rows; where there are none, no rows of the same width as `like`."""
    if not seen and like:
        return np.zeros((0, len(next(iter(like.values())))))
    return np.stack(list(seen.values()))


def _next(frames: Sequence[Frame], choice: Choice, reason: str) -> NextFrame:
    return NextFrame(frame=pixels.shown(frames[choice.index]), score=round(choice.score, 4), reason=reason)


def _different(turn: int, done: int) -> str:
    if not done:
        return "unlike those above" if turn else "the most typical of all that waits"
    all_done = "the frame that is done" if done == 1 else f"the {done} frames that are done"
    return f"unlike {all_done} and those above" if turn else f"the least like {all_done}"


def _unsure(index: int, said: Sequence[Certainty]) -> str:
    own = said[index].value
    surer = round(100 * sum(other.value > own for other in said) / len(said))
    return f"{said[index].words}: the model is surer on {surer} % of what waits; not like the others chosen"
