"""ViTs of any grid: the bias of relative positions, and features as timm gives them."""

import copy
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from usfm_studio.document.errors import BadModel, WrongUsage
from usfm_studio.engine.models.encoder import build_encoder
from usfm_studio.engine.models.relative_positions import bias_of, cells_of, resized_bias, resized_table
from usfm_studio.engine.models.vit import VitEncoder
from usfm_studio.engine.models.vit_plan import VITS, VitPlan, name_of, plan_of

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:timm.layers.interpolate")
WINDOW = (14, 14)
SIDES = range(4, 65)
"""Of grids, for images of every multiple of 16 from 64 to 1024 px."""
EXTRA = torch.tensor([[1.0], [2.0], [3.0]])
OFFSETS = torch.arange(-13, 14).float()


def table_of(offsets_ab):
    return torch.cat([offsets_ab.reshape(-1, 1), EXTRA])


def as_offsets(table, grid_rc):
    return table[:-3, 0].view(2 * grid_rc[0] - 1, 2 * grid_rc[1] - 1)


def smooth(width=6.0):
    return table_of(torch.exp(-(OFFSETS[:, None] ** 2 + OFFSETS**2) / (2 * width**2)))


def test_every_size_from_64_to_1024_px_has_a_finite_table_with_its_extra_rows_untouched():
    torch.manual_seed(0)
    table = torch.cat([torch.randn(729, 1), EXTRA])
    largest = float(table.abs().max())
    for side in SIDES:
        for grid_rc in ((side, side), (side, 14), (14, side), (68 - side, side)):
            resized = resized_table(table, WINDOW, grid_rc)
            assert resized.shape == (cells_of(grid_rc), 1)
            assert bool(torch.isfinite(resized).all())
            assert float(resized[:-3].abs().max()) <= largest + 1e-5
            assert torch.equal(resized[-3:], EXTRA)


def test_a_symmetric_table_stays_symmetric_under_flips_at_every_size():
    even = (torch.cos(OFFSETS / 5)[:, None] + 0.3 * (OFFSETS.abs() / 13) ** 2).contiguous()
    odd = (OFFSETS / 13)[:, None] * torch.cos(OFFSETS / 4)
    for side in SIDES:
        for grid_rc in ((side, side), (side, 17)):
            offsets = as_offsets(resized_table(table_of(even), WINDOW, grid_rc), grid_rc)
            assert torch.allclose(offsets, offsets.flip(0), atol=1e-5)
            assert torch.allclose(offsets, offsets.flip(1), atol=1e-5)
            offsets = as_offsets(resized_table(table_of(odd), WINDOW, grid_rc), grid_rc)
            assert torch.allclose(offsets, -offsets.flip(0), atol=1e-5)
            assert torch.allclose(offsets, offsets.flip(1), atol=1e-5)


def test_a_table_is_never_transposed_at_any_size():
    vertical = OFFSETS[:, None].expand(27, 27)
    for side in SIDES:
        for grid_rc in ((side, side), (side, 9), (9, side)):
            offsets = as_offsets(resized_table(table_of(vertical), WINDOW, grid_rc), grid_rc)
            assert torch.allclose(offsets, offsets[:, :1].expand_as(offsets), atol=1e-4)
            assert bool((offsets[1:, 0] > offsets[:-1, 0] - 1e-5).all())
            assert float(offsets[-1, 0]) > 1 > -1 > float(offsets[0, 0])
            turned = as_offsets(resized_table(table_of(vertical.T), WINDOW, grid_rc[::-1]), grid_rc[::-1])
            assert torch.allclose(turned, offsets.T, atol=1e-4)


@pytest.mark.parametrize(("through", "bound"), [(16, 0.04), (32, 0.13)])
def test_there_and_back_a_smooth_table_keeps_its_centre(through, bound):
    table = smooth()
    back = resized_table(resized_table(table, WINDOW, (through, through)), (through, through), WINDOW)
    there = as_offsets(back - table, WINDOW)
    assert float(there[9:18, 9:18].abs().max()) < bound
    assert float(there[13, 13].abs()) < 1e-6, "exact at zero offset"


@pytest.mark.parametrize("grid_rc", [(16, 16), (4, 4), (6, 10), (28, 14), (14, 20), (2, 32), (1, 5), (40, 28)])
def test_a_table_is_resized_as_timm_resizes_it(grid_rc):
    from timm.layers import resize_rel_pos_bias_table

    torch.manual_seed(0)
    table = torch.randn(732, 3)
    wanted = resize_rel_pos_bias_table(table, grid_rc, (cells_of(grid_rc), 3), old_window_size=WINDOW)
    assert torch.allclose(resized_table(table, WINDOW, grid_rc), wanted, atol=2e-6)


@settings(max_examples=15, deadline=None)
@given(st.tuples(st.integers(1, 9), st.integers(1, 9)))
def test_the_bias_is_what_timms_index_picks(grid_rc):
    from timm.models.beit import gen_relative_position_index

    table = torch.randn(cells_of(grid_rc), 2, requires_grad=True)
    index = gen_relative_position_index(grid_rc)
    wanted = table[index.view(-1)].view(*index.shape, 2).permute(2, 0, 1)
    bias = bias_of(table, grid_rc)
    assert torch.equal(bias, wanted)
    weights = torch.randn_like(bias)
    ours, theirs = (torch.autograd.grad((b * weights).sum(), table)[0] for b in (bias, wanted))
    assert torch.allclose(ours, theirs, atol=1e-4)


