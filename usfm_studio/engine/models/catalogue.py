"""Where the encoders' weights lie, and the cards beside them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from usfm_studio.document.errors import BadModel, NotFound
from usfm_studio.document.model_card import ModelCard
from usfm_studio.document.resources import resource
from usfm_studio.document.values_json import card_from

DEFAULT_ENCODER = "usfm_lite0"
ENCODERS_KNOWN = ("usfm_lite0", "usfm_lite1", "usfm_lite2", "usfm_tiny", "usfm_small", "usfm_base")
"""The names of `encoder.ENCODERS`, for those who may not import torch."""
PROMPTS = "prompts"
"""The task of a model that answers clicks, boxes and scribbles."""
PROMPTER = "prompt_open"
CARD, WEIGHTS = "card.json", "model.safetensors"
CARD_MOST = 1 << 20


def read_card(folder: Path) -> ModelCard:
    """The card of a model or encoder folder, every field of the right type. Raises BadModel."""
    path = folder / CARD
    try:
        if path.stat().st_size > CARD_MOST:
            raise BadModel("The model cannot be used", "its card is larger than a card can be")
        return card_from(msgspec.json.decode(path.read_bytes()))
    except OSError as error:
        raise BadModel("The model cannot be read", f"{CARD}: {error.strerror}", "Choose a model's folder.") from error
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise BadModel("The model cannot be used", f"its card is wrong: {error}") from error


def shipped_encoder(name: str = DEFAULT_ENCODER) -> Path:
    """The folder of an encoder that ships. Raises NotFound for one whose weights the user must bring."""
    folder = resource("weights", name)
    if not (folder / WEIGHTS).is_file():
        raise NotFound(f'The encoder "{name}" has no weights here', "they do not ship with the program", "Import them.")
    return folder


def shipped_prompter() -> Path:
    """The folder of the model for prompts that comes with the program."""
    return resource("weights", PROMPTER)


def find_encoder(digest: str, others: Iterable[Path] = ()) -> Path:
    """The folder of the encoder with this digest, among those that ship and `others`. Raises BadModel."""
    shipped = sorted(p.parent for p in resource("weights").glob(f"*/{CARD}"))
    for folder in [*shipped, *others]:
        card = read_card(folder)
        if card.task == "encoder" and card.digest == digest:
            return folder
    raise BadModel(
        "The model cannot be used",
        f"it needs the encoder {digest[:8]}, which is not here",
        "Import that encoder, or export the model again with its encoder.",
    )
