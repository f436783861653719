"""Checkpoints in the layouts of others become encoders with the features that timm gives, or an error with a name."""

import argparse
import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.engine.foreign import published
from usfm_studio.document.errors import BadModel
from usfm_studio.engine.models.catalogue import read_card
from usfm_studio.engine.models.checkpoint import load_encoder
from usfm_studio.engine.models.foreign.convert import convert
from usfm_studio.engine.models.foreign.layout import Choice

pytestmark = [pytest.mark.filterwarnings("ignore::UserWarning:timm.layers.interpolate"), pytest.mark.timeout(500)]
IMAGENET = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1), torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)


def imported(tmp_path, body, name="file.pth", **more):
    file = tmp_path / name
    if name.endswith(".safetensors"):
        save_file({k: v.contiguous() for k, v in body.items()}, file)
    else:
        torch.save(body, file, **({"_use_new_zipfile_serialization": False} if name.startswith("old") else {}))
    card = convert(file, tmp_path / "out", **more)
    return card, load_encoder(tmp_path / "out")


@torch.inference_mode()
def assert_like_timm(encoder, network, rows=64, columns=96, mean_std=IMAGENET, at_px=None):
    """The map and CLS equal timm's own `forward_features` to 1e-5 of the largest value."""
    if (rows, columns) != at_px:
        network.set_input_size((rows, columns))
    x = torch.rand(2, 1, rows, columns)
    mean, std = mean_std
    tokens = network.forward_features((x.expand(-1, 3, -1, -1) - mean) / std)
    ours = encoder(x)
    wanted = tokens[:, 1:].transpose(1, 2).reshape(2, -1, rows // 16, columns // 16)
    for mine, theirs in ((ours.maps[16], wanted), (ours.pooled_BD[:, : tokens.shape[2]], tokens[:, 0])):
        assert float((mine - theirs).abs().max()) <= 1e-5 * max(1.0, float(theirs.abs().max()))


@pytest.mark.parametrize("wrap", ["", "model", "state_dict", "model.module.", "encoder."])
def test_the_official_file_bare_or_wrapped_gives_timms_features(tmp_path, wrap):
    network = published.beit()
    body = published.official(network)
    if wrap.endswith("."):
        body = {wrap + name: tensor for name, tensor in body.items()}
    elif wrap:
        body = {wrap: body, "epoch": 3}
    card, encoder = imported(tmp_path, body)
    assert card.settings["source"]["spare"] == {}
    assert "official" in card.settings["source"]["layout"]
    assert card.encoder == "beit-w64-d2-h4-m256-p16-g14x14-shared-qv-scale"
    assert_like_timm(encoder, network)


def test_the_official_size_is_the_catalogues(tmp_path):
    network = published.beit(width=192, heads=3, depth=12)
    body = {**published.official(network), "mask_token": torch.zeros(1, 1, 192), "norm.weight": torch.ones(192),
            "decoder.0.weight": torch.ones(3), "decoder.0.bias": torch.ones(3)}  # fmt: skip
    assert len(published.official(network)) == 185, "184 tensors and the index"
    card, encoder = imported(tmp_path, body, licence="CC-BY-NC 4.0")
    assert (card.encoder, card.input_px, card.licence) == ("usfm_tiny", 224, "CC-BY-NC 4.0")
    assert card.settings["source"]["spare"] == {"decoder": 2, "mask_token": 1, "norm": 1}
    assert card.settings["source"]["sha256"] == hashlib.sha256((tmp_path / "file.pth").read_bytes()).hexdigest()
    assert read_card(tmp_path / "out") == card
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["card.json", "model.safetensors"]
    assert_like_timm(encoder, network, 224, 224, at_px=(224, 224))


def test_what_is_written_loads_in_timm_without_our_code(tmp_path):
    from safetensors.torch import load_file

    network = published.beit()
    imported(tmp_path, published.official(network))
    fresh = published.beit()
    missing, foreign = fresh.load_state_dict(load_file(tmp_path / "out" / "model.safetensors"), strict=False)
    assert (foreign, sorted(missing)) == ([], ["fc_norm.bias", "fc_norm.weight"])


@pytest.mark.parametrize("prefix", ["model.", "module.model.", ""])
def test_tiny_usfm_has_twelve_heads(tmp_path, prefix):
    network = published.vit(width=192, heads=12, depth=2, global_pool="avg")
    assert "fc_norm.weight" in network.state_dict()
    card, encoder = imported(tmp_path, {prefix + k: v for k, v in network.state_dict().items()})
    assert card.encoder == "vit-w192-d2-h12-m768-p16-g14x14-absolute-qkv"
    assert card.settings["source"]["spare"] == {"fc_norm": 2}
    assert any("12 heads" in words for words in card.settings["source"]["assumed"])
    assert_like_timm(encoder, network)


def test_timms_own_tiny_vit_has_three_when_that_is_said(tmp_path):
    network = published.vit(width=192, heads=3, depth=1)
    _, encoder = imported(tmp_path, network.state_dict(), choice=Choice(heads=3, pixels="half"))
    assert_like_timm(encoder, network, mean_std=(0.5, 0.5))


def test_a_plain_vit_of_timm_with_decoder_and_optimiser_beside_it(tmp_path):
    network = published.vit(width=128, heads=2, init_values=0.1)
    body = {
        "model": {**network.state_dict(), "decoder_embed.weight": torch.ones(2, 2), "head.weight": torch.ones(2)},
        "optimizer": {"state": {0: {"exp_avg": torch.ones(3)}}, "param_groups": [{"lr": 0.1}]},
        "args": argparse.Namespace(lr=0.1, output_dir=Path("x")),
        "best": np.float64(0.5),
    }
    card, encoder = imported(tmp_path, body)
    assert card.settings["source"]["spare"] == {"decoder_embed": 1, "head": 1, "optimizer": 1}
    assert_like_timm(encoder, network)


@pytest.mark.parametrize("px", [224, 96])
def test_timms_beit_with_a_table_a_block(tmp_path, px):
    network = published.beit(each=True, norm=True, px=px)
    card, encoder = imported(tmp_path, network.state_dict(), name="file.safetensors")
    assert card.input_px == px
    assert_like_timm(encoder, network, 80, 96)


@pytest.mark.parametrize("prefix", ["beit.", ""])
@pytest.mark.parametrize("each", [False, True])
def test_beit_under_hugging_faces_names(tmp_path, prefix, each):
    network = published.beit(each=each)
    body = {**published.hugging_face(network, prefix), "classifier.weight": torch.ones(2, 2)}
    assert f"{prefix}encoder.layer.1.attention.attention.key.weight" in body
    assert f"{prefix}encoder.layer.1.attention.attention.key.bias" not in body
    card, encoder = imported(tmp_path, body, name="pytorch_model.bin")
    assert card.settings["source"]["spare"] == {"classifier": 1, "fc_norm": 2}
    assert "Hugging Face" in card.settings["source"]["layout"]
    assert_like_timm(encoder, network)


def test_a_plain_vit_under_hugging_faces_names(tmp_path):
    network = published.vit()
    _, encoder = imported(tmp_path, published.hugging_face(network, "vit."), name="model.safetensors")
    assert_like_timm(encoder, network)


@torch.inference_mode()
@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("naming", ["timm", "published"])
def test_efficientnet_lite(tmp_path, number, naming):
    network = published.lite(f"tf_efficientnet_lite{number}")
    body = network.state_dict() if naming == "timm" else published.as_published_lite(network)
    card, encoder = imported(tmp_path, body, name="old.pth" if naming == "published" else "new.pth")
    assert card.encoder == f"usfm_lite{number}"
    assert card.settings["source"]["spare"] == {"bn2": 4, "classifier": 2, "conv_head": 1}
    assert card.licence == "not stated", "the licence of the encoder that ships is not that of a stranger's file"
    assert not (tmp_path / "out" / "LICENSE").exists()
    x = torch.rand(1, 1, 64, 96, dtype=torch.float64)
    network, encoder = network.double(), encoder.double()  # rounding grows through twenty random blocks
    wanted = network.forward_intermediates((x.expand(-1, 3, -1, -1) - 0.5) / 0.5, intermediates_only=True)
    for mine, theirs in zip(encoder(x).maps.values(), wanted, strict=True):
        assert float((mine - theirs).abs().max()) <= 1e-5 * max(1.0, float(theirs.abs().max()))


def without(name):
    return lambda body: body.pop(name)


def reshaped(name, *shape):
    return lambda body: body.update({name: torch.zeros(shape)})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (without("blocks.1.gamma_1"), r"blocks\.1\.gamma_1 is missing"),
        (without("blocks.0.attn.v_bias"), r"blocks\.0\.attn\.v_bias is missing"),
        (without("cls_token"), "cls_token is missing"),
        (without("patch_embed.proj.weight"), r"patch_embed\.proj\.weight is missing"),
        (without("rel_pos_bias.relative_position_bias_table"), r"relative_position_bias_table is missing"),
        (without("blocks.0.mlp.fc1.weight"), r"blocks\.0\.mlp\.fc1\.weight is missing"),
        (reshaped("blocks.1.mlp.fc1.bias", 7), r"blocks\.1\.mlp\.fc1\.bias has the shape 7, not 256"),
        (reshaped("rel_pos_bias.relative_position_bias_table", 733, 4), "has the shape 733 x 4"),
        (reshaped("patch_embed.proj.weight", 64, 3, 14, 14), "14 px"),
        (reshaped("patch_embed.proj.weight", 64, 1, 16, 16), "64 x 1 x 16 x 16, not width x 3"),
        (lambda b: b.update({"blocks.0.attn.q_norm.weight": torch.ones(16)}), r"q_norm\.weight belongs to a layer"),
        (lambda b: b.update({"blocks.0.gamma_2": torch.full((64,), float("nan"))}), "not numbers"),
        (lambda b: b.update({"blocks.0.gamma_2": torch.ones(64, dtype=torch.int64)}), "plain numbers"),
        (lambda b: b.update({"blocks.0.gamma_2": torch.ones(1).expand(2**40)}), "1099511627776, not 64"),
        (lambda b: b.update({"blocks.0.gamma_2": torch.ones(64).to_sparse()}), "plain numbers"),
        (lambda b: [b.update({f"ema.{k}": v, f"student.{k}": b.pop(k)}) for k, v in list(b.items())], "2 encoders"),
        (lambda b: [b.update({f"x{i}": b.pop(k)}) for i, k in enumerate(list(b))], "no encoder"),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_is_written(tmp_path, change, words):
    body = published.official(published.beit())
    change(body)
    with pytest.raises(BadModel, match=words):
        imported(tmp_path, body)
    assert [p.name for p in tmp_path.iterdir()] == ["file.pth"]


def test_a_tensor_is_named_as_the_file_names_it(tmp_path):
    body = published.hugging_face(published.beit())
    body.pop("beit.encoder.layer.1.lambda_2")
    with pytest.raises(BadModel, match=r"beit\.encoder\.layer\.1\.lambda_2 is missing"):
        imported(tmp_path, body)
    body = published.hugging_face(published.beit())
    body.pop("beit.encoder.layer.0.attention.attention.key.weight")
    with pytest.raises(BadModel, match=r"beit\.encoder\.layer\.0\.attention\.attention\.key\.weight is missing"):
        imported(tmp_path, body)
    body = published.as_published_lite(published.lite("tf_efficientnet_lite0"))
    body.pop("_blocks.3._bn1.running_var")
    with pytest.raises(BadModel, match=r"_blocks\.3\._bn1\.running_var is missing"):
        imported(tmp_path, body)


def test_squeeze_and_excitation_is_not_left_out_in_silence(tmp_path):
    body = published.lite("tf_efficientnet_lite0").state_dict()
    body["blocks.1.0.se.conv_reduce.weight"] = torch.ones(4, 96, 1, 1)
    with pytest.raises(BadModel, match=r"se\.conv_reduce\.weight belongs to a layer"):
        imported(tmp_path, body)


def test_a_value_too_large_for_half_precision_stays(tmp_path):
    network = published.beit()
    body = published.official(network)
    body["blocks.0.mlp.fc1.weight"] = body["blocks.0.mlp.fc1.weight"].clone()
    body["blocks.0.mlp.fc1.weight"][0, 0] = 1e6
    _, encoder = imported(tmp_path, body)
    assert encoder.blocks[0].mlp.fc1.weight[0, 0].item() == 1e6
