"""The host as a real process, through its client."""

import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

from tests.engine.making import a_frame, a_model, an_enhancer
from usfm_studio.children.arrays import ArrayPool
from usfm_studio.document.errors import BadModel, Interrupted, Unreadable, WrongUsage
from usfm_studio.engine.client import Engine
from usfm_studio.engine.doors import FramePixels
from usfm_studio.engine.models.catalogue import shipped_encoder
from usfm_studio.engine.models.checkpoint import load_model
from usfm_studio.engine.models.enhancing import Enhancing
from usfm_studio.engine.models.predictor import Predictor

LONG = 150
pytestmark = pytest.mark.timeout(170)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "m"
    a_model(folder, segments=("cyst", "wall"), labels=("a", "b"), preprocessing={"placement": "box"})
    return folder


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    engine = Engine(device="cpu", cache_folder=tmp_path_factory.mktemp("cache"), threads=2)
    engine.start()
    yield engine
    engine.stop()


def frames_of(*seeds):
    return [FramePixels(key=f"frame{seed}", array=a_frame(seed=seed)) for seed in seeds]


def test_the_host_answers_what_the_predictor_answers(engine, model):
    heard = []
    said = engine.propose(frames_of(0, 1), model, on_proposal=heard.append, probabilities=True).result(LONG)
    assert [part.key for part in said] == ["frame0", "frame1"]
    assert heard == said
    predictor = Predictor(load_model(model))
    for seed, part in enumerate(said):
        wanted = predictor.predict(a_frame(seed=seed), probabilities=True)
        assert np.array_equal(part.ids, wanted.ids)
        assert np.array_equal(part.probabilities, wanted.probabilities)
        assert part.confidences == wanted.confidences
        assert part.labels == wanted.labels
        assert not part.ids.flags.writeable


def test_the_host_enhances_as_the_model_does_and_proposes_nothing_from_it(engine, model, tmp_path):
    folder = tmp_path / "clearer"
    an_enhancer(folder)
    engine.warm(folder).result(LONG)
    colour = np.repeat(a_frame(seed=2)[:, :, None], 3, 2)
    frames = [*frames_of(0, 1), FramePixels(key="colour", array=colour)]
    found = engine.enhance(frames, folder).result(LONG)
    assert [each.key for each in found] == ["frame0", "frame1", "colour"]
    alone = Enhancing(load_model(folder))
    for frame, each in zip(frames, found, strict=True):
        wanted = alone.enhance(frame.array)
        assert each.pixels.shape == frame.array.shape
        assert np.abs(each.pixels.astype(int) - wanted).max() <= 1
        assert not each.pixels.flags.writeable
        assert not np.array_equal(each.pixels, frame.array)
    with pytest.raises(WrongUsage, match="enhances images"):
        engine.propose(frames_of(0), folder).result(LONG)
    with pytest.raises(WrongUsage, match="enhances nothing"):
        engine.enhance(frames_of(0), model).result(LONG)


def test_pixels_may_lie_in_somebody_elses_shared_array(engine, model):
    pool = ArrayPool()
    ref, array = pool.give((90, 120), "uint8")
    array[...] = a_frame(seed=0)
    shared = engine.propose([FramePixels(key="a", digest="d" * 64, ref=ref)], model).result(LONG)
    assert np.array_equal(shared[0].ids, engine.propose(frames_of(0), model).result(LONG)[0].ids)
    pool.close()


def test_many_frames_use_a_few_shared_arrays(engine, model):
    for _ in range(5):
        engine.propose(frames_of(0, 1, 2), model).result(LONG)
    assert engine._pool.blocks <= 12


def test_a_host_killed_in_the_middle_is_replaced_and_the_frames_are_answered_once(engine, model):
    engine.warm(model).result(LONG)
    heard, killed = [], threading.Event()

    def kill_at_first(part):
        heard.append(part)
        if not killed.is_set():
            killed.set()
            os.kill(engine.pid, signal.SIGKILL)

    said = engine.propose(frames_of(*range(12)), model, on_proposal=kill_at_first).result(LONG)
    assert [part.key for part in said] == [f"frame{seed}" for seed in range(12)]
    assert sorted(part.key for part in heard) == sorted(part.key for part in said)
    predictor = Predictor(load_model(model))
    assert np.array_equal(said[11].ids, predictor.predict(a_frame(seed=11)).ids)


def test_a_newer_request_takes_the_place_of_an_older_one(engine, model):
    older = engine.propose(frames_of(*range(40)), model, key="current")
    newer = engine.propose(frames_of(50), model, key="current")
    assert newer.result(LONG)[0].key == "frame50"
    assert isinstance(older.exception(LONG), Interrupted)


def test_a_cancelled_request_is_told_and_the_host_goes_on(engine, model):
    answers = engine.propose(frames_of(*range(40)), model)
    assert answers.cancel()
    assert isinstance(answers.exception(LONG), Interrupted)
    assert engine.propose(frames_of(1), model).result(LONG)
    assert not answers.cancel()


def test_a_model_that_cannot_be_used_is_told_in_words(engine, model, tmp_path):
    with pytest.raises(BadModel, match="cannot be read"):
        engine.propose(frames_of(0), tmp_path / "nowhere")
    a_model(tmp_path / "m")
    (tmp_path / "m" / "model.safetensors").write_bytes(b"x" * 100)
    with pytest.raises(BadModel, match="broken header"):
        engine.propose(frames_of(0), tmp_path / "m").result(LONG)
    with pytest.raises(WrongUsage, match="encoder"):
        engine.propose(frames_of(0), shipped_encoder()).result(LONG)


def test_pixels_that_are_gone_are_told_in_words(engine, model):
    pool = ArrayPool()
    ref, _ = pool.give((3000, 3000), "uint8")
    pool.close()
    with pytest.raises(Unreadable, match="pixels"):
        engine.propose([FramePixels(key="a", ref=ref)], model).result(LONG)


def test_frames_are_summed_up_by_the_encoder(engine, model):
    by_model = engine.encode(frames_of(0, 1), model).result(LONG)
    assert [e.key for e in by_model] == ["frame0", "frame1"]
    assert by_model[0].pooled.shape == (864,)
    assert not np.array_equal(by_model[0].pooled, by_model[1].pooled)
    assert engine.encode(frames_of(0), shipped_encoder()).result(LONG)[0].pooled.shape == (864,)


def test_embedding_ahead_fills_the_cache(engine, model, tmp_path):
    assert engine.embed(frames_of(100, 101), model).result(LONG) == {"frames": 2}
    assert engine.propose(frames_of(100), model).result(LONG)


def test_the_host_tells_what_it_computes_on(engine):
    device = engine.device().result(LONG)
    assert device["kind"] == "cpu"
    assert device["threads"] == 2
    assert device["precision"] in ("f32", "bf16")
    assert device["free_bytes"] > 0
    assert device["encode_ms"] > 0


def test_a_device_that_is_not_there_is_told_in_words(model):
    engine = Engine(device="cuda:99")
    with pytest.raises(WrongUsage, match="cuda:99"):
        engine.propose(frames_of(0), model).result(LONG)
    engine.stop()


def test_the_client_never_imports_torch(model):
    code = (
        "import sys\nimport usfm_studio.engine.client, usfm_studio.engine.doors\n"
        "assert not {'torch', 'timm', 'safetensors', 'cv2', 'PySide6'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
