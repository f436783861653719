"""The run as a whole: what it learns, tells, writes and refuses."""

import copy
import json
import sys

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.making import the_encoder
from tests.engine.pretraining.runs import Line, a_corpus, a_run, losses, painted
from usfm_studio.document.errors import BadModel, Interrupted, NotFound, StudioError, WrongUsage
from usfm_studio.engine.corpus.index import CorpusIndex
from usfm_studio.engine.models.catalogue import read_card, shipped_encoder
from usfm_studio.engine.models.checkpoint import load_encoder
from usfm_studio.engine.pretraining import loop
from usfm_studio.engine.pretraining.batches import Batches, as_images, stream
from usfm_studio.engine.pretraining.loop import Run, Surroundings
from usfm_studio.engine.pretraining.outcome import Origin
from usfm_studio.engine.pretraining.ranks import Place, World
from usfm_studio.engine.pretraining.recipe import recipe_of
from usfm_studio.engine.pretraining.record import lines_of
from usfm_studio.engine.pretraining.standing import Drawn, Standing, crosses
from usfm_studio.engine.pretraining.starting import device_of
from usfm_studio.engine.pretraining.step import Step


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return a_corpus(tmp_path_factory.mktemp("corpus") / "corpus")


@pytest.fixture(scope="module")
def done(tmp_path_factory, corpus):
    """A finished run: its folder, its result, what it told."""
    out, line = tmp_path_factory.mktemp("done") / "run", Line()
    words = ("steps=4", "batch_norm=train", "log.pictures=0.5", "licence=CC-BY-4.0", 'attribution=["Somebody"]')
    return out, a_run(corpus, out, *words, line=line), line.events


def test_the_result_and_the_events_have_the_promised_fields(done):
    out, result, events = done
    assert result["checkpoint"] == str(out / "encoder")
    assert result["images"] == 8
    assert result["seconds"] > 0
    steps = [event for event in events if event["event"] == "step"]
    assert [event["step"] for event in steps] == [1, 2, 3, 4]
    for name in ("loss", "spatial", "frequency", "images_per_second", "energy_removed", "gradient_norm",
                 "gradient_ratio", "left_s"):  # fmt: skip
        assert all(np.isfinite(event[name]) for event in steps), name
    assert losses(out) == [(event["step"], event["loss"]) for event in steps]


def test_the_encoder_loads_in_timm_without_our_code(done):
    timm, load_file = pytest.importorskip("timm"), __import__("safetensors.torch").torch.load_file
    out = done[0]
    network = timm.create_model("tf_efficientnet_lite0", features_only=True).eval()
    weights = {name: tensor.float() for name, tensor in load_file(out / "encoder" / "model.safetensors").items()}
    missing, foreign = network.load_state_dict(weights, strict=False)
    assert not foreign
    assert all(name.endswith("num_batches_tracked") for name in missing)
    ours, x = load_encoder(out / "encoder"), torch.rand(1, 1, 64, 96)
    with torch.inference_mode():
        theirs = network((x.expand(-1, 3, -1, -1) - 0.5) / 0.5)
        for map_BCHW, wanted in zip(ours(x).maps.values(), theirs, strict=True):
            assert torch.allclose(map_BCHW, wanted, atol=1e-4 * float(wanted.abs().max()))


def test_the_card_says_what_the_encoder_is_made_of(done, corpus):
    card = read_card(done[0] / "encoder")
    assert (card.task, card.encoder, card.digest) == ("encoder", "usfm_lite0", card.encoder_digest)
    assert card.data_digest == CorpusIndex.load(corpus).digest
    assert card.settings["corpus"]["organs"] == {"breast": 6, "thyroid": 6}
    assert card.settings["recipe"]["mask"]["cell_px"] == 16
    assert card.settings["images"] == 8
    assert [point["step"] for point in card.settings["curves"]] == [1, 2, 3, 4]
    assert card.parents == (read_card(shipped_encoder()).digest,)
    assert card.licence == "CC-BY-4.0"
    assert card.attribution[-1] == "Somebody"
    assert (done[0] / "encoder" / "LICENSE").is_file()
    assert str(done[0]) not in (done[0] / "encoder" / "card.json").read_text()


def test_statistics_are_those_of_clean_images(done, corpus):
    recipe = recipe_of({"data": str(corpus), "px": 64, "batch": 2, "steps": 4, "workers": 0})
    batches = Batches(recipe, Place())
    kept = load_encoder(done[0] / "encoder")
    x = torch.cat([as_images(batches[m], "cpu")[0] for m in range(4)])
    stem = kept._stem((x - 0.5) / 0.5)
    assert torch.allclose(stem.mean((0, 2, 3)), kept.bn1.running_mean, atol=0.02 * float(stem.detach().std()))


