"""Small models on disk, made in a second; seeded, so that two of one seed are the same."""

import copy
from functools import cache

import numpy as np
import torch

from usfm_studio.document.model_card import ModelCard
from usfm_studio.engine.models.blueprint import Blueprint, EnhancerPlan, blueprint_of
from usfm_studio.engine.models.catalogue import read_card, shipped_encoder
from usfm_studio.engine.models.checkpoint import (
    build_decoder,
    build_enhancer,
    build_label_head,
    load_encoder,
    save_model,
    tensors_of,
)

LIGHT = {"widths": [16, 8, 8, 8], "convs": 1}


def a_card(segments=("cyst",), labels=(), input_px=64, **more):
    architecture = {}
    if segments:
        architecture["decoder"] = LIGHT
    if labels:
        architecture["label_head"] = {"masked": bool(segments)}
    settings = {"architecture": architecture} | more.pop("settings", {})
    return ModelCard(
        digest="",
        name="test",
        task="both" if segments and labels else "segmentation" if segments else "labels",
        encoder="usfm_lite0",
        encoder_digest=read_card(shipped_encoder()).digest,
        segments=dict(enumerate(segments, 1)),
        labels=tuple(labels),
        input_px=input_px,
        settings=settings,
        **more,
    )


@cache
def the_encoder():
    return load_encoder(shipped_encoder())


def parts_of(card, seed=0):
    torch.manual_seed(seed)
    encoder = copy.deepcopy(the_encoder())
    plan: Blueprint = blueprint_of(card)
    decoder = build_decoder(plan.decoder, encoder, len(card.segments)) if plan.decoder else None
    head = build_label_head(plan.label_head, encoder, len(card.labels)) if plan.label_head else None
    return encoder, decoder, head


def a_model(folder, *, own_encoder=False, seed=0, **card):
    """A model folder with random heads; returns its card."""
    card = a_card(**card)
    encoder, decoder, head = parts_of(card, seed)
    parts = {"decoder": decoder, "label_head": head} | ({"encoder": encoder} if own_encoder else {})
    return save_model(folder, card, tensors_of(**parts))


def a_frame(rows=90, columns=120, seed=0):
    """Grey pixels with a bright disc."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 80, (rows, columns)).astype(np.uint8)
    r, c = np.mgrid[:rows, :columns]
    pixels[(r - rows / 2) ** 2 + (c - columns / 2) ** 2 < (rows / 4) ** 2] = 220
    return pixels


def an_enhancer(folder, *, seed=0, trained=True, task="enhancement", input_px=64):
    """The folder of an enhancement model that nobody trained; `trained`: its last layer is drawn large all the same."""
    plan = EnhancerPlan(widths=(4, 4, 8))
    torch.manual_seed(seed)
    net = build_enhancer(plan, the_encoder())
    if trained:
        torch.nn.init.normal_(net.last.weight, std=1.0)
    card = ModelCard(
        digest="",
        name="test",
        task=task,
        encoder="usfm_lite0",
        encoder_digest=read_card(shipped_encoder()).digest,
        input_px=input_px,
        preprocessing={"placement": "box"},
        settings={"architecture": {"enhancer": {"widths": list(plan.widths)}}},
    )
    return save_model(folder, card, tensors_of(enhancer=net.eval()))
