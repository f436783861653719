"""Small corpora: speckle with a number in it, so that every image can be told from the others."""

import hashlib
from pathlib import Path

import numpy as np

from usfm_studio.document.model_card import subject_code
from usfm_studio.engine.corpus.columns import PART, Part
from usfm_studio.engine.corpus.index import CorpusIndex, CorpusState, write_index
from usfm_studio.engine.corpus.shards import PackedFrame, ShardWriter

ROWS, COLUMNS = 20, 34


def source(name: object) -> str:
    return hashlib.sha256(str(name).encode()).hexdigest()


def speckle(number: int, rows: int = ROWS, columns: int = COLUMNS):
    return np.random.default_rng(number).integers(0, 256, (rows, columns), np.uint8)


def sector(rows: int = ROWS, columns: int = COLUMNS):
    valid = np.zeros((rows, columns), bool)
    valid[2:-2, 3:-1] = True
    return valid


def add_clip(writer: ShardWriter, name: object, organ="breast", subject=None, frames=1, **more) -> None:
    """One source of so many frames; `name` also numbers its pixels."""
    for n in range(frames):
        pixels = speckle(int(source(f"{name} {n}")[:8], 16), **more)
        writer.add(
            PackedFrame(
                grey_rc=pixels, valid_rc=sector(*pixels.shape), organ=organ, subject=subject_code(subject or str(name)),
                sequence=subject_code(source(name)), frame=n, native_rc=pixels.shape,
            )
        )  # fmt: skip
    writer.source_done([source(name)])


def a_corpus(folder: Path, clips: int = 6, frames: int = 3, shard_bytes: int = 1 << 28) -> CorpusIndex:
    """Clips of so many frames, every second one of another organ."""
    with ShardWriter(folder, 256, shard_bytes) as writer:
        for n in range(clips):
            add_clip(writer, n, organ=("breast", "thyroid")[n % 2], frames=frames)
        return writer.finish()


def an_index(folder: Path, organs: dict[str, list[int]]) -> CorpusIndex:
    """An index without pixels: for each organ the number of frames of each of its subjects."""
    folder.mkdir(parents=True, exist_ok=True)
    columns: dict[str, list[int]] = {"organ": [], "subject": []}
    for number, subjects in enumerate(organs.values()):
        for subject, frames in enumerate(subjects):
            columns["organ"] += [number] * frames
            columns["subject"] += [1000 * number + subject] * frames
    count = len(columns["organ"])
    columns |= {"sequence": list(range(count)), "offset": [512 * n for n in range(count)], "size": [512] * count}
    columns |= {name: [1] * count for name in PART if name not in columns}
    part = Part(
        shard="shard-000000.tar", bytes=512 * count, organs=tuple(organs),
        columns={name: np.array(columns[name], kind) for name, kind in PART.items()},
        sources=np.zeros((0, 16), np.uint8),
    )  # fmt: skip
    write_index(folder, CorpusState(size_px=256), [part])
    return CorpusIndex.load(folder)


def read_in_worker(reader, rows, out) -> None:
    """What a worker process does: (row, pixels) of each row into a queue."""
    out.put([(int(row), reader.read(row)[0].tobytes()) for row in rows])
