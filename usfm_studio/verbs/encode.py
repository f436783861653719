"""`encode`: what a frozen encoder makes of any files, as one safetensors file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from types import MappingProxyType

from usfm_studio.document.errors import Unreadable, WrongUsage
from usfm_studio.document.frame import Frame, frames_of
from usfm_studio.document.model_card import ModelCard
from usfm_studio.engine.doors import Encoded, FramePixels
from usfm_studio.engine.requests import LayoutOut, from_body
from usfm_studio.imaging.client import DecodedFrame
from usfm_studio.imaging.description import FileDescription
from usfm_studio.verbs import pixels
from usfm_studio.verbs.house import House
from usfm_studio.verbs.info import describe
from usfm_studio.verbs.paths import images_of
from usfm_studio.verbs.scratch import sweep_beside
from usfm_studio.verbs.shelf import read_card, resolve_model
from usfm_studio.verbs.steps import Apart, Event, Failure, Steps, answer, progress
from usfm_studio.verbs.tensor_file import TensorFile

BATCH = 4
BOX = "box"
"""The placement that gives every frame maps of one size: a black rim around it, up to a square."""
NO_MAPS: Mapping[int, tuple[int, int, int]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodeArguments:
    """`model` is M of the contract: a model's or an encoder's folder, its digest, or an encoder's name."""

    paths: tuple[str, ...]
    model: str
    out: Path
    maps: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodeResult:
    """`shape` is that of the tensor `pooled`: (frames, D)."""

    shape: tuple[int, int]
    seconds: float
    failed: list[Failure] = field(default_factory=list)

    @property
    def partial(self) -> bool:
        """True where some file could not be read."""
        return bool(self.failed)


def run(arguments: EncodeArguments, house: House) -> Steps[EncodeResult]:
    """Read, encode and write, a few frames at a time; the file appears when it is whole."""
    model = resolve_model(arguments.model, house.opened)
    _refuse_folder(arguments.out)
    sweep_beside(arguments.out.parent, arguments.out.name)
    began = monotonic()
    frames, failed = yield from _frames(arguments.paths, house)
    if not frames:
        raise _nothing(failed)
    with ExitStack() as stack:
        file = stack.enter_context(TensorFile(arguments.out))
        work = _Work(house, model, file, failed)
        yield from work.prepare(frames, maps=arguments.maps)
        for start in range(0, len(frames), BATCH):
            yield from work.through(frames[start : start + BATCH])
            yield progress(min(len(frames), start + BATCH), len(frames), "Encoding")
        if not work.names:
            raise _nothing(failed)
        yield Apart(lambda: file.finish(work.metadata()))
    seconds = round(monotonic() - began, 3)
    return EncodeResult(shape=(len(work.names), work.layout.pooled), seconds=seconds, failed=failed)


class _Work:
    """One run: what it works with, and what it has so far."""

    def __init__(self, house: House, model: Path, file: TensorFile, failed: list[Failure]) -> None:
        self.house, self.model, self.file, self.failed = house, model, file, failed
        self.card: ModelCard = read_card(model)
        self.names: list[str] = []
        self.placement = ""
        self.layout = LayoutOut(pooled=0, maps={}, alike=True)
        self.wanted = NO_MAPS

    def prepare(self, frames: Sequence[Frame], *, maps: bool) -> Steps[None]:
        """Ask for the shapes. Maps go into one tensor: where frames differ in shape, all get a rim up to a square."""
        sizes = list(dict.fromkeys((frame.instance.rows, frame.instance.columns) for frame in frames))
        engine = self.house.engine
        self.layout = from_body((yield from answer(engine.layout(self.model, sizes))), LayoutOut)
        if maps and not self.layout.alike:
            self.placement = BOX
            self.layout = from_body((yield from answer(engine.layout(self.model, sizes, BOX))), LayoutOut)
            note = "The frames differ in shape: for maps of one size, each gets a black rim up to a square."
            yield Event("note", {"note": note})
        self.file.tensor("pooled", "F32", (self.layout.pooled,))
        self.wanted = self.layout.maps if maps else NO_MAPS
        for stride, shape in sorted(self.wanted.items()):
            self.file.tensor(f"stride_{stride}", "F16", shape)

    def through(self, batch: Sequence[Frame]) -> Steps[None]:
        """Read and encode some frames; those that cannot be read are noted."""
        outcomes = yield from pixels.read(self.house, batch)
        seen = []
        for frame, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, DecodedFrame):
                seen.append(FramePixels(key=pixels.shown(frame), digest=outcome.digest, ref=outcome.ref))
            else:
                self.failed.append(Failure(path=pixels.shown(frame), error=str(outcome)))
        if seen:
            found = yield from self._ask(seen, outcomes)
            yield Apart(lambda: self._keep(found))

    def _ask(self, seen: Sequence[FramePixels], outcomes: Sequence[pixels.Outcome]) -> Steps[list[Encoded]]:
        """The engine's answers; the pixels go back when it has let go of them, answered or not."""
        try:
            asked = self.house.engine.encode(seen, self.model, maps=self.wanted, placement=self.placement)
        except BaseException:
            pixels.give_back(self.house, outcomes)
            raise
        assert asked.ticket is not None
        asked.ticket.when_released(lambda: pixels.give_back(self.house, outcomes))
        found: list[Encoded] = yield from answer(asked)
        return found

    def _keep(self, found: Iterable[Encoded]) -> None:
        for encoded in found:
            self.file.add({"pooled": encoded.pooled, **{f"stride_{s}": m for s, m in encoded.maps.items()}})
            self.names.append(encoded.key)

    def metadata(self) -> dict[str, str]:
        """What the file says of itself."""
        return {
            "frames": json.dumps([name.encode("utf-8", "replace").decode() for name in self.names]),
            "encoder": self.card.encoder,
            "encoder_digest": self.card.encoder_digest,
            "input_px": str(self.card.input_px),
            "placement": self.placement or str(self.card.preprocessing.get("placement", "keep")),
        }


def _frames(paths: Sequence[str], house: House) -> Steps[tuple[list[Frame], list[Failure]]]:
    frames: list[Frame] = []
    failed: list[Failure] = []

    def take(files: Sequence[FileDescription]) -> Iterable[Event]:
        for file in files:
            if file.instance is None:
                failed.append(Failure(path=file.shown_path, error=file.not_imported or ""))
            else:
                frames.extend(frames_of(file.instance))
        return ()

    yield from describe(house, images_of(paths), take, digest=False)
    return frames, failed


def _nothing(failed: Sequence[Failure]) -> Unreadable:
    why = failed[0].error.rstrip(".") if failed else "there are no files"
    more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
    return Unreadable("Nothing was encoded", f"{why}{more}", "Name files or folders with images.")


def _refuse_folder(out: Path) -> None:
    if out.is_dir():
        raise WrongUsage(f"Nothing was written to {out.name}", "it is a folder", "Name a file with --out.")
