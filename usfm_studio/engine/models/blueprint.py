"""What a model card says of the network and of how frames pass through it, checked.

A card's `settings["architecture"]` is a `Blueprint`, its `preprocessing` a `Preparation`. Cards come from strangers:
sizes are bounded here, before anything is built from them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from usfm_studio.document.errors import BadModel
from usfm_studio.document.model_card import ModelCard

INPUT_PX_RANGE = (32, 1024)
MOST_LABELS = 1000

Width = Annotated[int, Meta(ge=4, le=512)]


class DecoderPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A `UNetDecoder`: its widths from the coarse end, and 3x3 convolutions after each joining."""

    kind: Literal["unet"] = "unet"
    widths: Annotated[tuple[Width, ...], Meta(min_length=4, max_length=4)]
    convs: Annotated[int, Meta(ge=1, le=4)]


class LabelHeadPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A `LabelHead`: whether its summary holds means inside the marked area.

    `encoder_digest` names the encoder that it summarises with, where that is not the model's own: one that ships, as
    it was before masks bent the model's.
    """

    masked: bool
    encoder_digest: str = ""


class EnhancerPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An `Enhancer`: its widths at strides 2, 4 and 8."""

    kind: Literal["residual"] = "residual"
    widths: Annotated[tuple[Width, ...], Meta(min_length=3, max_length=3)]


class Blueprint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The parts of a network beside its encoder."""

    decoder: DecoderPlan | None = None
    label_head: LabelHeadPlan | None = None
    enhancer: EnhancerPlan | None = None


class Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Predicted Dice = offset + slope * confidence, clipped to 0..1."""

    slope: float
    offset: float

    def at(self, confidence: float) -> float:
        """The predicted Dice."""
        return min(1.0, max(0.0, self.offset + self.slope * confidence))


class Preparation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a frame comes in and what is done with the answer; all of it chosen in training.

    `placement` is one of `placement.MODES`. `mask_temperature` divides the mask logits, then `mask_bias` is added to
    those of all segments: above 0 makes bolder masks. Of each segment, parts under
    `min_area_px` (native pixels) go, with `keep_largest` all but the largest; then `fill_holes`. `flip_average`
    averages the answer with that of the mirrored frame. `predicted_dice`: a line by segment value (as text), or none.
    """

    placement: Literal["keep", "box", "squeeze"] = "keep"
    mask_temperature: Annotated[float, Meta(gt=0)] = 1.0
    mask_bias: Annotated[float, Meta(ge=-10, le=10)] = 0.0
    keep_largest: bool = False
    fill_holes: bool = False
    min_area_px: Annotated[int, Meta(ge=0)] = 0
    flip_average: bool = False
    predicted_dice: dict[str, Line] = {}


def blueprint_of(card: ModelCard) -> Blueprint:
    """The network's parts. Raises BadModel."""
    return _converted(card.settings.get("architecture", {}), Blueprint)


def preparation_of(card: ModelCard) -> Preparation:
    """How frames pass through the model. Raises BadModel."""
    return _converted(card.preprocessing, Preparation)


def check_card(card: ModelCard) -> None:
    """Raise BadModel for numbers that no model of ours has."""
    low, high = INPUT_PX_RANGE
    reasons = [
        (not low <= card.input_px <= high, f"its input size is {card.input_px}, not {low} to {high}"),
        (sorted(card.segments) != list(range(1, len(card.segments) + 1)), "its segments are not numbered from 1 on"),
        (len(card.segments) > 255, "it has more than 255 segments"),
        (len(card.labels) > MOST_LABELS, f"it has more than {MOST_LABELS} labels"),
        (not (math.isfinite(card.temperature) and card.temperature > 0), "its temperature is not a positive number"),
    ]
    for wrong, why in reasons:
        if wrong:
            raise BadModel("The model cannot be used", why)


def _converted(body: Mapping[str, Any], kind: type[Any]) -> Any:
    try:
        return msgspec.convert(dict(body), kind)
    except msgspec.ValidationError as error:
        raise BadModel("The model cannot be used", f"its card is wrong: {error}") from error
