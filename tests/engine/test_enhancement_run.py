"""Runs that learn to enhance, in process: small pairs, a few steps, real files."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.making import a_model
from usfm_studio.document.errors import Interrupted, NotFound, NothingToLearn, WrongUsage
from usfm_studio.document.model_card import subject_code
from usfm_studio.document.schema import Schema
from usfm_studio.document.snapshot import Sample, SnapshotWriter
from usfm_studio.document.splits import is_holdout_by_hash
from usfm_studio.engine.learning.degradation import Degradation
from usfm_studio.engine.learning.enhancement import plan_enhancement, ssim_of
from usfm_studio.engine.learning.enhancement_run import enhances
from usfm_studio.engine.learning.enhancement_scoring import evaluate_enhancement
from usfm_studio.engine.learning.enhancement_views import Pairs
from usfm_studio.engine.learning.run import fine_tune
from usfm_studio.engine.models.checkpoint import load_model
from usfm_studio.engine.scoring.pictures import ssim
from usfm_studio.engine.training_order import TrainingOrder

QUICK = {"max_steps": 40, "batch": 4, "crop_px": 32, "views": 12}
DARKER = 40


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


def a_scene(seed, rows=44, columns=60):
    """Soft speckle with a bright disc, 60 to 240."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:rows, :columns]
    disc = (y - rows / 2) ** 2 + (x - columns / 2 - seed % 7) ** 2 < (6 + seed % 5) ** 2
    return np.clip(110 + 70 * disc + rng.normal(0, 12, (rows, columns)), 60, 240).astype(np.uint8)


def pairs(folder, subjects, *, targets=True, masks=False, as_seen=lambda low: low):
    """Frames that are too dark by 40 levels, and their targets; one subject each, named s000 on."""
    writer = SnapshotWriter(folder, Schema())
    for n, subject in enumerate(subjects):
        scene = a_scene(n)
        low = as_seen(scene - DARKER if targets else scene)
        sample = Sample(stem=f"f{n}", name=f"f{n}.png", subject=subject, rows=44, columns=60)
        mask = (scene > 150).astype(np.uint8) if masks else None
        writer.add(sample, low, mask, scene if targets else None)
    return writer.finish()


def named(count):
    return [f"s{n:03d}" for n in range(count)]


