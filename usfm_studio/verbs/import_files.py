"""`import`: files into a project, file by file; what cannot be read is listed with its reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic

from usfm_studio.document.edit import ReplaceInstances
from usfm_studio.document.errors import Interrupted, StudioError
from usfm_studio.document.frame import Instance
from usfm_studio.imaging.description import FileDescription, with_clashes
from usfm_studio.project.project import Project
from usfm_studio.verbs.house import House
from usfm_studio.verbs.import_annotations import run as import_annotations
from usfm_studio.verbs.info import describe
from usfm_studio.verbs.paths import images_of
from usfm_studio.verbs.steps import Event, Failure, Steps

__all__ = ["Failure", "ImportArguments", "ImportResult", "run"]

ADD_EVERY_S = 2.0
"""What has been read is added at the first group and then so often: a killed import keeps it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportArguments:
    """Files, folders, zips or DICOMDIRs; `annotations` is (format, path) of masks and labels to bring back."""

    paths: tuple[str, ...] = ()
    annotations: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportResult:
    """`imported` and `skipped` count files; `frames` counts the frames that came in, `annotated` those that got masks
    or labels, `relinked` the skipped files that were missing at their old place and are found at the new one.
    """

    imported: int = 0
    skipped: int = 0
    failed: list[Failure] = field(default_factory=list)
    frames: int = 0
    annotated: int = 0
    relinked: int = 0

    @property
    def partial(self) -> bool:
        """True where some file could not be read."""
        return bool(self.failed)


def run(arguments: ImportArguments, house: House) -> Steps[ImportResult]:
    """Bring in what is new. The same file again is skipped, so an interrupted import can be repeated."""
    result = ImportResult()
    if arguments.paths:
        adding = _Adding(house.project)
        try:
            yield from describe(house, images_of(arguments.paths), adding.take, digest=True)
        except StudioError as error:
            yield from adding.add()
            raise _with_count(error, adding.imported) from error
        yield from adding.add()
        yield from adding.note_clashes()
        result = adding.result()
    if arguments.annotations is not None:
        format, path = arguments.annotations
        brought = yield from import_annotations(house, format, Path(path))
        result = replace(result, annotated=brought.frames, failed=[*result.failed, *brought.failed])
    return result


def _with_count(error: StudioError, count: int) -> StudioError:
    if not isinstance(error, Interrupted):
        return error
    hint = f"{count} file{'s were' if count != 1 else ' was'} added; the same command goes on with the rest."
    return Interrupted(error.what, error.why, hint)


class _Adding:
    """What has been read, on its way into the project."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._known = {instance.digest: instance for instance in project.instances}
        self._new: dict[str, Instance] = {}
        self._moved: dict[str, Instance] = {}
        self._last: float | None = None
        self._added: set[str] = set()
        self._failed: list[Failure] = []
        self._skipped = self._relinked = self._frames = 0

    @property
    def imported(self) -> int:
        """Files that are in the project now and were not before."""
        return len(self._added)

    def result(self) -> ImportResult:
        """The counts so far."""
        return ImportResult(
            imported=self.imported,
            skipped=self._skipped,
            failed=self._failed,
            frames=self._frames,
            relinked=self._relinked,
        )

    def take(self, files: Sequence[FileDescription]) -> Iterable[Event]:
        """Sort out one group of files, and add them when it is time."""
        for file in files:
            self._sort(file)
        if self._last is None or monotonic() - self._last >= ADD_EVERY_S:
            yield from self.add()

    def add(self) -> Iterator[Event]:
        """Put what waits into the project."""
        self._last = monotonic()
        if self._new:
            count, new = len(self._new), tuple(self._new.values())
            name = f"Add {count} file{'s' if count > 1 else ''}"
            applied = self._apply(ReplaceInstances(name=name, before=(), after=new))
            self._added |= self._new.keys()
            self._frames += sum(instance.frames for instance in new)
            self._new = {}  # before the yield: an interruption there must find nothing left to add
            yield applied
        if self._moved:
            before = tuple(self._known[digest] for digest in self._moved)
            applied = self._apply(ReplaceInstances(name="Find files", before=before, after=tuple(self._moved.values())))
            self._known |= self._moved
            self._relinked += len(self._moved)
            self._moved = {}
            yield applied

    def note_clashes(self) -> Iterator[Event]:
        """Note on images that claim to be one DICOM object and differ, where one of them is new."""
        if not self._added:
            return
        held = [FileDescription(path=i.path, member=i.member, instance=i) for i in self._project.instances]
        changed = [
            (old.instance, new.instance)
            for old, new in zip(held, with_clashes(held), strict=True)
            if old.instance and new.instance and not set(new.instance.notices) <= set(old.instance.notices)
        ]
        if changed:
            before, after = tuple(old for old, _ in changed), tuple(new for _, new in changed)
            yield self._apply(ReplaceInstances(name="Note clashes", before=before, after=after))

    def _sort(self, file: FileDescription) -> None:
        instance = file.instance
        if instance is None:
            self._failed.append(Failure(path=file.shown_path, error=file.not_imported or ""))
            return
        digest = instance.digest
        if digest in self._new or digest in self._added:
            self._skipped += 1
        elif digest not in self._known:
            self._new[digest] = instance
        else:
            self._skipped += 1
            self._look_whether_it_moved(self._known[digest], instance)

    def _look_whether_it_moved(self, known: Instance, found: Instance) -> None:
        same = (known.path, known.member) == (found.path, found.member)
        if not same and known.digest not in self._moved and self._project.source_state(known) == "missing":
            self._moved[known.digest] = replace(known, path=found.path, member=found.member, name=found.name)

    def _apply(self, edit: ReplaceInstances) -> Event:
        self._project.apply(edit, undoable=False)
        return Event("applied", {"edit": edit})
