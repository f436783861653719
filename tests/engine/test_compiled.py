import logging
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from tests.engine.making import a_frame, a_model, the_encoder
from usfm_studio.engine.device import Device
from usfm_studio.engine.models import compiled as compiling
from usfm_studio.engine.models.checkpoint import load_model
from usfm_studio.engine.models.compiled import CannotCompile, CompiledDecoder, CompiledEncoder, GraphFailed, compiled
from usfm_studio.engine.models.decoder import LIGHT_WIDTHS, WIDTHS, UNetDecoder
from usfm_studio.engine.models.embeddings import EmbeddingCache
from usfm_studio.engine.models.features import Features
from usfm_studio.engine.models.fuse import fused
from usfm_studio.engine.models.graph_rewriting import enlarging_kernels, simplified
from usfm_studio.engine.models.lite import LiteEncoder
from usfm_studio.engine.models.predictor import EAGER, Predictor
from usfm_studio.engine.models.recording import CannotRecord, recorded

CPU = Device(kind="cpu", name="test", threads=1)


@pytest.fixture(autouse=True)
def any_machine(monkeypatch):
    """What is tested does not depend on the processor; only whether it pays does."""
    monkeypatch.setattr(compiling, "MACHINES", (compiling.platform.machine(),))


@pytest.fixture(scope="module")
def encoder_graph():
    return CompiledEncoder(the_encoder(), 1)


def predictor_of(folder, *, embeddings=None, compile=True, **card):
    a_model(folder, **card)
    return Predictor(load_model(folder), CPU, embeddings, compile=compile)


def close(a, b, tolerance=1e-5):
    return a.shape == b.shape and a.dtype == b.dtype and float((a - b).abs().max()) <= tolerance * float(b.abs().max())


@settings(max_examples=5, deadline=None)
@given(rows=st.integers(1, 4), columns=st.integers(1, 4), batch=st.integers(1, 2), seed=st.integers(0, 9))
def test_one_graph_gives_an_encoders_features_at_every_size(encoder_graph, rows, columns, batch, seed):
    x_BCHW = torch.rand((batch, 1, 32 * rows, 32 * columns), generator=torch.Generator().manual_seed(seed))
    with torch.inference_mode():
        wanted, given_ = the_encoder()(x_BCHW), encoder_graph(x_BCHW)
    assert list(given_.maps) == list(wanted.maps)
    assert all(close(given_.maps[s], wanted.maps[s]) for s in wanted.maps)
    assert close(given_.pooled_BD, wanted.pooled_BD)


def test_a_larger_family_member_compiles_too():
    torch.manual_seed(0)
    encoder = LiteEncoder("usfm_lite2", 1.1, 1.2).eval()
    x_BCHW = torch.rand(1, 1, 64, 96)
    with torch.inference_mode():
        wanted = encoder(x_BCHW)
    given_ = CompiledEncoder(encoder, 2)(x_BCHW)
    assert all(close(given_.maps[s], wanted.maps[s]) for s in wanted.maps)


@pytest.mark.parametrize(("widths", "convs"), [(WIDTHS, 2), (LIGHT_WIDTHS, 1)])
def test_a_decoder_gives_the_same_logits_with_statistics_of_its_own(widths, convs):
    torch.manual_seed(0)
    decoder = UNetDecoder(the_encoder().channels, 3, widths, convs).train()
    with torch.inference_mode():
        features = the_encoder()(torch.rand(2, 1, 96, 64))
        for _ in range(3):
            decoder(features)  # moves the statistics of normalisation away from 0 and 1
        wanted = decoder.eval()(features)
        given_ = CompiledDecoder(decoder, the_encoder(), 1)(features)
    assert close(given_, wanted)


@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 5), columns=st.integers(1, 5))
@settings(max_examples=25, deadline=None)
def test_enlarging_inside_the_convolution_is_exact_at_every_place(seed, rows, columns):
    rng = np.random.default_rng(seed)
    y = torch.from_numpy(rng.normal(size=(1, 3, rows, columns)).astype(np.float32))
    kernels = rng.normal(size=(2, 3, 3, 3)).astype(np.float32)
    wanted = functional.conv2d(functional.interpolate(y, scale_factor=2), torch.from_numpy(kernels), padding=1)
    given_ = functional.conv_transpose2d(y, torch.from_numpy(enlarging_kernels(kernels)), stride=2, padding=1)
    assert torch.allclose(given_, wanted, atol=1e-4)


