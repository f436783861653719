"""Whole runs, in process: small scans, a few steps, real files."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from tests.engine.blobs import snapshot
from tests.engine.making import a_model, the_encoder
from usfm_studio.document.errors import Interrupted, NothingToLearn
from usfm_studio.document.model_card import subject_code
from usfm_studio.document.snapshot import Snapshot
from usfm_studio.document.splits import is_holdout_by_hash
from usfm_studio.engine.learning import run as running
from usfm_studio.engine.learning.deciding import decided
from usfm_studio.engine.learning.evaluation import ask, evaluate
from usfm_studio.engine.learning.run import fine_tune
from usfm_studio.engine.models.checkpoint import load_model
from usfm_studio.engine.models.predictor import Predictor
from usfm_studio.engine.training_order import TrainingOrder

QUICK = {"max_steps": 12, "input_px": 64, "views": 16, "batch": 4}


class Line:
    """The worker's other end: keeps events; `stop` and `cancel` turn true after so many of them."""

    def __init__(self, stop_after=10**9, cancel_after=10**9):
        self.events, self.stop_after, self.cancel_after = [], stop_after, cancel_after

    def progress(self, body):
        json.dumps(body)
        self.events.append(body)

    def cancelled(self):
        return len(self.events) >= self.cancel_after

    def finish_early(self):
        return len(self.events) >= self.stop_after

    def of(self, kind):
        return [e for e in self.events if e["event"] == kind]


def order(tmp_path, shot, name="run", **changes):
    options = {**QUICK, **changes.pop("options", {})}
    defaults = {"snapshot": shot.folder, "run": tmp_path / name, "budget_s": 1e5, "device": "cpu", "threads": 1}
    return TrainingOrder(**{**defaults, "options": options, **changes})


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """Four subjects, one run on them, cross-fitted."""
    folder = tmp_path_factory.mktemp("few")
    shot = snapshot(folder / "snapshot", 4)
    line = Line()
    return (
        shot,
        order(folder, shot, options={"max_steps": 30}),
        line,
        fine_tune(order(folder, shot, options={"max_steps": 30}), line),
    )


def test_a_run_answers_with_the_fields_of_the_contract(few):
    shot, asked, _line, result = few
    assert json.loads((asked.run / "result.json").read_text()) == json.loads(json.dumps(result))
    assert result["holdout"]["kind"] == "cross-fitted"
    assert result["holdout"]["metric"] == "dice_all"
    assert result["holdout"]["subjects"] == 4
    assert result["holdout"]["interval_kind"] == "range"
    assert result["holdout"]["champion"] is None
    assert result["train_subjects"] == 4
    assert result["data_digest"] == shot.digest
    assert result["reason"].endswith(".")
    assert json.loads((asked.run / "run.json").read_text())["state"] == "done"
    assert json.loads((asked.run / "recipe.json").read_text()) == json.loads(json.dumps(result["settings"]))


def test_a_run_tells_its_stages_steps_and_scores(few):
    line = few[2]
    assert [e["stage"] for e in line.of("stage")] == ["preparing", "learning", "comparing", "writing"]
    assert line.of("step")[0].keys() >= {"step", "steps", "loss", "left_s"}
    assert 0 <= line.of("holdout")[-1]["holdout"] <= 1
    assert "4 frames of 4 subjects" in line.of("note")[0]["note"]


def test_the_model_can_be_loaded_and_its_card_says_where_it_comes_from(few):
    shot, asked, _, result = few
    model = load_model(asked.run / "model")
    card = model.card
    assert card.digest == result["model"]
    assert dict(card.segments) == {1: "Blob"}
    assert card.data_digest == shot.digest
    assert set(card.train_subjects) == {subject_code(s) for s in shot.subjects}
    assert card.comparison["kind"] == "cross-fitted"
    assert set(card.comparison["cross_fitted"]) == set(card.train_subjects)
    assert not any("s00" in str(v) for v in (card.comparison, card.scores, card.train_subjects))


