"""Values travel as JSON and come back equal; foreign fields are refused."""

import json
from types import MappingProxyType

import pytest

from usfm_studio.document.annotation import Annotation, Decision, Provenance, State
from usfm_studio.document.calibration import Region
from usfm_studio.document.frame import Instance
from usfm_studio.document.model_card import ModelCard
from usfm_studio.document.values_json import (
    annotation_from,
    annotation_to,
    card_from,
    card_to,
    instance_from,
    instance_to,
)


def through(body):
    return json.loads(json.dumps(body))


def test_an_instance_comes_back_equal():
    instance = Instance(
        digest="a" * 64, path="x.dcm", rows=3, columns=5, frames=2, seconds=(0.0, 0.04), spacing_mm_xy=(0.1, 0.2),
        regions=(Region(box=(0, 0, 4, 2), units_xy=(3, 3), delta_xy=(0.01, 0.02), reference_xy=(1, -2)),),
        notices=("n",),
    )  # fmt: skip
    assert instance_from(through(instance_to(instance))) == instance


def test_an_annotation_comes_back_equal():
    annotation = Annotation(
        state=State.DONE,
        labels=("benign",),
        decisions=MappingProxyType({"m:segment:1": Decision.REJECTED}),
        provenance=(Provenance(who="reader", when="2026-01-01T00:00:00+00:00", what="drawn"),),
    )
    assert annotation_from(through(annotation_to(annotation))) == annotation


def test_a_card_comes_back_equal():
    card = ModelCard(
        digest="b" * 64, name="Heads v1", task="both", encoder="usfm_lite0", encoder_digest="c" * 64,
        segments=MappingProxyType({1: "Head"}), labels=("benign",), scores=MappingProxyType({"dice": 0.9}),
    )  # fmt: skip
    assert card_from(through(card_to(card))) == card


def test_a_foreign_field_is_refused_by_name():
    body = instance_to(Instance(digest="a", path="x", rows=1, columns=1))
    with pytest.raises(ValueError, match="surprise"):
        instance_from({**body, "surprise": 1})


def test_a_missing_field_is_refused_by_name():
    with pytest.raises(ValueError, match="rows"):
        instance_from({"digest": "a", "path": "x", "columns": 1})
