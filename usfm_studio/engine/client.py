"""The engine as the rest of the program sees it: requests go out, proposals come back. No torch here.

Answers and callbacks come on the host's reading thread; callbacks must be short.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic, TypeVar

import numpy as np

from usfm_studio.children.arrays import ArrayPool
from usfm_studio.children.supervisor import Child, ChildSpec, State, Ticket
from usfm_studio.document.errors import StudioError
from usfm_studio.document.mask import Ids
from usfm_studio.document.prompts import Prompt
from usfm_studio.engine.doors import Encoded, Enhanced, FramePixels, Lesson, LessonsLacking, ProposalParts
from usfm_studio.engine.loans import Loan, Outs, read_only
from usfm_studio.engine.models.catalogue import read_card
from usfm_studio.engine.requests import (
    EncodedOut,
    EnhancedOut,
    FrameIn,
    FramesIn,
    InstantIn,
    InstantOut,
    LayoutIn,
    ModelIn,
    PromptIn,
    ProposalOut,
    from_body,
    mark_of,
    to_body,
)

HOST = "usfm_studio.engine.host"
NICE = 10
MOST_SEGMENTS = 255
FRAME_S = 120.0
"""Seconds that one frame may take at most (a cold start on a loaded machine among them)."""

Part = TypeVar("Part")


class Answers(Future[list[Part]], Generic[Part]):
    """One part a frame, in the order asked. `result()` gives them or raises the StudioError."""

    def __init__(
        self,
        frames: int,
        on_part: Callable[[Part], None] | None,
        check: Callable[[dict[str, Any]], None] = lambda _body: None,
    ) -> None:
        """`check` looks at the answer's body, and raises the StudioError that it stands for."""
        super().__init__()
        self._check = check
        self._parts: list[Part | None] = [None] * frames
        self._on_part = on_part
        self.ticket: Ticket | None = None

    def cancel(self) -> bool:
        """Say that the answer is not wanted: it raises Interrupted. True unless it was answered."""
        return self.ticket is not None and self.ticket.cancel()

    def take(self, index: int, part: Part) -> None:
        """One frame's part; a repeated one (the host died and began again) is not told twice."""
        if not self.done() and self._parts[index] is None:
            self._parts[index] = part
            if self._on_part is not None:
                self._on_part(part)

    def close(self, ticket: Future[Any]) -> None:
        """The host has answered."""
        error = ticket.exception()
        if error is None:
            try:
                self._check(ticket.result())
            except StudioError as told:
                error = told
        parts = [part for part in self._parts if part is not None]
        if error is None and len(parts) < len(self._parts):
            error = StudioError("The engine did not answer for every frame", f"{len(parts)} of {len(self._parts)}")
        self.fail(error) if error is not None else self._succeed(parts)

    def fail(self, error: BaseException) -> None:
        """No answer will come."""
        with suppress(InvalidStateError):
            self.set_exception(error)

    def _succeed(self, parts: list[Part]) -> None:
        with suppress(InvalidStateError):
            self.set_result(parts)


