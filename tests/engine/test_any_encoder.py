"""Fine-tuning over encoders that do not ship: brought from elsewhere, pre-trained, or taken out of a model."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.blobs import snapshot
from tests.engine.foreign import published
from tests.engine.making import a_model, the_encoder
from tests.engine.test_training_run import Line, order
from usfm_studio.document.errors import BadModel, WrongUsage
from usfm_studio.document.model_card import ModelCard, subject_code
from usfm_studio.engine.device import Device
from usfm_studio.engine.learning.clock import Clock, Stage
from usfm_studio.engine.learning.making import fresh_net
from usfm_studio.engine.learning.origin import origin_of
from usfm_studio.engine.learning.plan import STILL, Fingerprint, plan
from usfm_studio.engine.learning.pool import FeaturePool
from usfm_studio.engine.learning.run import fine_tune
from usfm_studio.engine.learning.samples import place_samples
from usfm_studio.engine.learning.sizing import Pace, at_usual_size, measured, refuse_too_slow, sized
from usfm_studio.engine.models.catalogue import read_card, shipped_encoder
from usfm_studio.engine.models.checkpoint import load_encoder, load_model, save_model, stored
from usfm_studio.engine.models.embeddings import EmbeddingCache
from usfm_studio.engine.models.foreign.convert import convert
from usfm_studio.engine.models.predictor import Predictor

CPU = Device(kind="cpu", name="test")
MARKS = Fingerprint(
    frames=9, subjects=12, masked=9, labelled=0, segments=(3,), labels=(), median_share=0.1, sided=False
)  # fmt: skip


@pytest.fixture(scope="module")
def usfm(tmp_path_factory):
    """An encoder folder made of a file in the official layout, with terms beside it."""
    folder = tmp_path_factory.mktemp("usfm")
    torch.save(published.official(published.beit(width=64, heads=1, depth=3)), folder / "USFM_latest.pth")
    convert(folder / "USFM_latest.pth", folder / "encoder", licence="CC-BY-NC 4.0")
    (folder / "encoder" / "NOTICE").write_text("By others.\n")
    return folder / "encoder"


@pytest.fixture(scope="module")
def over_usfm(usfm, tmp_path_factory):
    """A run on four subjects over it: (folder, snapshot, its result, the line)."""
    folder = tmp_path_factory.mktemp("run")
    shot, line = snapshot(folder / "snapshot", 4), Line()
    result = fine_tune(order(folder, shot, encoder=usfm, options={"max_steps": 25}), line)
    return folder, shot, result, line


def masks_of(folder, shot):
    predictor = Predictor(load_model(folder), CPU)
    return [predictor.predict(np.asarray(shot.pixels(s))).ids for s in shot.samples]


def an_encoder(folder, encoder, **card):
    """An encoder folder with these weights."""
    body = {"name": "brought along", "task": "encoder", "encoder": encoder.name, "encoder_digest": "", "licence": "MIT"}
    tensors = {n: stored(t) for n, t in encoder.state_dict().items() if not n.endswith("num_batches_tracked")}
    save_model(folder, ModelCard(digest="", **{**body, **card}), tensors, ours=False)
    return folder


def another_lite(seed=0):
    """Lite0 with weights of its own."""
    encoder = load_encoder(shipped_encoder())
    torch.manual_seed(seed)
    with torch.no_grad():
        encoder.conv_stem.weight.mul_(1 + 0.05 * torch.randn_like(encoder.conv_stem.weight))
    return encoder


def test_a_model_holds_the_encoder_that_does_not_ship_and_works_wherever_it_is_copied(usfm, over_usfm, tmp_path):
    folder, shot, result, _ = over_usfm
    before = masks_of(folder / "run" / "model", shot)
    assert result["holdout"]["challenger"] > 0.5  # it has learned what a blob is
    encoder = usfm.rename(tmp_path / "away")
    try:
        shutil.copytree(folder / "run" / "model", tmp_path / "elsewhere")
        after = masks_of(tmp_path / "elsewhere", shot)
    finally:
        encoder.rename(usfm)
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert any(ids.any() for ids in after)


def test_its_card_names_the_encoder_and_carries_its_terms(usfm, over_usfm):
    folder, shot, result, line = over_usfm
    card, source = read_card(folder / "run" / "model"), read_card(usfm)
    assert (card.encoder, card.encoder_digest) == (source.encoder, card.digest)
    told = card.settings["encoder"]
    assert (told["name"], told["digest"], told["tuned"]) == ("USFM_latest", source.digest, False)
    assert card.licence == "CC-BY-NC 4.0"
    assert (folder / "run" / "model" / "NOTICE").read_text() == "By others.\n"
    assert not (folder / "run" / "model" / "LICENSE").exists()
    assert any("USFM_latest" in event["note"] for event in line.of("note"))
    assert str(folder) not in json.dumps(dict(card.settings))
    assert set(card.train_subjects) == {subject_code(s) for s in shot.subjects}
    assert result["settings"]["encoder"] == source.encoder


def test_a_still_encoder_is_written_as_it_came(usfm, over_usfm):
    written = load_model(over_usfm[0] / "run" / "model").encoder.state_dict()
    came = load_encoder(usfm).state_dict()
    assert all(torch.equal(written[name], tensor) for name, tensor in came.items())


def test_from_ten_subjects_on_the_last_blocks_of_a_vision_transformer_move(usfm, tmp_path):
    shot = snapshot(tmp_path / "snapshot", 11)
    fine_tune(order(tmp_path, shot, encoder=usfm, options={"max_steps": 4}), Line())
    model, came = load_model(tmp_path / "run" / "model"), load_encoder(usfm).state_dict()
    moved = [name for name, tensor in model.encoder.state_dict().items() if not torch.equal(tensor, came[name])]
    assert moved
    assert all(name.startswith("blocks.2") for name in moved)
    assert model.card.settings["encoder"]["tuned"]


@pytest.mark.slow
def test_labels_are_learned_over_it_with_and_without_masks(usfm, tmp_path):
    for name, masks in (("both", True), ("alone", False)):
        shot = snapshot(tmp_path / f"snapshot-{name}", 8, frames=2, masks=masks, labels=True)
        result = fine_tune(order(tmp_path, shot, name, encoder=usfm), Line())
        model = load_model(tmp_path / name / "model")
        assert (model.decoder is None, result["task"]) == (not masks, "both" if masks else "labels")
        assert model.card.encoder_digest == model.card.digest
        said = Predictor(model, CPU).predict(np.asarray(shot.pixels(shot.samples[0])))
        assert sum(said.labels.values()) == pytest.approx(1, abs=1e-4)


@pytest.mark.slow
def test_the_shipped_encoder_brought_again_is_known_and_not_carried(tmp_path):
    file = tmp_path / "again.safetensors"
    shutil.copyfile(shipped_encoder() / "model.safetensors", file)
    convert(file, tmp_path / "again")
    shot = snapshot(tmp_path / "snapshot", 3)
    steps = {"max_steps": 3}
    named = fine_tune(order(tmp_path, shot, "named", encoder=tmp_path / "again", options=steps), Line())
    plain = fine_tune(order(tmp_path, shot, "plain", options=steps), Line())
    assert named["model"] == plain["model"]
    assert read_card(tmp_path / "named" / "model").encoder_digest == read_card(shipped_encoder()).digest


def test_models_over_one_encoder_share_its_embeddings(over_usfm, usfm, tmp_path):
    folder, shot, _, _ = over_usfm
    pixels = np.asarray(shot.pixels(shot.samples[0]))
    again = order(tmp_path, snapshot(tmp_path / "snapshot", 2), encoder=usfm, options={"max_steps": 1})
    fine_tune(again, Line())
    cache, looked = EmbeddingCache(), []
    for place in (folder / "run", tmp_path / "run"):
        predictor = Predictor(load_model(place / "model"), CPU, cache)
        (key,) = [predictor._key(predictor.prepare(pixels), False)]
        looked.append(cache.get(key) is not None)
        alone = Predictor(load_model(place / "model"), CPU).predict(pixels)
        assert np.array_equal(predictor.predict(pixels).ids, alone.ids)
    assert looked == [False, True]


def test_a_challenger_may_have_another_encoder_than_the_champion(over_usfm, tmp_path):
    folder, _, _, _ = over_usfm
    shot = snapshot(tmp_path / "snapshot", 4, seed=7)
    line = Line()
    asked = order(tmp_path, shot, champion=folder / "run" / "model", options={"max_steps": 2})
    result = fine_tune(asked, line)
    assert not any("cannot be compared" in event["note"] for event in line.of("note"))
    assert all(both["champion"] is not None for both in result["per_subject"].values())
    assert read_card(tmp_path / "run" / "model").parents == (read_card(folder / "run" / "model").digest,)


def test_of_a_model_with_the_shipped_encoder_that_encoder_is_taken(tmp_path):
    a_model(tmp_path / "whole")
    origin = origin_of(tmp_path / "whole")
    assert (origin.card, origin.ships) == (read_card(shipped_encoder()), True)


def test_subjects_whose_marks_taught_the_encoder_never_test_the_model(tmp_path):
    a_model(tmp_path / "whole", own_encoder=True, train_subjects=(subject_code("s00"), subject_code("s99")))
    origin = origin_of(tmp_path / "whole")
    assert torch.equal(origin.encoder.conv_stem.weight, the_encoder().conv_stem.weight.half().float())
    assert (origin.ships, origin.seen_among(["s00", "s01"])) == (False, ("s00",))
    with pytest.raises(WrongUsage, match="has learned from the marks of 1 of the 4 subjects"):
        fine_tune(order(tmp_path, snapshot(tmp_path / "few", 4), encoder=tmp_path / "whole"), Line())


def test_subjects_that_the_encoder_knows_teach_where_enough_others_are_held_out(tmp_path):
    from usfm_studio.document.splits import is_holdout_by_hash

    shot = snapshot(tmp_path / "snapshot", 40)
    held = [s for s in shot.subjects if is_holdout_by_hash(s)]
    a_model(tmp_path / "whole", own_encoder=True, train_subjects=(subject_code(held[0]), subject_code("s99")))
    asked = order(tmp_path, shot, encoder=tmp_path / "whole", options={"max_steps": 1, "tune": "none", "views": 8})
    result = fine_tune(asked, Line())
    assert set(result["per_subject"]) == set(held[1:])
    known = read_card(tmp_path / "run" / "model").train_subjects
    assert {subject_code(held[0]), subject_code("s99")} <= set(known)
    assert not {subject_code(s) for s in held[1:]} & set(known)


def test_encoders_that_cannot_be_used_end_the_run_in_words(usfm, tmp_path):
    shot = snapshot(tmp_path / "snapshot", 3)
    cases = {}
    for name in ("gone", "changed", "narrow"):
        shutil.copytree(usfm, tmp_path / name)
    (tmp_path / "gone" / "model.safetensors").unlink()
    cases["gone"] = "cannot be read"
    weights = tmp_path / "changed" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    cases["changed"] = "not those that its card describes"
    encoder = load_encoder(usfm)
    tensors = {n: stored(t) for n, t in encoder.state_dict().items()}
    tensors["patch_embed.proj.weight"] = tensors["patch_embed.proj.weight"][:, :1]
    save_model(tmp_path / "narrow", read_card(usfm), tensors, ours=False)
    cases["narrow"] = r'the tensor "patch_embed.proj.weight" has the shape \(64, 1, 16, 16\)'
    for name, why in cases.items():
        with pytest.raises(BadModel, match=why):
            fine_tune(order(tmp_path, shot, f"run-{name}", encoder=tmp_path / name), Line())
        assert not (tmp_path / f"run-{name}" / "model").exists()


def test_a_slow_encoder_looks_at_one_frame_of_each_subject_at_least(usfm, tmp_path):
    shot = snapshot(tmp_path / "snapshot", 3, frames=4)
    origin = origin_of(usfm)
    recipe = plan(MARKS, budget_s=60, encoder=origin.encoder.name, options={"input_px": 64})
    net = fresh_net(recipe, origin)
    placed = place_samples(shot, shot.samples, 64, "keep", {3: 1})
    pool = FeaturePool(
        net.encoder, placed, 2, recipe.augmentation, np.random.default_rng(0), CPU, with_image=True, at_once=1
    )
    over = Stage(Clock(0.0), 0.0)
    over.steps = 10
    pool.fill(160, over)
    assert pool.count == 3
    assert all(sum(len(pool.kept[p.sample.stem]) for p in placed if p.sample.subject == s) for s in shot.subjects)
    batch = next(pool.batches(6, shot.subjects))
    assert pool.count == 4  # the step looked at one more
    seldom = pool.batches(6, shot.subjects, every=2)
    next(seldom)
    assert pool.count == 4
    assert batch.image_on("cpu").shape[0] == 6
    assert net.eval()(batch.x, batch.image_on("cpu")).shape == batch.target.shape


def test_kept_images_and_tokens_give_what_the_whole_network_gives(usfm, tmp_path):
    shot = snapshot(tmp_path / "snapshot", 2)
    origin = origin_of(usfm)
    recipe = plan(MARKS, budget_s=60, encoder=origin.encoder.name, options={"input_px": 64})
    torch.manual_seed(0)
    net = fresh_net(recipe, origin).eval()
    placed = place_samples(shot, shot.samples, 64, "keep", {3: 1})
    pool = FeaturePool(net.encoder, placed, 2, recipe.augmentation, np.random.default_rng(0), CPU, with_image=True)
    pool.fill(2, Stage(Clock(1e5), 1e5))
    batch = next(pool.batches(4, shot.subjects))
    with torch.no_grad():
        kept = net(batch.x, batch.image_on("cpu")).softmax(1)
        whole = net(batch.image_on("cpu")).softmax(1)
    assert float((kept - whole).abs().max()) < 0.02  # tokens are kept in half precision


paces = st.builds(
    Pace,
    look_s=st.floats(1e-4, 30), step_s=st.floats(1e-4, 90), look_bytes=st.integers(1, 1 << 33),
    step_bytes=st.integers(1, 1 << 34), fixed_bytes=st.integers(0, 1 << 33),
)  # fmt: skip


@given(paces, st.integers(0, 1 << 36), st.sampled_from([None, 20]), st.floats(20, 3600), st.booleans())
def test_a_recipe_that_fits_never_asks_for_more_than_memory_and_time_allow(pace, free, max_steps, budget_s, tuned):
    options = {"tune": "upper" if tuned else "none"}
    asked = plan(MARKS, budget_s=budget_s, encoder="usfm_base", max_steps=max_steps, options=options)
    fits = sized(asked, pace, free)
    assert 1 <= fits.batch <= asked.batch
    assert 1 <= fits.views_at_once <= asked.views_at_once
    if fits.rates.encoder:
        assert fits.batch * pace.step_bytes + pace.fixed_bytes <= free
        assert max_steps or fits.batch * pace.step_s * 150 <= budget_s
    if fits.views_at_once > 1:
        assert fits.views_at_once * pace.look_bytes + pace.fixed_bytes <= free
    assert (
        dataclasses.replace(fits, rates=asked.rates, batch=asked.batch, views_at_once=8, renew_every=asked.renew_every)
        == asked
    )  # nothing else is touched


def test_a_vision_transformer_that_fits_is_tuned_as_planned():
    asked = plan(MARKS, budget_s=600, encoder="usfm_base")
    assert asked.rates.frozen_stages == 8
    quick = Pace(look_s=0.004, step_s=0.02, look_bytes=1 << 28, step_bytes=1 << 27, fixed_bytes=1 << 30)
    assert sized(asked, quick, 20 << 30) == asked
    slow = dataclasses.replace(quick, look_s=0.45, step_s=1.2)
    assert sized(asked, slow, 20 << 30).rates == STILL
    assert sized(asked, slow, 20 << 30).renew_every == 5
    eight = dataclasses.replace(asked, batch=8)
    assert sized(eight, quick, 4 << 30).batch == 8
    assert sized(eight, quick, 3 << 30).batch == 4


def test_a_large_input_gives_way_where_a_first_look_takes_too_long():
    fine = plan(dataclasses.replace(MARKS, median_share=0.01), budget_s=100, encoder="usfm_base")
    assert fine.input_px == 384
    pace = Pace(look_s=0.5, step_s=0, look_bytes=1, step_bytes=0, fixed_bytes=0)
    assert at_usual_size(fine, pace, frames=31).input_px == 256
    assert at_usual_size(fine, pace, frames=29) is fine


def test_where_looking_alone_takes_the_time_the_run_says_how_much_it_needs():
    asked = plan(MARKS, budget_s=120, encoder="usfm_base")
    slow = Pace(look_s=2.8, step_s=6, look_bytes=1, step_bytes=1, fixed_bytes=0)
    refuse_too_slow(asked, slow, looks=21)
    with pytest.raises(WrongUsage, match="looking at 24 images takes about 68 of the 120 seconds") as caught:
        refuse_too_slow(asked, slow, looks=24)
    assert "Give it 5 minutes" in caught.value.hint
    refuse_too_slow(dataclasses.replace(asked, max_steps=3), slow, looks=24)


def test_measuring_leaves_the_network_as_it_was_and_grows_with_the_image(usfm):
    origin = origin_of(usfm)
    small = plan(MARKS, budget_s=60, encoder=origin.encoder.name, options={"input_px": 64})
    large = dataclasses.replace(small, input_px=256)
    net = fresh_net(small, origin)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    one, two = measured(net, small, CPU), measured(net, large, CPU)
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    assert all(p.grad is None for p in net.parameters())
    assert 0 < one.look_bytes < two.look_bytes
    assert 0 < one.step_bytes < two.step_bytes
    assert two.look_bytes > 3 * 16 * 16 * 64 * 4 * 10  # three blocks, ten maps each at the least
    assert one.step_s > 0
    assert measured(net, dataclasses.replace(small, rates=STILL), CPU).step_s == 0
