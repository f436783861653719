import json
from dataclasses import replace

import pytest
import torch

from tests.engine.making import a_model, the_encoder
from tests.engine.prompting.making import a_decoder, a_prompter
from usfm_studio.document.errors import BadModel
from usfm_studio.engine.models.catalogue import read_card, shipped_prompter
from usfm_studio.engine.prompting.prompt_decoder import PLANES, PYRAMID, PromptDecoder, PromptPlan, inputs_of
from usfm_studio.engine.prompting.prompt_model import load_prompts

MOST_BYTES = 6 << 20


def with_card(folder, **changes):
    path = folder / "card.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_prompt_model_comes_back_as_it_was_saved(tmp_path):
    card = a_prompter(tmp_path / "p")
    model = load_prompts(tmp_path / "p")
    assert replace(model.card, settings={}) == replace(card, settings={})
    assert model.card.settings == card.settings
    assert not model.decoder.training
    for name, tensor in a_decoder().state_dict().items():
        if tensor.ndim > 1:
            assert torch.equal(model.decoder.state_dict()[name], tensor.half().float()), name


def test_what_is_not_what_its_card_says_is_refused(tmp_path):
    a_prompter(tmp_path / "p")
    weights = tmp_path / "p" / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-4] + b"\0\0\0\1")
    with pytest.raises(BadModel, match="not those that its card describes"):
        load_prompts(tmp_path / "p")
    weights.write_bytes(whole)
    for changes in (
        {"task": "segmentation"},
        {"encoder_digest": "0" * 64},
        {"settings": {"architecture": {"down": [8] * 5, "up": [8, 8, 8, 16, 10**6]}}},
        {"settings": {"architecture": {"down": [8] * 5, "up": [8, 8, 8, 16, 24]}}},
        {"settings": {"architecture": {"sideways": 1}}},
    ):
        before = json.loads((tmp_path / "p" / "card.json").read_text())
        with_card(tmp_path / "p", **changes)
        with pytest.raises(BadModel):
            load_prompts(tmp_path / "p")
        with_card(tmp_path / "p", **before)
    a_model(tmp_path / "m")
    with pytest.raises(BadModel, match="does not answer prompts"):
        load_prompts(tmp_path / "m")


def test_an_encoder_without_a_pyramid_cannot_carry_it():
    with pytest.raises(BadModel, match="no maps at strides 4 to 32"):
        PromptDecoder({16: 192}, PromptPlan())  # a ViT's


def test_marks_change_the_answer_and_it_is_at_stride_2():
    decoder = a_decoder()
    maps = [torch.rand(2, decoder_channels, 256 // s, 256 // s) for s, decoder_channels in channels().items()]
    planes = torch.rand(2, PLANES, 256, 256)
    planes[:, 2:] = 0
    with torch.inference_mode():
        bare = decoder(maps, *inputs_of(planes))
        planes[:, 2, 100:110, 100:110] = 1
        marked = decoder(maps, *inputs_of(planes))
    assert bare.shape == (2, 1, 128, 128)
    assert not torch.equal(bare, marked)


def channels():
    found = the_encoder().channels
    return {stride: found[stride] for stride in PYRAMID}


def test_what_ships_is_small_and_says_what_it_has_seen():
    folder = shipped_prompter()
    card = read_card(folder)
    assert (folder / "model.safetensors").stat().st_size <= MOST_BYTES
    assert card.licence
    assert card.attribution
    assert len(card.train_subjects) > 100
    assert card.settings["left_fold"] == "0 of 5"
    assert sum(p.numel() for p in load_prompts(folder).decoder.parameters()) > 1e5
