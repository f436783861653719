"""What comes of a run: its averaged encoder as an ENCODER folder, with a card that says how it was made.

The folder's tensors have bare names and timm's shapes, so timm loads them without this code.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from usfm_studio.document.model_card import ModelCard
from usfm_studio.engine.corpus.index import CorpusIndex
from usfm_studio.engine.models.checkpoint import COUNTER, save_model, stored
from usfm_studio.engine.models.encoder import Encoder
from usfm_studio.engine.pretraining.batch_norm import refresh_batch_norm
from usfm_studio.engine.pretraining.recipe import PretrainRecipe

ENCODER, BEST = "encoder", "best"
INPUT_PX = 256
"""What predictors and probes give it: an encoder takes any size."""
CURVE_POINTS = 64
_PLACES = re.compile(r"[/\\].*[/\\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a run's weights began: the card of the encoder, or None for random weights."""

    card: ModelCard | None
    digest: str = ""


def finished(encoder: Encoder, clean: Iterable[Tensor], recipe: PretrainRecipe) -> Encoder:
    """A copy of the averaged encoder whose BatchNorm statistics are those of clean images.

    Where training kept the statistics fixed, the weights belong to them and they stay.
    """
    made = copy.deepcopy(encoder).eval()
    if recipe.batch_norm == "train":
        refresh_batch_norm(made, clean)
    return made


def write_encoder(folder: Path, encoder: Encoder, card: ModelCard) -> ModelCard:
    """Write an ENCODER folder, whole or not at all; the card with its digest. Raises OSError."""
    state = encoder.state_dict()
    tensors = {name: stored(tensor.cpu()) for name, tensor in state.items() if not name.endswith(COUNTER)}
    return save_model(folder, card, tensors)


def card_of(
    recipe: PretrainRecipe,
    index: CorpusIndex,
    origin: Origin,
    curves: list[dict[str, Any]],
    facts: Mapping[str, Any],
) -> ModelCard:
    """The card: data by digest, organs and counts; settings; curves, thinned out; the weights that it began from."""
    counts = np.bincount(np.asarray(index.organ, np.int64), minlength=len(index.organs))
    settings = {name: value for name, value in recipe.to_json().items() if name not in ("data", "out")}
    settings["init"] = _PLACES.sub("", recipe.start)
    settings["probe"] = {**settings["probe"], "data": [Path(place).name for place in recipe.probe.data]}
    scores = {"probe": float(facts["score"])} if facts.get("score") is not None else {}
    started = origin.card
    return ModelCard(
        digest="",
        name=f"{recipe.encoder}, dual-masked pre-training",
        task="encoder",
        encoder=recipe.encoder,
        encoder_digest="",
        created=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        input_px=INPUT_PX,
        settings={
            "recipe": settings,
            "corpus": {
                "images": len(index),
                "subjects": len(index.subject_codes),
                "organs": {name: int(count) for name, count in zip(index.organs, counts, strict=True)},
                "left_fold": index.state.left_fold,
            },
            **{name: value for name, value in facts.items() if name != "score"},
            "curves": thinned(curves),
        },
        parents=(origin.digest,) if origin.digest else (),
        data_digest=index.digest,
        seed=recipe.seed,
        scores=scores,
        licence=recipe.licence or (started.licence if started else ""),
        attribution=(*(started.attribution if started else ()), *recipe.attribution),
        notes="Trained without masks and labels on the images that the settings count."
        + ("" if recipe.licence else " The licences of these images were not stated."),
    )


def thinned(curves: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """At most `CURVE_POINTS` of the steps' lines, evenly, the last one among them, and all lines of probes."""
    steps = [line for line in curves if "loss" in line]
    places = np.unique(np.linspace(0, len(steps) - 1, min(len(steps), CURVE_POINTS)).round().astype(int))
    names = ("step", "loss", "spatial", "frequency", "energy_removed", "gradient_ratio")
    chosen = [{name: steps[i][name] for name in names if name in steps[i]} for i in places]
    return sorted([*chosen, *(line for line in curves if "score" in line)], key=lambda line: int(line["step"]))
