"""Values travel as JSON and come back equal; foreign fields are refused."""

import json
from types import MappingProxyType

import pytest

from usfm_studio.document.annotation import Annotation, Decision, Provenance, State
from usfm_studio.document.calibration import Region
from usfm_studio.document.frame import FrameId, Instance
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


A_CARD = {"digest": "a", "name": "Heads", "task": "both", "encoder": "x", "encoder_digest": "b"}


@pytest.mark.parametrize(
    ("read", "body", "name"),
    [
        (card_from, {**A_CARD, "name": 5}, "name"),
        (card_from, {**A_CARD, "labels": [1]}, "labels"),
        (card_from, {**A_CARD, "scores": {"dice": "high"}}, "scores"),
        (card_from, {**A_CARD, "segments": ["Head"]}, "items"),
        (card_from, [], "digest"),
        (instance_from, {"digest": "a", "path": "x", "rows": "3", "columns": 5}, "rows"),
        (instance_from, {"digest": "a", "path": "x", "rows": 3, "columns": 5, "seconds": [0, "1"]}, "seconds"),
        (instance_from, {"digest": "a", "path": "x", "rows": 3, "columns": 5, "spacing_mm_xy": [1.0]}, "spacing_mm_xy"),
        (instance_from, {"digest": "a", "path": "x", "rows": 3, "columns": 5, "regions": 1}, "iterable"),
        (instance_from, {"digest": "../a", "path": "x", "rows": 3, "columns": 5}, "digest"),
        (annotation_from, {"state": "perhaps"}, "perhaps"),
        (annotation_from, {"note": None}, "note"),
        (annotation_from, {"provenance": [{"who": "reader"}]}, "when"),
        (annotation_from, {"decisions": []}, "items"),
    ],
)
def test_a_value_of_another_type_is_refused_by_name(read, body, name):
    with pytest.raises(ValueError, match=name):
        read(body)


def test_a_frame_named_by_what_is_no_digest_is_refused():
    assert FrameId.parse(f"{'ab' * 32}#3") == FrameId("ab" * 32, 3)
    for key in ("../../x#1", "/etc/passwd#0", "#", "a#x"):
        with pytest.raises(ValueError, match=r"digest|invalid literal"):
            FrameId.parse(key)
