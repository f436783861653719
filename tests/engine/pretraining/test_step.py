"""One step: what it computes, what it leaves alone, and that it is the same however it is cut up."""

import copy
import math
from itertools import pairwise

import pytest
import torch
from torch import nn

from tests.engine.making import the_encoder
from tests.engine.pretraining.runs import a_corpus
from usfm_studio.engine.device import Device
from usfm_studio.engine.models.encoder import build_encoder
from usfm_studio.engine.pretraining.batches import Batches, stream
from usfm_studio.engine.pretraining.ranks import Place, World
from usfm_studio.engine.pretraining.recipe import recipe_of
from usfm_studio.engine.pretraining.schedule import ema_decay, rate_factor
from usfm_studio.engine.pretraining.step import Abandoned, Step, stop_inside

CPU = Device(kind="cpu", name="test")
PLAIN = {"mask": {"preset": "usfm", "cell_px": 8}, "loss": {"preset": "usfm"}}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return a_corpus(tmp_path_factory.mktemp("corpus") / "corpus")


def built(corpus, network=None, **changes):
    recipe = recipe_of({"data": str(corpus), "px": 32, "batch": 4, "steps": 8, "precision": "f32", **PLAIN, **changes})
    step = Step(recipe, network or copy.deepcopy(the_encoder()), CPU, World())
    return step, stream(Batches(recipe, Place()), 0, workers=0, pinned=False)


def nothing(_batch):
    pass


def weights(step):
    return {name: p.detach().clone() for name, p in step.model.state_dict().items()}


def gradients(step, batches):
    """Of the first step, as they are when the weights are to move."""
    found = {}

    def remember(*_):
        found.update({name: p.grad.clone() for name, p in step.model.named_parameters()})
        return torch.tensor(math.nan)

    old, torch.nn.utils.clip_grad_norm_ = torch.nn.utils.clip_grad_norm_, remember
    try:
        outcome = step.run(0, batches, nothing, False)
    finally:
        torch.nn.utils.clip_grad_norm_ = old
    return found, outcome


def statistics(step):
    return {name: b for name, b in step.model.encoder.named_buffers() if b.is_floating_point()}


def close(a, b, tolerance=2e-4):
    return all((a[n] - b[n]).norm() <= tolerance * (b[n].norm() + 1e-6) for n in b)


def test_accumulated_batches_give_the_gradient_of_the_large_one(corpus):
    large, outcome = gradients(*built(corpus))
    small, parts = gradients(*built(corpus, batch=1, accumulate=4))
    assert close(small, large)
    assert float(parts.loss) == pytest.approx(float(outcome.loss), rel=1e-4)
    other, _ = gradients(*built(corpus, seed=1))
    assert not close(other, large)


@pytest.mark.parametrize("changes", [{}, {"batch_norm": "train"}])
def test_activation_checkpointing_changes_no_gradient_and_no_statistics(corpus, changes):
    plain, batches = built(corpus, **changes)
    wanted, _ = gradients(plain, batches)
    again, batches = built(corpus, activation_checkpointing=True, **changes)
    found, _ = gradients(again, batches)
    assert close(found, wanted, 1e-6)


def test_activation_checkpointing_moves_statistics_once(corpus):
    plain, batches = built(corpus, batch_norm="train")
    plain.run(0, batches, nothing, False)
    again, batches = built(corpus, batch_norm="train", activation_checkpointing=True)
    again.run(0, batches, nothing, False)
    assert close(statistics(again), statistics(plain), 1e-6)


def test_a_vit_learns_too(corpus):
    torch.manual_seed(0)
    step, batches = built(corpus, build_encoder("usfm_tiny"), encoder="usfm_tiny", activation_checkpointing=True)
    before = weights(step)
    assert step.run(0, batches, nothing, True).taken
    still = [n for n, w in weights(step).items() if torch.equal(w, before[n]) and w.is_floating_point()]
    assert still == []


def test_fixed_statistics_stay_and_trained_ones_follow_the_batches(corpus):
    for mode, moves in (("fixed", False), ("train", True)):
        step, batches = built(corpus, batch_norm=mode)
        before = step.model.encoder.bn1.running_mean.clone()
        scale = step.model.encoder.bn1.weight.detach().clone()
        step.run(0, batches, nothing, False)
        assert torch.equal(step.model.encoder.bn1.running_mean, before) != moves
        assert torch.equal(step.average.bn1.running_mean, step.model.encoder.bn1.running_mean)
        assert not torch.equal(step.model.encoder.bn1.weight, scale)


