"""Shards in WebDataset's layout: plain tars, each image three members of one name, one after another.

    KEY.png          grey, 8 bits, lossless
    KEY.sector.png   1 bit: inside the sector
    KEY.json         organ, codes of subject and clip, place in the clip, native size

A shard counts once its rows stand beside it (`shard-000000.npz`), written after it: a shard without them is written
anew. A clip is never cut, so whoever goes on after a kill goes on between clips.
"""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from usfm_studio.document.errors import StudioError, WrongUsage
from usfm_studio.engine.corpus.columns import (
    PART,
    PART_ENDING,
    SHARD_NAME,
    SOURCE_BYTES,
    Part,
    key_of,
    part_bytes,
)
from usfm_studio.engine.corpus.index import STATE, CorpusIndex, CorpusState, parts_in, read_state, write_index
from usfm_studio.engine.corpus.whole import BESIDE, Lock, flush, in_words, put, write_whole

SHARD_BYTES = 256 << 20
ENDINGS = (".png", ".sector.png", ".json")
BLOCK = tarfile.BLOCKSIZE
WHAT = "The corpus could not be written"
_GREY = (
    cv2.IMWRITE_PNG_COMPRESSION, 6,
    cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_ALL_FILTERS,
    cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_FILTERED,
)  # fmt: skip
_BILEVEL = (cv2.IMWRITE_PNG_COMPRESSION, 6, cv2.IMWRITE_PNG_BILEVEL, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedFrame:
    """One image to pack: `grey_rc` uint8 and `valid_rc` bool, (rows, columns).

    `subject` and `sequence` are codes (16 hex digits: `subject_code`), never names. `frame` is the position in the
    clip. `native_rc` is the size before packing, `seconds` the time in the clip where it is known.
    """

    grey_rc: NDArray[np.uint8]
    valid_rc: NDArray[np.bool_]
    organ: str
    subject: str
    sequence: str
    frame: int = 0
    native_rc: tuple[int, int] = (0, 0)
    seconds: float | None = None


@dataclass(slots=True)
class _OpenShard:
    """What is being written. `whole` is (bytes, images) up to the last source that is done."""

    file: IO[bytes] | None = None
    rows: dict[str, list[int]] = field(default_factory=lambda: {name: [] for name in PART})
    organs: dict[str, int] = field(default_factory=dict)
    sources: list[bytes] = field(default_factory=list)
    thinned: int = 0
    offset: int = 0
    whole: tuple[int, int] = (0, 0)

    def note(self, frame: PackedFrame, span: bytes) -> None:
        """A row for an image whose members have just been written."""
        values = {
            "organ": self.organs.setdefault(frame.organ, len(self.organs)),
            "subject": int(frame.subject, 16),
            "sequence": int(frame.sequence, 16),
            "frame": frame.frame,
            "offset": self.offset,
            "size": len(span),
            "check": zlib.crc32(span),
            "rows": frame.grey_rc.shape[0],
            "columns": frame.grey_rc.shape[1],
        }
        for name, value in values.items():
            self.rows[name].append(value)
        self.offset += len(span)

    def part(self, name: str) -> Part:
        """Its rows, once it is complete."""
        return Part(
            shard=name,
            bytes=self.offset + 2 * BLOCK,
            organs=tuple(self.organs),
            columns={column: np.array(self.rows[column], kind) for column, kind in PART.items()},
            sources=np.frombuffer(b"".join(self.sources), np.uint8).reshape(-1, SOURCE_BYTES),
            thinned=self.thinned,
        )


class ShardWriter:
    """Adds images to the corpus in a folder, which is made if absent; one writer at a time.

    Use as a context: whatever happens inside, finished clips are kept and can be read. After the frames of one or
    more sources, `source_done` says that they are whole.
    """

    def __init__(self, folder: Path, size_px: int, shard_bytes: int = SHARD_BYTES, *, left_fold: str = "") -> None:
        """Raises WrongUsage (the corpus there has other settings), ProjectBusy, Damaged, DiskFull, StudioError."""
        self.folder, self._shard_bytes = folder, shard_bytes
        self._open = _OpenShard()
        with in_words(WHAT):
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = Lock(folder)
        try:
            self._begin(CorpusState(size_px=size_px, left_fold=left_fold))
        except BaseException:
            self._lock.release()
            raise

    def _begin(self, wanted: CorpusState) -> None:
        state = read_state(self.folder)
        if state is not None:
            _refuse_others(state, wanted)
        self.state = wanted if state is None else msgspec.structs.replace(state, complete=False)
        self._parts = parts_in(self.folder)
        self._done = {bytes(source) for part in self._parts for source in part.sources}
        for left in self.folder.glob(f"*{BESIDE}"):
            if left.is_file():
                left.unlink(missing_ok=True)
        with in_words(WHAT):
            write_whole(self.folder / STATE, msgspec.json.encode(self.state))

    @property
    def images(self) -> int:
        """Images written so far, in all runs."""
        return sum(len(part) for part in self._parts) + self._open.whole[1]

    def holds(self, source: str) -> bool:
        """True where all of this source (sha256, hex) has been packed."""
        return bytes.fromhex(source)[:SOURCE_BYTES] in self._done

    def add(self, frame: PackedFrame) -> str:
        """Write one image; answers its key. It counts once its source is done. Raises DiskFull, StudioError."""
        key = key_of(int(frame.sequence, 16), frame.frame)
        members = (_png(frame.grey_rc, _GREY), _png(np.uint8(255) * frame.valid_rc, _BILEVEL), _about(frame))
        span = b"".join(_member(key + ending, body) for ending, body in zip(ENDINGS, members, strict=True))
        self._write(span)
        self._open.note(frame, span)
        return key

    def source_done(self, sources: Iterable[str], thinned: int = 0) -> None:
        """All frames of these sources (sha256, hex) have been added, but for so many that were left out by thinning.

        Raises DiskFull, StudioError.
        """
        codes = [bytes.fromhex(source)[:SOURCE_BYTES] for source in sources]
        self._done.update(codes)
        shard = self._open
        shard.sources += codes
        shard.thinned += thinned
        shard.whole = (shard.offset, len(shard.rows["frame"]))
        if shard.offset >= self._shard_bytes:
            self._close_shard()

    def drop(self) -> None:
        """Take back what was added since the last source was done. Raises DiskFull, StudioError."""
        shard = self._open
        shard.offset, count = shard.whole
        for values in shard.rows.values():
            del values[count:]
        if shard.file is not None:
            with in_words(WHAT):
                shard.file.flush()
                shard.file.truncate(shard.offset)
                shard.file.seek(shard.offset)

    def finish(self) -> CorpusIndex:
        """Close the last shard, write the index and mark the corpus as complete. Raises DiskFull, StudioError."""
        self._settle(complete=True)
        return CorpusIndex.load(self.folder)

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            if error is not None:
                self._keep()
        finally:
            self._give_up_shard()
            self._lock.release()

    def _keep(self) -> None:
        """After an error: what is whole stays. On a full disk the open shard goes, which makes room for the index."""
        try:
            self._settle(complete=False)
        except StudioError:
            self._give_up_shard()
            with suppress(StudioError):
                self._settle(complete=False)

    def _settle(self, *, complete: bool) -> None:
        self.drop()
        if self._open.sources:
            self._close_shard()
        with in_words(WHAT):
            state = msgspec.structs.replace(self.state, complete=complete)
            self.state = write_index(self.folder, state, self._parts)

    def _name(self) -> str:
        last = max((int(part.shard[6:12]) for part in self._parts), default=-1)
        return SHARD_NAME.format(last + 1)

    def _write(self, content: bytes) -> None:
        with in_words(WHAT):
            if self._open.file is None:
                self._open.file = (self.folder / (self._name() + BESIDE)).open("wb")
            self._open.file.write(content)

    def _close_shard(self) -> None:
        """Give the open shard its name, then write its rows beside it: now it counts."""
        self._write(bytes(2 * BLOCK))
        file, part = self._open.file, self._open.part(self._name())
        assert file is not None
        path = self.folder / part.shard
        try:
            with in_words(WHAT):
                flush(file)
                file.close()
                put(path.with_name(part.shard + BESIDE), path)
                write_whole(path.with_suffix(PART_ENDING), part_bytes(part))
        except StudioError:
            self._give_up_shard()
            raise
        self._parts.append(part)
        self._open = _OpenShard()

    def _give_up_shard(self) -> None:
        """Forget the open shard: neither it nor its sources count."""
        shard, self._open = self._open, _OpenShard()
        if shard.file is None:
            return
        with suppress(OSError):
            shard.file.close()
        for ending in (BESIDE, ""):
            (self.folder / (self._name() + ending)).unlink(missing_ok=True)
        self._done -= set(shard.sources)


def _refuse_others(state: CorpusState, wanted: CorpusState) -> None:
    what = "Nothing was packed"
    if state.size_px != wanted.size_px:
        why = f"the corpus there has images of {state.size_px} px"
        raise WrongUsage(what, why, f"Use --size {state.size_px}, or another folder.")
    if state.left_fold != wanted.left_fold:
        left = f"leaves fold {state.left_fold.replace('/', ' of ')} out" if state.left_fold else "leaves no fold out"
        raise WrongUsage(what, f"the corpus there {left}", "Use the same folds, or another folder.")


def _png(pixels_rc: NDArray[np.uint8], settings: tuple[int, ...]) -> bytes:
    done, encoded = cv2.imencode(".png", np.ascontiguousarray(pixels_rc), settings)
    if not done:
        raise ValueError("the picture cannot be written as PNG")
    return bytes(encoded)


def _about(frame: PackedFrame) -> bytes:
    body = {
        "organ": frame.organ,
        "subject": frame.subject,
        "sequence": frame.sequence,
        "frame": frame.frame,
        "seconds": frame.seconds,
        "native_rows": frame.native_rc[0],
        "native_columns": frame.native_rc[1],
    }
    return msgspec.json.encode(body)


def _member(name: str, body: bytes) -> bytes:
    """Header, body and padding of one tar member; no time and no owner, so that equal images give equal shards."""
    member = tarfile.TarInfo(name)
    member.size = len(body)
    return member.tobuf(tarfile.USTAR_FORMAT) + body + bytes(-len(body) % BLOCK)
