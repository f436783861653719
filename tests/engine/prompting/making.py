"""A small prompt model on disk, with random weights; seeded."""

import torch

from tests.engine.making import the_encoder
from usfm_studio.document.model_card import ModelCard
from usfm_studio.engine.models.catalogue import read_card, shipped_encoder
from usfm_studio.engine.prompting.prompt_decoder import PromptDecoder, PromptPlan
from usfm_studio.engine.prompting.prompt_model import save_prompts

LIGHT = PromptPlan(down=(8, 8, 8, 8, 8), up=(8, 8, 8, 16, 16))


def a_decoder(seed=0):
    channels = the_encoder().channels  # the first time this draws random numbers of its own
    torch.manual_seed(seed)
    return PromptDecoder(channels, LIGHT).eval()


def a_prompter(folder, seed=0, **card):
    """A folder as `load_prompts` takes it; returns its card."""
    encoder = read_card(shipped_encoder())
    made = ModelCard(
        digest="", name="test", task="prompts", encoder=encoder.encoder, encoder_digest=encoder.digest, **card
    )
    return save_prompts(folder, made, a_decoder(seed))