def test_the_average_follows_slowly(corpus):
    step, batches = built(corpus)
    before = weights(step)["encoder.conv_stem.weight"]
    step.run(0, batches, nothing, False)
    after, average = step.model.encoder.conv_stem.weight, step.average.conv_stem.weight
    decay = ema_decay(0, step.recipe.optimiser.ema)
    assert decay == pytest.approx(0.1)
    assert torch.allclose(average, decay * before + (1 - decay) * after, atol=1e-7)
    assert not torch.equal(after, before)


@pytest.mark.parametrize("mode", ["fixed", "train"])
def test_a_gradient_that_is_no_number_leaves_everything_as_it_was(corpus, mode):
    step, batches = built(corpus, batch_norm=mode, loss={"preset": "ours"})
    step.run(0, batches, nothing, False)
    before, averaged = weights(step), copy.deepcopy(step.average.state_dict())
    balance = copy.deepcopy(step.loss.state_dict())
    moments = copy.deepcopy(step.optimiser.state_dict()["state"])
    real = step.loss.forward

    def spoilt(*given, **more):
        parts = real(*given, **more)
        return type(parts)(parts.total * math.inf, parts.spatial_B, parts.frequency_B, parts.frequency_weight,
                           parts.gradient_ratio)  # fmt: skip

    step.loss.forward = spoilt
    assert not step.run(1, batches, nothing, False).taken
    step.loss.forward = real
    counters = {n for n in before if n.endswith("num_batches_tracked")}
    assert all(torch.equal(w, before[n]) for n, w in weights(step).items() if n not in counters)
    assert all(torch.equal(w, averaged[n]) for n, w in step.average.state_dict().items() if n not in counters)
    assert all(torch.equal(value, balance[n]) for n, value in step.loss.state_dict().items())
    kept = step.optimiser.state_dict()["state"]
    assert all(torch.equal(kept[i][m], moments[i][m]) for i in moments for m in moments[i])
    assert step.run(2, batches, nothing, False).taken


@pytest.mark.parametrize("after", [0, 5, 16, 25])
def test_a_step_can_be_abandoned_anywhere_and_done_again(corpus, after):
    step, batches = built(corpus, batch_norm="train", loss={"preset": "ours"})
    again, fresh = built(corpus, batch_norm="train", loss={"preset": "ours"})
    asked = []

    def stop():
        asked.append(1)
        return len(asked) == after + 1

    stop_inside(step.model.encoder, stop)
    with pytest.raises(Abandoned):
        step.run(0, batches, nothing, False)
    asked += [1] * 99
    _, batches = built(corpus, batch_norm="train")
    step.run(0, batches, nothing, False)
    again.run(0, fresh, nothing, False)
    assert all(torch.equal(a, b) for a, b in zip(step.model.parameters(), again.model.parameters(), strict=True))
    assert torch.equal(step.model.encoder.bn1.running_mean, again.model.encoder.bn1.running_mean)


def test_weight_decay_spares_vectors_and_tables(corpus):
    torch.manual_seed(0)
    step, _ = built(corpus, build_encoder("usfm_tiny"), encoder="usfm_tiny")
    names = {id(p): name for name, p in step.model.named_parameters()}
    spared, decayed = set(), set()
    for group in step.optimiser.param_groups:
        (decayed if group["weight_decay"] else spared).update(names[id(p)] for p in group["params"])
        assert group["rate"] in (step.recipe.optimiser.encoder, step.recipe.optimiser.decoder)
        assert len({names[id(p)].startswith("encoder.") for p in group["params"]}) == 1
    assert {"encoder.cls_token", "encoder.rel_pos_bias.relative_position_bias_table", "decoder.last.bias"} <= spared
    assert {"encoder.patch_embed.proj.weight", "decoder.last.weight"} <= decayed
    shapes = dict(step.model.named_parameters())
    assert all(shapes[name].ndim > 1 for name in decayed)
    assert spared | decayed == set(names.values())


def test_rates_rise_then_fall():
    factors = [rate_factor(s, 100, 0.05, 0.01) for s in range(100)]
    assert 0 < factors[0] < factors[4] < factors[5] == 1
    assert all(a >= b for a, b in pairwise(factors[5:]))
    assert factors[-1] == pytest.approx(0.01)
    assert rate_factor(0, 1, 0.0, 0.0) == 1


def test_features_of_the_teacher_add_to_the_loss(corpus):
    step, batches = built(corpus, loss={"preset": "usfm", "feature_weight": 0.5})
    outcome = step.run(0, batches, nothing, False)
    assert 0 < float(outcome.feature) < 2
    wanted = float(outcome.spatial) + 0.5 * float(outcome.frequency) + 0.5 * float(outcome.feature)
    assert float(outcome.loss) == pytest.approx(wanted, rel=1e-5)
    assert all(isinstance(p, nn.Parameter) and not p.requires_grad for p in step.average.parameters())
