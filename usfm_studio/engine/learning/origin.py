"""The encoder that a run learns over: the one that ships, or any other whose folder is named."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from usfm_studio.document.errors import BadModel
from usfm_studio.document.model_card import ModelCard, subject_code
from usfm_studio.engine.models.catalogue import WEIGHTS, find_encoder, read_card, shipped_encoder
from usfm_studio.engine.models.checkpoint import load_encoder, load_model
from usfm_studio.engine.models.encoder import Encoder

ENCODER = "encoder"
"""In a card's settings: where the encoder of a model came from, with its weights inside."""

WRITING_S = 1.0
BYTES_A_SECOND = 50e6
"""Of a slow disk, hashing and flushing included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """An encoder and where it comes from. `encoder` (eval mode, CPU) is shared: learn on a `copy`.

    `card` is the encoder's own, or that of the model that it is inside. `ships`: it comes with the program, so a model
    over it needs no copy of its weights.
    """

    encoder: Encoder
    card: ModelCard
    folder: Path
    ships: bool

    def copy(self) -> Encoder:
        """The same encoder, to be changed."""
        return copy.deepcopy(self.encoder)

    @property
    def writing_s(self) -> float:
        """Seconds to keep in hand for writing a model over it."""
        if self.ships:
            return WRITING_S
        return WRITING_S + (self.folder / WEIGHTS).stat().st_size / BYTES_A_SECOND

    def seen_among(self, subjects: Iterable[str]) -> tuple[str, ...]:
        """Those of the subjects whose marks taught the model that the encoder was taken from."""
        codes = set(self.card.train_subjects)
        return tuple(s for s in subjects if subject_code(s) in codes)

    def told(self) -> dict[str, Any]:
        """For the card of a model with this encoder inside."""
        return {
            "name": self.card.name,
            "digest": self.card.digest,
            "encoder": self.card.encoder,
            "inside_a_model": self.card.task != "encoder",
            "licence": self.card.licence,
            "attribution": list(self.card.attribution),
        }


def origin_of(folder: Path | None = None) -> Origin:
    """The encoder of an encoder folder, or that of a model, without its heads; left out: the default that ships.

    Raises BadModel, NotFound.
    """
    folder = shipped_encoder() if folder is None else folder
    card = read_card(folder)
    if card.task != "encoder" and card.encoder_digest != card.digest:  # the model's encoder lies elsewhere
        folder = find_encoder(card.encoder_digest)
        card = read_card(folder)
    encoder = load_encoder(folder) if card.task == "encoder" else load_model(folder).encoder
    return Origin(encoder=encoder, card=card, folder=folder, ships=_ships(card.digest))


def _ships(digest: str) -> bool:
    try:
        find_encoder(digest)
    except BadModel:
        return False
    return True
