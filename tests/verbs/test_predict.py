"""Predictions for any files: stems kept, frames numbered, files that clash or cannot be read named."""

import csv

import numpy as np
import pytest

from tests.verbs.making import a_data_folder, a_shelf_model, a_still, by_hand, grey, kinds, lent_out, stills
from usfm_studio.document.errors import Unsupported, WrongUsage
from usfm_studio.imaging.pictures import ids_from_png, png_bytes
from usfm_studio.verbs.drive import drive
from usfm_studio.verbs.predict import PredictArguments, run


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def a_segmenter(tmp_path, **more):
    return str(a_shelf_model(tmp_path / "model", **more))


def predict(house, out, model, *inputs, **more):
    return drive(run(PredictArguments(model=model, inputs=tuple(map(str, inputs)), out=out, **more), house))


def test_masks_have_the_stem_and_size_of_the_input(houses, tmp_path, out):
    images = stills(tmp_path / "images", 2)
    (images / "photo.png").write_bytes(png_bytes(grey(5, 20, 70)))
    result = predict(houses(predicted_dice={1: 0.75}), out, a_segmenter(tmp_path), images)
    assert sorted(p.name for p in out.iterdir()) == ["im0001.png", "im0002.png", "photo.png", "schema.toml"]
    ids = ids_from_png((out / "photo.png").read_bytes())
    assert ids.shape == (20, 70)
    assert set(np.unique(ids)) == {0, 1}
    assert result.predicted_dice == {"im0001.dcm": 0.75, "im0002.dcm": 0.75, "photo.png": 0.75}
    assert result.frames == 3
    assert result.ms_per_frame > 0


def test_frames_of_a_loop_are_numbered_from_0(houses, tmp_path, out):
    a_still(tmp_path / "images", 1, frames=3)
    result = predict(houses(), out, a_segmenter(tmp_path), tmp_path / "images")
    assert sorted(p.name for p in out.glob("*.png")) == [f"im0001_f00{n}.png" for n in range(3)]
    assert list(result.predicted_dice) == ["im0001.dcm#0", "im0001.dcm#1", "im0001.dcm#2"]


def test_labels_come_as_a_table_beside_the_masks_or_alone(houses, tmp_path, out):
    images = stills(tmp_path / "images", 5)
    model = a_segmenter(tmp_path, task="both", labels=("benign", "malignant"))
    house = houses(labels={"benign": 0.25, "malignant": 0.75})
    predict(house, out, model, images)
    predict(house, tmp_path / "alone", model, images, kind="labels")
    for folder in (out, tmp_path / "alone"):
        rows = list(csv.DictReader((folder / "labels.csv").open()))
        assert [row["file"] for row in rows] == [f"im000{n}.dcm" for n in range(1, 6)]
        assert all((row["label"], row["benign"], row["malignant"]) == ("malignant", "0.25", "0.75") for row in rows)
    assert len(list(out.glob("*.png"))) == 5
    assert not list((tmp_path / "alone").glob("*.png"))


def test_probabilities_are_arrays_of_half_floats(houses, tmp_path, out):
    images = stills(tmp_path / "images", 1)
    predict(houses(), out, a_segmenter(tmp_path), images, kind="probabilities")
    found = np.load(out / "im0001.npz")["probabilities"]
    assert found.dtype == np.float16
    assert found.shape == (2, 30, 50)


def test_files_of_one_name_do_not_overwrite_each_other(houses, tmp_path, out):
    a_still(tmp_path / "images" / "a", 1)
    a_still(tmp_path / "images" / "b", 1)
    result = predict(houses(), out, a_segmenter(tmp_path), tmp_path / "images")
    assert result.frames == 1
    assert "has the same name" in result.failed[0].error
    assert result.partial


def test_of_a_data_folder_the_images_are_predicted(houses, tmp_path, out):
    data = a_data_folder(tmp_path / "data", subjects=2)
    result = predict(houses(), out, a_segmenter(tmp_path), data)
    assert (result.frames, result.failed) == (2, [])


def test_what_cannot_be_read_is_named_and_the_rest_is_done(houses, tmp_path, out):
    images = stills(tmp_path / "images", 2)
    (images / "broken.dcm").write_bytes((images / "im0001.dcm").read_bytes()[:600])
    result = predict(houses(), out, a_segmenter(tmp_path), images, tmp_path / "nowhere")
    assert result.frames == 2
    assert len(result.failed) == 2


def test_a_name_that_no_result_can_have_keeps_no_other_file_from_its_result(houses, tmp_path, out):
    images = stills(tmp_path / "images", 1)
    names = {"n" * 251: True, "m" * 252: False, "back\\slash": False, "ü" * 120: True}
    for name in names:
        (images / name).write_bytes(png_bytes(grey(len(name), 20, 70)))
    result = predict(houses(), out, a_segmenter(tmp_path), images)
    written = {p.stem for p in out.glob("*.png")}
    assert written == {"im0001", *(name for name, fits in names.items() if fits)}
    assert {failure.path.rpartition("/")[2] for failure in result.failed} == {
        n for n, fits in names.items() if not fits
    }
    assert not list(out.glob(".*"))
    labels = a_segmenter(tmp_path / "other", task="labels", labels=("benign", "malignant"))
    assert not predict(houses(labels={"benign": 1.0}), tmp_path / "alone", labels, images).failed


def test_a_model_gives_only_what_it_learned(houses, tmp_path, out):
    images = stills(tmp_path / "images", 1)
    with pytest.raises(Unsupported, match="It can give masks, probabilities"):
        predict(houses(), out, a_segmenter(tmp_path), images, kind="labels")
    with pytest.raises(Unsupported, match="it is an encoder"):
        predict(houses(), out, "usfm_lite0", images)
    with pytest.raises(WrongUsage, match="no kind"):
        predict(houses(), out, a_segmenter(tmp_path / "x"), images, kind="mask")
    assert not out.exists()


def test_a_file_in_the_place_of_the_folder_is_not_replaced(houses, tmp_path, out):
    out.write_text("mine")
    with pytest.raises(WrongUsage):
        predict(houses(), out, a_segmenter(tmp_path), stills(tmp_path / "images", 1))
    assert out.read_text() == "mine"


def test_step_by_step_it_reads_asks_writes_and_tells_how_far_it_is(houses, tmp_path, out):
    images = stills(tmp_path / "images", 6)
    house = houses()
    arguments = PredictArguments(model=a_segmenter(tmp_path), inputs=(str(images),), out=out)
    wishes, result = by_hand(run(arguments, house))
    assert kinds(wishes) == ["progress"]
    assert [len(batch) for batch in house._engine.asked] == [4, 2]
    assert result.frames == 6
    assert lent_out(house) == 0
