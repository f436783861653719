"""A prompt decoder on disk: `model.safetensors` and `card.json` as other models have them, `task` "prompts"."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from usfm_studio.document.errors import BadModel
from usfm_studio.document.model_card import ModelCard
from usfm_studio.engine.models.blueprint import check_card
from usfm_studio.engine.models.catalogue import PROMPTS, WEIGHTS, find_encoder, read_card
from usfm_studio.engine.models.checkpoint import COUNTER, load_encoder, save_model, tensors_of
from usfm_studio.engine.models.encoder import Encoder
from usfm_studio.engine.models.safe_tensors import bad, read_tensors
from usfm_studio.engine.prompting.prompt_decoder import PromptDecoder, PromptPlan

PREFIX = "decoder."


@dataclass(slots=True)
class PromptModel:
    """A prompt decoder in memory with the encoder whose maps it reads; in eval mode, float32, on the CPU."""

    card: ModelCard
    encoder: Encoder
    decoder: PromptDecoder


def load_prompts(folder: Path) -> PromptModel:
    """Read a folder. Raises BadModel unless it is exactly what its card says, and its encoder is here."""
    card = read_card(folder)
    check_card(card)
    if card.task != PROMPTS:
        raise bad("it does not answer prompts", "Name one whose card says so, or leave it out.")
    try:
        plan = msgspec.convert(card.settings.get("architecture", {}), PromptPlan)
    except msgspec.ValidationError as error:
        raise BadModel("The model cannot be used", f"its card is wrong: {error}") from error
    encoder = load_encoder(find_encoder(card.encoder_digest))
    decoder = PromptDecoder(encoder.channels, plan)
    wanted = {name: tuple(t.shape) for name, t in decoder.state_dict().items() if not name.endswith(COUNTER)}
    tensors = read_tensors(folder / WEIGHTS, card.digest, {PREFIX + name: shape for name, shape in wanted.items()})
    decoder.load_state_dict({name: tensors[PREFIX + name] for name in wanted}, strict=False)  # but for counters
    return PromptModel(card, encoder, decoder.eval())


def save_prompts(folder: Path, card: ModelCard, decoder: PromptDecoder) -> ModelCard:
    """Write a folder, whole or not at all; returns the card with its digest and the decoder's plan. Raises OSError."""
    settings = {**card.settings, "architecture": {"down": [*decoder.plan.down], "up": [*decoder.plan.up]}}
    card = replace(card, settings=settings, task=PROMPTS)
    return save_model(folder, card, tensors_of(decoder=decoder))
