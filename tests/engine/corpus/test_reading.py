"""Whatever happens to a shard, one image at a time fails, with shard and key; in any number of processes."""

import multiprocessing
import pickle
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.corpus.making import a_corpus, an_index, read_in_worker, sector, source, speckle
from usfm_studio.document.errors import Unreadable
from usfm_studio.engine.corpus.index import CorpusIndex
from usfm_studio.engine.corpus.reading import CorpusReader


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return a_corpus(tmp_path_factory.mktemp("corpus"), clips=6, frames=3, shard_bytes=10_000)


@pytest.fixture
def corpus(whole, tmp_path):
    """A copy that may be damaged."""
    shutil.copytree(whole.folder, tmp_path / "c")
    return CorpusIndex.load(tmp_path / "c")


def unreadable(index):
    reader, failed = CorpusReader(index), {}
    for row in range(len(index)):
        try:
            reader.read(row)
        except Unreadable as error:
            named = index.key(row) in error.what and index.shards[index.shard[row]] in error.what
            failed[row] = error.why if named else error.what
    return failed


def test_every_image_comes_back_as_it_was(whole):
    reader = CorpusReader(whole)
    for row in np.random.default_rng(0).permutation(len(whole)):
        grey, valid = reader.read(row)
        assert grey.dtype == np.uint8
        assert valid.dtype == np.bool_
        assert np.array_equal(grey, speckle(int(source(f"{row // 3} {row % 3}")[:8], 16)))
        assert np.array_equal(valid, sector())
    reader.close()
    reader.read(0)
    reader.close()


def test_a_missing_shard_fails_its_images_alone(corpus):
    assert len(corpus.shards) > 1
    (corpus.folder / corpus.shards[1]).unlink()
    assert unreadable(corpus) == dict.fromkeys(np.flatnonzero(corpus.shard == 1), "the shard is not there")


def test_a_truncated_shard_gives_what_it_holds(corpus):
    path = corpus.folder / corpus.shards[0]
    cut = int(corpus.offset[2]) + 100
    path.write_bytes(path.read_bytes()[:cut])
    wanted = [row for row in np.flatnonzero(corpus.shard == 0) if corpus.offset[row] + corpus.size[row] > cut]
    assert unreadable(corpus) == dict.fromkeys(wanted, "the shard is shorter than the index says")


def test_wrong_offsets_never_give_another_image(corpus):
    column = next(corpus.folder.glob("index-*")) / "offset.npy"
    offsets = np.load(column)
    offsets[0], offsets[1] = offsets[1], offsets[0]
    offsets[2] += 13
    np.save(column, offsets)
    assert set(unreadable(CorpusIndex.load(corpus.folder))) == {0, 1, 2}


def test_any_flipped_byte_of_an_image_is_noticed(corpus):
    path, reader = corpus.folder / corpus.shards[0], CorpusReader(corpus)
    content = path.read_bytes()
    first, size = int(corpus.offset[1]), int(corpus.size[1])
    for place in np.random.default_rng(1).integers(first, first + size, 200):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        reader.read(0)
        with pytest.raises(Unreadable, match=corpus.key(1)):
            reader.read(1)


@given(st.binary(max_size=3000))
def test_any_bytes_in_place_of_a_shard_are_unreadable(whole, content):
    path = whole.folder / whole.shards[0]
    kept = path.read_bytes()
    try:
        path.write_bytes(content)
        for row in np.flatnonzero(whole.shard == 0):
            with pytest.raises(Unreadable):
                CorpusReader(whole).read(row)
    finally:
        path.write_bytes(kept)


@pytest.mark.parametrize("way", ["fork", "spawn"])
def test_workers_of_one_reader_read_at_the_same_time(whole, way):
    reader = CorpusReader(whole)
    reader.read(0)  # files are open before the fork
    context = multiprocessing.get_context(way)
    out, rows = context.Queue(), [np.random.default_rng(n).permutation(len(whole)) for n in range(2)]
    workers = [context.Process(target=read_in_worker, args=(reader, mine, out)) for mine in rows]
    for worker in workers:
        worker.start()
    found = [out.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    for pairs in found:
        assert len(pairs) == len(whole)
        for row, grey in pairs:
            assert grey == speckle(int(source(f"{row // 3} {row % 3}")[:8], 16)).tobytes()
    reader.read(0)


def test_a_reader_goes_to_another_process_without_its_columns(tmp_path):
    index = an_index(tmp_path, {"a": [1000] * 20})
    assert len(pickle.dumps(CorpusReader(index))) < 1000
    assert isinstance(index.organ, np.memmap)
    assert not index.organ.flags.writeable
