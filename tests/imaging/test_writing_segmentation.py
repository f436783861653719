"""DICOM segmentations: legal, whole, and tied to the very frames they were drawn on."""

import shutil
import subprocess
import zipfile

import highdicom as hd
import numpy as np
import pydicom
import pytest
from pydicom.uid import SecondaryCaptureImageStorage

from tests.imaging.exporting import SCHEMA, a_frame, a_snapshot
from usfm_studio.document.errors import Unsupported
from usfm_studio.document.resources import resource
from usfm_studio.document.schema import Code, Segment
from usfm_studio.imaging.writing.export import write
from usfm_studio.imaging.writing.seg_segments import codes_of
from usfm_studio.imaging.writing.segmentation import bits_of

STILL = resource("sample", "dicom", "fetal_head", "FH-01-1.dcm")
LOOP = resource("sample", "dicom", "carotid", "CA-01-1.dcm")
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
dciodvfy = pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dicom3tools is not installed")


def two_segments(ds):
    ids = np.zeros((ds.Rows, ds.Columns), np.uint8)
    ids[20:60, 30:90] = 1
    ids[60:80, 30:90] = 2  # touching
    ids[5, 7] = 255
    return ids


def a_still(path=STILL, ids=None, **source):
    ds = pydicom.dcmread(path, stop_before_pixels=True)
    ids = two_segments(ds) if ids is None else ids
    return a_frame(path=str(path), ids=ids, source=source)


def a_loop(frames, path=LOOP, **source):
    ds = pydicom.dcmread(path, stop_before_pixels=True)
    base = two_segments(ds)
    return [
        a_frame(path=str(path), frame=i, frames=int(ds.NumberOfFrames), ids=np.roll(base, i, axis=1), source=source)
        for i in frames
    ]


def exported(tmp_path, frames, schema=SCHEMA):
    folder, options = a_snapshot(tmp_path / "snapshot", frames, schema)
    answer = write("seg", folder, tmp_path / "out", options)
    return answer, [pydicom.dcmread(p) for p in sorted((tmp_path / "out").glob("*.dcm"))]


def errors_of(path):
    done = subprocess.run(
        ["dciodvfy", str(path)], capture_output=True, text=True, errors="replace", timeout=60, check=False
    )
    return [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")]


def a_changed_copy(folder, path=STILL, **changes):
    ds = pydicom.dcmread(path)
    for name, value in changes.items():
        if value is None:
            delattr(ds, name)
        else:
            setattr(ds, name, value)
    folder.mkdir(exist_ok=True)
    ds.save_as(folder / path.name, enforce_file_format=False)
    return folder / path.name


def test_a_still_is_read_back_by_highdicom(tmp_path):
    frame = a_still()
    answer, (seg,) = exported(tmp_path, [frame])
    assert answer["frames"] == 1
    source = pydicom.dcmread(STILL, stop_before_pixels=True)
    read = hd.seg.segread(tmp_path / "out" / "FH-01-1_seg.dcm")
    bits = read.get_pixels_by_source_instance([source.SOPInstanceUID], assert_missing_frames_are_empty=True)
    assert np.array_equal(np.moveaxis(bits[0], -1, 0).astype(bool), [frame["ids"] == v for v in (1, 2, 255)])
    assert seg.PatientID == source.PatientID
    assert seg.StudyInstanceUID == source.StudyInstanceUID
    assert seg.ReferencedSeriesSequence[0].SeriesInstanceUID == source.SeriesInstanceUID
    assert seg.LossyImageCompression == "01"
    assert [s.SegmentLabel for s in seg.SegmentSequence] == ["Fetal head", "Lesion, left", 'Größe "x"']
    assert seg.SegmentSequence[0].SegmentedPropertyTypeCodeSequence[0].CodeValue == "69536005"
    assert {s.SegmentAlgorithmType for s in seg.SegmentSequence} == {"MANUAL"}


def test_a_loop_is_read_back_by_source_frame(tmp_path):
    frames = a_loop((3, 7, 21), model="Carotid v2 1a2b3c4d")
    _, (seg,) = exported(tmp_path, frames)
    read = hd.seg.segread(tmp_path / "out" / "CA-01-1_seg.dcm")
    bits = read.get_pixels_by_source_frame(seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence[0]
                                           .ReferencedSOPInstanceUID, [4, 8, 22])  # fmt: skip
    for found, frame in zip(bits, frames, strict=True):
        assert np.array_equal(np.moveaxis(found, -1, 0).astype(bool), [frame["ids"] == v for v in (1, 2, 255)])
    assert {frame for _, frame in bits_of(seg)} == {4, 8, 22}
    assert {s.SegmentAlgorithmType for s in seg.SegmentSequence} == {"SEMIAUTOMATIC"}
    algorithm = seg.SegmentSequence[0].SegmentationAlgorithmIdentificationSequence[0]
    assert "1a2b3c4d" in algorithm.AlgorithmVersion


@dciodvfy
@pytest.mark.parametrize("model", ["", "Heads v3 1a2b3c4d"])
def test_dciodvfy_finds_no_error(tmp_path, model):
    frames = [a_still(model=model), *a_loop((0, 5), model=model)]
    empty = a_still(resource("sample", "dicom", "breast", "BR-01-1.dcm"), model=model)
    empty["ids"][:] = 0
    answer, _ = exported(tmp_path, [*frames, empty])
    assert len(answer["files"]) == 3
    assert [errors_of(path) for path in answer["files"]] == [[], [], []]


def test_nothing_to_mark_says_what_was_looked_for(tmp_path):
    frame = a_still(exam="BREAST")
    frame["ids"][:] = 0
    _, (seg,) = exported(tmp_path, [frame])
    assert [s.SegmentLabel for s in seg.SegmentSequence] == ["Lesion, left", 'Größe "x"']
    assert not any(plane.any() for plane in bits_of(seg).values())


def test_the_identity_of_a_segment_outlives_an_edit(tmp_path):
    first = exported(tmp_path / "1", [a_still()])[1][0]
    edited = a_still()
    edited["ids"][0, 0] = 1
    second = exported(tmp_path / "2", [edited])[1][0]
    assert [s.TrackingUID for s in first.SegmentSequence] == [s.TrackingUID for s in second.SegmentSequence]
    assert first.SOPInstanceUID != second.SOPInstanceUID


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"StudyInstanceUID": "1.2." + "9" * 90}, "no valid StudyInstanceUID"),
        ({"SeriesInstanceUID": None}, "no valid SeriesInstanceUID"),
        ({"StudyInstanceUID": "1.02.3"}, "no valid StudyInstanceUID"),
        ({"Rows": 17}, "another size"),
    ],
)
def test_a_source_that_cannot_be_cited_is_named_and_the_others_go_on(tmp_path, changes, reason):
    with pydicom.config.disable_value_validation():
        bad = a_changed_copy(tmp_path / "bad", **changes)
    frame = a_still(bad, ids=a_still()["ids"])
    answer, made = exported(tmp_path, [frame, *a_loop((2,))])
    assert len(made) == 1
    assert answer["frames"] == 1
    (failure,) = answer["failed"]
    assert failure["path"] == str(bad)
    assert reason in failure["error"]


