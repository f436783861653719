"""The index of a corpus: every image's row as memory-mapped columns, small and fast for millions of images.

`corpus.json` names the folder with the columns; that folder is never changed, only replaced as a whole.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from usfm_studio.document.errors import Damaged, NotFound, WrongVersion
from usfm_studio.engine.corpus.columns import INDEX, PART_ENDING, SHARED, Columns, Part, key_of, part_at
from usfm_studio.engine.corpus.whole import BESIDE, flush, write_whole

STATE = "corpus.json"
FORMAT = 1
CODES = ("subject_codes", "sequence_codes")
_AGAIN = "Run the `pack` that made it again: what is finished is kept."


class CorpusState(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`corpus.json`. `index` names the folder of the columns, empty while a first `pack` is at work.

    `size_px`: the long side that images were brought to. `left_fold`: `I/K` where the subjects of fold I of K were
    left out. `complete`: the last `pack` came to its end.
    """

    size_px: int
    format: int = FORMAT
    left_fold: str = ""
    complete: bool = False
    index: str = ""
    digest: str = ""
    organs: tuple[str, ...] = ()
    shards: tuple[str, ...] = ()
    images: int = 0
    thinned: int = 0
    bytes: int = 0


class CorpusIndex:
    """One row an image, in the order of packing.

    Columns are read-only arrays of equal length: `organ` (place in `organs`), `subject`, `sequence` (numbers from 0),
    `frame` (position in its clip), `shard` (place in `shards`), `offset`, `size`, `check`, `rows`, `columns`, and
    `before`, `after`: the rows of the neighbouring kept frames of the same clip, -1 where there are none.
    """

    organ: NDArray[np.uint16]
    subject: NDArray[np.int32]
    sequence: NDArray[np.int32]
    frame: NDArray[np.int32]
    shard: NDArray[np.int32]
    offset: NDArray[np.int64]
    size: NDArray[np.int32]
    check: NDArray[np.uint32]
    rows: NDArray[np.uint16]
    columns: NDArray[np.uint16]
    before: NDArray[np.int32]
    after: NDArray[np.int32]

    def __init__(self, folder: Path, state: CorpusState, columns: Columns) -> None:
        """Raises Damaged where the columns do not fit together."""
        self.folder, self.state = folder, state
        self.organs, self.shards, self.digest = state.organs, state.shards, state.digest
        self.subject_codes: NDArray[np.uint64] = columns["subject_codes"]
        self.sequence_codes: NDArray[np.uint64] = columns["sequence_codes"]
        for name in INDEX:
            setattr(self, name, columns[name])
        self._check()

    @classmethod
    def load(cls, folder: Path) -> CorpusIndex:
        """The index of a corpus, also of one whose packing was cut short. Raises NotFound, WrongVersion, Damaged."""
        state = read_state(folder)
        if state is None:
            raise NotFound(f"There is no corpus in {folder.name}", f"it has no {STATE}", "Make one with `pack`.")
        if not (state.index and (folder / state.index).is_dir()):
            parts = parts_in(folder)
            columns, organs = joined(parts)
            return cls(folder, _with_parts(state, parts, organs, columns), columns)
        return cls(folder, state, _mapped(folder / state.index))

    def __len__(self) -> int:
        """Number of images."""
        return len(self.organ)

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process maps the same files; nothing is copied."""
        return CorpusIndex.load, (self.folder,)

    def key(self, row: int) -> str:
        """The image's name in its shard."""
        return key_of(int(self.sequence_codes[self.sequence[row]]), int(self.frame[row]))

    def neighbours(self, rows: NDArray[Any], steps: int = 1) -> NDArray[np.int64]:
        """Rows of the kept frames so many steps later (negative: earlier) in the same clips; -1 where there is none."""
        links = self.after if steps > 0 else self.before
        found = np.asarray(rows, np.int64)
        for _ in range(abs(steps)):
            found = np.where(found >= 0, links[found], -1)
        return found

    def _check(self) -> None:
        limits = {
            "organ": len(self.organs), "shard": len(self.shards), "subject": len(self.subject_codes),
            "sequence": len(self.sequence_codes), "before": len(self), "after": len(self),
        }  # fmt: skip
        for name in INDEX:
            column = getattr(self, name)
            if column.dtype != INDEX[name] or column.shape != (len(self),):
                raise _damaged(self.folder)
            if len(self) and (int(column.min()) < -1 or int(column.max()) >= limits.get(name, 1 << 62)):
                raise _damaged(self.folder)