class Engine:
    """The host's client. Safe from several threads.

    `cache_folder` is where the host may keep embeddings; `threads` None means all cores.
    """

    def __init__(self, device: str = "auto", cache_folder: Path | None = None, threads: int | None = None) -> None:
        arguments = ["--device", device]
        arguments += ["--threads", str(threads)] if threads else []
        spec = ChildSpec(
            module=HOST,
            title="The engine",
            nice=NICE,
            args=tuple(arguments),
            env=MappingProxyType({"OMP_WAIT_POLICY": "PASSIVE"}),
        )
        self._child = Child(spec)
        self._pool = ArrayPool()
        self._cache = cache_folder

    def start(self) -> None:
        """Start the host, without waiting for it (from the main thread)."""
        self._child.start()

    def keep_in(self, cache_folder: Path | None) -> None:
        """Another project: its frames' embeddings are kept there from now on."""
        self._cache = cache_folder

    def propose(
        self,
        frames: Sequence[FramePixels],
        model: Path,
        *,
        key: str | None = None,
        on_proposal: Callable[[ProposalParts], None] | None = None,
        probabilities: bool = False,
    ) -> Answers[ProposalParts]:
        """What the model says of the frames; `on_proposal` gets each as it comes.

        `key`: this request takes the place of unanswered ones with the same key. Raises BadModel, at once, for a
        folder without a readable card.
        """
        card = read_card(model)
        answers: Answers[ProposalParts] = Answers(len(frames), on_proposal)
        loan = Loan(self._pool)
        outs = [Outs(loan, frame, len(card.segments) + 1 if probabilities else 0) for frame in frames]
        places = [
            FrameIn(pixels=loan.pixels(f), digest=f.digest, ids=out.ids_in, probabilities=out.probabilities_in)
            for f, out in zip(frames, outs, strict=True)
        ]

        def heard(body: dict[str, Any]) -> None:
            said = from_body(body, ProposalOut)
            if 0 <= said.index < len(frames):
                answers.take(said.index, outs[said.index].parts(said, len(card.segments)))

        return self._ask("propose", self._frames_in(places, model), answers, loan, heard, key, frames=len(frames))

    def instant(
        self,
        frames: Sequence[FramePixels],
        lessons: Sequence[Lesson],
        encoder: Path,
        group: str,
        *,
        key: str | None = None,
    ) -> Answers[ProposalParts]:
        """What a head says of the frames that has learned from exactly these lessons; `ids` are the lessons' own.

        `group`: whose head it is. The answer raises LessonsLacking where some must be sent whole.
        """
        answers: Answers[ProposalParts] = Answers(len(frames), None, _refuse_lacking)
        loan = Loan(self._pool)
        outs = [Outs(loan, frame, 0) for frame in frames]
        body = InstantIn(
            frames=tuple(
                FrameIn(pixels=loan.pixels(f), digest=f.digest, ids=out.ids_in)
                for f, out in zip(frames, outs, strict=True)
            ),
            lessons=tuple(loan.lesson(lesson) for lesson in lessons),
            model=str(encoder),
            group=group,
            cache=self._cache_text(),
        )

        def heard(said_body: dict[str, Any]) -> None:
            said = from_body(said_body, ProposalOut)
            if 0 <= said.index < len(frames):
                answers.take(said.index, outs[said.index].parts(said, MOST_SEGMENTS))

        return self._ask("instant", body, answers, loan, heard, key, frames=len(frames) + len(lessons))

    def enhance(self, frames: Sequence[FramePixels], model: Path) -> Answers[Enhanced]:
        """The frames as an enhancement model shows them: a view, from which nothing is proposed or measured."""
        answers: Answers[Enhanced] = Answers(len(frames), None)
        loan = Loan(self._pool)
        outs = [loan.give(frame.shape, "uint8") for frame in frames]
        places = [
            FrameIn(pixels=loan.pixels(frame), digest=frame.digest, enhanced=place)
            for frame, (place, _) in zip(frames, outs, strict=True)
        ]

        def heard(body: dict[str, Any]) -> None:
            said = from_body(body, EnhancedOut)
            if 0 <= said.index < len(frames):
                pixels = loan.copied(outs[said.index][1])
                answers.take(said.index, Enhanced(key=frames[said.index].key, pixels=pixels))

        return self._ask("enhance", self._frames_in(places, model), answers, loan, heard, None, frames=len(frames))

    def prompt(
        self,
        frame: FramePixels,
        prompts: Sequence[Prompt],
        model: Path,
        last_mask: Ids | None = None,
        *,
        key: str | None = None,
    ) -> Answers[Ids]:
        """The mask (rows, columns) uint8, 1 where marked, after all prompts so far; `last_mask` is what they refine.

        Without prompts the frame is only embedded ahead, and the answer is empty. `key`: as in `propose`.
        """
        answers: Answers[Ids] = Answers(1, None)
        loan = Loan(self._pool)
        shape_rc = frame.shape[:2]
        place, array = loan.give(shape_rc, "uint8")
        array[...] = 0
        last = None if last_mask is None else loan.copy_of(np.asarray(last_mask, np.uint8))
        request = PromptIn(
            pixels=loan.pixels(frame),
            mask=place,
            model=str(model),
            prompts=tuple(mark_of(prompt) for prompt in prompts),
            last=last,
            digest=frame.digest,
        )

        def heard(_body: dict[str, Any]) -> None:
            answers.take(0, loan.copied(array))

        return self._ask("prompt", request, answers, loan, heard, key, frames=1)

    def encode(
        self,
        frames: Sequence[FramePixels],
        model: Path,
        *,
        key: str | None = None,
        maps: Mapping[int, tuple[int, int, int]] = MappingProxyType({}),
        placement: str = "",
    ) -> Answers[Encoded]:
        """The summary that a model's encoder (or an encoder) makes of each frame.

        `maps`: the shapes by stride that `layout` gave for frames of this size, to get the maps too. `placement`:
        another than the model's own.
        """
        answers: Answers[Encoded] = Answers(len(frames), None)
        loan = Loan(self._pool)
        outs = [{stride: loan.give(shape, "float16") for stride, shape in sorted(maps.items())} for _ in frames]
        places = [
            FrameIn(pixels=loan.pixels(frame), digest=frame.digest, maps=tuple(place for place, _ in out.values()))
            for frame, out in zip(frames, outs, strict=True)
        ]

        def heard(body: dict[str, Any]) -> None:
            said = from_body(body, EncodedOut)
            if 0 <= said.index < len(frames):
                pooled = read_only(np.array(said.pooled, np.float32))
                made = {stride: loan.copied(array) for stride, (_, array) in outs[said.index].items()}
                frame = frames[said.index].key
                answers.take(said.index, Encoded(key=frame, pooled=pooled, maps=MappingProxyType(made)))

        return self._ask(
            "encode", self._frames_in(places, model, placement), answers, loan, heard, key, frames=len(frames)
        )

    def layout(self, model: Path, sizes_rc: Sequence[tuple[int, int]], placement: str = "") -> Ticket:
        """{pooled, maps, alike}: the shapes of what `encode` makes of frames of these sizes (`LayoutOut`)."""
        body = to_body(LayoutIn(model=str(model), sizes_rc=tuple(sizes_rc), placement=placement))
        return self._child.ask("layout", body, timeout_s=FRAME_S)

    def embed(self, frames: Sequence[FramePixels], model: Path, *, key: str | None = None) -> Ticket:
        """Let the host compute embeddings ahead. It answers one request after the other: ask for few at a time."""
        loan = Loan(self._pool)
        places = tuple(FrameIn(pixels=loan.pixels(frame), digest=frame.digest) for frame in frames)
        body = to_body(FramesIn(frames=places, model=str(model), cache=self._cache_text()))
        ticket = self._child.ask("embed", body, key=key, timeout_s=FRAME_S * (1 + len(frames)))
        ticket.when_released(loan.give_back)
        return ticket

    def warm(self, model: Path) -> Ticket:
        """Load a model and let it work once."""
        return self._child.ask("warm", to_body(ModelIn(model=str(model))), timeout_s=FRAME_S)

    def device(self) -> Ticket:
        """`kind, name, precision, threads, free_bytes, encode_ms, torch` of what the host computes on."""
        return self._child.ask("device", {}, timeout_s=FRAME_S)

    @property
    def state(self) -> State:
        """Where the host stands."""
        return self._child.state

    @property
    def pid(self) -> int | None:
        """The host's process, or None."""
        return self._child.pid

    def on_state(self, callback: Callable[[State], None]) -> None:
        """Call back with each new state, on the reading thread."""
        self._child.on_state(callback)

    def stop(self) -> None:
        """End the host; what is unanswered raises Interrupted."""
        self._child.stop()
        self._pool.close()

    def _cache_text(self) -> str:
        return str(self._cache) if self._cache is not None else ""

    def _frames_in(self, places: Sequence[FrameIn], model: Path, placement: str = "") -> FramesIn:
        return FramesIn(frames=tuple(places), model=str(model), cache=self._cache_text(), placement=placement)

    def _ask(
        self,
        kind: str,
        request: FramesIn | InstantIn | PromptIn,
        answers: Answers[Part],
        loan: Loan,
        heard: Callable[[dict[str, Any]], None],
        key: str | None,
        *,
        frames: int,
    ) -> Answers[Part]:
        """Ask, and let `heard` take each part. `frames`: how many the host looks at, for its time."""

        def told(body: dict[str, Any]) -> None:
            try:
                heard(body)
            except StudioError as error:
                answers.fail(error)

        timeout_s = FRAME_S * (1 + frames)
        ticket = self._child.ask(kind, to_body(request), key=key, on_progress=told, timeout_s=timeout_s)
        answers.ticket = ticket
        ticket.when_released(loan.give_back)
        ticket.add_done_callback(answers.close)
        return answers


def _refuse_lacking(body: dict[str, Any]) -> None:
    lacking = from_body(body, InstantOut).lacking
    if lacking:
        raise LessonsLacking(lacking)
