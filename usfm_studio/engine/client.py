"""The engine as the rest of the program sees it: requests go out, proposals come back. No torch here.

Answers and callbacks come on the host's reading thread; callbacks must be short.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from usfm_studio.children.arrays import ArrayPool, ArrayRef
from usfm_studio.children.supervisor import Child, ChildSpec, State, Ticket
from usfm_studio.document.errors import ChildDied, StudioError
from usfm_studio.engine.doors import Encoded, FramePixels, ProposalParts
from usfm_studio.engine.models.catalogue import read_card
from usfm_studio.engine.requests import (
    Array,
    EncodedOut,
    FrameIn,
    FramesIn,
    LayoutIn,
    ModelIn,
    ProposalOut,
    from_body,
    to_body,
)

HOST = "usfm_studio.engine.host"
NICE = 10
FRAME_S = 120.0
"""Seconds that one frame may take at most (a cold start on a loaded machine among them)."""

Part = TypeVar("Part")


class Answers(Future[list[Part]], Generic[Part]):
    """One part a frame, in the order asked. `result()` gives them or raises the StudioError."""

    def __init__(self, frames: int, on_part: Callable[[Part], None] | None) -> None:
        super().__init__()
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
        loan = _Loan(self._pool)
        outs = [_Outs(loan, frame, len(card.segments) + 1 if probabilities else 0) for frame in frames]
        places = [
            FrameIn(pixels=loan.pixels(f), digest=f.digest, ids=out.ids_in, probabilities=out.probabilities_in)
            for f, out in zip(frames, outs, strict=True)
        ]

        def heard(body: dict[str, Any]) -> None:
            said = from_body(body, ProposalOut)
            if 0 <= said.index < len(frames):
                answers.take(said.index, outs[said.index].parts(said, len(card.segments)))

        return self._ask("propose", places, model, answers, loan, heard, key)

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
        loan = _Loan(self._pool)
        outs = [{stride: loan.give(shape, "float16") for stride, shape in sorted(maps.items())} for _ in frames]
        places = [
            FrameIn(pixels=loan.pixels(frame), digest=frame.digest, maps=tuple(place for place, _ in out.values()))
            for frame, out in zip(frames, outs, strict=True)
        ]

        def heard(body: dict[str, Any]) -> None:
            said = from_body(body, EncodedOut)
            if 0 <= said.index < len(frames):
                pooled = _read_only(np.array(said.pooled, np.float32))
                made = {stride: loan.copied(array) for stride, (_, array) in outs[said.index].items()}
                frame = frames[said.index].key
                answers.take(said.index, Encoded(key=frame, pooled=pooled, maps=MappingProxyType(made)))

        return self._ask("encode", places, model, answers, loan, heard, key, placement)

    def layout(self, model: Path, sizes_rc: Sequence[tuple[int, int]], placement: str = "") -> Ticket:
        """{pooled, maps, alike}: the shapes of what `encode` makes of frames of these sizes (`LayoutOut`)."""
        body = to_body(LayoutIn(model=str(model), sizes_rc=tuple(sizes_rc), placement=placement))
        return self._child.ask("layout", body, timeout_s=FRAME_S)

    def embed(self, frames: Sequence[FramePixels], model: Path, *, key: str | None = None) -> Ticket:
        """Let the host compute embeddings ahead. It answers one request after the other: ask for few at a time."""
        loan = _Loan(self._pool)
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

    def _ask(
        self,
        kind: str,
        places: Sequence[FrameIn],
        model: Path,
        answers: Answers[Part],
        loan: _Loan,
        heard: Callable[[dict[str, Any]], None],
        key: str | None,
        placement: str = "",
    ) -> Answers[Part]:
        def told(body: dict[str, Any]) -> None:
            try:
                heard(body)
            except StudioError as error:
                answers.fail(error)

        cache = self._cache_text()
        body = to_body(FramesIn(frames=tuple(places), model=str(model), cache=cache, placement=placement))
        timeout_s = FRAME_S * (1 + len(places))
        ticket = self._child.ask(kind, body, key=key, on_progress=told, timeout_s=timeout_s)
        answers.ticket = ticket
        ticket.when_released(loan.give_back)
        ticket.add_done_callback(answers.close)
        return answers


class _Loan:
    """The shared arrays of one request, given back together when no process works on them any longer."""

    def __init__(self, pool: ArrayPool) -> None:
        self._pool = pool
        self._refs: list[ArrayRef] = []
        self._guard = threading.Lock()
        self.open = True

    def give(self, shape: tuple[int, ...], dtype: str) -> tuple[Array, NDArray[Any]]:
        """An array for the host to fill."""
        ref, array = self._pool.give(shape, dtype)
        self._refs.append(ref)
        return _as_json(ref), array

    def pixels(self, frame: FramePixels) -> Array:
        """Where the host finds a frame's pixels: where they are already, or in a copy."""
        if frame.ref is not None:
            return _as_json(frame.ref)
        assert frame.array is not None
        place, array = self.give(tuple(frame.array.shape), frame.array.dtype.name)
        array[...] = frame.array
        return place

    def give_back(self) -> None:
        """The request is over for everybody."""
        with self._guard:
            self.open = False
            for ref in self._refs:
                self._pool.give_back(ref)

    def copied(self, array: NDArray[Any]) -> NDArray[Any]:
        """What the host wrote, as the caller's own. Raises ChildDied after the loan has ended."""
        with self._guard:
            if not self.open:
                raise ChildDied("The engine answered too late")
            return _read_only(array.copy())


class _Outs:
    """Where the host puts one frame's answer. `classes` 0 means that no probabilities are wanted."""

    def __init__(self, loan: _Loan, frame: FramePixels, classes: int) -> None:
        self._loan, self._key = loan, frame.key
        rows, columns = frame.shape[:2]
        self.ids_in, self._ids = loan.give((rows, columns), "uint8")
        self.probabilities_in: Array | None = None
        self._probabilities: NDArray[Any] | None = None
        if classes:
            self.probabilities_in, self._probabilities = loan.give((classes, rows, columns), "float16")

    def parts(self, said: ProposalOut, segments: int) -> ProposalParts:
        """The answer as the caller's own values, checked: a child is not believed."""
        ids = self._loan.copied(self._ids)
        if int(ids.max(initial=0)) > segments:
            raise StudioError("The engine answered with a segment that the model does not have")
        return ProposalParts(
            key=self._key,
            ids=ids,
            confidences=MappingProxyType(said.confidences),
            predicted_dice=MappingProxyType(said.predicted_dice),
            labels=MappingProxyType(said.labels),
            probabilities=None if self._probabilities is None else self._loan.copied(self._probabilities),
        )


def _as_json(ref: ArrayRef) -> Array:
    return Array(ref.handle, ref.shape, ref.dtype)


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array
