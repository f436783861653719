"""What `predict` leaves behind."""

import csv
import struct
import tomllib
import zlib

import cv2
import numpy as np
import pytest

from usfm_studio.document.errors import StudioError, WrongUsage
from usfm_studio.imaging.pictures import png_pixels
from usfm_studio.imaging.writing.predictions import write_labels, write_predictions

IDS = np.array([[0, 1, 2], [0, 0, 2]], np.uint8)


def table(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_masks_are_label_maps_with_the_stem_of_the_input(tmp_path):
    answer = write_predictions([{"stem": "a b_f003", "ids": IDS}], tmp_path / "new", "masks", {2: "B", 1: "A"})
    assert answer == {"files": ["a b_f003.png"]}
    assert np.array_equal(cv2.imread(str(tmp_path / "new" / "a b_f003.png"), cv2.IMREAD_UNCHANGED), IDS)
    segments = tomllib.loads((tmp_path / "new" / "schema.toml").read_text())["segments"]
    assert segments == [{"value": 1, "name": "A"}, {"value": 2, "name": "B"}]
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == ["a b_f003.png", "schema.toml"]


def test_a_second_batch_joins_the_first_and_may_replace_it(tmp_path):
    for stem, ids in (("a", IDS), ("b", IDS), ("a", IDS * 0)):
        write_predictions([{"stem": stem, "ids": ids}], tmp_path, "masks", {1: "A"})
    assert not cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED).any()
    assert (tmp_path / "b.png").exists()


def test_probabilities_are_half_precision_and_finite(tmp_path):
    probabilities = np.random.default_rng(0).random((3, 2, 3)).astype(np.float32)
    write_predictions([{"stem": "a", "probabilities": probabilities}], tmp_path, "probabilities", {})
    with np.load(tmp_path / "a.npz") as held:
        assert held["probabilities"].dtype == np.float16
        assert np.allclose(held["probabilities"], probabilities, atol=1e-3)
    with pytest.raises(StudioError, match="no numbers"):
        write_predictions([{"stem": "b", "probabilities": probabilities * np.nan}], tmp_path, "probabilities", {})
    assert not (tmp_path / "b.npz").exists()


@pytest.mark.parametrize("stem", ["", "..", "a/b", "a\\b", "a\0b"])
def test_a_stem_cannot_leave_the_folder(tmp_path, stem):
    with pytest.raises(WrongUsage):
        write_predictions([{"stem": stem, "ids": IDS}], tmp_path, "masks", {})


def test_exclusive_labels_give_the_likeliest(tmp_path):
    rows = [{"file": "a.dcm", "labels": {"benign": 0.25, "malignant": 0.75}}, {"file": "=b.png", "labels": {}}]
    write_labels(rows, tmp_path, ["benign", "malignant"])
    assert table(tmp_path / "labels.csv") == [
        ["file", "label", "probability", "benign", "malignant"],
        ["a.dcm", "malignant", "0.75", "0.25", "0.75"],
        ["'=b.png", "", "", "", ""],
    ]


def test_other_labels_give_all_that_are_likely(tmp_path):
    rows = [{"file": "a", "labels": {"x": 0.9, "label": 0.5}}, {"file": "b", "labels": {"x": 0.1, "label": 0.2}}]
    write_labels(rows, tmp_path, ["x", "label"], exclusive=False)
    assert table(tmp_path / "labels.csv") == [
        ["file", "label", "probability", "x", "label (class)"],
        ["a", "x", "0.9", "0.9", "0.5"],
        ["a", "label", "0.5", "0.9", "0.5"],
        ["b", "", "", "0.1", "0.2"],
    ]


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)])
def test_enhanced_pictures_say_in_their_metadata_what_they_are_not_for(tmp_path, shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    answer = write_predictions([{"stem": "a", "pixels": pixels}], tmp_path, "enhanced", {})
    assert answer == {"files": ["a.png"]}
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]
    content = (tmp_path / "a.png").read_bytes()
    assert np.array_equal(png_pixels(content), pixels)
    chunks = dict(chunks_of(content))
    assert chunks[b"tEXt"] == b"Description\0enhanced, not for measurement"
    assert next(iter(chunks)) == b"IHDR"
    assert list(chunks)[-1] == b"IEND"


def chunks_of(content):
    """(kind, body) of a PNG's chunks, each held to its checksum."""
    at = 8
    while at < len(content):
        (size,) = struct.unpack_from(">I", content, at)
        kind, body = content[at + 4 : at + 8], content[at + 8 : at + 8 + size]
        assert struct.unpack_from(">I", content, at + 8 + size)[0] == zlib.crc32(kind + body)
        yield kind, body
        at += 12 + size
