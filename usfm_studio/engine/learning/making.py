"""From trained networks to a model: in memory for scoring, and in its folder with a card for everyone else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec
from torch import Tensor, nn

from usfm_studio.document.model_card import ModelCard, subject_code
from usfm_studio.document.schema import Schema
from usfm_studio.engine.learning.origin import ENCODER, Origin
from usfm_studio.engine.learning.plan import Recipe
from usfm_studio.engine.learning.segmentation import MaskNet
from usfm_studio.engine.learning.start import give_start
from usfm_studio.engine.models.blueprint import (
    Blueprint,
    DecoderPlan,
    LabelHeadPlan,
    Preparation,
    blueprint_of,
    preparation_of,
)
from usfm_studio.engine.models.checkpoint import (
    LoadedModel,
    build_decoder,
    save_model,
    stored,
    tensors_of,
)
from usfm_studio.engine.models.encoder import build_encoder
from usfm_studio.engine.models.label_head import LabelHead


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a card says beside the recipe."""

    origin: Origin
    name: str
    exam: str
    schema: Schema
    data_digest: str
    train_subjects: Sequence[str]
    holdout_subjects: Sequence[str]
    parents: Sequence[str] = ()
    licence: str = ""
    attribution: Sequence[str] = ()
    notes: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What was found out about a model after it was trained."""

    scores: Mapping[str, float] = field(default_factory=dict)
    comparison: Mapping[str, Any] = field(default_factory=dict)
    preparation: Preparation | None = None
    temperature: float = 1.0


def blueprint(recipe: Recipe) -> Blueprint:
    """The parts of the recipe's network."""
    decoder = DecoderPlan(widths=recipe.widths, convs=recipe.convs) if recipe.masks else None
    head = LabelHeadPlan(masked=recipe.masks, encoder_digest=recipe.label_encoder) if recipe.labels else None
    return Blueprint(decoder=decoder, label_head=head)


def fresh_net(recipe: Recipe, origin: Origin) -> MaskNet:
    """A copy of the encoder, and a decoder with the weights that ship for it; the rest is drawn by torch."""
    encoder = origin.copy()
    plan = blueprint(recipe).decoder
    assert plan is not None
    decoder = build_decoder(plan, encoder, len(recipe.segments))
    if recipe.start and give_start(decoder, recipe.encoder, plan.widths, plan.convs):
        # over a trunk that sees something, a drawn last layer is sure of nonsense, and steps go into unlearning it
        for parameter in decoder.head.parameters():
            nn.init.zeros_(parameter)
    return MaskNet(encoder, decoder)


def card_of(recipe: Recipe, who: Identity, found: Findings | None = None) -> ModelCard:
    """The card; its digest is filled in when the model is written."""
    found = found or Findings()
    preparation = found.preparation or prepared(recipe)
    settings = {"architecture": msgspec.to_builtins(blueprint(recipe)), "recipe": recipe.to_json()}
    return ModelCard(
        digest="",
        name=who.name,
        task=recipe.task,
        encoder=recipe.encoder,
        encoder_digest=who.origin.card.digest,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        organ=who.exam,
        exam=who.exam,
        segments=MappingProxyType({i: _segment(who.schema, v) for i, v in enumerate(recipe.segments, 1)}),
        labels=tuple(recipe.labels),
        exclusive_labels=recipe.exclusive_labels,
        input_px=recipe.input_px,
        preprocessing=MappingProxyType(msgspec.to_builtins(preparation)),
        settings=MappingProxyType(msgspec.to_builtins(settings)),
        parents=tuple(who.parents),
        data_digest=who.data_digest,
        train_subjects=tuple(subject_code(s) for s in who.train_subjects),
        holdout_subjects=tuple(subject_code(s) for s in who.holdout_subjects),
        seed=recipe.seed,
        scores=MappingProxyType(dict(found.scores)),
        comparison=MappingProxyType(dict(found.comparison)),
        temperature=found.temperature,
        licence=who.licence,
        attribution=tuple(who.attribution),
        notes=who.notes,
    )


def prepared(recipe: Recipe) -> Preparation:
    """How frames pass through a model of this recipe, before anything is known of its answers."""
    return Preparation(placement=recipe.placement, flip_average=recipe.flip_average)  # type: ignore[arg-type]


def in_memory(card: ModelCard, net: MaskNet | None, head: LabelHead | None, origin: Origin) -> LoadedModel:
    """A model to predict with; it shares nothing with the network that goes on learning."""
    preparation = preparation_of(card)
    if net is None:
        return LoadedModel(card, preparation, origin.encoder, None, head)
    encoder = build_encoder(card.encoder)
    encoder.load_state_dict(as_stored(net.encoder))
    plan = blueprint_of(card)
    assert plan.decoder is not None
    decoder = build_decoder(plan.decoder, encoder, len(card.segments))
    decoder.load_state_dict(as_stored(net.decoder))
    looks_apart = plan.label_head is not None and bool(plan.label_head.encoder_digest)
    label_encoder = origin.encoder if looks_apart else None
    return LoadedModel(card, preparation, encoder.eval(), decoder.eval(), head, label_encoder=label_encoder)


def as_stored(network: nn.Module) -> dict[str, Tensor]:
    """Its tensors as they will come back from disk: what is scored is what is written."""
    return {
        name: stored(value).float() if value.is_floating_point() else value for name, value in on_cpu(network).items()
    }


def on_cpu(network: nn.Module) -> dict[str, Tensor]:
    """Its tensors, apart from it."""
    return {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}


def write_model(
    folder: Path, card: ModelCard, net: MaskNet | None, head: LabelHead | None, *, tuned: bool, origin: Origin
) -> ModelCard:
    """Write the model folder whole or not at all.

    The encoder goes in where training changed it, and where it does not ship: a model must work wherever it is copied.
    Its licence, its attribution and its files of terms go along.
    """
    inside = tuned or not origin.ships
    encoder = net.encoder if net is not None and tuned else origin.encoder
    tensors = tensors_of(
        encoder=encoder if inside else None,
        decoder=net.decoder if net is not None else None,
        label_head=head,
    )
    if inside:
        card = _over(card, origin, tuned)
    return save_model(folder, card, {name: value.cpu() for name, value in tensors.items()}, terms=origin.folder)


def _over(card: ModelCard, origin: Origin, tuned: bool) -> ModelCard:
    """The card of a model with this encoder inside."""
    return replace(
        card,
        settings=MappingProxyType({**card.settings, ENCODER: {**origin.told(), "tuned": tuned}}),
        licence=card.licence or origin.card.licence,
        attribution=tuple(dict.fromkeys((*origin.card.attribution, *card.attribution))),
        train_subjects=tuple(dict.fromkeys((*card.train_subjects, *origin.card.train_subjects))),
    )


def _segment(schema: Schema, value: int) -> str:
    segment = schema.segment(value)
    return segment.name if segment is not None else f"segment {value}"
