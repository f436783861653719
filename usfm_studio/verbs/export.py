"""`export`: accepted work in a format that other programs read; written whole or not at all, and read back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from glob import escape
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from usfm_studio.document.annotation import State
from usfm_studio.document.errors import NotFound, StudioError
from usfm_studio.document.frame import Frame
from usfm_studio.document.snapshot import SnapshotWriter
from usfm_studio.imaging.client import DecodedFrame
from usfm_studio.project.project import Project
from usfm_studio.project.trouble import explained
from usfm_studio.verbs import pixels
from usfm_studio.verbs.house import House
from usfm_studio.verbs.scratch import scratch, sweep_beside
from usfm_studio.verbs.steps import Apart, Event, Failure, Steps, answer, progress


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportArguments:
    """`everything` takes frames still in work too; `exam` limits it to one group."""

    format: str
    out: Path
    everything: bool = False
    exam: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportResult:
    """`files` counts files, `frames` counts frames; `paths` names the files."""

    files: int
    frames: int
    paths: list[str] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)

    @property
    def partial(self) -> bool:
        """True where some frame could not be read, or the format could not hold it."""
        return bool(self.failed)


def run(arguments: ExportArguments, house: House) -> Steps[ExportResult]:
    """Collect the frames as a snapshot, then let the reader write, read back and compare."""
    project = house.project
    frames = chosen(project, arguments)
    if not frames:
        raise NotFound("There is nothing to export", "no frame is done yet", "Finish a frame, then export again.")
    with scratch("export") as folder:
        writer = SnapshotWriter(folder / "snapshot", project.schema)
        collected, failed = yield from collect(house, writer, frames)
        sources = {stem: _source(house, frame) for stem, frame in collected.items()}
        yield Apart(writer.finish)
        yield progress(0, 0, "Writing")
        body = yield from _write(house, arguments.format, writer.folder, arguments.out.absolute(), sources)
    failed += [Failure(path=item["path"], error=item["error"]) for item in body.get("failed", [])]
    return ExportResult(files=len(body["files"]), frames=body["frames"], paths=list(body["files"]), failed=failed)


def _write(house: House, format: str, snapshot: Path, out: Path, sources: dict[str, Any]) -> Steps[dict[str, Any]]:
    """Let the reader write; a writer that had to be killed leaves nothing beside `out`."""
    name = escape(out.name)
    sweep_beside(out.parent, name)
    events: SimpleQueue[Event] = SimpleQueue()

    def tell(step: dict[str, Any]) -> None:
        events.put(progress(int(step["done"]), int(step["total"]), "Writing"))

    ticket = house.reader.write(format, snapshot, out, {"sources": sources}, on_progress=tell)
    ticket.when_released(lambda: sweep_beside(out.parent, name))
    body: dict[str, Any] = yield from answer(ticket, events)
    return body


def collect(
    house: House, writer: SnapshotWriter, frames: Sequence[Frame], exam: str | None = None
) -> Steps[tuple[dict[str, Frame], list[Failure]]]:
    """Write the frames and their marks into a snapshot: (frame by stem, what could not be read).

    With `exam`, to learn from: marks outside of its schema are left out, and so are frames that teach nothing then.
    Raises the first error where no frame could be read.
    """
    sources = pixels.Sources(house.project)
    collected: dict[str, Frame] = {}
    failed: list[Failure] = []
    first: StudioError | None = None
    for number, frame in enumerate(frames):
        stem = f"s{number:05d}"
        sample, mask = house.project.sample(frame, stem, exam)
        if exam is not None and mask is None and sample.labels is None:
            continue
        (outcome,) = yield from pixels.read(house, [frame], sources)
        if isinstance(outcome, DecodedFrame):
            try:
                yield Apart(partial(writer.add, sample, outcome.array, mask))
            except OSError as error:
                raise explained(error, "The frames could not be collected") from error
            finally:
                pixels.give_back(house, [outcome])
            collected[stem] = frame
        else:
            first = first or outcome
            failed.append(Failure(path=pixels.shown(frame), error=str(outcome)))
        yield progress(number + 1, len(frames), "Collecting frames")
    if first is not None and not collected:
        raise first
    return collected, failed


def chosen(project: Project, arguments: ExportArguments) -> list[Frame]:
    """The frames that an export takes."""
    states = {State.DONE, State.NOTHING}
    if arguments.everything:
        states |= {State.DOING, State.FLAGGED}
    return [
        frame
        for frame in project.annotated()
        if project.annotation(frame.id).state in states
        and (arguments.exam is None or project.schema.exam_of(frame.instance) == arguments.exam)
    ]


def _source(house: House, frame: Frame) -> dict[str, Any]:
    instance = pixels.located(house, frame.instance)
    seconds = instance.seconds
    annotation = house.project.annotation(frame.id)
    return {
        "path": instance.path,
        "member": instance.member,
        "frame": frame.index,
        "frames": instance.frames,
        "bits": instance.bits,
        "seconds_per_frame": seconds[-1] / (len(seconds) - 1) if seconds and len(seconds) > 1 else None,
        "exam": house.project.schema.exam_of(instance),
        "model": next((step.model for step in reversed(annotation.provenance) if step.model), ""),
    }