def test_it_has_learned_what_a_blob_is(few):
    shot, asked, _, _ = few
    scores = evaluate(asked.run / "model", shot)
    assert scores.values["dice"] > 0.7


def test_the_verdict_shows_masks_of_the_worst_frames(few):
    shot, _, _, result = few
    assert 1 <= len(result["worst"]) <= 3
    worst = result["worst"][0]
    sample = next(s for s in shot.samples if s.frame_key == worst["frame"])
    ids = np.load(worst["new"])
    assert ids.shape == (sample.rows, sample.columns)
    assert set(np.unique(ids)) <= {0, 3}


def test_same_seed_and_steps_give_the_same_model(tmp_path):
    shot = snapshot(tmp_path / "snapshot", 3)
    steps = {"max_steps": 3}
    one, two = (fine_tune(order(tmp_path, shot, name, options=steps), Line()) for name in ("one", "two"))
    other = fine_tune(order(tmp_path, shot, "other", seed=1, options=steps), Line())
    assert one["model"] == two["model"] != other["model"]
    assert one["holdout"] == two["holdout"]


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Enough subjects for a held-out test."""
    folder = tmp_path_factory.mktemp("many")
    shot = snapshot(folder / "snapshot", 34)
    held = [s for s in shot.subjects if is_holdout_by_hash(s)]
    assert len(held) >= 4
    return folder, shot, held


def test_held_out_subjects_test_and_never_train(many, monkeypatch):
    folder, shot, held = many
    from usfm_studio.engine.learning import fitting

    seen = set()
    original = fitting.batches

    def watched(placed, *rest):
        seen.update(p.sample.subject for p in placed)
        return original(placed, *rest)

    monkeypatch.setattr(fitting, "batches", watched)
    result = fine_tune(order(folder, shot, "held"), Line())
    assert result["holdout"]["kind"] == "held-out"
    assert set(result["per_subject"]) == set(held)
    assert seen == set(shot.subjects) - set(held)
    card = load_model(folder / "held" / "model").card
    assert set(card.holdout_subjects) == {subject_code(s) for s in held}
    assert card.encoder_digest == card.digest  # the encoder was tuned and travels along


def test_a_standalone_run_learns_from_the_holdout_after_it_was_scored(many, monkeypatch):
    folder, shot, held = many
    from usfm_studio.engine.learning import fitting

    rounds = []
    original = fitting.batches

    def watched(placed, *rest):
        rounds.append({p.sample.subject for p in placed})
        return original(placed, *rest)

    monkeypatch.setattr(fitting, "batches", watched)
    fine_tune(order(folder, shot, "standalone", options={"standalone": True}), Line())
    assert rounds == [set(shot.subjects) - set(held), set(shot.subjects)]
    assert load_model(folder / "standalone" / "model").card.comparison["learned_from_holdout_afterwards"]


def test_a_champion_is_scored_on_the_same_holdout_by_predicting(many):
    folder, shot, held = many
    a_model(folder / "champion", segments=("Blob",))
    line = Line()
    result = fine_tune(order(folder, shot, "second", champion=folder / "champion", options={"max_steps": 30}), line)
    champion = Predictor(load_model(folder / "champion"))
    tested = [s for s in shot.samples if s.subject in held]
    _, decisions = decided(shot, shot.samples, ask(champion, shot, tested, (3,), margins=True), (3,))
    expected = np.mean([pair.dice for pair in decisions.pairs])
    assert result["holdout"]["champion"] == pytest.approx(expected, abs=1e-6)
    assert all(both["champion"] is not None for both in result["per_subject"].values())
    assert result["promoted"]
    assert load_model(folder / "second" / "model").card.parents == (load_model(folder / "champion").card.digest,)
    assert "old" in result["worst"][0]


def test_a_worse_challenger_is_refused_and_kept(many):
    folder, shot, _ = many
    first = fine_tune(order(folder, shot, "good", options={"max_steps": 20}), Line())
    second = fine_tune(order(folder, shot, "bad", champion=folder / "good" / "model", options={"max_steps": 1}), Line())
    assert not second["promoted"]
    assert "old model stays" in second["reason"]
    assert second["holdout"]["champion"] == pytest.approx(first["holdout"]["challenger"])
    load_model(folder / "bad" / "model")


def test_cross_fitted_champions_are_compared_by_their_remembered_scores(few, tmp_path):
    _, asked, _, first = few
    shot = snapshot(tmp_path / "snapshot", 6)
    again = order(tmp_path, shot, champion=asked.run / "model", trained_before=("s00", "s01", "s02", "s03"))
    result = fine_tune(again, Line())
    old = {s: both["champion"] for s, both in result["per_subject"].items()}
    assert {s: old[s] for s in ("s00", "s01", "s02", "s03")} == pytest.approx(
        {s: first["per_subject"][s]["challenger"] for s in ("s00", "s01", "s02", "s03")}, abs=1e-5
    )
    fresh = evaluate(asked.run / "model", shot, ["s04", "s05"]).per_subject
    assert {s: old[s] for s in ("s04", "s05")} == pytest.approx({s: fresh[s]["dice_all"] for s in ("s04", "s05")})


def test_both_models_are_summed_up_over_the_same_pairs_where_one_is_remembered_by_subject(few, tmp_path):
    _, asked, _, _ = few
    shot = snapshot(tmp_path / "snapshot", 6, more_of_first=4)
    again = order(tmp_path, shot, champion=asked.run / "model", trained_before=("s00", "s01", "s02", "s03"))
    result = fine_tune(again, Line())
    frames = {f"s{n:02d}": 5 if n == 0 else 1 for n in range(6)}
    assert result["per_subject"].keys() == frames.keys()
    for model in ("champion", "challenger"):
        summed = sum(result["per_subject"][s][model] * count for s, count in frames.items()) / 10
        assert result["holdout"][model] == pytest.approx(summed, abs=1e-5)


def test_a_champion_that_cannot_be_used_counts_as_none(many):
    folder, shot, _ = many
    a_model(folder / "broken", segments=("Blob",))
    (folder / "broken" / "model.safetensors").write_bytes(b"nonsense")
    line = Line()
    result = fine_tune(order(folder, shot, "after", champion=folder / "broken"), line)
    assert result["holdout"]["champion"] is None
    assert any("cannot be compared with" in e["note"] for e in line.of("note"))


def test_masks_and_labels_are_learned_together(tmp_path):
    shot = snapshot(tmp_path / "snapshot", 8, frames=2, labels=True)
    result = fine_tune(order(tmp_path, shot, options={"max_steps": 30}), Line())
    assert result["task"] == "both"
    assert result["scores"]["macro_f1"] is not None
    model = load_model(tmp_path / "run" / "model")
    assert model.card.labels == ("large", "small")
    pixels = np.asarray(shot.pixels(shot.samples[0]))
    said = Predictor(model).predict(pixels)
    assert sum(said.labels.values()) == pytest.approx(1, abs=1e-4)
    kept, tuned = (dict(e.named_parameters()) for e in (model.label_encoder, model.encoder))
    as_shipped = dict(the_encoder().named_parameters())
    assert all(torch.equal(kept[name], as_shipped[name]) for name in kept), "labels look with the encoder as it was"
    assert any(not torch.equal(tuned[name], as_shipped[name]) for name in tuned), "masks bent the other"
    bent = Predictor(dataclasses.replace(model, label_encoder=None)).predict(pixels)
    assert bent.labels != said.labels
    assert np.array_equal(bent.ids, said.ids)
    assert evaluate(tmp_path / "run" / "model", shot).values["auroc"] > 0.8


def test_labels_alone_are_learned_in_no_time(tmp_path):
    shot = snapshot(tmp_path / "snapshot", 10, frames=2, masks=False, labels=True)
    result = fine_tune(order(tmp_path, shot), Line())
    assert result["task"] == "labels"
    assert result["holdout"]["metric"] == "macro_f1"
    assert load_model(tmp_path / "run" / "model").decoder is None


def test_one_subject_is_learned_but_not_compared(tmp_path):
    shot = snapshot(tmp_path / "snapshot", 1, frames=2)
    result = fine_tune(order(tmp_path, shot), Line())
    assert result["promoted"]
    assert (result["holdout"]["kind"], result["holdout"]["subjects"]) == ("none", 0)
    again = fine_tune(order(tmp_path, shot, "again", champion=tmp_path / "run" / "model"), Line())
    assert not again["promoted"]
    assert "single subject" in again["reason"]


def test_empty_masks_alone_teach_nothing(tmp_path):
    shot = snapshot(tmp_path / "snapshot", 3, empty=True)
    with pytest.raises(NothingToLearn) as caught:
        fine_tune(order(tmp_path, shot, task="segmentation"), Line())
    assert "no frame has anything marked" in str(caught.value)
    state = json.loads((tmp_path / "run" / "run.json").read_text())
    assert state["state"] == "failed"
    assert "marked" in state["why"]
    assert not (tmp_path / "run" / "model").exists()


def test_empty_frames_among_others_are_learned_as_empty(tmp_path):
    shot = snapshot(tmp_path / "snapshot", 4)
    shot.mask(shot.samples[0]).flags  # noqa: B018 - it can be read
    np.save(shot.folder / "masks" / f"{shot.samples[0].stem}.npy", np.zeros((60, 80), np.uint8))
    result = fine_tune(order(tmp_path, Snapshot.load(shot.folder)), Line())
    assert result["train_subjects"] == 4


def test_stop_compares_and_keeps_the_best_so_far(tmp_path):
    shot = snapshot(tmp_path / "snapshot", 4)
    line = Line(stop_after=5)
    result = fine_tune(order(tmp_path, shot, options={"max_steps": 10**6}), line)
    assert line.of("stage")[-1]["stage"] == "writing"
    assert load_model(tmp_path / "run" / "model").card.digest == result["model"]


def test_cancel_leaves_no_result(tmp_path):
    shot = snapshot(tmp_path / "snapshot", 4)
    with pytest.raises(Interrupted):
        fine_tune(order(tmp_path, shot, options={"max_steps": 10**6}), Line(cancel_after=5))
    assert json.loads((tmp_path / "run" / "run.json").read_text())["state"] == "cancelled"
    assert not (tmp_path / "run" / "result.json").exists()


@pytest.mark.parametrize("shape", ["held out", "cross-fitted"])
def test_the_system_s_end_keeps_the_model_so_far(tmp_path, many, shape):
    shot = many[1] if shape == "held out" else snapshot(tmp_path / "snapshot", 4)
    line = Line()
    with pytest.raises(Interrupted, match="the system ends it"):
        fine_tune(order(tmp_path, shot, options={"max_steps": 10**6}), line, lambda: len(line.of("step")) >= 2)
    assert json.loads((tmp_path / "run" / "run.json").read_text())["state"] == "interrupted"
    load_model(tmp_path / "run" / "model")


def test_the_clock_is_kept(tmp_path):
    """The budget bounds the run; how much is reached in it is the machine's affair."""
    shot = snapshot(tmp_path / "snapshot", 4)
    options = {**QUICK}
    del options["max_steps"]
    asked = dataclasses.replace(order(tmp_path, shot), budget_s=12.0, options=options)
    result = fine_tune(asked, Line())
    assert result["settings"]["budget_s"] == 12.0
    assert result["seconds"] < 12.0 + 10.0  # wide: the machine may stall between the last two stages


def test_running_out_of_memory_says_so(tmp_path, monkeypatch):
    shot = snapshot(tmp_path / "snapshot", 3)

    def full(*_args, **_more):
        raise torch.OutOfMemoryError("no")

    monkeypatch.setattr(running, "material", full)
    with pytest.raises(Exception, match="out of memory") as caught:
        fine_tune(order(tmp_path, shot), Line())
    assert caught.value.hint
