"""The enhancement network and its use: bounded, of every size, the same in strips and whole, black and colour kept."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.making import a_frame, a_model, an_enhancer
from usfm_studio.document.errors import BadModel, WrongUsage
from usfm_studio.engine.device import choose_device
from usfm_studio.engine.models import enhancing as at_work
from usfm_studio.engine.models.checkpoint import load_model
from usfm_studio.engine.models.enhancer import BOUND, Enhancer, reach_of, weights
from usfm_studio.engine.models.enhancing import Enhancing
from usfm_studio.engine.models.placement import placement_for

MOST = round(255 * BOUND)


@pytest.fixture(scope="module")
def wild(tmp_path_factory):
    """A model whose weights are drawn large: it changes whatever it may."""
    folder = tmp_path_factory.mktemp("model") / "wild"
    an_enhancer(folder, seed=1)
    return load_model(folder)


@pytest.fixture(scope="module")
def enhancing(wild):
    return Enhancing(wild, choose_device("cpu", 1), compile=False)


def change(found, pixels):
    return np.abs(found.astype(int) - pixels)


@settings(max_examples=15, deadline=None)
@given(rows=st.integers(1, 90), columns=st.integers(1, 90), seed=st.integers(0, 2**32 - 1))
def test_every_size_keeps_its_size_and_no_pixel_changes_by_more_than_a_fifth(enhancing, rows, columns, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (rows, columns)).astype(np.uint8)
    found = enhancing.enhance(pixels)
    assert found.shape == pixels.shape
    assert found.dtype == np.uint8
    assert change(found, pixels).max() <= MOST


def test_a_model_that_was_not_trained_changes_nothing(tmp_path):
    an_enhancer(tmp_path / "m", trained=False)
    pixels = a_frame(70, 101)
    assert np.array_equal(Enhancing(load_model(tmp_path / "m")).enhance(pixels), pixels)


def test_a_graph_gives_what_torch_gives(wild, enhancing):
    pixels = a_frame(75, 110)
    found = Enhancing(wild, choose_device("cpu", 1)).enhance(pixels)
    assert change(found, enhancing.enhance(pixels)).max() <= 1
    assert change(found, pixels).max() > 5


def test_a_large_frame_in_strips_is_the_frame_as_a_whole(enhancing, monkeypatch):
    pixels = np.random.default_rng(0).integers(0, 256, (310, 90)).astype(np.uint8)
    whole = enhancing.enhance(pixels)
    monkeypatch.setattr(at_work, "STRIP_PX", 90 * 56)
    assert change(enhancing.enhance(pixels), whole).max() <= 1


def test_what_is_black_all_around_stays_black(enhancing):
    pixels = np.zeros((80, 120), np.uint8)
    pixels[30:, 40:] = 90
    found = enhancing.enhance(pixels)
    assert not found[:22].any()
    assert not found[:, :32].any()
    assert change(found[40:, 60:], 90).max() > 5


def test_colour_stays_and_grey_beside_it_is_enhanced(enhancing):
    pixels = np.repeat(a_frame(80, 120)[:, :, None], 3, 2)
    pixels[20:60, 30:50] = (200, 20, 30)
    found = enhancing.enhance(pixels)
    assert np.array_equal(found[20:60, 30:50], pixels[20:60, 30:50])
    grey = found[:, 60:]
    assert (np.ptp(grey, axis=2) == 0).all()
    assert change(found, pixels).max() > 5


def test_12_bits_come_back_as_8(enhancing):
    pixels = a_frame(60, 90)
    pixels[0, 0] = 255  # white tells how many bits there are
    wide = np.rint(pixels * (4095 / 255)).astype(np.uint16)
    apart = change(enhancing.enhance(wide), enhancing.enhance(pixels))
    assert apart.mean() < 1  # this network turns a rounding into several levels here and there
    assert apart.max() < 10


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-5, 40), min_size=1, max_size=9), st.integers(1, 30), st.floats(-3, 3), st.floats(-10, 10))
def test_sampling_is_linear_interpolation_held_at_the_ends(places, length, slope, offset):
    matrix = weights(np.array(places), length)
    assert np.allclose(matrix.sum(1), 1)
    line = slope * np.arange(length) + offset
    assert np.allclose(matrix @ line, slope * np.clip(places, 0, length - 1) + offset, atol=1e-3)


def test_a_piece_reaches_the_same_cells_as_in_the_whole():
    placement = placement_for((200, 320), 256, "box")
    whole = reach_of(placement, (8, 32), 4, (slice(0, 200), slice(0, 320)))
    piece = reach_of(placement, (8, 32), 4, (slice(40, 104), slice(160, 224)))
    for (down, across), (part_down, part_across), px in (
        (whole.fine, piece.fine, 4), *((whole.coarse[s], piece.coarse[s], 8) for s in (8, 32)),
    ):  # fmt: skip
        assert torch.equal(down[:, 40 // px : 104 // px], part_down)
        assert torch.equal(across[:, 160 // px : 224 // px], part_across)


def test_an_encoder_with_a_single_map_joins_too():
    net = Enhancer({16: 192})
    placement = placement_for((64, 96), 64, "box")
    reach = reach_of(placement, net.strides, net.fine_stride, (slice(0, 64), slice(0, 96)))
    x = torch.rand(1, 1, 64, 96)
    assert torch.equal(net(x, {16: torch.rand(1, 192, 4, 4)}, reach), x)


def test_a_card_whose_task_and_network_differ_is_refused(tmp_path):
    an_enhancer(tmp_path / "m", task="segmentation")
    with pytest.raises(BadModel, match="do not fit"):
        load_model(tmp_path / "m")


def test_a_model_that_marks_does_not_enhance(tmp_path):
    a_model(tmp_path / "m")
    with pytest.raises(WrongUsage, match="enhances nothing"):
        Enhancing(load_model(tmp_path / "m"))
