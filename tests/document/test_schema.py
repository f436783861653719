"""Label schemas."""

import pytest

from usfm_studio.document.errors import WrongUsage
from usfm_studio.document.frame import Instance
from usfm_studio.document.schema import Label, Schema, Segment
from usfm_studio.document.schema_file import schema_of


def instance(body_part: str) -> Instance:
    return Instance(digest="0" * 64, path="a.dcm", rows=3, columns=5, body_part=body_part)


@pytest.mark.parametrize(
    "entries",
    [
        {"segments": (Segment(value=1, name="Head"), Segment(value=2, name=" head"))},
        {"segments": (Segment(value=1, name="Head"), Segment(value=1, name="Neck"))},
        {"labels": (Label(name="benign"), Label(name="Benign"))},
        {"segments": (Segment(value=0, name="Head"),)},
        {"segments": (Segment(value=1, name="  "),)},
    ],
)
def test_entries_that_cannot_be_told_apart_are_refused_with_a_reason(entries):
    with pytest.raises(WrongUsage) as refused:
        Schema(**entries)
    assert refused.value.why


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('[[segments]]\nvalue = 1\nname = "a', "its end is not TOML"),
        ("[[segments]]\nvalue 1", "line 2 is not TOML"),
        ('[[segments]]\nvalue = "one"\nname = "a"', "a segment's value is 'one', not a whole number from 1 to 255"),
        ('[[segments]]\nvalue = 1.5\nname = "a"', "a segment's value is '1.5', not a whole number from 1 to 255"),
        ("[[segments]]\nvalue = 1", "an entry has no name"),
        ("segments = 3", "segments and labels are not lists of entries"),
        ('labels = ["benign"]', "segments and labels are not lists of entries"),
    ],
)
def test_what_is_wrong_with_a_schema_file_is_said_in_a_person_s_words(text, why):
    with pytest.raises(WrongUsage) as refused:
        schema_of(text)
    assert refused.value.why == why


def test_a_new_segment_takes_the_lowest_free_value():
    schema = Schema(segments=(Segment(value=1, name="A"), Segment(value=3, name="B")))
    assert schema.with_segment("C").named("c").value == 2


def test_a_full_schema_takes_no_more_segments():
    schema = Schema(segments=tuple(Segment(value=v, name=f"S{v}") for v in range(1, 256)))
    with pytest.raises(WrongUsage):
        schema.with_segment("One more")


def test_an_image_belongs_to_the_group_whose_body_part_it_names():
    schema = Schema(
        segments=(Segment(value=1, name="Head", exam="FETAL HEAD"), Segment(value=2, name="Lesion", exam="BREAST"))
    )
    assert schema.exam_of(instance("breast")) == "BREAST"
    assert schema.exam_of(instance("KNEE")) == ""
    assert [s.name for s in schema.for_exam("BREAST").segments] == ["Lesion"]


def test_without_groups_every_image_is_of_one():
    assert Schema(segments=(Segment(value=1, name="Head"),)).exam_of(instance("BREAST")) == ""
