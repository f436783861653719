"""What a run begins with: its device, its folder, the weights of its encoder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from usfm_studio.document.errors import NotFound, WrongUsage
from usfm_studio.engine.device import FULL, HALF, Device, choose_device, usable_cores
from usfm_studio.engine.models.catalogue import CARD, read_card, shipped_encoder
from usfm_studio.engine.models.checkpoint import load_encoder
from usfm_studio.engine.models.encoder import Encoder, build_encoder
from usfm_studio.engine.pretraining.outcome import Origin
from usfm_studio.engine.pretraining.ranks import Place
from usfm_studio.engine.pretraining.recipe import RANDOM, PretrainRecipe


def device_of(recipe: PretrainRecipe, wanted: str, threads: int | None, place: Place) -> Device:
    """The device of this rank: its own GPU, or its share of the processor; in the recipe's precision.

    Raises WrongUsage.
    """
    if place.count > 1:
        threads = threads or max(1, usable_cores() // place.local_count)
        if wanted in ("auto", "cuda") and torch.cuda.is_available():
            wanted = f"cuda:{place.local}"
    device = choose_device(wanted, threads)
    precisions = {"auto": device.precision, "bf16": HALF, "f32": FULL}
    return replace(device, precision=precisions[recipe.precision])


def run_folder(recipe: PretrainRecipe, config: str) -> Path:
    """Where the run writes: the recipe's `out`, else a folder here, named after the recipe."""
    return Path(recipe.out or f"pretrain-{Path(config).stem}").absolute()


def starting_encoder(recipe: PretrainRecipe) -> tuple[Encoder, Origin]:
    """The encoder with the weights of `init`, and where they come from. Raises NotFound, BadModel, WrongUsage."""
    if recipe.start == RANDOM:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            return build_encoder(recipe.encoder), Origin(card=None)
    folder = Path(recipe.start)
    if not (folder / CARD).is_file():
        try:
            folder = shipped_encoder(recipe.start)
        except NotFound as error:
            hint = 'Give init="random", or the folder of an encoder.'
            raise NotFound(f"There are no weights to start from: {folder.name}", error.why, hint) from error
    encoder = load_encoder(folder)
    if encoder.name != recipe.encoder:
        why = f"the weights of init are of {encoder.name}, the recipe's encoder is {recipe.encoder}"
        raise WrongUsage("The recipe cannot be used", why, f"Set encoder={encoder.name}, or another init.")
    card = read_card(folder)
    return encoder, Origin(card=card, digest=card.digest)
