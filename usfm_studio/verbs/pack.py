"""`pack`: images of any kind into shards and an index, to pre-train an encoder on. Masks and labels stay out."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from time import monotonic

import numpy as np

from usfm_studio.document.errors import Interrupted, Unreadable, WrongUsage
from usfm_studio.document.frame import Frame, Instance, frames_of
from usfm_studio.document.model_card import subject_code
from usfm_studio.document.splits import fold_of
from usfm_studio.engine.corpus.index import CorpusIndex, read_state
from usfm_studio.engine.corpus.preparing import DEFAULT_PX, prepared
from usfm_studio.engine.corpus.shards import SHARD_BYTES, PackedFrame, ShardWriter
from usfm_studio.engine.corpus.thinning import Thinner
from usfm_studio.engine.corpus.whole import BESIDE, LOCK
from usfm_studio.imaging.client import DecodedFrame
from usfm_studio.imaging.description import FileDescription
from usfm_studio.imaging.walk import Found
from usfm_studio.verbs import pixels
from usfm_studio.verbs.house import House
from usfm_studio.verbs.pack_layout import Layout, Place, organ_name
from usfm_studio.verbs.pack_reading import Describing
from usfm_studio.verbs.steps import Apart, Failure, Steps, answer, progress

BATCH = 16
"""Frames that are decoded and packed together."""
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class PackArguments:
    """`size_px`: the longest side in the corpus. `organ`: of everything that is packed now. `leave_fold` of `folds`:
    subjects of that fold stay out. `add`: the corpus is there and gets more.
    """

    out: Path
    paths: tuple[str, ...]
    size_px: int = DEFAULT_PX
    organ: str | None = None
    leave_fold: int | None = None
    folds: int | None = None
    add: bool = False
    shard_bytes: int = SHARD_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class PackResult:
    """`shards`, `images`, `thinned`, `bytes` and `organs` (images by organ) are of the whole corpus; the rest of this
    run: `added` images, `skipped` files that were packed before, `left_out` files of the fold that stays out.
    """

    shards: int
    images: int
    thinned: int
    failed: list[Failure]
    added: int
    skipped: int
    left_out: int
    subjects: int
    organs: dict[str, int]
    bytes: int
    digest: str
    seconds: float

    @property
    def partial(self) -> bool:
        """True where some file could not be read."""
        return bool(self.failed)


@dataclass(slots=True)
class _Clip:
    """Frames that are thinned and kept together: a loop, a still, or files that are frames of one clip."""

    name: str
    code: str
    organ: str
    subject: str
    jobs: list[_Job] = field(default_factory=list)
    packed: set[str] = field(default_factory=set)
    thinned: int = 0


@dataclass(slots=True)
class _Job:
    """One frame to pack; `number` is its place in the clip."""

    frame: Frame
    number: int
    clip: _Clip
    last: bool = False


@dataclass(slots=True)
class _NamedClip:
    """A clip of several files: its code, and the places in it that are taken."""

    code: str
    numbers: set[int] = field(default_factory=set)


def run(arguments: PackArguments, house: House) -> Steps[PackResult]:
    """Describe, decode, thin and write, path by path. What a kill or an interruption leaves is gone on with.

    Raises WrongUsage, ProjectBusy, Damaged, DiskFull, Interrupted.
    """
    left = check(arguments)
    began = monotonic()
    with ShardWriter(arguments.out, arguments.size_px, arguments.shard_bytes, left_fold=left) as writer:
        packing = _Packing(arguments, house, writer)
        before = writer.images
        try:
            for path in dict.fromkeys(os.path.abspath(path) for path in arguments.paths):  # noqa: PTH100
                yield from packing.through(path)
        except Interrupted as error:
            hint = f"{writer.images} images are packed; the same command goes on with the rest."
            raise Interrupted(error.what, error.why, hint) from error
        index = yield Apart(writer.finish)
    return packing.result(index, before, monotonic() - began)


def check(arguments: PackArguments) -> str:
    """The fold that stays out, as the corpus keeps it (`I/K` or empty). Raises WrongUsage."""
    what, out, fold, folds = "Nothing was packed", arguments.out, arguments.leave_fold, arguments.folds
    if (fold is None) != (folds is None):
        raise WrongUsage(what, "--leave-fold and --folds belong together")
    if fold is not None and folds is not None and not 0 <= fold < folds:
        raise WrongUsage(what, "--leave-fold counts from 0 and must be below --folds")
    if out.exists() and not out.is_dir():
        raise WrongUsage(what, f"{out.name} is a file", "Name a folder.")
    state = read_state(out)
    if state is None:
        foreign = out.is_dir() and any(p.name != LOCK and not p.name.endswith(BESIDE) for p in out.iterdir())
        if arguments.add or foreign:
            why = f"there is no corpus in {out.name}" + (", but other files" if foreign else "")
            raise WrongUsage(what, why, "Name another folder." if foreign else "Leave --add out to make one.")
    elif state.complete and not arguments.add:
        hint = "Use --add to add to it, or name another folder."
        raise WrongUsage(what, f"there is a complete corpus in {out.name}", hint)
    return f"{fold}/{folds}" if folds is not None else ""


class _Packing:
    """One run: what it works with, and what it has so far."""

    def __init__(self, arguments: PackArguments, house: House, writer: ShardWriter) -> None:
        self._arguments, self._house, self._writer = arguments, house, writer
        self._organ = organ_name(arguments.organ or "")
        self._thinner = Thinner()
        self._waiting: deque[_Job] = deque()
        self._clip: _Clip | None = None
        self._named: dict[str, _NamedClip] = {}
        self._seen: set[bytes] = set()
        self._barred: list[str] = []  # left out, and to stay out: the same file may lie in another folder too
        self._failed: list[Failure] = []
        self._skipped = self._left_out = 0

    def through(self, path: str) -> Steps[None]:
        """Pack everything below one path."""
        yield progress(0, 0, "Looking for files")
        body = yield from answer(self._house.reader.find([path]))
        found = [Found(**item) for item in body["found"]]
        self._failed += [Failure(path=item["path"], error=item["error"]) for item in body["failed"]]
        layout = Layout(path, found, self._arguments.out)
        images = layout.images(found)
        self._failed += layout.failed
        if found and not images and not layout.failed:
            error = "Nothing here can be packed: masks, targets and tables never are."
            self._failed.append(Failure(path=path, error=error))
        yield from self._described(images, layout)

    def result(self, index: CorpusIndex, before: int, seconds: float) -> PackResult:
        """What the corpus holds now, and what this run did."""
        counts = np.bincount(np.asarray(index.organ), minlength=len(index.organs))
        return PackResult(
            shards=len(index.shards),
            images=len(index),
            thinned=index.state.thinned,
            failed=self._failed,
            added=len(index) - before,
            skipped=self._skipped,
            left_out=self._left_out,
            subjects=len(index.subject_codes),
            organs={name: int(count) for name, count in zip(index.organs, counts, strict=True)},
            bytes=index.state.bytes,
            digest=index.digest,
            seconds=round(seconds, 3),
        )

    def _described(self, images: Sequence[Found], layout: Layout) -> Steps[None]:
        self._named.clear()
        describing = Describing(self._house, images)
        done = 0
        try:
            while described := (yield from describing.next()):
                for file, description in described:
                    self._sort(file, description, layout)
                done += len(described)
                while len(self._waiting) >= BATCH:
                    yield from self._pack_batch()
                    yield progress(done - len(self._waiting), len(images), "Packing")
        finally:
            describing.stop()
        self._close_clip()
        while self._waiting:
            yield from self._pack_batch()
        yield Apart(self._settle)

    def _sort(self, file: Found, description: FileDescription, layout: Layout) -> None:
        """Put one file's frames where they belong, or count why it stays out."""
        instance = description.instance
        if instance is None:
            self._failed.append(Failure(path=description.shown_path, error=description.not_imported or ""))
            return
        place = layout.place(file)
        name = place.clip if instance.frames == 1 else ""
        code = subject_code(instance.digest)
        if name:
            named = self._named.setdefault(name, _NamedClip(code))
            code = named.code
            if place.frame in named.numbers:
                error = f"Another file is frame {place.frame} of the same clip too."
                self._failed.append(Failure(path=description.shown_path, error=error))
                return
            named.numbers.add(place.frame)
        source = bytes.fromhex(instance.digest)
        seen = source in self._seen or self._writer.holds(instance.digest)
        self._seen.add(source)
        if self._stays_out(file, instance, place):
            self._left_out += 1
            self._barred.append(instance.digest)
        elif seen:
            self._skipped += 1
        else:
            self._take(instance, place, name, code)

    def _take(self, instance: Instance, place: Place, name: str, code: str) -> None:
        if self._clip is None or not name or self._clip.name != name:
            self._close_clip()
            subject = subject_code(_known_subject(instance, place)) if _known_subject(instance, place) else code
            self._clip = _Clip(name, code, self._organ_of(instance, place), subject)
        clip = self._clip
        clip.jobs += [_Job(frame, place.frame if name else frame.index, clip) for frame in frames_of(instance)]
        if not name:
            self._close_clip()

    def _close_clip(self) -> None:
        """Its frames may be packed now."""
        clip, self._clip = self._clip, None
        if clip is not None:
            clip.jobs.sort(key=lambda job: job.number)
            clip.jobs[-1].last = True
            self._waiting += clip.jobs

    def _stays_out(self, file: Found, instance: Instance, place: Place) -> bool:
        fold, folds = self._arguments.leave_fold, self._arguments.folds
        if fold is None or folds is None:
            return False
        stem = PurePosixPath(file.member or file.path).stem
        known = place.subject if place.in_data_folder else _known_subject(instance, place) or place.clip_subject
        return fold_of(known or stem, folds) == fold

    def _organ_of(self, instance: Instance, place: Place) -> str:
        """A DICOM file's folder is often a patient's name: it is never taken for an organ."""
        folder = place.folder_organ if place.in_data_folder or not _is_dicom(instance) else ""
        return self._organ or place.organ or organ_name(instance.body_part) or folder or UNKNOWN

    def _pack_batch(self) -> Steps[None]:
        batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
        outcomes = yield from pixels.read(self._house, [job.frame for job in batch])
        try:
            yield Apart(partial(self._write, batch, outcomes))
        finally:
            pixels.give_back(self._house, outcomes)

    def _write(self, batch: Sequence[_Job], outcomes: Sequence[pixels.Outcome]) -> None:
        for job, outcome in zip(batch, outcomes, strict=True):
            try:
                self._pack(job, outcome)
            except Unreadable as error:
                self._failed.append(Failure(path=pixels.shown(job.frame), error=str(error)))
            if job.last:
                self._settle(job.clip)

    def _settle(self, clip: _Clip | None = None) -> None:
        """A clip is whole; and what was left out meanwhile stays out in later runs too."""
        done, self._barred = self._barred, []
        if clip is not None:
            done += sorted(clip.packed)
        if done:
            self._writer.source_done(done, clip.thinned if clip is not None else 0)

    def _pack(self, job: _Job, outcome: pixels.Outcome) -> None:
        clip, instance = job.clip, job.frame.instance
        if not isinstance(outcome, DecodedFrame):
            self._failed.append(Failure(path=pixels.shown(job.frame), error=str(outcome)))
            return
        grey_rc, valid_rc = prepared(outcome.array, self._arguments.size_px, instance.regions)
        clip.packed.add(instance.digest)
        if len(clip.jobs) > 1 and not self._thinner.keeps(clip.code, grey_rc):
            clip.thinned += 1
            return
        packed = PackedFrame(
            grey_rc=grey_rc,
            valid_rc=valid_rc,
            organ=clip.organ,
            subject=clip.subject,
            sequence=clip.code,
            frame=job.number,
            native_rc=job.frame.shape,
            seconds=instance.seconds[job.frame.index] if instance.seconds else None,
        )
        self._writer.add(packed)


def _known_subject(instance: Instance, place: Place) -> str:
    """Who it is of; empty where nothing tells: then an image, or a clip, is its own subject."""
    return place.subject or (instance.subject if instance.patient_id or instance.study_uid else "")


def _is_dicom(instance: Instance) -> bool:
    return bool(instance.transfer_syntax or instance.sop_class_uid or instance.study_uid)
