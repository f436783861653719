"""Models that enhance: pictures come of them, and neither proposals nor marks; a shelf may hold them without harm."""

import cv2
import numpy as np
import pytest

from tests.verbs.making import a_shelf_model, a_still, kinds, lent_out, stills
from tests.verbs.making import by_hand as driven_by_hand
from usfm_studio.document.errors import StudioError, Unsupported
from usfm_studio.imaging.pictures import png_bytes
from usfm_studio.verbs.drive import drive
from usfm_studio.verbs.models import ModelsArguments, promotion
from usfm_studio.verbs.models import run as models
from usfm_studio.verbs.predict import PredictArguments
from usfm_studio.verbs.predict import run as predict
from usfm_studio.verbs.propose import ProposeArguments
from usfm_studio.verbs.propose import run as propose
from usfm_studio.verbs.shelf import model_for, read_card


def an_enhancer(folder, weights=b"enhancer", **card):
    return a_shelf_model(folder, weights, task="enhancement", segments={}, **{"name": "Clearer", **card})


def act(house, name, model=None):
    return drive(models(ModelsArguments(act=name, model=None if model is None else str(model)), house)).models


def test_it_is_imported_and_listed_and_removed_like_any_other(house, tmp_path):
    an_enhancer(tmp_path / "m")
    act(house, "import", tmp_path / "m")
    assert [(m["name"], m["task"], m["champion"]) for m in act(house, "list")] == [("Clearer", "enhancement", False)]
    digest = read_card(tmp_path / "m").digest
    assert act(house, "show", digest[:8])[0]["task"] == "enhancement"
    act(house, "remove", digest[:8])
    assert act(house, "list") == []


def test_it_is_never_the_model_that_proposes(filled, tmp_path):
    an_enhancer(tmp_path / "m")
    act(filled, "import", tmp_path / "m")
    card = read_card(tmp_path / "m")
    with pytest.raises(Unsupported, match="marks nothing"):
        act(filled, "promote", card.digest[:8])
    with pytest.raises(Unsupported, match="marks nothing"):
        act(filled, "promote", tmp_path / "m")
    with pytest.raises(Unsupported):
        promotion(filled.project, card)  # what the window asks
    assert not filled.project.champions()
    assert all(model_for(filled.project, i) is None for i in filled.project.instances)
    for name in (card.digest[:8], str(tmp_path / "m")):
        with pytest.raises(Unsupported, match="marks nothing"):
            drive(propose(ProposeArguments(model=name), filled))
    assert all(filled.project.proposal(f.id) is None for f in filled.project.frames())
    assert filled._engine.asked == []


def test_beside_a_champion_it_changes_nothing(filled, tmp_path):
    champion = read_card(a_shelf_model(tmp_path / "marks"))
    act(filled, "import", tmp_path / "marks")
    act(filled, "promote", champion.digest[:8])
    act(filled, "import", an_enhancer(tmp_path / "m"))
    assert drive(propose(ProposeArguments(), filled)).model == champion.short
    assert filled.project.models.champion("") == champion.digest


def test_enhanced_frames_have_the_stem_and_size_of_the_input_and_say_what_they_are_not_for(houses, tmp_path):
    images = stills(tmp_path / "images", 1)
    a_still(images, 2, frames=2)
    colour = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    (images / "photo.png").write_bytes(png_bytes(colour))
    house, out = houses(), tmp_path / "out"
    arguments = PredictArguments(model=str(an_enhancer(tmp_path / "m")), inputs=(str(images),), out=out)
    wishes, result = driven_by_hand(predict(arguments, house))
    assert kinds(wishes) == ["progress"]
    assert sorted(p.name for p in out.iterdir()) == ["im0001.png", "im0002_f000.png", "im0002_f001.png", "photo.png"]
    assert cv2.imread(str(out / "photo.png"), cv2.IMREAD_UNCHANGED).shape == (20, 30, 3)
    assert cv2.imread(str(out / "im0001.png"), cv2.IMREAD_UNCHANGED).shape == (30, 50)
    assert all(b"tEXtDescription\0enhanced, not for measurement" in p.read_bytes() for p in out.glob("*.png"))
    assert (result.frames, result.predicted_dice, result.failed) == (4, {}, [])
    assert lent_out(house) == 0


def test_it_gives_nothing_else(houses, tmp_path):
    images = stills(tmp_path / "images", 1)
    for kind in ("masks", "labels", "probabilities"):
        arguments = PredictArguments(
            model=str(an_enhancer(tmp_path / kind)), inputs=(str(images),), out=tmp_path / "out", kind=kind
        )
        with pytest.raises(Unsupported, match="It can give enhanced"):
            drive(predict(arguments, houses()))
    marks = PredictArguments(
        model=str(a_shelf_model(tmp_path / "marks")), inputs=(str(images),), out=tmp_path / "out", kind="enhanced"
    )
    with pytest.raises(Unsupported, match="gives no enhanced"):
        drive(predict(marks, houses()))


def test_an_engine_that_fails_gives_the_pixels_back(houses, tmp_path):
    house = houses()
    house._engine.error = StudioError("The engine is ill")
    arguments = PredictArguments(
        model=str(an_enhancer(tmp_path / "m")), inputs=(str(stills(tmp_path / "images", 2)),), out=tmp_path / "out"
    )
    with pytest.raises(StudioError, match="ill"):
        drive(predict(arguments, house))
    assert lent_out(house) == 0
