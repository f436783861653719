"""`finetune --encoder`: which encoder is meant, what is told, and the written model at work on another machine."""

import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from tests.engine.foreign import published
from tests.verbs.making import a_data_folder, a_shelf_model
from usfm_studio.document.errors import BadModel, NotFound
from usfm_studio.engine.models.catalogue import shipped_encoder
from usfm_studio.engine.models.foreign.convert import convert
from usfm_studio.project.models import read_card
from usfm_studio.verbs.drive import drive
from usfm_studio.verbs.evaluate import EvaluateArguments
from usfm_studio.verbs.evaluate import run as evaluate
from usfm_studio.verbs.finetune import FinetuneArguments, run
from usfm_studio.verbs.house import House, Options
from usfm_studio.verbs.models import ModelsArguments
from usfm_studio.verbs.models import run as models
from usfm_studio.verbs.predict import PredictArguments
from usfm_studio.verbs.predict import run as predict


def learn(house, show=lambda _event: None, **more):
    return drive(run(FinetuneArguments(**more), house), show)


def encoder_of(result):
    return result.settings["order"]["encoder"]


@pytest.mark.usefixtures("fake_worker")
def test_an_encoder_is_a_folder_or_a_name_and_without_one_the_default_is_learned_over(houses, tmp_path):
    data = a_data_folder(tmp_path / "data", 2)
    encoder = a_shelf_model(tmp_path / "mine", task="encoder", segments={})
    ways = {str(encoder): str(encoder), "usfm_lite0": str(shipped_encoder()), None: None}
    for name, folder in ways.items():
        assert encoder_of(learn(houses(), data=data, out=tmp_path / "out", encoder=name)) == folder


@pytest.mark.usefixtures("fake_worker")
def test_of_a_whole_model_it_says_that_the_encoder_alone_is_used(houses, tmp_path):
    data, events = a_data_folder(tmp_path / "data", 2), []
    model = a_shelf_model(tmp_path / "whole")
    result = learn(houses(), events.append, data=data, out=tmp_path / "out", encoder=str(model))
    assert encoder_of(result) == str(model)
    notes = [event.body["note"] for event in events if event.kind == "note"]
    assert "Head v1 is a whole model: its encoder alone is used, and nothing of what it marks." in notes


@pytest.mark.usefixtures("fake_worker")
def test_a_project_knows_the_encoders_on_its_shelf_by_their_digest(filled, tmp_path):
    from tests.project.making import set_state
    from tests.verbs.test_export import draw
    from usfm_studio.document.annotation import State

    project = filled.project
    first, second, *_ = (frame.id for frame in project.frames())
    draw(project, first)
    set_state(project, second, State.NOTHING)
    card = project.models.import_model(a_shelf_model(tmp_path / "mine", b"encoder", task="encoder", segments={}))
    result = learn(filled, encoder=card.short)
    assert encoder_of(result) == str(project.models.path(card.digest).absolute())


def test_what_is_no_encoder_here_ends_before_anything_is_read(houses, tmp_path):
    data = a_data_folder(tmp_path / "data", 2)
    changed = a_shelf_model(tmp_path / "changed", task="encoder", segments={})
    (changed / "model.safetensors").write_bytes(b"other weights")
    gone = a_shelf_model(tmp_path / "gone", task="encoder", segments={})
    (gone / "model.safetensors").unlink()
    cases = {
        str(changed): (BadModel, "wrong digest"), str(gone): (BadModel, "missing or unreadable"),
        str(tmp_path / "nowhere"): (NotFound, "neither the project nor the program has it"),
        "usfm_base": (NotFound, "do not ship with the program"),
    }  # fmt: skip
    for name, (kind, why) in cases.items():
        with pytest.raises(kind, match=why):
            learn(houses(), data=data, out=tmp_path / "out", encoder=name)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_model_over_an_imported_encoder_predicts_the_same_on_another_machine(tmp_path):
    data = a_data_folder(tmp_path / "data", 4)
    torch.save(published.official(published.beit(width=64, heads=1, depth=2)), tmp_path / "USFM_latest.pth")
    convert(tmp_path / "USFM_latest.pth", tmp_path / "usfm", licence="CC-BY-NC 4.0")
    options = Options(device="cpu", threads=1)
    quick = {"max_steps": 15, "input_px": 64, "views": 16, "batch": 4}
    with House(options) as house:
        arguments = FinetuneArguments(
            data=data, out=tmp_path / "model", encoder=str(tmp_path / "usfm"), options=quick, minutes=30.0
        )
        drive(run(arguments, house))
        here = masks(house, tmp_path / "model", data, tmp_path / "here")
    shutil.rmtree(tmp_path / "usfm")
    with House(options) as house:
        drive(models(ModelsArguments(act="export", model=str(tmp_path / "model"), out=tmp_path / "away" / "m"), house))
        shutil.rmtree(tmp_path / "model")
        there = masks(house, tmp_path / "away" / "m", data, tmp_path / "there")
        scores = drive(evaluate(EvaluateArguments(model=str(tmp_path / "away" / "m"), data=data), house)).scores
    assert here.keys() == there.keys()
    assert all(np.array_equal(here[name], there[name]) for name in here)
    assert 0 <= scores["dice_all"] <= 1
    assert read_card(tmp_path / "away" / "m").licence == "CC-BY-NC 4.0"


def masks(house, model, data, out):
    drive(predict(PredictArguments(inputs=(str(data),), model=str(model), out=out), house))
    return {path.name: np.asarray(Image.open(path)) for path in sorted(out.glob("*.png"))}
