"""Segments of other programs and ours."""

import numpy as np
import pytest

from usfm_studio.document.errors import WrongUsage
from usfm_studio.document.schema import Label, Schema, Segment
from usfm_studio.document.schema_merge import merged


def a_schema(*segments, labels=()):
    return Schema(
        segments=tuple(Segment(value=v, name=n, exam=exam) for v, n, exam in segments),
        labels=tuple(Label(name=name) for name in labels),
    )


OURS = a_schema((1, "Fetal head", "FETAL HEAD"), (2, "Lesion", "BREAST"), (3, "Lesion", "LIVER"), labels=("benign",))


def test_names_decide_not_values():
    theirs = a_schema((1, "lesion", ""), (7, "fetal HEAD ", "FETAL HEAD"), (9, "lesion", "LIVER"))
    found = merged(OURS, theirs, [1, 7, 9])
    assert dict(found.values) == {1: 2, 7: 1, 9: 3}
    assert found.schema == OURS
    ids = np.array([[0, 1, 7], [9, 9, 5]], np.uint8)
    assert found.translated(ids).tolist() == [[0, 2, 1], [3, 3, 0]]


def test_a_segment_of_another_body_part_is_another_segment():
    found = merged(OURS, a_schema((2, "Lesion", "KIDNEY")), [2])
    assert dict(found.values) == {2: 4}
    assert found.schema.segment(4) == Segment(value=4, name="Lesion", exam="KIDNEY")


def test_what_is_new_keeps_its_value_where_it_is_free():
    found = merged(OURS, a_schema((1, "Femur", ""), (40, "Hand", "")), [1, 40])
    assert dict(found.values) == {1: 4, 40: 40}


def test_without_a_schema_values_stand_for_themselves():
    found = merged(OURS, None, [0, 1, 3, 8])
    assert dict(found.values) == {1: 1, 3: 3, 8: 8}
    assert found.schema.segment(8).name == "Segment 8"


def test_labels_that_are_new_are_added_once():
    theirs = a_schema(labels=("malignant",))
    found = merged(OURS, theirs, [], ["benign", "malignant", "malignant", "odd"])
    assert [label.name for label in found.schema.labels] == ["benign", "malignant", "odd"]


def test_a_full_schema_says_so():
    full = a_schema(*((v, f"S{v}", "") for v in range(1, 256)))
    with pytest.raises(WrongUsage, match="No more segments"):
        merged(full, a_schema((1, "New", "")), [1])
