"""The collection of real, made and broken files, through the real reader process; skipped where it is not there."""

import hashlib
import warnings

import imagecodecs
import numpy as np
import openjpeg
import pydicom
import pytest
from pydicom.encaps import generate_frames

from tests.imaging.collection import COLLECTION, needs_collection, table
from tests.imaging.making import an_instance, stored
from usfm_studio.document.errors import StudioError
from usfm_studio.imaging.client import Reader, survey_from
from usfm_studio.imaging.description import descriptions_from
from usfm_studio.imaging.reading.describe import describe
from usfm_studio.imaging.reading.frames import frame_pixels, pixel_digest

pytestmark = [needs_collection, pytest.mark.filterwarnings("ignore")]
LIMIT_S = 120
VIDEO = ("mpeg2", "h264", "hevc")
MADE = table("made/MANIFEST.csv")
ODD = [row for row in table("odd/expected.csv") if not row["file"].startswith(("archives", "dicomdir"))]
J = "1.2.840.10008.1.2.4."


@pytest.fixture(scope="module")
def reader():
    with_limits = Reader(spare=True)
    yield with_limits
    with_limits.close()


def test_every_real_ultrasound_file_opens_with_all_its_frames(reader):
    survey = survey_from(reader.survey([COLLECTION / "real" / "us"], digest=True).result(LIMIT_S))
    stated = {row["file"].rpartition("/")[2]: row for row in table("real/MANIFEST.csv")}
    assert survey.failed == ()
    assert len(survey.files) == 28
    for description in survey.files:
        assert description.ok, description.error
        instance = description.instance
        row = stated[description.path.rpartition("/")[2]]
        assert (instance.frames, instance.rows, instance.columns) == (
            int(row["frames"]), int(row["rows"]), int(row["columns"]),
        )  # fmt: skip
        assert len(instance.regions) == int(row["regions"])
        assert bool(row["timing"]) == (instance.seconds is not None)
        for index in {0, instance.frames // 2, instance.frames - 1}:
            decoded = reader.pixels(instance, index).result(LIMIT_S)
            assert decoded.array.std() > 0
            reader.release(decoded)


@pytest.mark.parametrize("row", MADE, ids=[row["file"] for row in MADE])
def test_a_made_file_opens_and_gives_its_true_pixels(row):
    path = COLLECTION / "made" / row["file"]
    description = describe(str(path))
    if row["file"].rpartition("/")[2].startswith(VIDEO):
        assert (description.kind, description.ok) == ("video", False)
        assert "video is not read yet" in description.error
        return
    assert description.ok, description.error
    assert description.frames == int(row["frames"])
    assert len(description.regions) == int(row["regions"])
    frame_pixels(description.instance, description.frames - 1)
    if row["sha256_of_true_first_frame"]:
        assert pixel_digest(stored(path)) == row["sha256_of_true_first_frame"]


def second_opinion(path):
    """First frame by another decoder than ours, in the stream's own samples or RGB; None where there is none."""
    ds = pydicom.dcmread(path)
    syntax = ds.file_meta.TransferSyntaxUID
    if syntax.startswith((J + "11", "1.2.840.10008.1.2.8")):
        return None
    if not syntax.is_encapsulated:
        pixels = ds.pixel_array
        return pixels if int(ds.get("NumberOfFrames", 1)) == 1 else pixels[0]
    stream = next(generate_frames(ds.PixelData, number_of_frames=int(ds.get("NumberOfFrames", 1))))
    if syntax in (J + "57", J + "70", J + "51"):
        return imagecodecs.jpeg_decode(stream)
    if syntax in (J + "90", J + "91", J + "201", J + "202", J + "203"):
        return openjpeg.decode(stream)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            pixels = ds.pixel_array
        except (RuntimeError, NotImplementedError, AttributeError):
            return None
    return pixels if int(ds.get("NumberOfFrames", 1)) == 1 else pixels[0]


@pytest.mark.parametrize("row", MADE, ids=[row["file"] for row in MADE])
def test_decoders_agree(row):
    if not row["file"].startswith("ts/") or row["file"].startswith(tuple(f"ts/{v}" for v in VIDEO)):
        pytest.skip("no picture, or no other syntax")
    path = COLLECTION / "made" / row["file"]
    other = second_opinion(path)
    if other is None:
        pytest.skip("no second decoder is installed")
    lossy_colour = row["transfer_syntax"] == J + "50" and row["photometric"] == "YBR_FULL_422"
    mine = stored(path).astype(int)
    assert np.abs(mine - other).max() <= (30 if lossy_colour else 1)
    assert np.abs(mine - other).mean() < 0.2


def test_real_palettes_and_colours_agree_with_pydicom():
    from pydicom.pixels import apply_color_lut

    for path in sorted((COLLECTION / "real" / "us").glob("*palette*")):
        ds = pydicom.dcmread(path)
        indices = ds.pixel_array if int(ds.get("NumberOfFrames", 1)) == 1 else ds.pixel_array[0]
        if indices.dtype.byteorder == ">":
            indices = indices.astype("<u2")
        reference = apply_color_lut(indices, ds)
        shown, _ = frame_pixels(an_instance(path), 0)
        assert np.array_equal(shown, (reference >> 8 if reference.max() > 255 else reference).astype(np.uint8)), path


def outcome_of(reader, description):
    """(yes | header | no, pixels of the first frame)."""
    if description.instance is not None:
        try:
            decoded = reader.pixels(description.instance, 0).result(LIMIT_S)
        except StudioError:
            return "header", None
        pixels = decoded.array.copy()
        reader.release(decoded)
        return "yes", pixels
    return ("no" if description.kind == "other" else "header"), None


@pytest.fixture(scope="module")
def odd(reader):
    """Descriptions of all odd files, asked for in one go as a folder would be."""
    paths = [str(COLLECTION / "odd" / row["file"]) for row in ODD]
    files = descriptions_from(reader.describe(paths).result(LIMIT_S))
    return {row["file"]: description for row, description in zip(ODD, files, strict=True)}


@pytest.mark.parametrize("row", ODD, ids=[row["file"] for row in ODD])
def test_an_odd_file_has_its_outcome(reader, odd, row):
    description = odd[row["file"]]
    outcome, pixels = outcome_of(reader, description)
    wanted = row["should_open"]
    assert wanted in ("either", outcome), description.error
    if outcome != "yes":
        assert description.instance is not None or row["file"].rpartition("/")[2] in description.error
        assert description.instance is not None or not description.ok
        return
    assert description.ok
    if wanted == "yes":
        assert description.frames == int(row["frames"])
    if row["rows"]:
        assert pixels.shape[:2] == (int(row["rows"]), int(row["columns"]))
    if row["regions"]:
        assert len(description.regions) == int(row["regions"])
    if row["sha256_first_frame"]:
        raw = stored(COLLECTION / "odd" / row["file"])
        assert hashlib.sha256(raw.tobytes()).hexdigest() == row["sha256_first_frame"]
        if description.photometric == "MONOCHROME2":
            assert hashlib.sha256(pixels.tobytes()).hexdigest() == row["sha256_first_frame"]


def surveyed(reader, name):
    return survey_from(reader.survey([COLLECTION / "odd" / name]).result(LIMIT_S))


@pytest.mark.parametrize(
    ("archive", "opens", "words"),
    [
        ("good", 2, ""),
        ("traversal", None, "climbs out"),
        ("absolute", None, "absolute path"),
        ("symlink", None, "links in archives"),
        ("bomb_200MiB", 0, "far more than it holds"),
        ("nested_bomb", 0, "archive inside"),
        ("names_bad", None, ""),
        ("same_name", 1, "same name"),
        ("cut", 0, "cut off or damaged"),
        ("encrypted", 0, "password"),
    ],
)
def test_an_odd_archive_has_its_outcome(reader, archive, opens, words):
    survey = surveyed(reader, f"archives/{archive}.zip")
    reasons = " ".join([item["error"] for item in survey.failed] + [d.error or "" for d in survey.files])
    assert words in reasons
    assert opens is None or sum(d.ok for d in survey.files) == opens
    assert survey.files or survey.failed


@pytest.mark.parametrize(
    ("folder", "words"),
    [
        ("good", ""),
        ("climbs_out", "outside its folder"),
        ("absolute", "outside its folder"),
        ("missing_file", "it is not there"),
        ("cyclic", ""),
        ("offsets_wrong", ""),
    ],
)
def test_an_odd_dicomdir_has_its_outcome(reader, folder, words):
    survey = surveyed(reader, f"dicomdir/{folder}")
    assert [d.ok for d in survey.files] == [True]
    assert all(words and words in item["error"] for item in survey.failed)
    assert bool(survey.failed) == bool(words)


def test_other_objects_are_told_apart(reader):
    survey = survey_from(reader.survey([COLLECTION / "real", COLLECTION / "made" / "objects"]).result(LIMIT_S))
    by_folder = {}
    for description in survey.files:
        by_folder.setdefault(description.path.split("/")[-2], []).append(description)
    assert all(d.kind == "report" and d.ok for d in by_folder["sr"])
    assert all(d.kind == "segmentation" for d in by_folder["seg"])
    assert all(d.instance is not None or d.not_imported for d in survey.files)
