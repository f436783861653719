"""A DATA folder becomes a snapshot; what cannot be used is named and the rest counts."""

import errno
import os

import imagecodecs
import numpy as np
import pytest

from tests.imaging.making import GREY, a_dataset, a_file, a_region
from usfm_studio.document.errors import DiskFull, NotFound, StudioError, Unreadable, WrongUsage
from usfm_studio.document.snapshot import Snapshot, SnapshotWriter
from usfm_studio.imaging.reading.data_folder import data_folder_to_snapshot

IMAGE = np.arange(12 * 20, dtype=np.uint8).reshape(12, 20)
COLOUR = np.stack([IMAGE, IMAGE // 2, 255 - IMAGE], axis=-1)
MASK = (IMAGE > 100).astype(np.uint8)
SCHEMA = """
[[segments]]
value = 1
name = "Head"
[[segments]]
value = 2
name = "Lesion"
[[labels]]
name = "benign"
[[labels]]
name = "malignant"
"""


class Quiet:
    """A context in which nobody listens."""

    def __init__(self):
        self.told = []

    def check(self):
        pass

    def progress(self, body):
        self.told.append(body)


def png(pixels):
    return bytes(imagecodecs.png_encode(np.ascontiguousarray(pixels)))


def a_data_folder(folder, files):
    """Write {relative path: bytes or text}."""
    for name, content in files.items():
        a_file(folder, content.encode() if isinstance(content, str) else content, name)
    return folder


def converted(tmp_path, files, skip=None):
    """(snapshot, {file name: reason}) of a folder with these files."""
    data = a_data_folder(tmp_path / "data", files)
    answer = data_folder_to_snapshot(data, tmp_path / "out", skip or {}, Quiet())
    failed = {item["path"].rpartition("/")[2]: item["error"] for item in answer["failed"]}
    return Snapshot.load(tmp_path / "out"), failed


def test_images_masks_and_tables_arrive(tmp_path):
    snapshot, failed = converted(
        tmp_path,
        {
            "images/a.png": png(IMAGE),
            "images/b.png": png(COLOUR),
            "images/c.jpg": bytes(imagecodecs.jpeg8_encode(IMAGE, level=95)),
            "masks/a.png": png(MASK),
            "masks/b.png": png(MASK * 0),
            "labels.csv": "file,label\na.png,benign\nb.png,malignant\n",
            "subjects.csv": "file,subject\na.png,Anna\nb.png,Anna\n",
            "spacing.csv": "file,mm_per_px,mm_per_px_y\na.png,0.2,0.3\nb.png,0.5,\n",
            "schema.toml": SCHEMA,
        },
    )
    assert failed == {}
    a, b, c = snapshot.samples
    assert [s.name for s in snapshot.samples] == ["a.png", "b.png", "c.jpg"]
    assert (a.subject, b.subject, c.subject) == ("Anna", "Anna", "c")
    assert (a.labels, b.labels, c.labels) == (("benign",), ("malignant",), None)
    assert (a.masked, b.masked, c.masked) == (True, True, False)
    assert (a.mm_per_px_xy, b.mm_per_px_xy, c.mm_per_px_xy) == ((0.2, 0.3), (0.5, 0.5), None)
    assert np.array_equal(snapshot.mask(a), MASK)
    assert np.array_equal(snapshot.pixels(b), COLOUR)
    assert [s.name for s in snapshot.schema.segments] == ["Head", "Lesion"]


def test_grey_saved_as_colour_is_grey_again(tmp_path):
    snapshot, _ = converted(tmp_path, {"images/a.png": png(np.repeat(IMAGE[..., None], 3, axis=2))})
    assert snapshot.pixels(snapshot.samples[0]).ndim == 2


def test_a_dicom_image_brings_its_scale(tmp_path):
    ds = a_dataset(GREY, SequenceOfUltrasoundRegions=[a_region()])
    a_file(tmp_path / "data" / "images", ds, "s.dcm")
    snapshot, _ = converted(tmp_path, {})
    assert snapshot.samples[0].mm_per_px_xy == pytest.approx((0.2, 0.3))
    assert len(snapshot.samples[0].source_digest) == 64


def test_frames_of_a_loop_have_their_own_masks(tmp_path):
    loop = np.stack([GREY, GREY + 1, GREY + 2])
    a_file(tmp_path / "data" / "images", a_dataset(loop, frames=3), "l.dcm")
    snapshot, failed = converted(tmp_path, {"masks/l_f001.png": png((GREY > 20).astype(np.uint8))})
    assert failed == {}
    assert [s.name for s in snapshot.samples] == ["l.dcm#0", "l.dcm#1", "l.dcm#2"]
    assert [s.masked for s in snapshot.samples] == [False, True, False]
    assert np.array_equal(snapshot.pixels(snapshot.samples[2]), GREY + 2)


def test_without_a_schema_it_is_made_from_what_occurs(tmp_path):
    snapshot, _ = converted(
        tmp_path,
        {"images/a.png": png(IMAGE), "masks/a.png": png(MASK * 3), "labels.csv": "file,label\na.png,x\na.png,y\n"},
    )
    assert [(s.value, s.name) for s in snapshot.schema.segments] == [(3, "Segment 3")]
    assert [label.name for label in snapshot.schema.labels] == ["x", "y"]
    assert not snapshot.schema.exclusive_labels


def test_a_mask_of_0_and_255_is_one_segment(tmp_path):
    snapshot, _ = converted(tmp_path, {"images/a.png": png(IMAGE), "masks/a.png": png(MASK * 255)})
    assert np.array_equal(snapshot.mask(snapshot.samples[0]), MASK)


def test_a_good_image_of_a_pair_is_a_target(tmp_path):
    snapshot, failed = converted(
        tmp_path,
        {
            "images/a.png": png(IMAGE),
            "images/b.png": png(IMAGE),
            "targets/a.png": png(IMAGE // 2),
            "targets/b.png": png(IMAGE[:5]),
        },
    )
    assert np.array_equal(snapshot.target_pixels(snapshot.samples[0]), IMAGE // 2)
    assert snapshot.target_pixels(snapshot.samples[1]) is None
    assert "same size" in failed["b.png"]


def test_each_fault_is_named_and_the_rest_is_taken(tmp_path):
    snapshot, failed = converted(
        tmp_path,
        {
            "images/good.png": png(IMAGE),
            "images/twin.png": png(IMAGE),
            "images/twin.jpg": bytes(imagecodecs.jpeg8_encode(IMAGE)),
            "images/broken.png": b"not a picture",
            "images/other_size.png": png(IMAGE),
            "images/unknown.png": png(IMAGE),
            "images/coloured.png": png(IMAGE),
            "images/cut.png": png(IMAGE),
            "masks/other_size.png": png(MASK[:6]),
            "masks/unknown.png": png(MASK * 9),
            "masks/coloured.png": png(COLOUR),
            "masks/cut.png": png(MASK)[:50],
            "masks/alone.png": png(MASK),
            "masks/notes.txt": "hello",
            "schema.toml": SCHEMA,
        },
    )
    assert {s.stem for s in snapshot.samples} == {"good", "twin", "other_size", "unknown", "coloured", "cut"}
    assert not any(s.masked for s in snapshot.samples)
    for file, words in {
        "twin.png": "same name",
        "broken.png": "not a DICOM file",
        "other_size.png": "20 x 6 pixels, its image 20 x 12",
        "unknown.png": "segment value 9",
        "coloured.png": "in colour",
        "cut.png": "Could not use the mask",
        "alone.png": "no image of that name",
        "notes.txt": "masks are PNG",
    }.items():
        assert words in failed[file], failed[file]


def test_bad_rows_are_named_by_their_number(tmp_path):
    data = a_data_folder(
        tmp_path / "data",
        {
            "images/a.png": png(IMAGE),
            "schema.toml": SCHEMA,
            "labels.csv": "file,label\na.png,benign\na.png,benign\na.png,odd\n,benign\nb.png,benign\na.png\n",
            "subjects.csv": "file,subject\na.png,A\na.png,B\n",
            "spacing.csv": "file,mm_per_px\na.png,0\n",
        },
    )
    answer = data_folder_to_snapshot(data, tmp_path / "out", {}, Quiet())
    reasons = [item["error"] for item in answer["failed"]]
    assert "labels.csv, row 2: the same row came before it." in reasons
    assert 'labels.csv, row 3: the label "odd" is not in schema.toml.' in reasons
    assert "labels.csv, row 4: it is not complete." in reasons
    assert "labels.csv, row 6: it is not complete." in reasons
    assert "subjects.csv, row 2: the same image came before it." in reasons
    assert "spacing.csv, row 1: it is not a positive number of millimetres." in reasons
    assert any(reason.startswith("b.png is in a table") for reason in reasons)
    assert Snapshot.load(tmp_path / "out").samples[0].labels == ("benign",)


@pytest.mark.parametrize(
    ("files", "error", "words"),
    [
        ({"notes.txt": "hello"}, NotFound, "no folder named images"),
        ({"images/notes.txt": "hello"}, Unreadable, "no image"),
        ({"images/a.png": "not a picture"}, Unreadable, "not a DICOM file"),
        ({"images/a.png": png(IMAGE), "labels.csv": "name,class\na,b\n"}, Unreadable, "no column file"),
        ({"images/a.png": png(IMAGE), "labels.csv": b"\xff\xfe"}, Unreadable, "UTF-8"),
        ({"images/a.png": png(IMAGE), "schema.toml": SCHEMA.replace("Lesion", "head")}, WrongUsage, "head"),
        ({"images/a.png": png(IMAGE), "schema.toml": "[[segments]"}, WrongUsage, "TOML"),
    ],
)
def test_a_folder_that_cannot_be_used_says_why(tmp_path, files, error, words):
    with pytest.raises(StudioError) as caught:
        converted(tmp_path, files)
    assert type(caught.value) is error
    assert words in str(caught.value)
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_skipped_images_are_not_opened_and_progress_names_each_first(tmp_path):
    data = a_data_folder(tmp_path / "data", {"images/a.png": png(IMAGE), "images/b.png": png(IMAGE)})
    quiet = Quiet()
    answer = data_folder_to_snapshot(data, tmp_path / "out", {"a.png": "it was guilty"}, quiet)
    assert [item["error"] for item in answer["failed"]] == ["it was guilty"]
    assert [body["file"] for body in quiet.told] == ["a.png", "b.png"]
    assert answer["frames"] == 1


@pytest.mark.parametrize(
    ("number", "kind", "why"),
    [(errno.ENOSPC, DiskFull, "the disk is full"), (errno.EIO, StudioError, "input/output error")],
)
def test_what_the_disk_says_while_writing_is_told_as_it_is(tmp_path, monkeypatch, number, kind, why):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(SnapshotWriter, "add", refuse)
    with pytest.raises(StudioError, match=why) as told:
        converted(tmp_path, {"images/a.png": png(IMAGE)})
    assert type(told.value) is kind


def test_a_place_that_cannot_be_written_is_told_in_words(tmp_path):
    (tmp_path / "out").write_text("in the way")
    with pytest.raises(StudioError, match="Could not prepare the training data"):
        converted(tmp_path, {"images/a.png": png(IMAGE)})