def test_where_no_source_can_be_cited_nothing_is_written(tmp_path):
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(Unsupported, match="no DICOM file"):
        exported(tmp_path, [a_frame(path=str(picture), ids=np.eye(3, 5))])
    assert not (tmp_path / "out").exists()


def test_a_source_that_is_gone_is_named(tmp_path):
    frame = a_still()
    frame["path"] = str(tmp_path / "gone.dcm")
    answer, _ = exported(tmp_path, [frame, *a_loop((2,))])
    assert "it is not there" in answer["failed"][0]["error"]


def test_old_dates_words_and_missing_values_become_legal(tmp_path):
    with pydicom.config.disable_value_validation():
        odd = a_changed_copy(
            tmp_path / "odd", StudyDate="1994.01.30", StudyTime="14:04:38", PatientSex="Male", PatientBirthDate="--",
            PatientID=None, AccessionNumber=None, SpecificCharacterSet="ISO_IR 100", PatientName="Grün^Zoë",
        )  # fmt: skip
    _, (seg,) = exported(tmp_path, [a_still(odd, ids=a_still()["ids"])])
    values = (seg.StudyDate, seg.StudyTime, seg.PatientSex, seg.PatientBirthDate, seg.PatientID)
    assert values == ("19940130", "140438", "M", "", "")
    assert str(seg.PatientName) == "Grün^Zoë"
    assert seg.SpecificCharacterSet == "ISO_IR 192"


def test_a_still_of_another_class_is_cited_without_a_frame_number(tmp_path):
    other = a_changed_copy(tmp_path / "sc", SOPClassUID=SecondaryCaptureImageStorage)
    _, (seg,) = exported(tmp_path, [a_still(other, ids=a_still()["ids"])])
    cited = seg.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0].SourceImageSequence[0]
    assert "ReferencedFrameNumber" not in cited
    assert cited.ReferencedSOPClassUID == SecondaryCaptureImageStorage


def test_a_source_inside_a_zip_is_found(tmp_path):
    with zipfile.ZipFile(tmp_path / "study.zip", "w") as archive:
        archive.write(STILL, "deep/FH-01-1.dcm")
    frame = a_still()
    frame["path"] = str(tmp_path / "study.zip")
    frame["source"] = {"member": "deep/FH-01-1.dcm"}
    _, made = exported(tmp_path, [frame])
    assert len(made) == 1


def test_codes_are_the_schemas_own_or_what_the_name_suggests():
    def codes(name, code=None):
        return tuple(c.value for c in codes_of(Segment(value=1, name=name, code=code)))

    assert codes("Anything", Code(value="123", scheme="99ME", meaning="Mine")) == ("91723000", "123")
    assert codes("Left lobe thyroid") == ("91723000", "69748006")
    assert codes("Breast mass") == ("49755003", "4147007")
    assert codes("Structure X") == ("85756007", "85756007")
    assert codes("Breast mass", Code(value="x" * 40, scheme="SCT", meaning="too long")) == ("49755003", "4147007")
    assert codes("Thyroid nodules") == ("49755003", "27925004")
    assert codes("Aorta") == ("91723000", "15825003"), "not the abdominal one, which has a code of its own"
    assert codes("Abdominal aorta") == ("91723000", "7832008")
    assert codes("Pancreas, head") == ("91723000", "15776009")


def test_a_part_of_a_word_suggests_no_code():
    tissue = ("85756007", "85756007")
    for name in ("Cystic duct", "Forehead", "Massa", "Plunging ranula"):
        assert tuple(c.value for c in codes_of(Segment(value=1, name=name))) == tissue, name
