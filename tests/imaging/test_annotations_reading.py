"""Masks and labels of other programs: what fits comes in, what does not is named with its reason."""

import json
import struct
import zlib

import cv2
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.imaging.exporting import a_frame, came_back, digest_of, key_of
from usfm_studio.document.errors import NotFound, Unreadable, WrongUsage
from usfm_studio.imaging.annotations.read import read
from usfm_studio.imaging.outlines import packed_counts
from usfm_studio.imaging.writing.volumes import nifti_head

STILL = a_frame("head", shape=(3, 5), uid="1.2.3.4")
LOOP = a_frame("loop", frame=0, frames=4, shape=(3, 5))
PROJECT = [STILL, LOOP]
CROSS = np.array([[0, 1, 0, 0, 0], [1, 1, 1, 0, 2], [0, 1, 0, 0, 2]], np.uint8)


def reasons(failed):
    return {item["path"].rpartition("/")[2]: item["error"] for item in failed}


def put_png(path, ids):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), ids)
    return path


def test_label_maps_find_their_frame_by_stem_uid_or_digest(tmp_path):
    others = [a_frame(f"o{i}", shape=(3, 5), uid=f"1.9.{i}") for i in range(3)]
    put_png(tmp_path / "in" / "HEAD.png", CROSS)
    put_png(tmp_path / "in" / "loop_f002.png", CROSS)
    put_png(tmp_path / "in" / "1.9.1.png", CROSS)
    put_png(tmp_path / "in" / f"{digest_of('/somewhere/o2.dcm')}.png", CROSS)
    put_png(tmp_path / "in" / f"anything-{digest_of('/somewhere/o0.dcm')[:8]}.png", CROSS)
    masks, _, failed, schema = came_back("png", tmp_path / "in", [*PROJECT, *others], tmp_path / "out")
    loop = digest_of("/somewhere/loop.dcm")
    assert masks.keys() == {key_of(STILL), f"{loop}#2", key_of(others[1]), key_of(others[2])}
    assert all(np.array_equal(mask, CROSS) for mask in masks.values())
    assert list(reasons(failed)) == [f"anything-{digest_of('/somewhere/o0.dcm')[:8]}.png"]
    assert schema is None


def test_what_does_not_fit_is_named_one_by_one(tmp_path):
    twins = [a_frame("twin", path=f"/{d}/twin.dcm", shape=(3, 5)) for d in "ab"]
    put_png(tmp_path / "head.png", np.zeros((4, 5), np.uint8))
    put_png(tmp_path / "nobody.png", CROSS)
    put_png(tmp_path / "twin.png", CROSS)
    put_png(tmp_path / "loop.png", CROSS)
    put_png(tmp_path / "loop_f009.png", CROSS)
    put_png(tmp_path / "loop_f001.png", np.dstack([CROSS, CROSS * 2, CROSS]))
    (tmp_path / "loop_f002.png").write_bytes(b"not a picture")
    put_png(tmp_path / "loop_f003.png", CROSS.astype(np.uint16) * 300)
    masks, _, failed, _ = came_back("png", tmp_path, [*PROJECT, *twins], tmp_path / "out")
    assert not masks
    why = reasons(failed)
    assert "5 x 4 pixels, the image 5 x 3" in why["head.png"]
    assert "no image of that name" in why["nobody.png"]
    assert "2 images of that name" in why["twin.png"]
    assert "is a loop" in why["loop.png"]
    assert "4 frames" in why["loop_f009.png"]
    assert "in colour" in why["loop_f001.png"]
    assert "not a PNG" in why["loop_f002.png"]
    assert "outside 0 to 255" in why["loop_f003.png"]


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_palette_pictures_give_their_indices(tmp_path, depth):
    ids = np.minimum(CROSS, 2**depth - 1)
    picture = Image.fromarray(ids, mode="P")
    picture.putpalette([0, 0, 0, 200, 10, 10, 10, 200, 10] + [7] * 3 * ((1 << depth) - 3))
    picture.save(tmp_path / "head.png", bits=depth)
    masks, _, failed, _ = came_back("png", tmp_path / "head.png", PROJECT, tmp_path / "out")
    assert not failed
    assert np.array_equal(masks[key_of(STILL)], ids)


def test_black_and_white_masks_are_0_and_1_unless_the_schema_knows_255(tmp_path):
    put_png(tmp_path / "a" / "head.png", (CROSS > 0).astype(np.uint8) * 255)
    masks, *_ = came_back("png", tmp_path / "a", PROJECT, tmp_path / "out1")
    assert np.array_equal(masks[key_of(STILL)], CROSS > 0)
    (tmp_path / "a" / "schema.toml").write_text('[[segments]]\nvalue = 255\nname = "All"\n')
    masks, *_ = came_back("png", tmp_path / "a", PROJECT, tmp_path / "out2")
    assert masks[key_of(STILL)].max() == 255