def read_state(folder: Path) -> CorpusState | None:
    """What `corpus.json` says; None where there is none. Raises Damaged, WrongVersion."""
    try:
        content = (folder / STATE).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        body = msgspec.json.decode(content)
        if isinstance(body, dict) and body.get("format", FORMAT) != FORMAT:
            what, hint = "The corpus cannot be read", "Update, or pack it anew."
            raise WrongVersion(what, "another version of the program made it", hint)
        return msgspec.convert(body, CorpusState)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise _damaged(folder) from error


def parts_in(folder: Path) -> list[Part]:
    """The parts of all finished shards, in their order. Raises Damaged."""
    paths = sorted(folder.glob(f"shard-*{PART_ENDING}"))
    return [part_at(path) for path in paths if path.with_suffix(".tar").exists()]


def write_index(folder: Path, state: CorpusState, parts: Sequence[Part]) -> CorpusState:
    """Write the columns of all parts and `corpus.json`; earlier columns go once the new ones count. Raises OSError."""
    columns, organs = joined(parts)
    state = _with_parts(state, parts, organs, columns)
    name = f"index-{state.digest[:16]}"
    if not (folder / name).is_dir():
        _write_columns(folder / name, columns)
    state = msgspec.structs.replace(state, index=name)
    write_whole(folder / STATE, msgspec.json.format(msgspec.json.encode(state), indent=1))
    for old in folder.glob("index-*"):
        if old.name != name:
            shutil.rmtree(old, ignore_errors=True)
    return state


def joined(parts: Sequence[Part]) -> tuple[Columns, tuple[str, ...]]:
    """(columns and codes, names of the organs in order) of all parts together."""
    organs = tuple(sorted({name for part in parts for name in part.organs}))
    place = {name: number for number, name in enumerate(organs)}
    columns: Columns = {}
    for name in SHARED:
        columns[name] = _stacked([part.columns[name] for part in parts], SHARED[name])
    own = [np.array([place[organ] for organ in part.organs], np.uint16)[part.columns["organ"]] for part in parts]
    columns["organ"] = _stacked(own, np.uint16)
    lengths = [len(part) for part in parts]
    columns["shard"] = np.repeat(np.arange(len(parts), dtype=np.int32), lengths)
    for name in ("subject", "sequence"):
        codes = _stacked([part.columns[name] for part in parts], np.uint64)
        columns[f"{name}_codes"], numbers = np.unique(codes, return_inverse=True)
        columns[name] = numbers.astype(np.int32)
    columns["before"], columns["after"] = _links(columns["sequence"], columns["frame"])
    return columns, organs


def _links(sequence: NDArray[np.int32], frame: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    order = np.argsort((sequence.astype(np.int64) << 32) | frame, kind="stable").astype(np.int32)
    together = sequence[order[1:]] == sequence[order[:-1]]
    before, after = np.full(len(order), -1, np.int32), np.full(len(order), -1, np.int32)
    before[order[1:][together]] = order[:-1][together]
    after[order[:-1][together]] = order[1:][together]
    return before, after


def _with_parts(state: CorpusState, parts: Sequence[Part], organs: tuple[str, ...], columns: Columns) -> CorpusState:
    shards = tuple(part.shard for part in parts)
    digest = hashlib.sha256(msgspec.json.encode([organs, shards]))
    for name in (*INDEX, *CODES):
        digest.update(columns[name].tobytes())
    return msgspec.structs.replace(
        state,
        organs=organs,
        shards=shards,
        digest=digest.hexdigest(),
        images=len(columns["frame"]),
        thinned=sum(part.thinned for part in parts),
        bytes=sum(part.bytes for part in parts),
    )


def _write_columns(folder: Path, columns: Columns) -> None:
    temporary = folder.with_name(folder.name + BESIDE)
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        for name in (*INDEX, *CODES):
            with (temporary / f"{name}.npy").open("wb") as file:
                np.save(file, columns[name], allow_pickle=False)
                flush(file)
        temporary.replace(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _mapped(folder: Path) -> Columns:
    try:
        return {name: _map(folder / f"{name}.npy") for name in (*INDEX, *CODES)}
    except (OSError, ValueError, EOFError) as error:
        raise _damaged(folder.parent) from error


def _map(path: Path) -> NDArray[Any]:
    """An empty array cannot be mapped, and need not be."""
    with path.open("rb") as file:
        np.lib.format.read_magic(file)
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError:
        held: NDArray[Any] = np.load(path, allow_pickle=False)
        if held.size:
            raise
        return held


def _stacked(arrays: Sequence[NDArray[Any]], kind: type) -> NDArray[Any]:
    return np.concatenate([np.zeros(0, kind), *arrays])


def _damaged(folder: Path) -> Damaged:
    return Damaged(f"The index of the corpus in {folder.name} is damaged", "it does not fit together", _AGAIN)
