"""`export`: accepted work in a format that other programs read; written whole or not at all, and read back."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from usfm_studio.document.annotation import State
from usfm_studio.document.errors import NotFound
from usfm_studio.document.frame import Frame
from usfm_studio.document.snapshot import SnapshotWriter
from usfm_studio.project.project import Project
from usfm_studio.verbs.house import House
from usfm_studio.verbs.steps import Apart, Await, Steps, progress


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
    failed: list[dict[str, str]] = field(default_factory=list)

    @property
    def partial(self) -> bool:
        """True where the format could not hold some frame."""
        return bool(self.failed)


def run(arguments: ExportArguments, house: House) -> Steps[ExportResult]:
    """Collect the frames as a snapshot, then let the reader write, read back and compare."""
    project = house.project
    frames = chosen(project, arguments)
    if not frames:
        raise NotFound("There is nothing to export", "no frame is done yet", "Finish a frame, then export again.")
    with tempfile.TemporaryDirectory(prefix="usfm-export-") as scratch:
        folder = Path(scratch) / "snapshot"
        writer = SnapshotWriter(folder, project.schema)
        sources: dict[str, dict[str, Any]] = {}
        for number, frame in enumerate(frames):
            stem = f"s{number:05d}"
            decoded = yield Await(house.reader.pixels(frame.instance, frame.index))
            try:
                sample, mask = project.sample(frame, stem)
                yield Apart(partial(writer.add, sample, decoded.array, mask))
            finally:
                house.reader.release(decoded)
            sources[stem] = _source(project, frame)
            yield progress(number + 1, len(frames), "Collecting frames")
        yield Apart(writer.finish)
        body = yield Await(house.reader.write(arguments.format, folder, arguments.out, {"sources": sources}))
    return ExportResult(
        files=len(body["files"]), frames=body["frames"], paths=list(body["files"]), failed=list(body.get("failed", []))
    )


def chosen(project: Project, arguments: ExportArguments) -> list[Frame]:
    """The frames that an export takes."""
    states = {State.DONE, State.NOTHING}
    if arguments.everything:
        states |= {State.DOING, State.FLAGGED}
    return [
        frame
        for frame in project.frames()
        if project.annotation(frame.id).state in states
        and (arguments.exam is None or project.schema.exam_of(frame.instance) == arguments.exam)
    ]


def _source(project: Project, frame: Frame) -> dict[str, Any]:
    instance = frame.instance
    path = Path(instance.path)
    seconds = instance.seconds
    annotation = project.annotation(frame.id)
    return {
        "path": str(path if path.is_absolute() else project.folder / path),
        "member": instance.member,
        "frame": frame.index,
        "frames": instance.frames,
        "seconds_per_frame": seconds[-1] / (len(seconds) - 1) if seconds and len(seconds) > 1 else None,
        "exam": project.schema.exam_of(instance),
        "model": next((step.model for step in reversed(annotation.provenance) if step.model), ""),
    }
