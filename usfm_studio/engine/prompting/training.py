"""How a prompt decoder learns: many simulated persons at work at once, one step with gradients for each prompt.

Every session goes on from the mask that the last step gave it, so no round is computed without learning from it.
Losses: normalised focal loss (RITM, arXiv 2102.06583) and soft Dice. Shapes as in `prompt_decoder.py`.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from usfm_studio.document.prompts import Box, Click, Prompt, Scribble
from usfm_studio.engine.prompting.clicker import click_on, largest_error
from usfm_studio.engine.prompting.lesson_frames import OUT, Lesson, Place
from usfm_studio.engine.prompting.prompt_decoder import PromptDecoder, inputs_of
from usfm_studio.engine.prompting.targets import perturbed, scrawl
from usfm_studio.engine.prompting.window import SIDE, planes

FOCUS = 1.0
"""Exponent of the focal loss."""
AVERAGE = 0.997
GOES_ON, MOST_ROUNDS, GOOD_ENOUGH = 0.72, 8, 0.96
JITTERED = 0.3
FROM_BOX, FROM_SCRIBBLE, FROM_GUESS = 0.2, 0.15, 0.15
WHOLE_TO_ZOOM, ZOOM_ALONE = 0.5, 0.25
CELL = SIDE / OUT


@dataclass(slots=True)
class Session:
    """A simulated person at work on one target of a lesson; `last` (256, 256) 0..1 is the mask so far."""

    lesson: Lesson
    place: Place
    index: int
    moves: bool
    prompts: list[Prompt] = field(default_factory=list)
    last: NDArray[np.float32] | None = None
    rounds: int = 0

    @property
    def target(self) -> NDArray[np.float32]:
        """(128, 128) 0..1."""
        return self.place.targets[self.index]

    def seen(self) -> NDArray[np.float32]:
        """(5, 256, 256): what the network is to see."""
        last = np.zeros((SIDE, SIDE), np.float32) if self.last is None else self.last
        return planes(self.place.image, last, self.prompts, self.place.window)


def begin(lesson: Lesson, rng: np.random.Generator) -> Session:
    """A new session on a lesson: a target, a kind of first prompt, and the prompt."""
    way, kind = rng.random(), rng.random()
    box, scribble = kind < FROM_BOX, FROM_BOX <= kind < FROM_BOX + FROM_SCRIBBLE
    if lesson.linked and way < WHOLE_TO_ZOOM:
        session = Session(lesson, lesson.zoom if box else lesson.whole, 0, moves=not box)
    else:
        place = lesson.zoom if way < WHOLE_TO_ZOOM + ZOOM_ALONE or box else lesson.whole
        session = Session(lesson, place, int(rng.integers(len(place.targets))), moves=False)
    guess = kind >= 1 - FROM_GUESS or (session.place is lesson.zoom and not box and rng.random() < 0.5)
    target = session.target > 0.5
    if guess and target.any():
        session.moves = False
        session.last = _full(perturbed(target, rng).astype(np.float32))
    if box:
        session.prompts.append(_loose_box(session, rng))
    elif scribble and target.any():
        points = session.place.window.back(np.array(scrawl(target, rng)) * CELL + (CELL - 1) / 2)
        session.prompts.append(Scribble(tuple((float(x), float(y)) for x, y in points)))
    else:
        _click(session, target if session.last is None or rng.random() < 0.4 else None, rng)
    return session


def advance(session: Session, probability: NDArray[np.float32], rng: np.random.Generator) -> bool:
    """Take the network's answer (128, 128) and make the next prompt; False where the session is over."""
    session.rounds += 1
    session.last = (_full(probability) > 0.5).astype(np.float32)
    target, mask = session.target > 0.5, probability > 0.5
    union = int((target | mask).sum())
    if session.moves:
        _move(session)
        return True
    if session.rounds >= MOST_ROUNDS or rng.random() > GOES_ON or int((target & mask).sum()) > GOOD_ENOUGH * union:
        return False
    return _click(session, None, rng)


def losses(logits_B1hw: Tensor, targets_B1hw: Tensor) -> Tensor:
    """Normalised focal loss plus soft Dice loss, the mean over the batch."""
    p = torch.sigmoid(logits_B1hw)
    wrong = (p - targets_B1hw).abs()
    weight = (wrong.detach() + 1e-3) ** FOCUS
    cross = torch.nn.functional.binary_cross_entropy_with_logits(logits_B1hw, targets_B1hw, reduction="none")
    focal = (weight * cross).sum((1, 2, 3)) / weight.sum((1, 2, 3))
    dice = 1 - (2 * (p * targets_B1hw).sum((1, 2, 3)) + 1) / ((p + targets_B1hw).sum((1, 2, 3)) + 1)
    return (focal + dice).mean()


@dataclass(slots=True)
class Recipe:
    """`seconds` of processor time; `rate` at its peak, which comes after `warm_up` steps; `batch` sessions a step.

    `pool`: lessons held at a time; `renewed`: how many of them a step gives way to new ones.
    """

    seconds: float
    rate: float = 3e-3
    batch: int = 8
    pool: int = 500
    renewed: float = 1.0
    warm_up: int = 100
    seed: int = 0

    def rate_at(self, step: int, share: float) -> float:
        """The rate of a step, when this share of the time is over: warm-up, then half a cosine down to 2 %."""
        return self.rate * min(1.0, (step + 1) / self.warm_up) * (0.51 + 0.49 * math.cos(math.pi * share))