def test_pictures_show_three_images_and_three_spectra(done):
    pictures = sorted((done[0] / "pictures").glob("*.png"))
    assert [path.name for path in pictures] == ["step-000000002.png", "step-000000004.png"]
    picture = cv2.imread(str(pictures[0]), cv2.IMREAD_UNCHANGED)
    assert picture.shape == (2 * 66, 6 * 66)
    clean, corrupted, recovered = (picture[:64, 66 * i : 66 * i + 64].astype(int) for i in range(3))
    assert clean.std() > 10
    assert np.abs(clean - corrupted).mean() > 2
    assert recovered.std() > 0


@pytest.mark.slow
def test_it_learns(tmp_path, corpus):
    words = ("steps=60", "batch=4", "log.every=5", "optimiser.decoder=3e-3", "optimiser.encoder=3e-4", "px=64")
    a_run(corpus, tmp_path / "run", *words, "loss.preset=usfm")
    curve = [line for line in lines_of(tmp_path / "run" / "metrics.jsonl") if "loss" in line]
    assert curve[-1]["spatial"] < 0.5 * curve[0]["spatial"]
    assert curve[-1]["frequency"] < curve[0]["frequency"]


def test_tensorboard_is_written_where_it_is_wanted_and_missed_in_words(tmp_path, corpus, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(WrongUsage, match=r"usfm-studio\[research\]"):
        a_run(corpus, tmp_path / "no", "steps=1", "log.tensorboard=true")
    monkeypatch.undo()
    pytest.importorskip("tensorboard")
    a_run(corpus, tmp_path / "yes", "steps=1", "log.tensorboard=true", "log.pictures=1")
    assert list((tmp_path / "yes" / "tensorboard").glob("events.*"))


# ---- what ends a run ----


def a_built_run(corpus, out, prober=None, stop=lambda: False, **changes):
    recipe = recipe_of(
        {"data": str(corpus), "px": 64, "batch": 2, "workers": 0, "mask": {"cell_px": 16}, "precision": "f32",
         "log": {"every": 1, "pictures": 0}, **changes}
    )  # fmt: skip
    events = []
    out.mkdir(exist_ok=True)
    around = Surroundings(tell=lambda kind, body: events.append((kind, body)), stop=stop, probe=prober)
    step = Step(recipe, copy.deepcopy(the_encoder()), device_of(recipe, "cpu", 1, Place()), World())
    run = Run(recipe, out, Batches(recipe, Place()), Origin(card=None), step, around)
    return run, events


def go(run):
    return run.go(stream(run.batches, run.resume(), workers=0, pinned=False))


def test_the_probe_steers_the_best_is_kept_and_no_gain_ends_the_run(tmp_path, corpus):
    scores = iter([0.3, 0.5, 0.4, 0.45, 0.9])
    run, events = a_built_run(
        corpus, tmp_path / "run", lambda _encoder, _check: next(scores), steps=8,
        probe={"every": 0.25, "patience": 2}, keep={"last": 1},
    )  # fmt: skip
    result = go(run)
    assert result["checkpoint"] == str(tmp_path / "run" / "best")
    assert (result["first_score"], result["best_score"], result["best_step"]) == (0.3, 0.5, 2)
    assert result["steps"] == 6
    assert run.checkpoints.steps() == [2, 6]
    assert read_card(tmp_path / "run" / "best").scores == {"probe": 0.5}
    assert [body["score"] for kind, body in events if kind == "probe"] == [0.3, 0.5, 0.4, 0.45]
    assert load_encoder(tmp_path / "run" / "best").name == "usfm_lite0"


def test_a_probe_can_be_interrupted_and_is_made_again(tmp_path, corpus):
    asked, seen = [], []

    def probe(encoder, check):
        seen.append(encoder.training)
        if len(seen) == 2:
            asked.append(1)
        check()
        return 0.5

    settings = {"steps": 2, "probe": {"every": 0.5}}
    run, _ = a_built_run(corpus, tmp_path / "run", probe, lambda: bool(asked), **settings)
    with pytest.raises(Interrupted, match="step 1 of 2"):
        go(run)
    asked.clear()
    run, events = a_built_run(corpus, tmp_path / "run", probe, lambda: bool(asked), **settings)
    go(run)
    assert [body["step"] for kind, body in events if kind == "probe"] == [1, 2]
    assert not any(seen)


def test_three_steps_without_a_number_end_the_run_and_fewer_do_not(tmp_path, corpus):
    for bad, ends in (((0, 1, 3), False), ((1, 2, 3), True)):
        run, _ = a_built_run(corpus, tmp_path / f"run{ends}", steps=4, keep={"steps": 1 if ends else 9})
        real, calls = run.step.loss.forward, []

        def spoilt(*given, real=real, calls=calls, bad=bad, **more):
            parts = real(*given, **more)
            calls.append(1)
            factor = torch.nan if len(calls) - 1 in bad else 1.0
            fields = (parts.spatial_B, parts.frequency_B, parts.frequency_weight, parts.gradient_ratio)
            return type(parts)(parts.total * factor, *fields)

        run.step.loss.forward = spoilt
        if ends:
            with pytest.raises(StudioError, match="no number 3 steps in a row"):
                go(run)
            assert run.checkpoints.steps() == [2, 3]  # finite weights: no step with a bad gradient was taken
        else:
            assert go(run)["steps_without_number"] == 3


def test_too_many_useless_images_end_the_run_in_words(tmp_path):
    black = (np.zeros((80, 80), np.uint8), np.ones((80, 80), bool))
    a_corpus(tmp_path / "corpus", frames=[painted(i) for i in range(8)] + [black] * 8)
    with pytest.raises(StudioError, match=r"of no use \(\d+ black\)"):
        a_run(tmp_path / "corpus", tmp_path / "run", "steps=40", "batch=4")
    a_run(tmp_path / "corpus", tmp_path / "more", "steps=5", "batch=4", "skips_most=0.9")
    card = read_card(tmp_path / "more" / "encoder")
    assert card.settings["skipped"]["black"] > 0


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 5)), max_size=60), st.floats(0, 1))
def test_few_skips_never_end_a_run(batches, share):
    total = Drawn()
    for used, skipped in batches:
        total = total.with_(Drawn(used, {"black": skipped} if skipped else {}))
        skips = total.skipped.get("black", 0)
        if skips >= 16 and skips > share * (skips + total.used):
            with pytest.raises(StudioError):
                total.refuse_too_many(share)
        else:
            total.refuse_too_many(share)


