"""Shards: WebDataset's layout, whole or not at all, gone on with after a kill, usable after a full disk."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.engine.corpus.making import a_corpus, add_clip, sector, source, speckle
from usfm_studio.document.errors import Damaged, DiskFull, NotFound, ProjectBusy, WrongUsage, WrongVersion
from usfm_studio.document.model_card import subject_code
from usfm_studio.engine.corpus.index import CorpusIndex, read_state
from usfm_studio.engine.corpus.reading import CorpusReader
from usfm_studio.engine.corpus.shards import PackedFrame, ShardWriter

ROOT = Path(__file__).parents[3]
PACKING = """
import sys
from pathlib import Path
from tests.engine.corpus.making import add_clip
from usfm_studio.engine.corpus.shards import ShardWriter
with ShardWriter(Path(sys.argv[1]), 256, 20_000) as writer:
    for n in range(int(sys.argv[2])):
        if not writer.holds(__import__("tests.engine.corpus.making", fromlist=["source"]).source(n)):
            add_clip(writer, n, frames=3)
            print(n, flush=True)
    writer.finish()
"""


def samples_of(tar: Path):
    """As WebDataset groups them: consecutive members whose names agree up to the first dot are one sample."""
    samples = []
    with tarfile.open(tar) as archive:
        for member in archive:
            key, ending = re.fullmatch(r"((?:.*/|)[^.]+)[.]([^/]*)", member.name).groups()
            if not samples or samples[-1]["__key__"] != key:
                samples.append({"__key__": key})
            assert ending not in samples[-1]
            samples[-1][ending] = archive.extractfile(member).read()
    return samples


def image(png):
    return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)


def read_all(index):
    reader = CorpusReader(index)
    return {index.key(row): reader.read(row)[0].tobytes() for row in range(len(index))}


def pack_apart(folder, clips, **more):
    return subprocess.Popen(
        [sys.executable, "-c", PACKING, str(folder), str(clips)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, **more,
    )  # fmt: skip


def test_a_shard_is_what_webdataset_reads(tmp_path):
    index = a_corpus(tmp_path, clips=4, frames=3)
    samples = samples_of(tmp_path / "shard-000000.tar")
    assert [sample["__key__"] for sample in samples] == [index.key(row) for row in range(12)]
    assert len({sample["__key__"] for sample in samples}) == 12
    for row, sample in enumerate(samples):
        assert list(sample) == ["__key__", "png", "sector.png", "json"]
        assert np.array_equal(image(sample["png"]), speckle(int(source(f"{row // 3} {row % 3}")[:8], 16)))
        assert np.array_equal(image(sample["sector.png"]) > 0, sector())
        assert sample["sector.png"][24:26] == b"\x01\x00"  # 1 bit, grey
        about = json.loads(sample["json"])
        assert (about["organ"], about["frame"]) == (index.organs[index.organ[row]], row % 3)
        assert about["subject"] == subject_code(str(row // 3))


def test_equal_images_give_equal_files(tmp_path):
    one, two = a_corpus(tmp_path / "a"), a_corpus(tmp_path / "b")
    assert one.digest == two.digest
    assert (tmp_path / "a/shard-000000.tar").read_bytes() == (tmp_path / "b/shard-000000.tar").read_bytes()


def test_a_clip_is_never_cut_and_shards_are_of_the_size_asked(tmp_path):
    index = a_corpus(tmp_path, clips=10, frames=5, shard_bytes=30_000)
    assert len(index.shards) > 2
    for sequence in range(10):
        assert len(set(index.shard[index.sequence == sequence])) == 1
    assert all((tmp_path / name).stat().st_size < 30_000 + 5 * 6000 for name in index.shards)


def test_what_is_not_done_does_not_count(tmp_path):
    def frame(n):
        return PackedFrame(
            grey_rc=speckle(n), valid_rc=sector(), organ="x", subject=subject_code("s"), sequence=subject_code("c")
        )

    with ShardWriter(tmp_path, 256) as writer:
        add_clip(writer, 1)
        writer.add(frame(5))
        writer.drop()
        add_clip(writer, 2)
        writer.add(frame(6))
        index = writer.finish()
    assert len(index) == 2
    assert len(read_all(index)) == 2
    assert len(samples_of(tmp_path / "shard-000000.tar")) == 2
    with ShardWriter(tmp_path, 256) as writer:
        assert writer.holds(source(1))
        assert not writer.holds(source(5))
        assert len(writer.finish()) == 2
    assert [p.name for p in tmp_path.glob("*.tar")] == ["shard-000000.tar"]


def test_adding_gives_what_packing_at_once_gives_but_for_the_shards(tmp_path):
    whole = a_corpus(tmp_path / "whole", clips=6)
    with ShardWriter(tmp_path / "parts", 256) as writer:
        for n in range(3):
            add_clip(writer, n, organ=("breast", "thyroid")[n % 2], frames=3)
        first = writer.finish()
    with ShardWriter(tmp_path / "parts", 256) as writer:
        assert not read_state(tmp_path / "parts").complete
        for n in range(3, 6):
            add_clip(writer, n, organ=("breast", "thyroid")[n % 2], frames=3)
        second = writer.finish()
    assert len(first) == 9
    assert read_all(second) == read_all(whole)
    assert (second.organs, len(second.subject_codes)) == (whole.organs, len(whole.subject_codes))


@pytest.mark.parametrize(
    "after", [9, pytest.param(4, marks=pytest.mark.slow), pytest.param(17, marks=pytest.mark.slow)]
)
def test_a_killed_pack_goes_on_and_ends_as_if_nothing_had_been(tmp_path, after):
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    process = pack_apart(killed, 24)
    for line in process.stdout:
        if int(line) == after:
            process.send_signal(signal.SIGKILL)
            break
    process.wait()
    process.stdout.close()
    process.stderr.close()
    part = CorpusIndex.load(killed)
    assert not part.state.complete
    assert all(len(grey) for grey in read_all(part).values())
    for folder in (killed, whole):
        out, err = pack_apart(folder, 24).communicate(timeout=60)
        assert err == "", err
        if folder == killed:
            assert len(out.split()) == 24 - len(part) // 3  # nothing is packed twice
    one, two = CorpusIndex.load(killed), CorpusIndex.load(whole)
    assert one.state.complete
    assert one.digest == two.digest
    assert read_all(one) == read_all(two)
    assert not list(killed.glob("*.tmp"))


LIMITED = """
import resource, sys
from pathlib import Path
from tests.engine.corpus.making import add_clip
from usfm_studio.document.errors import DiskFull
from usfm_studio.engine.corpus.index import CorpusIndex
from usfm_studio.engine.corpus.shards import ShardWriter
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
try:
    with ShardWriter(Path(sys.argv[1]), 256, 20_000) as writer:
        for n in range(12):
            add_clip(writer, n, frames=3)
        add_clip(writer, "long", frames=40)
        writer.finish()
