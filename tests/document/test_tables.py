"""Tables that a spreadsheet may open, and schemas as files."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usfm_studio.document.errors import WrongUsage
from usfm_studio.document.schema import Code, Label, Schema, Segment
from usfm_studio.document.schema_file import schema_of, schema_text
from usfm_studio.document.tables import quoted, table_rows, table_text, unquoted

CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=8)
WORDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12).filter(lambda t: t.strip())


@given(CELLS)
def test_a_cell_comes_back_and_never_begins_a_formula(text):
    cell = quoted(text)
    assert unquoted(cell) == text
    assert cell[:1] not in ("=", "+", "-", "@", "\t", "\r")


@given(st.lists(st.tuples(CELLS, CELLS), max_size=5))
def test_a_table_comes_back_without_its_empty_rows(rows):
    read = table_rows(table_text(("file", "label"), rows), ("label", "file"))
    assert [(row["file"], row["label"]) for row in read] == [row for row in rows if any(row)]


def test_numbers_stand_as_they_are_and_none_is_empty():
    assert table_text(("a", "b", "c"), [(-1.5, None, "-x")]) == "a,b,c\n-1.5,,'-x\n"


def test_columns_are_found_whatever_their_case_and_a_missing_one_is_named():
    assert table_rows("\ufeffFile, LABEL \nx,y\n", ("file", "label")) == [{"file": "x", "label": "y"}]
    with pytest.raises(ValueError, match="no column label"):
        table_rows("file\nx\n", ("file", "label"))
    with pytest.raises(ValueError, match="no column file"):
        table_rows("", ("file",))


@given(st.lists(WORDS, max_size=4, unique_by=lambda t: t.strip().casefold()), st.booleans(), WORDS)
def test_a_schema_comes_back_from_its_file(names, exclusive, exam):
    code = Code(value="1", scheme="SCT", meaning=exam)
    schema = Schema(
        segments=tuple(
            Segment(value=i + 1, name=n, exam=exam if i % 2 else "", code=code if i % 2 else None)
            for i, n in enumerate(names)
        ),
        labels=tuple(Label(name=n, exam=exam if i else "", code=code if i else None) for i, n in enumerate(names)),
        exclusive_labels=exclusive,
    )
    assert schema_of(schema_text(schema, name=exam)) == schema


def test_a_schema_file_is_toml_that_others_read():
    schema = Schema(segments=(Segment(value=3, name='Head "x"', colour="#ff0000"),))
    body = tomllib.loads(schema_text(schema, name="heads"))
    assert body == {"name": "heads", "segments": [{"value": 3, "name": 'Head "x"', "colour": "#ff0000"}]}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[[segments", "not TOML"),
        ("[[segments]]\nvalue = 1\n", "has no name"),
        ('[[segments]]\nvalue = "x"\nname = "a"\n', "not a whole number"),
        ("segments = 3\n", "not lists of entries"),
        ('[[segments]]\nvalue = 1\nname = "a"\n[[segments]]\nvalue = 2\nname = "A"\n', "two entries"),
        ('[[segments]]\nvalue = 300\nname = "a"\n', "not 1 to 255"),
    ],
)
def test_a_schema_that_cannot_be_used_says_why(text, reason):
    with pytest.raises(WrongUsage, match="The label schema cannot be used") as caught:
        schema_of(text)
    assert reason in str(caught.value)