PLANS = {
    "official": VitPlan(family="beit", width=64, depth=2, heads=4, hidden=128, relative="shared", bias="qv",
                        scaled=True),
    "each": VitPlan(family="beit", width=64, depth=2, heads=2, hidden=128, relative="each", bias="qv", scaled=True,
                    normed=True, grid_rc=(6, 6)),
    "absolute": VitPlan(family="vit", width=48, depth=2, heads=12, hidden=192, absolute=True, bias="qkv", normed=True),
    "fine": VitPlan(family="vit", width=64, depth=1, heads=1, hidden=100, absolute=True, patch=8, grid_rc=(4, 4),
                    scaled=True, pixels="half"),
}  # fmt: skip


def shaken(encoder, seed=0):
    """Every weight away from its start: tables begin at zero, layer scales alike."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for weight in encoder.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    return encoder


@torch.inference_mode()
@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
@pytest.mark.parametrize("size_rc", [(16, 48), (48, 16), (80, 112)])
def test_every_plan_takes_every_multiple_of_its_patch(plan, size_rc):
    encoder = shaken(build_encoder(plan.name))
    features = encoder(torch.rand(2, 1, *size_rc))
    rows, columns = size_rc
    assert features.maps[plan.patch].shape == (2, plan.width, rows // plan.patch, columns // plan.patch)
    assert features.pooled_BD.shape == (2, encoder.pooled_width)
    assert bool(torch.isfinite(features.pooled_BD).all())
    with pytest.raises(WrongUsage, match=f"multiples of {plan.patch}"):
        encoder(torch.rand(1, 1, rows, columns + 4))


def test_the_bias_follows_the_table_while_it_learns_on_another_grid():
    encoder = shaken(VitEncoder("x", PLANS["official"])).train()
    table = encoder.rel_pos_bias.relative_position_bias_table
    x = torch.rand(1, 1, 48, 80)
    before = encoder(x).maps[16]
    before.square().mean().backward()
    assert float(table.grad.abs().sum()) > 0
    with torch.no_grad():
        table.sub_(10 * table.grad)
    after = encoder(x).maps[16]
    assert not torch.allclose(before, after, atol=1e-6)
    fresh = copy.deepcopy(encoder)
    assert torch.equal(fresh(x).maps[16], after)


def test_predicting_first_does_not_keep_the_table_from_learning():
    encoder = shaken(VitEncoder("x", PLANS["each"]))
    with torch.inference_mode():
        encoder(torch.rand(1, 1, 144, 16))
    encoder.train()(torch.rand(1, 1, 144, 16)).pooled_BD.sum().backward()
    assert all(float(b.attn.relative_position_bias_table.grad.abs().sum()) > 0 for b in encoder.blocks)


@torch.inference_mode()
def test_mirrored_images_give_mirrored_maps_where_kernels_and_table_are_symmetric():
    encoder = shaken(VitEncoder("x", PLANS["official"]))
    kernel = encoder.patch_embed.proj.weight
    kernel.copy_((kernel + kernel.flip(3)) / 2)
    table = encoder.rel_pos_bias.relative_position_bias_table
    offsets = table[:-3].view(27, 27, -1)
    offsets.copy_((offsets + offsets.flip(1)) / 2)
    x = torch.rand(1, 1, 96, 160)
    assert torch.allclose(encoder(x.flip(3)).maps[16].flip(3), encoder(x).maps[16], atol=1e-4)


plans = st.builds(
    lambda family, heads, **rest: VitPlan(
        family=family, heads=heads, width=16 * heads, bias="" if not rest.pop("biased") else
        ("qv" if family == "beit" else "qkv"), relative=(r if family == "beit" else ""),
        absolute=family == "vit" or not r, **rest,
    ) if (r := rest.pop("relative")) is not None else None,
    family=st.sampled_from(["beit", "vit"]), heads=st.integers(1, 16), depth=st.integers(1, 24),
    hidden=st.integers(16, 2048), patch=st.sampled_from([8, 16]),
    grid_rc=st.tuples(st.integers(1, 64), st.integers(1, 64)),
    relative=st.sampled_from(["", "shared", "each"]), biased=st.booleans(), scaled=st.booleans(), normed=st.booleans(),
    pixels=st.sampled_from(["imagenet", "half"]),
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(plans)
def test_a_plan_is_read_from_its_name(plan):
    assert plan_of(plan.name) == plan
    assert plan_of(name_of(plan)) == plan


def test_the_catalogue_names_the_official_layout():
    assert name_of(plan_of(VITS["usfm_base"].name)) == "usfm_base"
    assert VITS["usfm_base"].name == "beit-w768-d12-h12-m3072-p16-g14x14-shared-qv-scale"


@pytest.mark.parametrize(
    "name",
    [
        "beit-w9999-d12-h12-m3072-p16-g14x14-shared", "beit-w2048-d64-h1-m16384-p16-g14x14-shared",
        "vit-w64-d1-h1-m64-p16-g4x4",
        "beit-w64-d1-h3-m64-p16-g4x4-shared", "beit-w64-d1-h1-m64-p14-g4x4-shared",
        "beit-w64-d1-h1-m64-p16-g999x4-shared",
        "vit-w64-d1-h1-m64-p16-g4x4-shared", "beit-w064-d1-h1-m64-p16-g4x4-shared", "../../etc", "resnet50", "",
    ],
)  # fmt: skip
def test_a_name_that_cannot_be_built_is_refused_at_once(name):
    with pytest.raises(BadModel, match="does not know"):
        build_encoder(name)


@torch.inference_mode()
def test_the_bias_of_a_grid_has_cls_where_timm_has_it():
    bias = resized_bias(smooth(), WINDOW, (5, 8))[0]
    assert bias.shape == (41, 41)
    assert (bias[0, 0], bias[0, 1], bias[1, 0]) == (3, 1, 2)


def test_asking_timm_for_its_rule_warns_nobody():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        resized_table(smooth(), WINDOW, (11, 13))