def test_a_picture_bomb_is_refused_by_its_stated_size(tmp_path):
    path = put_png(tmp_path / "head.png", CROSS)
    content = bytearray(path.read_bytes())
    content[16:24] = (60000).to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(bytes(content[12:29])).to_bytes(4, "big")
    path.write_bytes(content)
    _, _, failed, _ = came_back("png", path, PROJECT, tmp_path / "out")
    assert "60000 x 60000" in failed[0]["error"]


def coco(tmp_path, annotations, images=None, categories=None):
    images = images or [{"id": 7, "file_name": "deep/head.png", "width": 5, "height": 3}]
    body = {"images": images, "annotations": annotations, "categories": categories or [{"id": 1, "name": "Head"}]}
    (tmp_path / "in.json").write_text(json.dumps(body))
    return came_back("coco", tmp_path / "in.json", PROJECT, tmp_path / "out")


@pytest.mark.parametrize(
    "shape",
    [
        [[1, 0, 3, 0, 3, 2, 1, 2]],
        [[1, 0, 3, 0, 3, 1, 1, 1], [0.9, 0.8, 3.2, 0.8, 3.2, 2.1, 0.9, 2.1]],
        {"size": [3, 5], "counts": [3, 2, 1, 2, 7]},
        {"size": [3, 5], "counts": "32106"},
    ],
)
def test_coco_in_all_its_forms(tmp_path, shape):
    square = np.zeros((3, 5), np.uint8)
    square[0:2, 1:3] = 1
    masks, _, failed, _ = coco(tmp_path, [one(shape)])
    assert not failed
    assert np.array_equal(masks[key_of(STILL)], square)


def one(shape, category=1, image=7):
    return {"id": 1, "image_id": image, "category_id": category, "segmentation": shape}


def test_compressed_run_lengths_follow_the_published_scheme():
    # five bits a character, low first, bit 5 says that more follow; from the fourth run on, the difference to the
    # run two before: 3, 2, 1, then 2 - 2, 7 - 1, and 40 in two characters
    assert packed_counts("32106") == [3, 2, 1, 2, 7]
    assert packed_counts("X1") == [40]
    assert packed_counts("321N") == [3, 2, 1, 0]
    with pytest.raises(ValueError, match="cannot be read"):
        packed_counts("\x01")


def test_coco_entries_that_do_not_fit_are_named(tmp_path):
    images = [
        {"id": 1, "file_name": "head.png", "width": 5, "height": 3},
        {"id": 2, "file_name": "loop_f000.png", "width": 5, "height": 3},
        {"id": 3, "file_name": "loop_f001.png", "width": 9, "height": 3},
        {"id": 4, "file_name": "loop_f002.png", "width": 5, "height": 3},
        {"id": 5, "file_name": "loop_f003.png", "width": 5, "height": 3},
    ]
    annotations = [
        one({"size": [3, 5], "counts": [3, 2]}, image=1),
        one([[0, 0, 1]], image=2),
        one([[0, 0, 1, 0, 1, 1]], category=9, image=4),
    ]
    masks, _, failed, _ = coco(tmp_path, annotations, images)
    assert not masks  # the last one has no annotation and does not say that it was looked at
    why = reasons(failed)
    assert "do not fill the image" in why["head.png"]
    assert "outlines is none" in why["loop_f000.png"]
    assert "9 x 3" in why["loop_f001.png"]
    assert "an entry is missing (9)" in why["loop_f002.png"]


def test_coco_categories_become_segments(tmp_path):
    categories = [{"id": 900, "name": "Head"}, {"id": 17, "name": "Femur"}]
    masks, _, failed, schema = coco(tmp_path, [one([[0, 0, 5, 0, 5, 3, 0, 3]], category=17)], categories=categories)
    assert not failed
    assert np.unique(masks[key_of(STILL)]).tolist() == [2]
    assert [(s["value"], s["name"]) for s in schema["segments"]] == [(1, "Head"), (2, "Femur")]


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"images": 3}', '{"images": [1], "annotations": [], "categories": []}']
)
def test_json_that_is_not_coco_is_refused(tmp_path, text):
    (tmp_path / "in.json").write_text(text)
    with pytest.raises(Unreadable, match="not COCO"):
        came_back("coco", tmp_path / "in.json", PROJECT, tmp_path / "out")


