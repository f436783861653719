"""`import`: files into a project, file by file; what cannot be read is listed with its reason."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from usfm_studio.document.edit import ReplaceInstances
from usfm_studio.document.errors import Interrupted
from usfm_studio.document.frame import Instance
from usfm_studio.imaging.description import FileDescription
from usfm_studio.verbs.house import House
from usfm_studio.verbs.import_annotations import run as import_annotations
from usfm_studio.verbs.info import describe
from usfm_studio.verbs.steps import Event, Steps


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportArguments:
    """Files, folders, zips or DICOMDIRs; `annotations` is (format, path) of masks and labels to bring back."""

    paths: tuple[str, ...] = ()
    annotations: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A file that was left out, and why."""

    path: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportResult:
    """`imported` and `skipped` count files; `frames` counts the frames that came in, `annotated` those
    that got masks or labels."""

    imported: int = 0
    skipped: int = 0
    failed: list[Failure] = field(default_factory=list)
    frames: int = 0
    annotated: int = 0

    @property
    def partial(self) -> bool:
        """True where some file could not be read."""
        return bool(self.failed)


def run(arguments: ImportArguments, house: House) -> Steps[ImportResult]:
    """Bring in what is new. The same file again is skipped, so an interrupted import can be repeated."""
    described: list[FileDescription] = []
    result = ImportResult()
    if arguments.paths:
        try:
            yield from describe(house, arguments.paths, described, digest=True)
        except Interrupted:
            _add(house, described)
            raise
        result, edit = _add(house, described)
        if edit is not None:
            yield Event("applied", {"edit": edit})
    if arguments.annotations is not None:
        format, path = arguments.annotations
        brought = yield from import_annotations(house, format, Path(path))
        failed = [Failure(path=f["path"], error=f["error"]) for f in brought.failed]
        result = replace(result, annotated=brought.frames, failed=[*result.failed, *failed])
    return result


def _add(house: House, described: list[FileDescription]) -> tuple[ImportResult, ReplaceInstances | None]:
    known = {instance.digest for instance in house.project.instances}
    new: dict[str, Instance] = {}
    failed, skipped = [], 0
    for one in described:
        if one.instance is None or one.error:
            failed.append(Failure(path=one.shown_path, error=one.not_imported or one.error or ""))
        if one.instance is None:
            continue
        if one.instance.digest in known or one.instance.digest in new:
            skipped += 1
            continue
        new[one.instance.digest] = one.instance
    edit = None
    if new:
        name = f"Add {len(new)} file{'s' if len(new) > 1 else ''}"
        edit = ReplaceInstances(name=name, before=(), after=tuple(new.values()))
        house.project.apply(edit, undoable=False)
    frames = sum(instance.frames for instance in new.values())
    return ImportResult(imported=len(new), skipped=skipped, failed=failed, frames=frames), edit
