"""What is exported and read in again is what it was, bit for bit."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.imaging.exporting import SCHEMA, a_frame, an_export, came_back, key_of, small_ids
from usfm_studio.document.snapshot import schema_from

FORMATS = ("png", "coco", "nifti", "nrrd", "data")
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]


def assert_round_trip(format, frames):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        out, _ = an_export(root, format, frames)
        masks, labels, failed, schema = came_back(format, out, frames, root / "back")
        assert not failed
        assert masks.keys() == {key_of(f) for f in frames if f["ids"] is not None}
        for one in frames:
            if one["ids"] is not None:
                assert np.array_equal(masks[key_of(one)], one["ids"])
        assert labels == {key_of(f): list(f["labels"]) for f in frames if f["labels"]}
        return schema


@pytest.mark.parametrize("format", FORMATS)
@settings(max_examples=15, deadline=None, suppress_health_check=SLOW)
@given(first=small_ids(), second=small_ids())
def test_stills_come_back_bit_for_bit(format, first, second):
    assert_round_trip(
        format, [a_frame("heads", ids=first, labels=("benign",)), a_frame("héads 2", ids=second, labels=("=1+1",))]
    )


@pytest.mark.parametrize("format", FORMATS)
@settings(max_examples=10, deadline=None, suppress_health_check=SLOW)
@given(ids=small_ids(), frames=st.integers(2, 5), data=st.data())
def test_the_marked_frames_of_a_loop_come_back_and_no_others(format, ids, frames, data):
    marked = data.draw(st.sets(st.integers(0, frames - 1), min_size=1))
    loop = [
        a_frame(
            "loop", frame=i, frames=frames, ids=ids if i % 2 else np.zeros_like(ids), source={"seconds_per_frame": 0.04}
        )
        for i in sorted(marked)
    ]
    assert_round_trip(format, [*loop, a_frame("still", ids=ids)])


@pytest.mark.parametrize("format", ["png", "nifti", "nrrd", "data"])
def test_the_schema_comes_back_whole(format):
    schema = assert_round_trip(format, [a_frame(ids=np.eye(3, 5, dtype=np.uint8))])
    assert schema_from(schema) == SCHEMA


def test_coco_keeps_values_names_and_exams():
    schema = schema_from(assert_round_trip("coco", [a_frame(ids=np.eye(3, 5, dtype=np.uint8))]))
    assert [(s.value, s.name, s.exam) for s in schema.segments] == [(s.value, s.name, s.exam) for s in SCHEMA.segments]


@pytest.mark.parametrize("format", FORMATS)
def test_a_frame_with_nothing_to_mark_differs_from_one_without_a_mask(format):
    assert_round_trip(
        format, [a_frame("empty", ids=np.zeros((3, 5))), a_frame("unmarked"), a_frame("one", ids=np.eye(3))]
    )


@pytest.mark.parametrize("format", FORMATS)
def test_two_sources_of_one_name_are_told_apart(format):
    frames = [
        a_frame("IM0001", path="/a/IM0001.dcm", ids=np.full((2, 3), 1)),
        a_frame("im0001", path="/b/im0001.dcm", ids=np.full((3, 2), 2)),
        a_frame("IM0001", path="/c/IM0001.dcm", frame=1, frames=3, ids=np.full((4, 2), 255)),
        a_frame("IM0001", path="/c/IM0001.dcm", frame=2, frames=3, ids=np.full((4, 2), 1)),
        a_frame("x_f001", path="/d/x_f001.dcm", ids=np.eye(2)),
        a_frame("x", path="/e/x.dcm", frame=1, frames=2, ids=np.full((2, 2), 2)),
    ]
    assert_round_trip(format, frames)


def test_labels_come_back_from_the_tables():
    assert_labels = [a_frame("a", labels=("benign", "=1+1")), a_frame("b", frame=3, frames=5, labels=("benign",))]
    with tempfile.TemporaryDirectory() as folder:
        out, _ = an_export(Path(folder), "csv", assert_labels)
        _, labels, failed, _ = came_back("csv", out, assert_labels, Path(folder) / "back")
    assert not failed
    assert labels == {key_of(f): list(f["labels"]) for f in assert_labels}