def put_volume(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(sitk.GetImageFromArray(array), str(path))


def test_a_foreign_volume_marks_the_frames_that_hold_something(tmp_path):
    stack = np.zeros((4, 3, 5), np.float32)
    stack[2] = CROSS
    put_volume(tmp_path / "loop.nii", stack)
    put_volume(tmp_path / "head.nii.gz", CROSS.astype(np.int16)[None])
    masks, _, failed, _ = came_back("nifti", tmp_path, PROJECT, tmp_path / "out")
    assert not failed
    assert masks.keys() == {key_of(STILL), f"{digest_of('/somewhere/loop.dcm')}#2"}


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".nrrd", ".nhdr"])
@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
def test_volumes_of_every_kind_that_other_programs_write(tmp_path, ending, kind):
    stack = np.stack([CROSS, CROSS * 0, CROSS * 3, CROSS]).astype(kind)
    put_volume(tmp_path / f"loop{ending}", stack)
    masks, _, failed, _ = came_back("nifti", tmp_path / f"loop{ending}", PROJECT, tmp_path / "out")
    assert not failed
    loop = digest_of("/somewhere/loop.dcm")
    assert masks.keys() == {f"{loop}#{i}" for i in (0, 2, 3)}
    assert np.array_equal(masks[f"{loop}#2"], CROSS * 3)


def test_a_scaled_volume_counts_by_its_true_values(tmp_path):
    head = bytearray(nifti_head((5, 3), (1.0, 1.0)))
    struct.pack_into("<2f", head, 112, 0.5, -1.0)
    (tmp_path / "head.nii").write_bytes(head + ((CROSS + 1) * 2).tobytes())
    masks, _, failed, _ = came_back("nifti", tmp_path, PROJECT, tmp_path / "out")
    assert not failed
    assert np.array_equal(masks[key_of(STILL)], CROSS)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".nrrd"])
def test_damaged_volumes_end_in_a_reason(tmp_path, ending, data):
    path = tmp_path / f"head{ending}"
    put_volume(path, CROSS)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    masks, _, failed, _ = came_back("nifti", path, PROJECT, tmp_path / "out")
    assert len(masks) + len(failed) <= 1


def test_volumes_that_do_not_fit_are_named(tmp_path):
    put_volume(tmp_path / "head.nii.gz", CROSS.T.copy())
    put_volume(tmp_path / "loop.nii.gz", np.zeros((7, 3, 5), np.uint8))
    put_volume(tmp_path / "loop_f001.nrrd", CROSS + np.float32(0.5))
    (tmp_path / "loop_f002.nrrd").write_text("nonsense")
    _, _, failed, _ = came_back("nifti", tmp_path, PROJECT, tmp_path / "out")
    why = reasons(failed)
    assert "it is 3 x 5, the image 5 x 3" in why["head.nii.gz"]
    assert "5 x 3 x 7" in why["loop.nii.gz"]
    assert "no whole numbers" in why["loop_f001.nrrd"]
    assert "damaged" in why["loop_f002.nrrd"]


def test_a_data_folder_brings_masks_labels_and_schema(tmp_path):
    put_png(tmp_path / "masks" / "head.png", CROSS)
    (tmp_path / "labels.csv").write_text("\ufefffile,label\nhead.jpg,benign\nnobody.jpg,benign\nloop_f001.png,'=x\n")
    (tmp_path / "schema.toml").write_text('[[segments]]\nvalue = 1\nname = "Head"\n[[labels]]\nname = "benign"\n')
    masks, labels, failed, schema = came_back("data", tmp_path, PROJECT, tmp_path / "out")
    assert list(masks) == [key_of(STILL)]
    assert labels == {key_of(STILL): ["benign"], f"{digest_of('/somewhere/loop.dcm')}#1": ["=x"]}
    assert list(reasons(failed)) == ["nobody.jpg"]
    assert schema["labels"][0]["name"] == "benign"


@pytest.mark.parametrize(
    ("format", "error"),
    [("png", Unreadable), ("data", Unreadable), ("csv", Unreadable), ("coco", Unreadable), ("nifti", Unreadable)],
)
def test_a_folder_without_annotations_is_refused_with_the_reason(tmp_path, format, error):
    (tmp_path / "in").mkdir()
    with pytest.raises(error, match="Could not read"):
        read(format, tmp_path / "in", [], tmp_path / "out")


def test_unknown_formats_and_missing_paths_are_refused(tmp_path):
    with pytest.raises(WrongUsage, match="not read"):
        read("docx", tmp_path, [], tmp_path / "out")
    with pytest.raises(NotFound, match="it is not there"):
        read("png", tmp_path / "nowhere", [], tmp_path / "out")


def test_a_broken_schema_or_table_is_named(tmp_path):
    put_png(tmp_path / "head.png", CROSS)
    (tmp_path / "schema.toml").write_text("[[segments")
    with pytest.raises(WrongUsage, match="not TOML"):
        read("png", tmp_path, [], tmp_path / "out")
    (tmp_path / "schema.toml").write_text("[[segments]]\nvalue = 1\n")
    with pytest.raises(WrongUsage, match="an entry has no name"):
        read("png", tmp_path, [], tmp_path / "out")
    (tmp_path / "schema.toml").unlink()
    (tmp_path / "labels.csv").write_text("picture,label\n")
    with pytest.raises(Unreadable, match="no column file"):
        read("png", tmp_path, [], tmp_path / "out")
