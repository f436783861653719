import hashlib
import zlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save

from tests.engine.making import a_frame, a_model
from usfm_studio.document.errors import OutOfMemory, WrongUsage
from usfm_studio.engine.device import Device, choose_device, is_out_of_memory
from usfm_studio.engine.models.blueprint import Preparation
from usfm_studio.engine.models.checkpoint import load_model
from usfm_studio.engine.models.components import cleaned, soft_dice
from usfm_studio.engine.models.embeddings import EmbeddingCache, embedding_key, rounded
from usfm_studio.engine.models.features import Features
from usfm_studio.engine.models.predictor import Predictor

CPU = Device(kind="cpu", name="test", threads=2)
GPU_LIKE = replace(CPU, kind="cpu", name="takes several at once")


class Several(Device):
    """A CPU that pretends to gain from batches."""

    batch = 8


def a_predictor(folder, embeddings=None, device=CPU, **card):
    a_model(folder, **card)
    return Predictor(load_model(folder), device, embeddings)


def same(a, b):
    return (
        np.array_equal(a.ids, b.ids)
        and np.array_equal(a.probabilities, b.probabilities)
        and (a.confidences, a.predicted_dice, a.labels) == (b.confidences, b.predicted_dice, b.labels)
    )


def test_a_prediction_has_the_frames_own_size_and_adds_up(tmp_path):
    predictor = a_predictor(tmp_path / "m", segments=("cyst", "wall"), labels=("benign", "malignant"))
    said = predictor.predict(a_frame(90, 120), probabilities=True)
    assert said.ids.shape == (90, 120)
    assert said.ids.dtype == np.uint8
    assert not said.ids.flags.writeable
    assert said.probabilities.shape == (3, 90, 120)
    assert said.probabilities.dtype == np.float16
    assert np.allclose(said.probabilities.astype(float).sum(0), 1, atol=0.01)
    assert said.confidences.keys() == set(np.unique(said.ids)) - {0}
    assert all(0 <= c <= 1 for c in said.confidences.values())
    assert said.labels.keys() == {"benign", "malignant"}
    assert sum(said.labels.values()) == pytest.approx(1, abs=1e-5)
    assert predictor.predict(a_frame(90, 120)).probabilities is None


def test_a_frame_seen_before_gives_the_same_bits_from_memory_and_from_disk(tmp_path):
    frame = a_frame()
    card = {"segments": ("cyst",), "labels": ("a", "b"), "preprocessing": {"flip_average": True}}
    fresh = a_predictor(tmp_path / "m", None, **card).predict(frame, probabilities=True)
    cache = EmbeddingCache(tmp_path / "cache")
    predictor = Predictor(load_model(tmp_path / "m"), CPU, cache)
    first, again = (predictor.predict(frame, probabilities=True) for _ in range(2))
    assert len(list((tmp_path / "cache").glob("*/*.emb"))) == 2  # the frame and its mirror image
    from_disk = Predictor(load_model(tmp_path / "m"), CPU, EmbeddingCache(tmp_path / "cache"))
    from_disk._encoder = None  # what would be computed now would fail
    later = from_disk.predict(frame, probabilities=True)
    assert same(fresh, first)
    assert same(first, again)
    assert same(first, later)


def test_models_of_one_encoder_share_embeddings_and_others_do_not(tmp_path):
    cache = EmbeddingCache(tmp_path / "cache")
    count = lambda: len(list((tmp_path / "cache").glob("*/*.emb")))  # noqa: E731
    for seed, sizes, wanted in ((0, 64, 1), (1, 64, 1), (1, 96, 2)):
        a_predictor(tmp_path / "m", cache, seed=seed, input_px=sizes).predict(a_frame())
        assert count() == wanted
    a_predictor(tmp_path / "m", cache, own_encoder=True).predict(a_frame())
    assert count() == 2  # the shipped weights, inside a model
    model = load_model(tmp_path / "m")
    with torch.no_grad():
        model.encoder.conv_stem.weight.mul_(2)
    Predictor(model, CPU, cache).predict(a_frame())
    assert count() == 3


def test_frames_that_go_through_together_are_answered_as_if_alone(tmp_path):
    frames = [a_frame(seed=0), a_frame(seed=1), a_frame(60, 120), a_frame(seed=2).astype(np.uint16)]
    a_model(tmp_path / "m", segments=("cyst",), labels=("a", "b"))
    model = load_model(tmp_path / "m")
    together = Predictor(model, Several(kind="cpu", name="x", threads=2)).predict_all(frames)
    alone = [Predictor(model, CPU).predict(frame) for frame in frames]
    for a, b in zip(together, alone, strict=True):
        assert np.count_nonzero(a.ids != b.ids) <= a.ids.size // 200
        assert a.labels["a"] == pytest.approx(b.labels["a"], abs=1e-3)


def test_a_label_model_without_a_decoder_marks_nothing(tmp_path):
    said = a_predictor(tmp_path / "m", segments=(), labels=("a", "b"), exclusive_labels=False).predict(a_frame())
    assert not said.ids.any()
    assert said.confidences == {}
    assert said.labels.keys() == {"a", "b"}


def test_a_calibrated_card_predicts_dice(tmp_path):
    lines = {"1": {"slope": 0.5, "offset": 0.25}}
    said = a_predictor(tmp_path / "m", preprocessing={"predicted_dice": lines}).predict(a_frame())
    assert said.predicted_dice == {1: pytest.approx(0.25 + said.confidences[1] / 2)}


def test_temperature_softens_labels(tmp_path):
    sure = a_predictor(tmp_path / "m", segments=(), labels=("a", "b")).predict(a_frame()).labels["a"]
    soft = a_predictor(tmp_path / "m", segments=(), labels=("a", "b"), temperature=10.0).predict(a_frame()).labels["a"]
    assert abs(soft - 0.5) < abs(sure - 0.5)


