"""The bundled sample: small, licensed, legal DICOM, and never part of what shipped models learned from."""

import csv
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest
from pydicom.encaps import generate_frames

from usfm_studio.document.resources import resource
from usfm_studio.document.schema_file import schema_of
from usfm_studio.document.splits import fold_of
from usfm_studio.imaging.pictures import ids_from_png

SAMPLE = resource("sample")
FACTS = tomllib.loads((SAMPLE / "sample.toml").read_text("utf-8"))
DICOM = sorted((SAMPLE / "dicom").rglob("*.dcm"))
HEADS = [s for s in FACTS["subjects"] if s["set"] == "hc18"]
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def rows_of(name):
    with (SAMPLE / "reference" / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_sample_is_small_and_as_listed():
    files = {p.relative_to(SAMPLE).as_posix(): p for f in ("dicom", "reference") for p in (SAMPLE / f).rglob("*.*")}
    assert files.keys() == {f["path"] for f in FACTS["files"]}
    for listed in FACTS["files"]:
        content = files[listed["path"]].read_bytes()
        assert len(content) == listed["bytes"]
        assert hashlib.sha256(content).hexdigest() == listed["sha256"]
    assert sum(p.stat().st_size for p in SAMPLE.rglob("*") if p.is_file()) < 10e6


def test_each_source_is_named_with_its_licence():
    text = (SAMPLE / "ATTRIBUTION.md").read_text("utf-8")
    for words in ("van den Heuvel", "10.5281/zenodo.1327317", "CC BY 4.0", "Al-Dhabyani", "CC0 1.0", "Momot", "MIT"):
        assert words in text
    for path in DICOM:
        comment = str(pydicom.dcmread(path, stop_before_pixels=True).get("ImageComments", ""))
        assert path.parent.name == "heart" or comment.rstrip(".") in re.sub(r"\s+", " ", text)


def test_thirty_subjects_of_every_size_and_six_for_the_tour():
    assert len(HEADS) == 30
    assert {group: sum(s["group"] == group for s in HEADS) for group in ("first", "second", "third")} == {
        "first": 6,
        "second": 18,
        "third": 6,
    }
    tour = [s["patient"] for s in HEADS if s.get("tour")]
    assert tour == ["FH-01", "FH-02", "FH-03", "FH-05", "FH-11", "FH-14"]
    assert sorted(fold_of(patient, 3) for patient in tour) == [0, 0, 1, 1, 2, 2]
    assert {s["group"] for s in HEADS if s.get("tour")} == {"first", "second", "third"}
    assert {s["group"] for s in FACTS["subjects"] if s["set"] == "busi"} == {"benign", "malignant", "normal"}


@pytest.mark.parametrize("path", DICOM, ids=lambda p: p.stem)
def test_each_file_opens_and_its_streams_are_what_the_header_says(path):
    ds = pydicom.dcmread(path)
    frames = int(ds.get("NumberOfFrames", 1))
    streams = list(generate_frames(ds.PixelData, number_of_frames=frames))
    assert len(streams) == frames
    for stream in (streams[0], streams[-1]):
        marker = re.search(rb"\xff\xc0..(.)(..)(..)", stream, re.DOTALL)
        assert marker[1] == b"\x08"
        assert (int.from_bytes(marker[2], "big"), int.from_bytes(marker[3], "big")) == (ds.Rows, ds.Columns)
    if path.parent.name != "heart":
        assert ds.PatientID == path.stem.rpartition("-")[0]
        assert str(ds.PatientName).startswith("SAMPLE^")
        assert ds.PhotometricInterpretation == "MONOCHROME2"
        assert all(str(ds[name].value).startswith("2.25.") for name in ("StudyInstanceUID", "SOPInstanceUID"))


def test_exams_and_scales_are_as_the_schema_expects():
    schema = schema_of((SAMPLE / "sample.toml").read_text("utf-8"))
    assert schema.exams == ("FETAL HEAD", "BREAST", "CAROTID")
    found = {"fetal_head": "FETAL HEAD", "breast": "BREAST", "carotid": "CAROTID"}
    for path in DICOM:
        ds = pydicom.dcmread(path, stop_before_pixels=True)
        if path.parent.name in found:
            assert ds.BodyPartExamined == found[path.parent.name]
        regions = ds.get("SequenceOfUltrasoundRegions", [])
        if path.parent.name == "fetal_head":
            (region,) = regions
            assert (region.PhysicalUnitsXDirection, region.PhysicalUnitsYDirection) == (3, 3)
            assert 0.002 < region.PhysicalDeltaX == region.PhysicalDeltaY < 0.05
        elif path.parent.name in found:
            assert not regions
    assert pydicom.dcmread(SAMPLE / "dicom/carotid/CA-01-1.dcm").FrameTime == 100


def test_reference_masks_fit_their_frames_and_segments():
    allowed = {"FH": {0, 1}, "BR": {0, 2}, "CA": {0, 3}}
    seen = set()
    for path in (SAMPLE / "reference").glob("*.png"):
        stem = path.stem.partition("_f")[0]
        (source,) = (p for p in DICOM if p.stem == stem)
        ds = pydicom.dcmread(source, stop_before_pixels=True)
        ids = ids_from_png(path.read_bytes())
        assert ids.shape == (ds.Rows, ds.Columns)
        assert set(np.unique(ids)) <= allowed[path.stem[:2]]
        seen.add(stem)
    assert seen == {p.stem for p in DICOM if p.parent.name != "heart"}
    labels = {row["file"]: row["label"] for row in rows_of("labels.csv")}
    assert labels.keys() == {p.name for p in DICOM if p.parent.name == "breast"}
    for file, label in labels.items():
        assert ids_from_png((SAMPLE / "reference" / f"{Path(file).stem}.png").read_bytes()).any() == (label != "normal")


def test_the_circumference_of_the_masks_is_that_of_the_challenge():
    for row in rows_of("circumference.csv"):
        ds = pydicom.dcmread(SAMPLE / "dicom" / "fetal_head" / row["file"], stop_before_pixels=True)
        mask = ids_from_png((SAMPLE / "reference" / f"{Path(row['file']).stem}.png").read_bytes())
        (outline,), _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        _, (a, b), _ = cv2.fitEllipse(outline)
        a, b = (a + 1) / 2, (b + 1) / 2  # contours run through pixel centres
        h = ((a - b) / (a + b)) ** 2
        mm = (
            np.pi
            * (a + b)
            * (1 + 3 * h / (10 + np.sqrt(4 - 3 * h)))
            * ds.SequenceOfUltrasoundRegions[0].PhysicalDeltaX
            * 10
        )
        assert mm == pytest.approx(float(row["hc_mm"]), rel=0.02)


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dicom3tools is not installed")
def test_dciodvfy_finds_no_error():
    for path in DICOM:
        if path.parent.name != "heart":
            done = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, timeout=60, check=False)
            assert "Error" not in done.stdout + done.stderr, path


def test_no_subject_of_the_sample_trained_what_ships():
    subjects = {name for names in FACTS["excluded"].values() for name in names}
    assert {s["subject"] for s in FACTS["subjects"]} == subjects
    named = subjects | {hashlib.sha256(name.encode()).hexdigest()[:16] for name in subjects}
    for card in resource("weights").glob("*/card.json"):
        body = json.loads(card.read_text("utf-8"))
        assert not named & {*body.get("train_subjects", ()), *body.get("holdout_subjects", ())}, card


@pytest.mark.skipif("USFM_SAMPLE_DATA" not in os.environ, reason="needs the data sets that the script names")
def test_the_script_rebuilds_the_sample_byte_for_byte(tmp_path):
    cine, root = SAMPLE / "dicom" / "heart" / "heart_cine.dcm", Path(__file__).parent.parent
    command = [sys.executable, "-m", "scripts.make_sample", "--data", os.environ["USFM_SAMPLE_DATA"], "--cine", cine]
    subprocess.run([*command, "--out", tmp_path], check=True, timeout=120, cwd=root)
    built = {p.relative_to(tmp_path): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    assert built == {p.relative_to(SAMPLE): p.read_bytes() for p in SAMPLE.rglob("*") if p.is_file()}