def test_less_work_is_left_in_a_simplified_graph():
    channels = the_encoder().channels
    decoder = fused(UNetDecoder(channels, 2, LIGHT_WIDTHS, 1))
    maps = [torch.rand(1, channels[s], 64 // s, 64 // s) for s in channels]

    def flat(*maps):
        return [decoder(Features(dict(zip(channels, maps, strict=True)), maps[0]))]

    graph = recorded(flat, maps)
    operations = [node.op for node in graph.nodes]
    assert operations.count("Resize") == operations.count("Concat") == 4
    left = [node.op for node in simplified(graph).nodes]
    assert "Resize" not in left
    assert "Concat" not in left
    assert left.count("ConvTranspose") == 4


def test_an_enlarged_map_that_others_need_stays():
    conv = nn.Conv2d(5, 4, 3, padding=1)

    def network(y, skip):
        enlarged = functional.interpolate(y, scale_factor=2, mode="nearest")
        return [conv(torch.cat([enlarged, skip], 1)), enlarged * 2.0]

    def examples(rows, columns):
        return [torch.rand(1, 3, rows, columns), torch.rand(1, 2, 2 * rows, 2 * columns)]

    run = compiled(network, examples, 1)
    inputs = examples(7, 5)
    with torch.inference_mode():
        wanted = network(*inputs)
    assert all(close(a, b) for a, b in zip(run(*inputs), wanted, strict=True))


UNKNOWN = {
    "an unknown function": lambda x: [torch.sin(x)],
    "a reshape": lambda x: [x.reshape(1, -1)],
    "scaling to a size": lambda x: [functional.interpolate(x, size=(8, 8))],
    "smooth scaling": lambda x: [functional.interpolate(x, scale_factor=2, mode="bilinear")],
    "padding by reflection": lambda x: [functional.pad(x, (1, 1, 1, 1), mode="reflect")],
    "another precision": lambda x: [x.double()],
    "an input as result": lambda x: [x],
    "half a constant": lambda x: [x + torch.ones(1, dtype=torch.float64)],
    "a scaled sum": lambda x: [torch.add(x, x, alpha=2)],
}


@pytest.mark.parametrize("network", UNKNOWN.values(), ids=UNKNOWN.keys())
def test_what_is_not_known_is_refused(network):
    with pytest.raises(CannotRecord):
        recorded(network, [torch.rand(1, 1, 32, 32)])


def test_a_graph_that_holds_for_one_size_only_is_not_trusted():
    """The sum over a size becomes a constant in the recording; the comparison on another size finds it."""
    with pytest.raises(CannotCompile, match="other numbers"):
        compiled(lambda x: [x * float(x.shape[2])], lambda rows, columns: [torch.ones(1, 1, rows, columns)], 1)


def test_recording_leaves_torchs_random_numbers_alone():
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    CompiledEncoder(the_encoder(), 1)
    assert torch.equal(torch.rand(3), wanted)


def test_a_compiled_prediction_is_that_of_torch(tmp_path):
    card = {"segments": ("cyst", "wall"), "labels": ("a", "b"), "preprocessing": {"flip_average": True}}
    fast = predictor_of(tmp_path / "m", **card)
    plain = predictor_of(tmp_path / "m", **card, compile=False)
    assert fast.engine.startswith("onnxruntime ")
    assert plain.engine == EAGER
    for frame in (a_frame(90, 120), a_frame(130, 60, seed=1)):
        a, b = fast.predict(frame, probabilities=True), plain.predict(frame, probabilities=True)
        assert np.abs(a.probabilities.astype(float) - b.probabilities.astype(float)).max() < 5e-3
        assert np.count_nonzero(a.ids != b.ids) <= a.ids.size // 500
        assert a.labels["a"] == pytest.approx(b.labels["a"], abs=1e-3)


def test_embeddings_of_a_graph_and_of_torch_are_kept_apart(tmp_path):
    frame = a_frame()
    cache = EmbeddingCache(tmp_path / "cache")
    for compile, files in ((True, 1), (True, 1), (False, 2), (False, 2)):
        predictor_of(tmp_path / "m", embeddings=cache, compile=compile).predict(frame)
        assert len(list((tmp_path / "cache").glob("*/*.emb"))) == files


def test_an_embedding_at_hand_gives_the_same_bits(tmp_path):
    cache = EmbeddingCache(tmp_path / "cache")
    predictor = predictor_of(tmp_path / "m", embeddings=cache)
    miss, hit = (predictor.predict(a_frame(), probabilities=True) for _ in range(2))
    afresh = predictor_of(tmp_path / "m").predict(a_frame(), probabilities=True)
    assert np.array_equal(miss.probabilities, hit.probabilities)
    assert np.array_equal(miss.probabilities, afresh.probabilities)


def test_without_the_package_torch_answers_and_the_log_says_why(tmp_path, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with caplog.at_level(logging.INFO):
        predictor = predictor_of(tmp_path / "m")
    assert predictor.engine == EAGER
    assert "a model runs in torch" in caplog.text
    assert "ONNX Runtime cannot be imported" in caplog.text
    assert predictor.predict(a_frame()).ids.shape == (90, 120)


def test_where_it_was_not_measured_torch_answers(tmp_path, monkeypatch):
    monkeypatch.setattr(compiling, "MACHINES", ())
    assert predictor_of(tmp_path / "m").engine == EAGER


def test_a_graph_that_fails_at_work_is_replaced_and_its_key_with_it(tmp_path, caplog):
    """A grey graph is given a colour image: a real refusal by the runtime."""
    cache = EmbeddingCache(tmp_path / "cache")
    predictor = predictor_of(tmp_path / "m", embeddings=cache)
    prepared = predictor.prepare(a_frame())
    key_before = predictor._key(prepared, False)
    in_colour = predictor._encoder
    predictor._encoder = lambda x_BCHW: in_colour(x_BCHW.expand(-1, 3, -1, -1))
    features = predictor.embed([prepared])
    plain = predictor_of(tmp_path / "m", compile=False)
    assert predictor.engine == EAGER
    assert "runs in torch from now on" in caplog.text
    assert cache.get(key_before) is None
    assert cache.get(plain._key(prepared, False)) is not None
    assert torch.equal(features.pooled_BD, plain.embed([plain.prepare(a_frame())]).pooled_BD)
    assert predictor.predict(a_frame()).ids.shape == (90, 120)


def test_a_decoder_that_fails_at_work_is_replaced(tmp_path, monkeypatch):
    predictor = predictor_of(tmp_path / "m")
    wanted = predictor.predict(a_frame()).ids

    def broken(_features, _x):
        raise GraphFailed("on purpose")

    monkeypatch.setattr(predictor, "_decoder", broken)
    said = predictor.predict(a_frame()).ids
    assert predictor.engine == EAGER
    assert np.count_nonzero(said != wanted) <= said.size // 500


class OutOfRoom:
    """A session that fails as ONNX Runtime's does: with a class straight under Exception."""

    def __init__(self, words):
        self.words = words

    def get_inputs(self):
        return []

    def run(self, *_):
        raise Exception(self.words)


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("Failed to allocate memory for requested buffer of size 1073741824", MemoryError),
        ("std::bad_alloc", MemoryError),
        ("Got invalid dimensions for input", GraphFailed),
    ],
)
def test_a_lack_of_memory_is_told_from_a_failure(words, kind):
    with pytest.raises(kind):
        compiling._runner(OutOfRoom(words))()


def test_where_bfloat16_is_fast_the_decoder_stays_in_torch(tmp_path):
    a_model(tmp_path / "m")
    predictor = Predictor(load_model(tmp_path / "m"), Device(kind="cpu", name="test", precision="bf16"))
    assert predictor.engine != EAGER
    assert isinstance(predictor._decoder, UNetDecoder)
    assert predictor.predict(a_frame()).ids.shape == (90, 120)


class TakesFour(Device):
    """A processor that pretends to gain from batches and, like a GPU, encodes in float16."""

    batch = 4
    encoder_precision = "f16"


def test_frames_are_encoded_together_where_sizes_allow_and_one_by_one_all_the_same(tmp_path):
    a_model(tmp_path / "m")
    model, several = load_model(tmp_path / "m"), TakesFour(kind="cpu", name="test")
    predictor = Predictor(model, several, compile=False)
    encoder, batches = predictor._encoder, []

    def seen(x_BCHW):
        batches.append(len(x_BCHW))
        features = encoder(x_BCHW)
        assert {m.dtype for m in features.maps.values()} == {torch.float16}
        return features

    predictor._encoder = seen
    frames = [a_frame(seed=i) for i in range(5)] + [a_frame(60, 120)]
    alone = Predictor(model, CPU, compile=False)
    given_ = list(predictor.embed_all([predictor.prepare(frame) for frame in frames]))
    assert batches == [4, 1, 1]
    for features, frame in zip(given_, frames, strict=True):
        wanted = alone.embed([alone.prepare(frame)])
        assert all(close(features.maps[s], wanted.maps[s], 2e-2) for s in wanted.maps)
    assert predictor._key(predictor.prepare(frames[0]), False) != alone._key(alone.prepare(frames[0]), False)


def test_another_kind_of_encoder_runs_in_torch(tmp_path):
    class Odd(LiteEncoder):
        def forward(self, x_BCHW):
            return super().forward(x_BCHW).map(torch.sin)

    encoder = Odd("usfm_lite0").eval()
    with pytest.raises(CannotCompile, match="sin is not known"):
        CompiledEncoder(encoder, 1)