def learn(
    decoder: PromptDecoder,
    lessons: Iterator[Lesson],
    recipe: Recipe,
    tell: Callable[[int, float, PromptDecoder], None] = lambda *_: None,
    clock: Callable[[], float] = time.process_time,
) -> PromptDecoder:
    """Train `decoder` until the time is over; returns the running average of its weights, in eval mode.

    `lessons` is asked for new ones all the time (`recipe.renewed` a step). `tell(step, loss, average)` after each step.
    """
    rng = np.random.default_rng(recipe.seed)
    began = clock()
    sessions = [begin(next(lessons), rng) for _ in range(recipe.batch * 2)]
    average = copy.deepcopy(decoder).eval()
    optimiser = torch.optim.AdamW(decoder.parameters(), recipe.rate, weight_decay=0.02)
    decoder.train().to(memory_format=torch.channels_last)
    step = 0
    while (share := (clock() - began) / recipe.seconds) < 1:
        for group in optimiser.param_groups:
            group["lr"] = recipe.rate_at(step, share)
        chosen = rng.choice(len(sessions), recipe.batch, replace=False)
        loss, answers = _step(decoder, optimiser, [sessions[i] for i in chosen])
        for i, answer in zip(chosen, answers, strict=True):
            if not advance(sessions[i], answer, rng):
                sessions[i] = begin(sessions[int(rng.integers(len(sessions)))].lesson, rng)
        _renew(sessions, lessons, recipe, rng)
        step += 1
        _follow(average, decoder, min(AVERAGE, 1 - 1 / (step + 1)))
        tell(step, loss, average)
    return average


def _renew(sessions: list[Session], lessons: Iterator[Lesson], recipe: Recipe, rng: np.random.Generator) -> None:
    """New lessons: the pool grows until it is full, then one that is there already gives way."""
    count = 2 if len(sessions) < recipe.pool else int(rng.random() < recipe.renewed)
    for _ in range(count):
        session = begin(next(lessons), rng)
        if len(sessions) < recipe.pool:
            sessions.append(session)
        else:
            sessions[int(rng.integers(len(sessions)))] = session


def _step(
    decoder: PromptDecoder, optimiser: torch.optim.Optimizer, sessions: Sequence[Session]
) -> tuple[float, NDArray[np.float32]]:
    seen = torch.from_numpy(np.stack([s.seen() for s in sessions]))
    targets = torch.from_numpy(np.stack([s.target for s in sessions]))[:, None]
    count = len(sessions[0].place.maps)
    maps = [torch.cat([s.place.maps[i] for s in sessions]).float() for i in range(count)]
    maps = [one.contiguous(memory_format=torch.channels_last) for one in maps]
    planes_BPhw, marks = inputs_of(seen)
    logits = decoder(maps, planes_BPhw.contiguous(memory_format=torch.channels_last), marks)
    loss = losses(logits, targets)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(decoder.parameters(), 2.0)
    optimiser.step()
    answers: NDArray[np.float32] = torch.sigmoid(logits.detach())[:, 0].numpy()
    return float(loss.detach()), answers


@torch.no_grad()
def _follow(average: PromptDecoder, decoder: PromptDecoder, keep: float) -> None:
    for mine, other in zip(average.state_dict().values(), decoder.state_dict().values(), strict=True):
        if mine.is_floating_point():
            mine.mul_(keep).add_(other, alpha=1 - keep)


def _click(session: Session, wanted: NDArray[np.bool_] | None, rng: np.random.Generator) -> bool:
    """Click on the largest error, or as a first click on all that is `wanted`; False where nothing is wrong."""
    target = session.target > 0.5
    mask = np.zeros_like(target) if wanted is not None or session.last is None else _small(session.last) > 0.5
    error = largest_error(target, mask)
    if error is None:
        return False
    click = click_on(error, rng if rng.random() < JITTERED else None)
    at = session.place.window.back(np.array([click.at_xy]) * CELL + (CELL - 1) / 2)[0]
    session.prompts.append(Click((float(at[0]), float(at[1])), click.positive))
    return True


def _move(session: Session) -> None:
    """From the whole frame into the window: the same prompts, the answer so far cut out."""
    whole, zoom = session.lesson.whole, session.lesson.zoom
    assert session.last is not None
    corners = whole.window.places(zoom.window.back(np.array([[0.0, 0.0], [SIDE - 1.0, SIDE - 1.0]])))
    scale = (corners[1] - corners[0]) / (SIDE - 1)
    lens = np.array([[scale[0], 0, corners[0, 0]], [0, scale[1], corners[0, 1]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    session.last = (cv2.warpAffine(session.last, lens, (SIDE, SIDE), flags=flags) > 0.5).astype(np.float32)
    session.place, session.moves = zoom, False


def _loose_box(session: Session, rng: np.random.Generator) -> Prompt:
    rows, columns = (np.nonzero((session.target > 0.5).any(axis))[0] for axis in (1, 0))
    if not rows.size:
        rows = columns = np.array([0, OUT - 1])
    size = np.array([columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1]) * CELL
    first = np.array([columns[0], rows[0]]) * CELL - 0.5 + rng.uniform(-0.07, 0.07, 2) * size
    last = np.array([columns[-1] + 1, rows[-1] + 1]) * CELL - 0.5 + rng.uniform(-0.07, 0.07, 2) * size
    (x0, y0), (x1, y1) = session.place.window.back(np.stack([first, last]))
    return Box((float(x0), float(y0)), (float(x1), float(y1)))


def _full(small: NDArray[np.float32]) -> NDArray[np.float32]:
    large: NDArray[np.float32] = cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    return large


def _small(large: NDArray[np.float32]) -> NDArray[np.float32]:
    small: NDArray[np.float32] = cv2.resize(large, (OUT, OUT), interpolation=cv2.INTER_AREA)
    return small