def order(tmp_path, shot, name="run", **changes):
    options = {**QUICK, **changes.pop("options", {})}
    defaults = {"snapshot": shot.folder, "run": tmp_path / name, "budget_s": 1e5, "device": "cpu", "threads": 1}
    return TrainingOrder(**{**defaults, "options": options, **changes})


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Twenty subjects with pairs, of whom four or more are held out; the model is not refitted."""
    folder = tmp_path_factory.mktemp("many")
    shot, line = pairs(folder / "snapshot", named(20)), Line()
    asked = order(folder, shot)
    return shot, asked, line, fine_tune(asked, line)


def test_pairs_without_masks_are_enhanced_and_masks_come_first(tmp_path):
    shots = {
        "targets": pairs(tmp_path / "t", named(2)),
        "both": pairs(tmp_path / "b", named(2), masks=True),
        "neither": pairs(tmp_path / "n", named(2), targets=False),
    }
    chosen = {name: enhances(order(tmp_path, shot), shot) for name, shot in shots.items()}
    assert chosen == {"targets": True, "both": False, "neither": False}
    assert all(enhances(order(tmp_path, shot, task="enhancement"), shot) for shot in shots.values())
    assert not any(enhances(order(tmp_path, shot, task="segmentation"), shot) for shot in shots.values())


def test_a_run_answers_with_the_fields_of_the_contract(many):
    shot, asked, line, result = many
    assert json.loads((asked.run / "result.json").read_text()) == json.loads(json.dumps(result))
    assert json.loads((asked.run / "recipe.json").read_text()) == json.loads(json.dumps(result["settings"]))
    assert json.loads((asked.run / "run.json").read_text())["state"] == "done"
    held = [s for s in shot.subjects if is_holdout_by_hash(s)]
    assert len(held) >= 4
    told = result["holdout"]
    assert (told["metric"], told["kind"], told["subjects"]) == ("ssim", "held-out", len(held))
    assert result["train_subjects"] == 20 - len(held)
    assert result["task"] == "enhancement"
    assert result["data_digest"] == shot.digest
    assert [e["stage"] for e in line.of("stage")] == ["preparing", "learning", "comparing", "writing"]
    assert line.of("stage")[1]["holdout_subjects"] == held
    assert "20 pairs" in line.of("note")[0]["note"]


def test_it_has_learned_what_the_pairs_teach_on_subjects_that_it_never_saw(many):
    _, _, _, result = many
    assert result["promoted"]
    assert "leaving the images as they are" in result["reason"]
    assert result["holdout"]["challenger"] > result["holdout"]["identity"]
    assert result["scores"]["psnr"] > result["scores"]["psnr_identity"] + 5


def test_the_card_says_where_the_model_comes_from_and_what_it_is_not_for(many):
    shot, asked, _, result = many
    card = load_model(asked.run / "model").card
    assert card.digest == result["model"]
    assert (card.task, dict(card.segments), card.labels) == ("enhancement", {}, ())
    held = {subject_code(s) for s in shot.subjects if is_holdout_by_hash(s)}
    assert set(card.holdout_subjects) == held == set(card.comparison["held_out"])
    assert set(card.train_subjects) == {subject_code(s) for s in shot.subjects} - held
    assert "not for measurement" in card.notes
    assert not any("s00" in str(v) for v in (card.comparison, card.scores, card.train_subjects))


def test_evaluate_gives_what_the_run_said(many):
    shot, asked, _, result = many
    held = [s for s in shot.subjects if is_holdout_by_hash(s)]
    scores = evaluate_enhancement(asked.run / "model", shot, held)
    for name in ("psnr", "ssim", "lncc", "psnr_identity"):
        assert scores.values[name] == pytest.approx(result["scores"][name], abs=0.02)
    assert set(scores.per_subject) == set(held)


def test_without_targets_there_is_nothing_to_score(many, tmp_path):
    _, asked, _, _ = many
    with pytest.raises(NotFound, match="no image has a target"):
        evaluate_enhancement(asked.run / "model", pairs(tmp_path / "s", named(2), targets=False))


@pytest.mark.slow
def test_same_seed_and_steps_give_the_same_model(tmp_path):
    shot = pairs(tmp_path / "snapshot", named(3))
    steps = {"max_steps": 3}
    digests = [
        fine_tune(order(tmp_path, shot, f"run{n}", options=steps, seed=seed), Line())["model"]
        for n, seed in enumerate((0, 0, 1))
    ]
    assert digests[0] == digests[1] != digests[2]


def test_few_subjects_are_cross_fitted_and_each_is_scored(tmp_path):
    shot = pairs(tmp_path / "snapshot", named(3))
    result = fine_tune(order(tmp_path, shot, options={"max_steps": 5}), Line())
    assert result["holdout"]["kind"] == "cross-fitted"
    assert set(result["per_subject"]) == set(shot.subjects)
    assert result["train_subjects"] == 3


def test_a_single_subject_teaches_and_nothing_is_compared(tmp_path):
    shot = pairs(tmp_path / "snapshot", ["only"] * 2)
    result = fine_tune(order(tmp_path, shot, options={"max_steps": 2}), Line())
    assert (result["holdout"]["kind"], result["holdout"]["subjects"]) == ("none", 0)
    assert result["promoted"]


def test_a_model_written_to_a_place_of_its_own_learns_from_everyone_in_the_end(tmp_path):
    shot = pairs(tmp_path / "snapshot", named(20))
    result = fine_tune(order(tmp_path, shot, options={"standalone": True, "max_steps": 3}), Line())
    card = load_model(tmp_path / "run" / "model").card
    assert result["refitted_on_all"]
    assert len(card.train_subjects) == 20
    assert card.comparison["learned_from_holdout_afterwards"]


def test_without_pairs_good_frames_are_degraded_and_are_their_own_reference(tmp_path):
    shot = pairs(tmp_path / "snapshot", named(4), targets=False)
    asked = order(tmp_path, shot, task="enhancement", options={"max_steps": 4})
    result = fine_tune(asked, Line())
    assert result["settings"]["degradation"]["blur"] > 0
    assert 0 < result["holdout"]["identity"] < 1
    tested = Pairs(shot, Degradation(), 0)
    for sample in shot.samples:
        low, reference = tested.tested(sample)
        assert np.array_equal(reference, shot.pixels(sample))
        assert not np.array_equal(low, reference)
        assert np.array_equal(low, Pairs(shot, Degradation(), 0).tested(sample)[0])


@pytest.mark.slow
def test_colour_and_16_bits_are_learned_from_as_grey(tmp_path):
    def colour(low):
        return np.repeat(low[:, :, None], 3, 2)

    def wide(low):
        return low.astype(np.uint16) * 257

    found = [
        fine_tune(
            order(tmp_path, pairs(tmp_path / f"s{n}", named(3), as_seen=seen), f"r{n}", options={"max_steps": 2}),
            Line(),
        )["scores"]["psnr_identity"]
        for n, seen in enumerate((lambda low: low, colour, wide))
    ]
    assert found == pytest.approx([found[0]] * 3, abs=0.2)


@pytest.mark.slow
def test_a_better_model_takes_over_and_a_worse_one_does_not(many, tmp_path):
    shot, asked, _, first = many
    champion = {"champion": asked.run / "model"}
    better = fine_tune(order(tmp_path, shot, "better", options={"max_steps": 60}, **champion), Line())
    worse = fine_tune(order(tmp_path, shot, "worse", options={"max_steps": 1}, **champion), Line())
    assert better["promoted"]
    assert not worse["promoted"]
    for result in (better, worse):
        assert result["holdout"]["champion"] == pytest.approx(first["holdout"]["challenger"], abs=0.002)
        assert "SSIM" in result["reason"]
        assert load_model(tmp_path / "better" / "model").card.parents == (first["model"],)


def test_a_champion_of_another_task_is_none(tmp_path):
    shot, line = pairs(tmp_path / "snapshot", named(3)), Line()
    a_model(tmp_path / "marks")
    result = fine_tune(order(tmp_path, shot, champion=tmp_path / "marks", options={"max_steps": 2}), line)
    assert result["holdout"]["champion"] is None
    assert any("cannot be compared" in e["note"] for e in line.of("note"))


@pytest.mark.slow
def test_a_stopped_run_answers_with_what_it_has_and_a_cancelled_one_does_not(tmp_path):
    shot = pairs(tmp_path / "snapshot", named(20))
    result = fine_tune(order(tmp_path, shot, options={"max_steps": 10**6}), Line(stop_after=6))
    assert result["model"] == load_model(tmp_path / "run" / "model").card.digest
    with pytest.raises(Interrupted):
        fine_tune(order(tmp_path, shot, "given-up", options={"max_steps": 10**6}), Line(cancel_after=6))
    assert json.loads((tmp_path / "given-up" / "run.json").read_text())["state"] == "cancelled"


def test_the_model_so_far_is_on_disk_soon_after_the_first_steps(tmp_path):
    shot = pairs(tmp_path / "snapshot", named(20))

    class Killed(Line):
        def progress(self, body):
            super().progress(body)
            if body["event"] == "step" and (tmp_path / "run" / "model" / "card.json").is_file():
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fine_tune(order(tmp_path, shot, options={"max_steps": 10**6}), Killed())
    assert load_model(tmp_path / "run" / "model").card.task == "enhancement"


@pytest.mark.parametrize("options", [{"tune": "all"}, {"crop_px": 30}, {"crop_px": 16}])
def test_options_that_make_no_sense_are_refused_before_the_first_step(tmp_path, options):
    with pytest.raises(WrongUsage):
        fine_tune(order(tmp_path, pairs(tmp_path / "s", named(2)), options=options), Line())


def test_no_frame_is_nothing_to_learn():
    with pytest.raises(NothingToLearn):
        plan_enhancement(
            frames=0, subjects=0, paired=False, encoder="usfm_lite0", budget_s=1.0, seed=0, options={}
        )  # fmt: skip


def test_folds_and_shares_of_the_subjects_are_those_of_every_run(tmp_path):
    shot = pairs(tmp_path / "snapshot", named(20))
    result = fine_tune(order(tmp_path, shot, fraction=0.25, options={"max_steps": 1}), Line())
    assert result["settings"]["fingerprint"]["subjects"] == 5


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_loss_sees_the_same_ssim_as_the_score(seed):
    x, y = np.random.default_rng(seed).integers(0, 256, (2, 23, 30)).astype(np.uint8)
    both = [torch.from_numpy(z)[None, None].double() / 255 for z in (x, y)]
    assert float(ssim_of(*both).mean()) == pytest.approx(ssim(x, y, np.ones(x.shape, bool)), abs=1e-9)


def test_an_enhancer_over_a_tuned_encoder_carries_it(tmp_path):
    """A model whose encoder does not ship holds it, and is the same wherever it is copied."""
    shot = pairs(tmp_path / "snapshot", named(3))
    a_model(tmp_path / "own", own_encoder=True, seed=3)
    fine_tune(order(tmp_path, shot, encoder=tmp_path / "own", options={"max_steps": 2}), Line())
    model = load_model(tmp_path / "run" / "model")
    assert model.card.encoder_digest == model.card.digest
    wanted = load_model(tmp_path / "own").encoder.state_dict()
    assert all(torch.equal(value, wanted[name]) for name, value in model.encoder.state_dict().items())
