"""The door to the reader process. Nothing here opens a file; each call returns a ticket at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usfm_studio.children.arrays import ArrayPool, ArrayRef
from usfm_studio.children.supervisor import Child, ChildSpec
from usfm_studio.children.ticket import Body, Ticket
from usfm_studio.document.errors import StudioError
from usfm_studio.document.frame import Instance, PixelDigest
from usfm_studio.document.values_json import instance_to
from usfm_studio.imaging.description import FileDescription, description_from, description_to, with_clashes
from usfm_studio.imaging.paths import portable
from usfm_studio.imaging.tasks import BLAMED, Chunks, Task
from usfm_studio.imaging.walk import Found

MODULE = "usfm_studio.imaging.reading.main"
MEMORY_BYTES = 1 << 30
SECONDS_PER_FILE = 5.0
SECONDS_PER_CHUNK = 10.0
CHUNK = 50
HASHED_BYTES_PER_SECOND = 20e6
"""A slow drive; hashing large files may take that much longer."""
CHUNK_BYTES = 64 << 20
LONG_S = 24 * 3600.0
MOST_SKIPPED = 20


@dataclass(frozen=True, slots=True)
class DecodedFrame:
    """Pixels of one frame: (rows, columns[, 3]) uint8 or uint16, read-only, in shared memory until released."""

    array: NDArray[Any]
    ref: ArrayRef
    digest: PixelDigest
    decoder: str


@dataclass(frozen=True, slots=True)
class Survey:
    """What a look through files and folders gave: one description a file, and what was never opened."""

    files: tuple[FileDescription, ...] = ()
    failed: tuple[dict[str, str], ...] = field(default=())


def spec(*, spare: bool) -> ChildSpec:
    """How a reader process runs: a request that kills it is not tried again."""
    return ChildSpec(
        module=MODULE,
        title="The reader",
        memory_bytes=MEMORY_BYTES,
        seconds_per_request=SECONDS_PER_FILE,
        retry=0,
        spare=spare,
    )


class Reader:
    """One or more reader processes. Safe from several threads; `close` ends them."""

    def __init__(self, workers: int = 1, cache_folder: Path | None = None, *, spare: bool = False) -> None:
        self._children = [Child(spec(spare=spare and n == 0)) for n in range(max(1, workers))]
        self._exporter: Child | None = None
        self._cache = cache_folder
        self._pool = ArrayPool()

    def start(self) -> None:
        """Start the first process without waiting; otherwise the first request does."""
        self._children[0].start()

    def keep_in(self, cache_folder: Path | None) -> None:
        """Another project: thumbnails are kept there from now on."""
        self._cache = cache_folder

    @property
    def pids(self) -> tuple[int, ...]:
        """Of the processes that answer now."""
        children = [*self._children, *([self._exporter] if self._exporter else [])]
        return tuple(child.pid for child in children if child.pid is not None)

    def find(self, paths: Iterable[str | Path], *, on_part: Callable[[Body], None] | None = None) -> Ticket:
        """{"found": [{path, member, size}], "failed": [{path, error}]}: the files behind files, folders and archives.

        `on_part` gets the same in parts of some hundreds, on the reading thread.
        """
        body = {"paths": [portable(str(path)) for path in paths]}
        return self._children[0].ask("walk", body, on_progress=on_part, timeout_s=LONG_S)

    def describe(
        self,
        files: Iterable[str | Path | Found],
        *,
        digest: bool = False,
        on_part: Callable[[list[FileDescription]], None] | None = None,
    ) -> Ticket:
        """{"files": [...]}, one description a file in the order asked for; parse it with `descriptions_from`.

        Never fails for a file: what cannot be read is described with its reason, also where it killed the process.
        `digest`: hash the files, so that their instances can be imported. `on_part` gets descriptions as they come,
        on the reading thread.
        """
        items = [_item(file) for file in files]
        children = self._children[1:] if digest and len(self._children) > 1 else self._children  # frames need not wait

        def ask(chunk: list[Body], lane: int) -> Ticket:
            limit = SECONDS_PER_FILE if len(chunk) == 1 else SECONDS_PER_CHUNK
            limit += sum(item["size"] for item in chunk) / HASHED_BYTES_PER_SECOND if digest else 0.0
            return children[lane].ask("describe", {"files": chunk, "digest": digest}, timeout_s=limit)

        def part(answers: list[Body]) -> None:
            if on_part is not None:
                on_part([description_from(answer) for answer in answers])

        return Chunks(items, ask, _guilty, part, len(children)).start(_chunks(items, by_size=digest))

    def survey(
        self,
        paths: Iterable[str | Path],
        *,
        digest: bool = False,
        on_part: Callable[[list[FileDescription], int], None] | None = None,
    ) -> Ticket:
        """`find`, then `describe`: {"files": [...], "failed": [...]}; parse it with `survey_from`.

        `on_part` gets descriptions as they come and the number of files in all, on the reading thread.
        """
        task = Task("survey", {})
        finding = self.find(paths)

        def found() -> None:
            if (error := finding.exception()) is not None:
                task.fail(error)
                return
            answer = finding.result()
            files = [Found(**item) for item in answer["found"]]
            tell = None if on_part is None else lambda part: on_part(part, len(files))
            describing = self.describe(files, digest=digest, on_part=tell)
            task.goes_on(describing, lambda: _pass_on(describing, task, {"failed": answer["failed"]}))

        task.goes_on(finding, found)
        return task

    def pixels(self, instance: Instance, index: int, *, key: str | None = None) -> Ticket:
        """A ticket whose result is a `DecodedFrame`; hand it back with `release` when it is no longer shown.

        `key`: a newer request with the same key takes the place of this one (which raises Interrupted).
        """
        shape = (instance.rows, instance.columns, *((3,) if instance.samples == 3 else ()))
        ref, array = self._pool.give(shape, np.uint16 if instance.bits > 8 else np.uint8)
        body = {"instance": instance_to(instance), "index": index, "ref": ref.to_json()}
        asked = self._children[0].ask("pixels", body, key=key)
        task = Task("pixels", body)

        def answered() -> None:
            shown = False
            try:
                answer = asked.result()
                array.flags.writeable = False
                shown = task.succeed(DecodedFrame(array, ref, answer["digest"], answer["decoder"]))
            except StudioError as error:
                task.fail(error)
            finally:
                if not shown:
                    asked.when_released(lambda: self._pool.give_back(ref))

        task.goes_on(asked, answered)
        return task

    def release(self, decoded: DecodedFrame) -> None:
        """The frame is no longer shown: its memory may hold another one."""
        self._pool.give_back(decoded.ref)

    def thumbnail(self, instance: Instance, index: int, size_px: int) -> Ticket:
        """{"path"}: a JPEG in `cache/thumbnails` whose longer side has at most `size_px` pixels."""
        if self._cache is None:
            raise ValueError("a reader without a cache folder makes no thumbnails")
        folder = str(self._cache / "thumbnails")
        body = {"instance": instance_to(instance), "index": index, "size": size_px, "folder": folder}
        return self._children[-1].ask("thumbnail", body)

    def data_folder_to_snapshot(
        self, data: Path, out: Path, *, on_progress: Callable[[Body], None] | None = None
    ) -> Ticket:
        """{"folder", "frames", "digest", "failed": [{path, error}]}; progress {"file", "done", "total"}.

        An image that kills the process is left out and named; the others are read again without it.
        """
        task = Task("data_folder", {}, on_progress=on_progress)
        self._convert(task, portable(str(data)), str(out), {}, on_progress)
        return task

    def _convert(
        self, task: Task, data: str, out: str, skip: dict[str, str], on_progress: Callable[[Body], None] | None
    ) -> None:
        last = ""

        def progress(body: Body) -> None:
            nonlocal last
            last = body["file"]
            if on_progress is not None:
                on_progress(body)

        body = {"data": data, "out": out, "skip": skip}
        asked = self._export_child().ask("data_folder", body, on_progress=progress, timeout_s=LONG_S)

        def answered() -> None:
            error = asked.exception()
            if isinstance(error, BLAMED) and last and last not in skip and len(skip) < MOST_SKIPPED and not task.done():
                self._convert(task, data, out, {**skip, last: _blamed(last, error)}, on_progress)
            else:
                _pass_on(asked, task, {})

        task.goes_on(asked, answered)

    def write(
        self,
        format: str,
        snapshot_folder: Path,
        out: Path,
        options: Mapping[str, Any] | None = None,
        *,
        on_progress: Callable[[Body], None] | None = None,
    ) -> Ticket:
        """{"files": [...], "frames": n, ...}: an export, written whole or not at all, read back and compared."""
        body = {
            "format": format,
            "snapshot": str(snapshot_folder),
            "out": portable(str(out)),
            "options": dict(options or {}),
        }
        return self._export_child().ask("write", body, on_progress=on_progress, timeout_s=LONG_S)

    def read_annotations(self, format: str, path: Path, instances: Sequence[Instance], out: Path) -> Ticket:
        """{"masks": [{frame_key, file}], "labels": {frame_key: [...]}, "schema", "failed"}; masks as .npy in `out`."""
        body = {
            "format": format,
            "path": portable(str(path)),
            "instances": [instance_to(instance) for instance in instances],
            "out": str(out),
        }
        return self._export_child().ask("annotations", body, timeout_s=LONG_S)

    def write_predictions(
        self, items: Sequence[tuple[str, NDArray[Any]]], out: Path, kind: str, segments: Mapping[int, str]
    ) -> Ticket:
        """{"files"}: (stem; ids, probabilities or pixels) written into `out` by kind, each whole, read back."""
        given: list[ArrayRef] = []
        wanted: list[Body] = []
        for stem, source in items:
            ref, array = self._pool.give(source.shape, source.dtype)
            array[...] = source
            given.append(ref)
            wanted.append({"stem": stem, "ref": ref.to_json()})
        names = {str(value): name for value, name in segments.items()}
        body = {"items": wanted, "out": portable(str(out)), "kind": kind, "segments": names}
        ticket = self._export_child().ask("write_predictions", body, timeout_s=LONG_S)
        ticket.when_released(lambda: self._give_back_all(given))
        return ticket

    def _give_back_all(self, refs: Sequence[ArrayRef]) -> None:
        for ref in refs:
            self._pool.give_back(ref)

    def write_labels(
        self, rows: Sequence[Mapping[str, Any]], out: Path, labels: Sequence[str], *, exclusive: bool
    ) -> Ticket:
        """{"files"}: `labels.csv` of rows {"file", "labels": {name: probability}} in `out`."""
        body = {
            "rows": [dict(r) for r in rows],
            "out": portable(str(out)),
            "labels": list(labels),
            "exclusive": exclusive,
        }
        return self._export_child().ask("write_labels", body, timeout_s=LONG_S)

    def close(self) -> None:
        """End the processes and free the shared memory. Frames that are still shown stay readable."""
        children = [*self._children, *([self._exporter] if self._exporter else [])]
        for child in children:
            child.stop(0.0)  # all at once, then each is waited for
        for child in children:
            child.stop()
        self._pool.close()

    def _export_child(self) -> Child:
        """The process for long work, so that it does not keep frames waiting."""
        if self._exporter is None:
            self._exporter = Child(spec(spare=False))
        return self._exporter


def survey_from(body: Body) -> Survey:
    """The answer of `Reader.survey`; files with equal UIDs are noted. Raises ValueError."""
    return Survey(with_clashes(description_from(item) for item in body["files"]), tuple(body["failed"]))


def _item(file: str | Path | Found) -> Body:
    if isinstance(file, Found):
        return {"path": file.path, "member": file.member, "size": file.size}
    return {"path": portable(str(file)), "member": "", "size": 0}


def _chunks(items: list[Body], *, by_size: bool) -> list[list[int]]:
    """Positions in runs of at most CHUNK files (and, where they are hashed, about CHUNK_BYTES)."""
    chunks: list[list[int]] = []
    held = 0
    for place, item in enumerate(items):
        if not chunks or len(chunks[-1]) >= CHUNK or (by_size and held + item["size"] > CHUNK_BYTES):
            chunks.append([])
            held = 0
        chunks[-1].append(place)
        held += item["size"]
    return [chunk for chunk in chunks if chunk]


def _guilty(item: Body, error: StudioError) -> Body:
    """The description of a file that killed the process that looked at it."""
    name = (item["member"] or item["path"]).rpartition("/")[2]
    description = FileDescription(path=item["path"], member=item["member"], error=_blamed(name, error))
    return description_to(description)


def _blamed(name: str, error: StudioError) -> str:
    return f"Could not read {name}: reading it had to be stopped, as {error.why or 'it used too much'}."


def _pass_on(ticket: Ticket, task: Task, more: Body) -> None:
    error = ticket.exception()
    if error is not None:
        task.fail(error)
    else:
        task.succeed({**ticket.result(), **more})
