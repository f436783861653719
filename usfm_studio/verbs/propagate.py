"""`propagate`: masks of key frames carried through a loop; frames that drift are handed back to the person."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from queue import SimpleQueue
from time import monotonic
from typing import Any

import numpy as np

from usfm_studio.document.errors import NotFound, Unreadable, Unsupported, WrongUsage
from usfm_studio.document.frame import Frame, frames_of
from usfm_studio.document.mask import Ids
from usfm_studio.document.schema import Schema
from usfm_studio.document.snapshot import Sample, SnapshotWriter
from usfm_studio.engine.propagator_client import propagate
from usfm_studio.imaging.client import DecodedFrame
from usfm_studio.imaging.description import FileDescription
from usfm_studio.imaging.pictures import as_plain_ids, ids_from_png, png_shape
from usfm_studio.verbs import pixels
from usfm_studio.verbs.house import House
from usfm_studio.verbs.info import describe
from usfm_studio.verbs.paths import images_of
from usfm_studio.verbs.scratch import scratch, sweep_beside
from usfm_studio.verbs.shelf import resolve_model, usable_card
from usfm_studio.verbs.steps import Apart, Event, Steps, answer, progress

BATCH = 4
MASKING = ("segmentation", "both")
KEY_MOST = 64 << 20
"""Bytes of a key frame's PNG."""
WHAT = "The loop cannot be worked through"


@dataclass(frozen=True, slots=True, kw_only=True)
class PropagateArguments:
    """`keyframes` are texts N=MASK.png, frames counted from 0; `model` a fine-tuned one, or none."""

    input: str
    keyframes: tuple[str, ...]
    out: Path
    model: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PropagateResult:
    """Fields of the contract. `score` predicts each frame's Dice (1 for key frames), by its number as text.

    `ms_per_frame` counts reading, carrying and writing, not the start of processes.
    """

    frames: int
    seconds: float
    ms_per_frame: float
    flagged: list[int] = field(default_factory=list)
    score: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Place:
    """A frame of the loop, and how its mask is called."""

    frame: Frame
    stem: str


def run(arguments: PropagateArguments, house: House) -> Steps[PropagateResult]:
    """Read the loop, let the worker carry the masks, and write one PNG a frame."""
    named = _named(arguments.keyframes)
    if arguments.out.exists() and not arguments.out.is_dir():
        raise WrongUsage(f"Nothing was written to {arguments.out.name}", "it is a file", "Name a folder with --out.")
    model, segments = yield Apart(lambda: _model(arguments.model, house))
    began = monotonic()
    places = yield from _loop(arguments.input, house)
    shapes = _shapes(places)
    keys: dict[int, Ids] = yield Apart(lambda: {n: _key(n, path, shapes) for n, path in named.items()})
    sweep_beside(arguments.out, "*.png")
    with scratch("propagate") as folder:
        reading = monotonic()
        yield from _kept(house, places, keys, folder / "loop")
        work_s = monotonic() - reading
        body = yield from _carried(house, folder, model)
        writing = monotonic()
        names = {int(v): f"segment {v}" for ids in keys.values() for v in np.unique(ids) if v} | dict(segments)
        yield from _written(house, places, folder / "carried", arguments.out, names)
        work_s += float(body["seconds"]) + monotonic() - writing
    seconds = monotonic() - began
    return PropagateResult(
        frames=len(places),
        seconds=round(seconds, 3),
        ms_per_frame=round(1000 * work_s / len(places), 2),
        flagged=[int(n) for n in body["flagged"]],
        score={str(n): float(value) for n, value in body["score"].items()},
    )


def _named(keyframes: Sequence[str]) -> dict[int, Path]:
    """Mask files by frame number. Raises WrongUsage."""
    found: dict[int, Path] = {}
    for text in keyframes:
        number, sign, path = text.partition("=")
        if not sign or not path or not re.fullmatch(r"-?[0-9]{1,9}", number.strip()):
            raise WrongUsage(f"{text} is no key frame", "it is not N=MASK.png", "Write for example 0=first.png.")
        if int(number) in found:
            raise WrongUsage(f"Key frame {int(number)} was named twice", "a frame has one mask", "Name one of them.")
        found[int(number)] = Path(path)
    if not found:
        raise WrongUsage(WHAT, "no key frame was given", "Name one with --keyframe N=MASK.png.")
    return found


def _model(name: str | None, house: House) -> tuple[Path | None, Mapping[int, str]]:
    """The model's folder and segments. Raises BadModel, NotFound, Unsupported."""
    if name is None:
        return None, {}
    folder = resolve_model(name, house.opened)
    card = usable_card(folder)
    if card.task not in MASKING:
        raise Unsupported("This model marks nothing", f"its task is {card.task}", "Name one that gives masks.")
    return folder, card.segments


def _loop(path: str, house: House) -> Steps[list[_Place]]:
    """The frames in order: those of one file, or the stills of a folder by the numbers in their names.

    Raises Unreadable for a file that cannot be read: a frame that is lacking would move all numbers.
    """
    files: list[FileDescription] = []

    def take(some: Sequence[FileDescription]) -> Iterable[Event]:
        files.extend(some)
        return ()

    yield from describe(house, images_of((path,)), take, digest=False)
    for file in files:
        if file.instance is None:
            raise Unreadable(WHAT, f"{_name(file)}: {(file.not_imported or 'it is no image').rstrip('.')}")
    if not files:
        raise NotFound(WHAT, "there are no images", "Name a loop, or a folder of images in order.")
    if len(files) > 1 and any(file.instance is not None and file.instance.frames > 1 for file in files):
        raise WrongUsage(WHAT, "it holds several files, and one of them is a loop itself", "Name one loop.")
    places = [_Place(f, s) for file in sorted(files, key=_order) if file.instance for f, s in _stems(file)]
    stems = [place.stem for place in places]
    double = next((stem for stem in stems if stems.count(stem) > 1), None)
    if double is not None:
        raise WrongUsage(WHAT, f"two frames are called {double}", "Give one another name.")
    return places