@given(st.integers(1, 500), st.floats(0.01, 1))
def test_shares_of_a_run_come_up_evenly_and_at_the_end(steps, share):
    found = [step for step in range(1, steps + 1) if crosses(step, steps, share)]
    assert found[-1] == steps
    assert len(found) <= int(1 / share + 1e-9) + 1
    assert not any(crosses(step, steps, 0) for step in (1, steps))


def test_a_standing_survives_a_score_that_is_no_better():
    at = Standing(steps=4)
    assert at.probe(0.4)
    assert not at.probe(0.4)
    assert (at.best_score, at.best_step, at.without_gain) == (0.4, 4, 1)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ("init=usfm_base", NotFound, "no weights to start from: usfm_base"),
        ("init=/nowhere", NotFound, "no weights to start from: nowhere"),
        ("encoder=usfm_tiny", NotFound, "no weights to start from: usfm_tiny"),
        ("data=/nowhere", NotFound, "no corpus in nowhere"),
        ("data=", WrongUsage, "it names no data"),
        ("mask.cell_px=64", WrongUsage, "too small to mask"),
    ],
)
def test_what_cannot_start_says_why(tmp_path, corpus, change, error, words):
    with pytest.raises(error, match=words):
        a_run(corpus, tmp_path / "run", "steps=2", "init=", change)


def test_weights_of_another_encoder_do_not_start_a_run(tmp_path, corpus):
    with pytest.raises(WrongUsage, match="weights of init are of usfm_lite0"):
        a_run(corpus, tmp_path / "run", "encoder=usfm_tiny", "init=usfm_lite0")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "card.json").write_text("{}")
    with pytest.raises(BadModel):
        a_run(corpus, tmp_path / "run", f"init={tmp_path / 'model'}")


def test_a_record_that_a_crash_cut_is_taken_up(tmp_path, corpus):
    run, _ = a_built_run(corpus, tmp_path / "run", steps=2)
    go(run)
    path = tmp_path / "run" / "metrics.jsonl"
    path.write_bytes(path.read_bytes() + b'{"step": 3, "lo')
    assert [line["step"] for line in lines_of(path)] == [1, 2]
    loop.Record(tmp_path / "run", 1)
    assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == [1]
