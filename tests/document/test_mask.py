"""Masks are tiles that share what does not change."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from usfm_studio.document.edit import Several, change_of, paint
from usfm_studio.document.frame import FrameId
from usfm_studio.document.mask import TILE, Mask, changed_tiles, tiles_over

FRAME = FrameId("ab" * 32, 3)
shapes = st.tuples(st.integers(1, 3), st.integers(250, 600)).map(lambda s: (s[0] * 100, s[1]))


@st.composite
def ids(draw, shape=None):
    rows, columns = shape or draw(shapes)
    small = draw(npst.arrays(np.uint8, (5, 7), elements=st.integers(0, 3)))
    return np.ascontiguousarray(np.kron(small, np.ones((rows // 5 + 1, columns // 7 + 1), np.uint8))[:rows, :columns])


@given(ids())
def test_a_mask_gives_back_the_array_it_was_made_of(array):
    assert np.array_equal(Mask.from_array(array).to_array(), array)


@given(ids())
def test_values_and_areas_are_those_of_the_array(array):
    mask = Mask.from_array(array)
    assert mask.values() == tuple(v for v in np.unique(array).tolist() if v)
    for value in mask.values():
        assert mask.area_px(value) == np.count_nonzero(array == value)


@given(st.data())
def test_painting_and_taking_back_gives_the_original_bit_for_bit(data):
    shape = data.draw(shapes)
    before, after = Mask.from_array(data.draw(ids(shape))), Mask.from_array(data.draw(ids(shape)))
    edit = paint("Brush", FRAME, before, after)
    if edit is None:
        assert before.same_as(after)
        return
    painted = before.with_tiles(edit.after)
    assert painted.same_as(after)
    assert painted.with_tiles(edit.inverse().after).same_as(before)


def test_a_stroke_shares_the_tiles_it_does_not_touch():
    array = np.ones((3 * TILE, 2 * TILE), np.uint8)
    before = Mask.from_array(array)
    array[5, 5] = 2
    after = before.with_tiles({(0, 0): array[:TILE, :TILE]})
    assert list(changed_tiles(before, after)) == [(0, 0)]
    assert after.tile((2, 1)) is before.tile((2, 1))


def test_no_array_that_could_be_written_elsewhere_gets_into_a_mask():
    array = np.ones((TILE, TILE), np.uint8)
    mask = Mask.empty((TILE, TILE)).with_tiles({(0, 0): array})
    array[:] = 0
    assert mask.area_px(1) == TILE * TILE
    with pytest.raises(ValueError, match="read-only"):
        mask.tile((0, 0))[0, 0] = 1


def test_a_mask_refuses_another_dtype():
    with pytest.raises(ValueError, match="uint8"):
        Mask.from_array(np.zeros((3, 5), np.int32))


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((0, 0, 1, 1), [(0, 0)]),
        ((250, 10, 260, 12), [(0, 0), (0, 1)]),
        ((-9, -9, 0, 0), []),
        ((599, 299, 700, 400), [(1, 2)]),
    ],
)
def test_a_box_touches_just_its_tiles(box, expected):
    assert list(tiles_over(box, (300, 600))) == expected


def test_several_edits_are_undone_last_first():
    empty = Mask.empty((3, 5))
    one = Mask.from_array(np.ones((3, 5), np.uint8))
    two = Mask.from_array(np.full((3, 5), 2, np.uint8))
    act = Several(name="Two", edits=(paint("a", FRAME, empty, one), paint("b", FRAME, one, two)))
    mask = two
    for part in act.inverse().edits:
        mask = mask.with_tiles(part.after)
    assert mask.same_as(empty)
    assert change_of(act).kinds == {"masks"}
    assert change_of(act).frames == {FRAME}