def test_soft_dice_confidence_is_the_published_formula():
    p = np.array([[0.9, 0.6], [0.2, 0.1]], np.float32)
    assert soft_dice(p, p > 0.5) == pytest.approx(2 * 1.5 / (1.8 + 2))
    assert soft_dice(np.zeros((2, 2), np.float32), np.zeros((2, 2), bool)) == 1


def test_component_rules():
    ids = np.zeros((12, 20), np.uint8)
    ids[1:8, 1:8] = 1  # with a hole that holds another segment's cell
    ids[3:6, 3:6] = 0
    ids[4, 4] = 2
    ids[10, 10] = 1
    ids[9:12, 15:18] = 2
    assert np.array_equal(cleaned(ids, Preparation()), ids)
    largest = cleaned(ids, Preparation(keep_largest=True))
    assert largest[10, 10] == 0
    assert largest[4, 4] == 0
    assert largest[10, 16] == 2
    filled = cleaned(ids, Preparation(fill_holes=True))
    assert filled[3, 3] == 1
    assert filled[4, 4] == 2
    small = cleaned(ids, Preparation(min_area_px=2))
    assert small[10, 10] == 0
    assert small[4, 4] == 0
    assert small[2, 2] == 1


def test_a_frame_too_large_for_memory_is_told_in_words(tmp_path, monkeypatch):
    predictor = a_predictor(tmp_path / "m")
    monkeypatch.setattr(predictor, "_encoder", lambda _x: torch.empty(2**60))
    with pytest.raises(OutOfMemory, match="Close other programs"):
        predictor.predict(a_frame())


def test_a_batch_too_large_for_memory_is_halved(tmp_path, monkeypatch):
    predictor = a_predictor(tmp_path / "m", device=Several(kind="cpu", name="x", threads=2))
    wanted = [predictor.predict(a_frame(seed=i)) for i in range(5)]
    encoder, sizes = predictor._encoder, []

    def narrow(x):
        sizes.append(len(x))
        if len(x) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return encoder(x)

    monkeypatch.setattr(predictor, "_encoder", narrow)
    said = predictor.predict_all([a_frame(seed=i) for i in range(5)])
    assert sizes == [5, 2, 3, 1, 2]
    assert all(np.count_nonzero(a.ids != b.ids) <= a.ids.size // 200 for a, b in zip(said, wanted, strict=True))


def test_other_errors_are_not_taken_for_a_lack_of_memory(tmp_path, monkeypatch):
    predictor = a_predictor(tmp_path / "m")

    def broken(_x):
        raise RuntimeError("a defect")

    monkeypatch.setattr(predictor, "_encoder", broken)
    with pytest.raises(RuntimeError, match="a defect"):
        predictor.predict(a_frame())
    assert is_out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory"))


def some_features(value=1.0):
    maps = {2: torch.full((1, 4, 8, 8), value), 4: torch.full((1, 8, 4, 4), value)}
    return rounded(Features(maps, torch.full((1, 6), value)))


def a_key(name):
    return embedding_key(hashlib.sha256(name.encode()).hexdigest(), (8, 8), "e")


def test_memory_keeps_what_was_used_last(tmp_path):
    size = 2 * (4 * 64 + 8 * 16 + 6)
    cache = EmbeddingCache(None, memory_bytes=2 * size)
    for name in "ab":
        cache.put(a_key(name), some_features())
    assert cache.get(a_key("a")) is not None
    cache.put(a_key("c"), some_features())
    assert [cache.get(a_key(name)) is not None for name in "abc"] == [True, False, True]


def test_the_disk_keeps_what_was_used_last_and_stays_below_its_limit(tmp_path):
    import os

    cache = EmbeddingCache(tmp_path, memory_bytes=0, disk_bytes=10_000)
    for i in range(20):
        cache.put(a_key(str(i)), some_features(i))
        files = list(tmp_path.glob("*/*.emb"))
        assert sum(f.stat().st_size for f in files) <= 10_000
        for path in files:  # file systems tell times apart too coarsely
            status = path.stat()
            os.utime(path, (status.st_mtime - 1, status.st_mtime - 1))
    assert float(cache.get(a_key("19")).pooled_BD[0, 0]) == 19
    assert cache.get(a_key("0")) is None


def an_embedding_file(**tensors):
    body = save(tensors)
    return b"USFMEMB1" + zlib.crc32(body).to_bytes(4, "little") + body


FOREIGN = an_embedding_file(stride_8=torch.zeros(1, 1, 1, 1))
ODD = an_embedding_file(pooled=torch.zeros(1, 1), other=torch.zeros(1))


@pytest.mark.parametrize("content", [b"", b"USFMEMB1", b"x" * 3000, FOREIGN, ODD], ids=range(5))
def test_a_torn_file_is_a_miss_and_goes_away(tmp_path, content):
    EmbeddingCache(tmp_path).put(a_key("a"), some_features())
    (path,) = tmp_path.glob("*/*.emb")
    path.write_bytes(path.read_bytes()[:-5] if content == b"" else content)
    assert EmbeddingCache(tmp_path).get(a_key("a")) is None
    assert not path.exists()


def test_a_folder_that_cannot_be_written_costs_nothing_but_the_disk(tmp_path):
    (tmp_path / "file").write_text("")
    cache = EmbeddingCache(tmp_path / "file")
    cache.put(a_key("a"), some_features())
    assert cache.get(a_key("a")) is not None


@pytest.mark.parametrize("wanted", ["tpu", "cuda:x", "cuda:99"])
def test_a_device_that_is_not_there_is_refused_in_words(wanted):
    with pytest.raises(WrongUsage, match=wanted):
        choose_device(wanted)
