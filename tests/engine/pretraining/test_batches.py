"""Which image comes when, and what takes the place of one that is of no use."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.pretraining.runs import a_corpus, painted
from usfm_studio.document.errors import NothingToLearn, StudioError
from usfm_studio.engine.corpus.index import CorpusIndex
from usfm_studio.engine.pretraining.batches import Batches, as_images, cropped, stream, unusable
from usfm_studio.engine.pretraining.ranks import Place
from usfm_studio.engine.pretraining.recipe import Crop, recipe_of


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return a_corpus(tmp_path_factory.mktemp("corpus") / "corpus")


def a_recipe(corpus, **changes):
    return recipe_of({"data": str(corpus), "px": 64, "batch": 4, "steps": 6, "workers": 0, **changes})


def images_of(recipe, place=Place(), first=0, workers=0):
    """{place in the run: (row, pixels, sector)} of one rank."""
    batches, found = Batches(recipe, place), {}
    size = recipe.batch * recipe.accumulate * place.count
    for m, batch in enumerate(stream(batches, first, workers=workers, pinned=False)):
        step = first + m // recipe.accumulate
        for i, index in enumerate(batch.index_B.tolist()):
            found[step * size + index] = (
                int(batch.rows_B[i]), batch.grey_B1NN[i].numpy().tobytes(), batch.valid_B1NN[i].numpy().tobytes(),
            )  # fmt: skip
    return found


def test_ranks_accumulation_and_workers_change_nothing(corpus):
    whole = images_of(a_recipe(corpus))
    assert len(whole) == 24
    halves = [images_of(a_recipe(corpus, batch=2), Place(rank, 2)) for rank in (0, 1)]
    assert not set(halves[0]) & set(halves[1])
    assert {**halves[0], **halves[1]} == whole
    assert images_of(a_recipe(corpus, batch=1, accumulate=4)) == whole
    assert images_of(a_recipe(corpus), workers=2) == whole


def test_a_stream_can_begin_at_any_step(corpus):
    recipe = a_recipe(corpus, accumulate=2, batch=2)
    whole = images_of(recipe)
    assert images_of(recipe, first=4) == {g: image for g, image in whole.items() if g >= 16}


def test_another_seed_draws_other_images(corpus):
    assert images_of(a_recipe(corpus)) != images_of(a_recipe(corpus, seed=1))


def test_useless_images_are_counted_and_the_next_draw_takes_their_place(tmp_path):
    good = [painted(i) for i in range(9)]
    black, tiny = np.zeros((80, 80), np.uint8), np.full((12, 80), 99, np.uint8)
    frames = [*good, (black, np.ones((80, 80), bool)), (tiny, np.ones((12, 80), bool)), painted(11)]
    a_corpus(tmp_path / "corpus", frames=frames)
    index = CorpusIndex.load(tmp_path / "corpus")
    hurt = int(index.offset[11]) + 600
    shard = tmp_path / "corpus" / index.shards[0]
    content = bytearray(shard.read_bytes())
    content[hurt] ^= 255
    shard.write_bytes(content)
    recipe = a_recipe(tmp_path / "corpus", steps=40)
    batches = Batches(recipe, Place())
    total = {}
    for m in range(40):
        batch = batches[m]
        assert not set(batch.rows_B.tolist()) & {9, 10, 11}
        assert batch.grey_B1NN.amax((1, 2, 3)).min() > 8
        for why, count in batch.skipped.items():
            total[why] = total.get(why, 0) + count
    assert set(total) == {"black", "smaller than a patch", "unreadable"}
    assert images_of(recipe, first=20) == {g: v for g, v in images_of(recipe).items() if g >= 80}


def test_a_missing_shard_is_skipped(tmp_path):
    a_corpus(tmp_path / "corpus", shard_bytes=1 << 14)
    index = CorpusIndex.load(tmp_path / "corpus")
    assert len(index.shards) > 2
    (tmp_path / "corpus" / index.shards[1]).unlink()
    gone = set(np.flatnonzero(np.asarray(index.shard) == 1).tolist())
    batches = Batches(a_recipe(tmp_path / "corpus", steps=12), Place())
    found = [batches[m] for m in range(12)]
    assert sum(batch.skipped.get("unreadable", 0) for batch in found) > 0
    assert not gone & {row for batch in found for row in batch.rows_B.tolist()}


def test_a_corpus_of_useless_images_ends_in_words(tmp_path):
    frames = [(np.zeros((80, 80), np.uint8), np.ones((80, 80), bool))] * 3
    a_corpus(tmp_path / "corpus", frames=frames)
    recipe = a_recipe(tmp_path / "corpus")
    error = Batches(recipe, Place())[0]
    assert isinstance(error, StudioError)
    for workers in (0, 1):  # a worker's error comes without its traceback
        with pytest.raises(NothingToLearn) as caught:
            next(stream(Batches(recipe, Place()), 0, workers=workers, pinned=False))
        assert str(caught.value) == str(error)
        assert "64 images in a row are of no use (black)" in str(error)


def test_images_are_floats_between_0_and_1(corpus):
    batch = Batches(a_recipe(corpus), Place())[0]
    x, valid = as_images(batch, "cpu")
    assert (x.shape, x.dtype, valid.dtype) == ((4, 1, 64, 64), torch.float32, torch.bool)
    assert x.min() >= 0
    assert 0.3 < x.max() <= 1
    assert (x * 255 == batch.grey_B1NN).all()


@settings(max_examples=60, deadline=None)
@given(
    st.integers(16, 90), st.integers(16, 90), st.sampled_from([32, 64, 96]), st.integers(0, 2**31),
    st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)).map(sorted), st.floats(0, 1),
)  # fmt: skip
def test_any_crop_has_the_size_and_something_to_see(rows, columns, px, seed, scale, flip):
    rng = np.random.default_rng(seed)
    grey = rng.integers(0, 256, (rows, columns), np.uint8)
    valid = rng.random((rows, columns)) < rng.random()
    valid[rows // 2, columns // 2], grey[rows // 2, columns // 2] = True, 200
    assert not unusable(grey, valid)
    crop = Crop(scale=tuple(scale), flip=flip)
    x, inside = cropped(grey, valid, px, crop, np.random.default_rng(seed))
    again, _ = cropped(grey, valid, px, crop, np.random.default_rng(seed))
    assert (x.shape, x.dtype, inside.dtype) == ((px, px), np.uint8, bool)
    assert inside.any()
    assert (x == again).all()


def test_the_whole_box_comes_out_as_it_is_or_mirrored():
    grey, _ = painted(3, 64)
    valid = np.ones_like(grey, bool)
    crop = Crop(scale=(1, 1), ratio=(1, 1), flip=0)
    for flip, wanted in ((0, grey), (1, grey[:, ::-1])):
        found, _ = cropped(grey, valid, 64, msgspec.structs.replace(crop, flip=flip), np.random.default_rng(0))
        assert (found == wanted).all()


def test_crops_stay_inside_the_box_of_the_sector():
    grey, valid = np.full((90, 90), 250, np.uint8), np.zeros((90, 90), bool)
    grey[30:70, 20:80], valid[30:70, 20:80] = 100, True
    for seed in range(50):
        found, inside = cropped(grey, valid, 32, Crop(), np.random.default_rng(seed))
        assert found.max() == 100
        assert inside.all()


def test_place_reads_what_torchrun_sets():
    words = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "a"}
    with pytest.raises(StudioError, match="MASTER_PORT"):
        Place.from_environment(words)
    assert Place.from_environment({**words, "MASTER_PORT": "1"}) == Place(3, 4, 1, 2)
    assert Place.from_environment({}) == replace(Place())
    for wrong in ({"RANK": "4"}, {"RANK": "x"}):
        with pytest.raises(StudioError, match="Start it with torchrun"):
            Place.from_environment({**words, "MASTER_PORT": "1", **wrong})
