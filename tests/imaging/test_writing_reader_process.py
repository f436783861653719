"""Exports and annotations through the real reader process, under its limits."""

import csv

import numpy as np
import pydicom
import pytest

from tests.imaging.exporting import SCHEMA, a_frame, a_snapshot, digest_of
from usfm_studio.document.errors import WrongUsage
from usfm_studio.document.frame import Instance
from usfm_studio.document.resources import resource
from usfm_studio.document.snapshot import schema_from
from usfm_studio.imaging.client import Reader
from usfm_studio.imaging.pictures import ids_from_png

WAIT_S = 60
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(scope="module")
def reader():
    one = Reader()
    yield one
    one.close()


def an_instance(path, **more):
    ds = pydicom.dcmread(path, stop_before_pixels=True)
    given = {"digest": digest_of(str(path)), "rows": ds.Rows, "columns": ds.Columns, **more}
    return Instance(path=str(path), frames=int(ds.get("NumberOfFrames", 1)), **given)


def test_the_reference_masks_of_the_sample_fit_its_files(reader, tmp_path):
    files = [p for p in sorted(resource("sample", "dicom").rglob("*.dcm")) if p.parent.name != "heart"]
    instances = [an_instance(path) for path in files]
    ticket = reader.read_annotations("png", resource("sample", "reference"), instances, tmp_path / "in")
    body = ticket.result(timeout=WAIT_S)
    assert body["failed"] == []
    assert len(body["masks"]) == sum(i.frames for i in instances)
    by_key = {item["frame_key"]: item["file"] for item in body["masks"]}
    loop = next(i for i in instances if i.frames > 1)
    reference = ids_from_png(resource("sample", "reference", "CA-01-1_f021.png").read_bytes())
    assert np.array_equal(np.load(by_key[loop.frame_id(21).key]), reference)
    with resource("sample", "reference", "labels.csv").open(newline="") as file:
        assert sorted(body["labels"].values()) == sorted([row["label"]] for row in csv.DictReader(file))


@pytest.mark.parametrize("format", ["nifti", "coco"])
def test_a_long_large_loop_goes_out_and_comes_back(reader, tmp_path, format):
    shape, count = (768, 1024), 200
    ids = np.zeros(shape, np.uint8)
    ids[100:400, 200:700] = 1
    ids[400:500, 200:700] = 2
    pixels = np.zeros(shape, np.uint8)
    frames = [a_frame("long", frame=i, frames=count, ids=np.roll(ids, i, 0), pixels=pixels) for i in (0, 77, 199)]
    folder, options = a_snapshot(tmp_path / "snapshot", frames)
    steps = []
    ticket = reader.write(format, folder, tmp_path / "out", options, on_progress=steps.append)
    assert ticket.result(timeout=WAIT_S)["frames"] == 3
    assert steps[-1] == {"done": 3, "total": 3}
    instance = Instance(digest=digest_of("/somewhere/long.dcm"), path="/somewhere/long.dcm", rows=768, columns=1024,
                        frames=count)  # fmt: skip
    body = reader.read_annotations(format, tmp_path / "out", [instance], tmp_path / "in").result(timeout=WAIT_S)
    assert body["failed"] == []
    found = {item["frame_key"]: np.load(item["file"]) for item in body["masks"]}
    assert found.keys() == {instance.frame_id(i).key for i in (0, 77, 199)}
    assert all(np.array_equal(found[instance.frame_id(f["frame"]).key], f["ids"]) for f in frames)
    assert {s.value for s in schema_from(body["schema"]).segments} == {s.value for s in SCHEMA.segments}


def test_segmentations_are_made_in_the_reader(reader, tmp_path):
    path = resource("sample", "dicom", "breast", "BR-01-1.dcm")
    instance = an_instance(path)
    ids = np.zeros((instance.rows, instance.columns), np.uint8)
    ids[10:50, 20:70] = 2
    folder, options = a_snapshot(tmp_path / "snapshot", [a_frame(path=str(path), ids=ids)])
    body = reader.write("seg", folder, tmp_path / "out", options).result(timeout=WAIT_S)
    assert [p.rpartition("/")[2] for p in body["files"]] == ["BR-01-1_seg.dcm"]


def test_errors_arrive_as_they_were_raised(reader, tmp_path):
    with pytest.raises(WrongUsage, match="no export format docx"):
        reader.write("docx", tmp_path, tmp_path / "out", {}).result(timeout=WAIT_S)