def _order(file: FileDescription) -> tuple[list[tuple[int, int, str]], str]:
    """So that frame 2 comes before frame 10."""
    parts = re.findall(r"[0-9]+|[^0-9]+", _name(file))
    return [(0, int(p), "") if p.isascii() and p.isdigit() else (1, 0, p) for p in parts], file.shown_path


def _stems(file: FileDescription) -> Iterable[tuple[Frame, str]]:
    assert file.instance is not None
    stem = PurePosixPath(_name(file)).stem
    several = file.instance.frames > 1
    return [(f, f"{stem}_f{f.index:03d}" if several else stem) for f in frames_of(file.instance)]


def _name(file: FileDescription) -> str:
    return PurePosixPath(file.member or file.path).name


def _shapes(places: Sequence[_Place]) -> list[tuple[int, int]]:
    """(rows, columns) a frame. Raises WrongUsage for one frame alone, and where they differ."""
    shapes = [place.frame.shape for place in places]
    if len(shapes) < 2:
        raise WrongUsage(WHAT, "it has one frame only", "Name a loop, or a folder of images in order.")
    other = next((n for n, shape in enumerate(shapes) if shape != shapes[0]), None)
    if other is not None:
        rows, columns = shapes[0]
        why = f"frame {other} has another size than frame 0 ({columns}x{rows})"
        raise WrongUsage(WHAT, why, "Frames of a loop have one size.")
    return shapes


def _key(number: int, path: Path, shapes: Sequence[tuple[int, int]]) -> Ids:
    """A key frame's ids, its size looked at before it is decoded. Raises NotFound, Unreadable, WrongUsage."""
    what = f"Key frame {number} cannot be used"
    if not 0 <= number < len(shapes):
        raise WrongUsage(what, f"the loop has frames 0 to {len(shapes) - 1}", "Frames count from 0.")
    try:
        if path.stat().st_size > KEY_MOST:
            raise Unreadable(what, f"{path.name} is larger than a mask can be")
        content = path.read_bytes()
        shape = png_shape(content)
    except OSError as error:
        raise NotFound(what, f"{path.name}: {error.strerror}", "Name the mask's PNG.") from error
    except ValueError as error:
        raise Unreadable(what, f"{path.name}: {error}", "A mask is a PNG of numbers.") from error
    if shape != shapes[number]:
        (rows, columns), (high, wide) = shape, shapes[number]
        raise WrongUsage(what, f"its mask is {columns}x{rows}, the loop {wide}x{high}", "A mask has the frame's size.")
    try:
        ids = as_plain_ids(ids_from_png(content), frozenset())
    except ValueError as error:
        raise Unreadable(what, f"{path.name}: {error}", "A mask is a PNG of numbers.") from error
    if not ids.any():
        raise WrongUsage(what, "nothing is marked in its mask", "Mark the segment on that frame.")
    return ids


def _kept(house: House, places: Sequence[_Place], keys: Mapping[int, Ids], folder: Path) -> Steps[None]:
    """The loop as a snapshot, with masks on its key frames. Raises Unreadable for a frame that cannot be decoded."""
    writer: SnapshotWriter = yield Apart(lambda: SnapshotWriter(folder, Schema()))
    for start in range(0, len(places), BATCH):
        batch = places[start : start + BATCH]
        outcomes = yield from pixels.read(house, [place.frame for place in batch])
        try:
            for n, outcome in enumerate(outcomes, start):
                if not isinstance(outcome, DecodedFrame):
                    raise Unreadable(WHAT, f"frame {n}: {str(outcome).rstrip('.')}")
                yield Apart(partial(_add, writer, n, places[n], outcome, keys.get(n)))
        finally:
            pixels.give_back(house, outcomes)
        yield progress(start + len(batch), len(places), "Reading frames")
    yield Apart(writer.finish)


def _add(writer: SnapshotWriter, number: int, place: _Place, seen: DecodedFrame, ids: Ids | None) -> None:
    rows, columns = place.frame.shape
    stem = f"{number:06d}"
    sample = Sample(
        stem=stem, name=place.stem, subject="loop", rows=rows, columns=columns, source_digest=f"{seen.digest}{stem}"
    )
    writer.add(sample, seen.array, ids)


def _carried(house: House, folder: Path, model: Path | None) -> Steps[dict[str, Any]]:
    events: SimpleQueue[Event] = SimpleQueue()

    def tell(body: dict[str, Any]) -> None:
        events.put(progress(int(body.get("done", 0)), int(body.get("total", 0)), "Carrying masks"))

    work = propagate(
        folder / "loop",
        folder / "carried",
        model=None if model is None else model.absolute(),
        device=house.options.device,
        threads=house.options.threads,
        on_event=tell,
    )
    try:
        body: dict[str, Any] = yield from answer(work.ticket, events)
    finally:
        work.child.kill(0.0)
    return body


def _written(
    house: House, places: Sequence[_Place], masks: Path, out: Path, segments: Mapping[int, str]
) -> Steps[None]:
    for start in range(0, len(places), BATCH):
        batch = list(enumerate(places[start : start + BATCH], start))
        items = yield Apart(partial(_items, batch, masks))
        yield from answer(house.reader.write_predictions(items, out, "masks", segments))
        yield progress(start + len(batch), len(places), "Writing masks")


def _items(batch: Sequence[tuple[int, _Place]], masks: Path) -> list[tuple[str, Ids]]:
    return [(place.stem, np.load(masks / f"{n:06d}.npy")) for n, place in batch]