except DiskFull as error:
    print(error)
"""


def test_on_a_full_disk_there_is_one_message_and_a_usable_corpus(tmp_path):
    out = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)], capture_output=True, text=True, cwd=ROOT, timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True,
    )  # fmt: skip
    assert out.stdout.startswith("The corpus could not be written: the disk is full. Free some space")
    index = CorpusIndex.load(tmp_path)
    assert 0 < len(index) <= 36
    assert len(read_all(index)) == len(index)
    assert not index.state.complete
    assert not list(tmp_path.glob("*.tmp"))
    with ShardWriter(tmp_path, 256, 20_000) as writer:
        assert sum(writer.holds(source(n)) for n in range(12)) == len(index) / 3
        add_clip(writer, "long", frames=40)
        assert len(writer.finish()) == len(index) + 40


@pytest.mark.parametrize("failing", range(1, 12))
def test_the_nth_flush_that_fails_loses_no_finished_shard(tmp_path, monkeypatch, failing):
    calls, real = 0, os.fsync

    def fsync(handle):
        nonlocal calls
        calls += 1
        if calls == failing:
            raise OSError(28, "No space left on device")
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    shards = []
    try:
        with ShardWriter(tmp_path, 256, 5_000) as writer:
            for n in range(4):
                add_clip(writer, n, frames=3)
                shards = [path.name for path in tmp_path.glob("*.npz")]
            writer.finish()
    except DiskFull:
        assert calls >= failing
    else:
        assert calls < failing or failing == 11
    if (tmp_path / "corpus.json").exists():
        index = CorpusIndex.load(tmp_path)
        assert set(shards) <= {path.name for path in tmp_path.glob("*.npz")}
        assert len(read_all(index)) == len(index) >= 3 * len(shards)
    monkeypatch.setattr(os, "fsync", real)
    with ShardWriter(tmp_path, 256, 5_000) as writer:
        for n in range(4):
            if not writer.holds(source(n)):
                add_clip(writer, n, frames=3)
        assert len(writer.finish()) == 12


def test_one_writer_at_a_time_and_the_same_settings(tmp_path):
    a_corpus(tmp_path)
    with ShardWriter(tmp_path, 256), pytest.raises(ProjectBusy):
        ShardWriter(tmp_path, 256)
    with pytest.raises(WrongUsage, match="256 px"):
        ShardWriter(tmp_path, 128)
    with pytest.raises(WrongUsage, match="leaves no fold out"):
        ShardWriter(tmp_path, 256, left_fold="0/5")
    ShardWriter(tmp_path, 256).__exit__(None, None, None)


def test_neighbours_in_time_are_found_across_shards_and_gaps(tmp_path):
    def add(writer, frame, name):
        writer.add(
            PackedFrame(
                grey_rc=speckle(frame), valid_rc=sector(), organ="x", subject=subject_code("s"),
                sequence=subject_code("clip"), frame=frame,
            )
        )  # fmt: skip
        writer.source_done([source(name)])

    with ShardWriter(tmp_path, 256, 1) as writer:
        for frame in (7, 2, 30):
            add(writer, frame, frame)
        add_clip(writer, "other", frames=2)
        index = writer.finish()
    assert [index.key(row)[-6:] for row in range(5)] == ["000007", "000002", "000030", "000000", "000001"]
    assert index.neighbours(np.arange(5)).tolist() == [2, 0, -1, 4, -1]
    assert index.neighbours(np.arange(5), -1).tolist() == [1, -1, 0, -1, 3]
    assert index.neighbours(np.arange(5), 2).tolist() == [-1, 2, -1, -1, -1]


def test_a_lost_or_foreign_index_is_told(tmp_path):
    with pytest.raises(NotFound, match="no corpus"):
        CorpusIndex.load(tmp_path)
    index = a_corpus(tmp_path)
    column = next(tmp_path.glob("index-*")) / "offset.npy"
    whole = column.read_bytes()
    for content in (whole[:-8], whole[:40], b"", b"what"):
        column.write_bytes(content)
        with pytest.raises(Damaged, match="index"):
            CorpusIndex.load(tmp_path)
    column.write_bytes(whole)
    short = io.BytesIO()
    np.save(short, np.arange(3))
    column.write_bytes(short.getvalue())
    with pytest.raises(Damaged):
        CorpusIndex.load(tmp_path)
    for path in next(tmp_path.glob("index-*")).iterdir():
        path.unlink()
    next(tmp_path.glob("index-*")).rmdir()
    again = CorpusIndex.load(tmp_path)  # the rows beside the shards tell all of it
    assert (again.digest, len(again)) == (index.digest, len(index))
    (tmp_path / "corpus.json").write_text('{"size_px": 256, "format": 9}')
    with pytest.raises(WrongVersion):
        CorpusIndex.load(tmp_path)
    (tmp_path / "corpus.json").write_text("{")
    with pytest.raises(Damaged):
        CorpusIndex.load(tmp_path)


def test_damaged_rows_of_a_shard_are_told(tmp_path):
    a_corpus(tmp_path)
    rows = tmp_path / "shard-000000.npz"
    whole = rows.read_bytes()
    for content in (b"", whole[: len(whole) // 2], whole[:-10]):
        rows.write_bytes(content)
        with pytest.raises(Damaged, match=r"shard-000000\.npz"):
            ShardWriter(tmp_path, 256)
