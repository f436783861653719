"""The small verbs and the house: evaluate, project care, doctor, the sample; children end, projects close."""

import json
import os
from pathlib import Path

import pytest

from tests.verbs.making import a_data_folder, a_project, a_shelf_model, a_still, by_hand, kinds
from usfm_studio.document.errors import BadModel, ChildDied, DiskFull, Interrupted, NotFound, Unsupported, WrongUsage
from usfm_studio.project.project import Project
from usfm_studio.verbs import care, doctor, evaluate, predict, propose
from usfm_studio.verbs.drive import drive
from usfm_studio.verbs.house import House
from usfm_studio.verbs.sample import SampleArguments, open_sample, sample_schema
from usfm_studio.verbs.sample import run as fill_sample
from usfm_studio.verbs.shelf import read_card
from usfm_studio.verbs.steps import Await


@pytest.mark.usefixtures("fake_worker")
def test_evaluate_hands_the_folder_to_the_worker_and_its_scores_on(houses, tmp_path):
    data = a_data_folder(tmp_path / "data", subjects=2)
    model = a_shelf_model(tmp_path / "m")
    arguments = evaluate.EvaluateArguments(model=str(model), data=data, folds=2, fold=1)
    wishes, result = by_hand(evaluate.run(arguments, houses()))
    assert kinds(wishes) == ["progress"]
    fields = result.fields()
    assert (fields["dice"], fields["failed"]) == (0.5, [])
    told = fields["told"]
    assert (told["model"], told["folds"], told["fold"]) == (str(model), 2, 1)
    assert not Path(told["snapshot"]).exists()


@pytest.mark.usefixtures("fake_worker")
def test_where_nothing_is_left_to_score_it_is_said_what_was_left_out(houses, tmp_path):
    data = a_data_folder(tmp_path / "data", subjects=1)
    (data / "images" / "s0.png").write_bytes(b"no picture")
    a_still(data / "images")
    model = a_shelf_model(tmp_path / "m", name="Nothing to score")
    with pytest.raises(NotFound, match=r"no frame has masks; \d things .* left out, first: Could not read s0\.png"):
        drive(evaluate.run(evaluate.EvaluateArguments(model=str(model), data=data), houses()))


def test_an_encoder_is_not_scored(houses, tmp_path):
    with pytest.raises(Unsupported, match="it is an encoder"):
        drive(evaluate.run(evaluate.EvaluateArguments(model="usfm_lite0", data=tmp_path), houses()))


def damaged(folder):
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])


def cardless(folder):
    (folder / "card.json").unlink()


def of_another_program(folder):
    (folder / "card.json").write_text(json.dumps({"architectures": ["UNet"], "model_type": "unet"}))


def swollen(folder):
    (folder / "card.json").write_text(f'{{"notes": "{"x" * (1 << 20)}"}}')


@pytest.mark.parametrize(
    ("spoil", "card", "why"),
    [
        (damaged, {}, "wrong digest"),
        (cardless, {}, "card.json is missing"),
        (of_another_program, {}, "malformed"),
        (swollen, {}, "larger than a card can be"),
        (None, {"encoder_digest": "e" * 64}, "it needs the encoder eeeeeeee"),
        (None, {"input_px": 10**6}, "its input size is 1000000"),
    ],
)
def test_a_bad_model_is_refused_before_a_child_is_started(tmp_path, spoil, card, why):
    house = a_project(tmp_path / "p")
    house.leave()
    model = a_shelf_model(tmp_path / "m", **card)
    if spoil is not None:
        spoil(model)
    asked = (
        evaluate.run(evaluate.EvaluateArguments(model=str(model), data=tmp_path), House()),
        predict.run(predict.PredictArguments(model=str(model), inputs=(str(tmp_path),), out=tmp_path / "out"), House()),
    )
    for steps in asked:
        with pytest.raises(BadModel, match=why):
            drive(Refusing(steps).steps())
    with House.at(tmp_path / "p") as opened, pytest.raises(BadModel, match=why):
        drive(Refusing(propose.run(propose.ProposeArguments(model=str(model)), opened)).steps())
    assert not (tmp_path / "out").exists()


class Refusing:
    """A verb that may wait for no child."""

    def __init__(self, verb):
        self.verb = verb

    def steps(self):
        reply = None
        while True:
            wish = self.verb.send(reply)
            assert not isinstance(wish, Await)
            reply = yield wish


def test_a_card_that_no_reader_can_hold_is_malformed(tmp_path):
    model = a_shelf_model(tmp_path / "m")
    (model / "card.json").write_text("[" * 100_000)
    with pytest.raises(BadModel, match="malformed"):
        read_card(model)


def test_evaluate_wants_a_model_and_a_folder(houses, tmp_path):
    with pytest.raises(NotFound):
        drive(evaluate.run(evaluate.EvaluateArguments(model="nowhere", data=tmp_path), houses()))


@pytest.mark.parametrize("act", ["check", "repair", "compact", "migrate"])
def test_a_sound_project_stays_as_it_is(houses, tmp_path, act):
    house = a_project(tmp_path / "p")
    house.close()
    wishes, result = by_hand(care.run(care.CareArguments(act=act, folder=tmp_path / "p"), House()))
    assert kinds(wishes) == ["progress"]
    assert (result.ok, result.problems) == (True, [])
    assert bool(result.done) == (act == "compact")


def test_what_is_wrong_is_told_and_repaired(tmp_path):
    house = a_project(tmp_path / "p")
    model = house.project.models.import_model(a_shelf_model(tmp_path / "m"))
    (house.project.models.path(model.digest) / "model.safetensors").write_bytes(b"rot")
    house.close()
    found = drive(care.run(care.CareArguments(act="check", folder=tmp_path / "p"), House()))
    assert not found.ok
    assert [problem["kind"] for problem in found.problems] == ["model"]
    mended = drive(care.run(care.CareArguments(act="repair", folder=tmp_path / "p"), House()))
    assert mended.ok
    assert mended.done


def test_an_act_that_is_not_known_is_wrong_usage(tmp_path):
    with pytest.raises(WrongUsage):
        drive(care.run(care.CareArguments(act="burn", folder=tmp_path), House()))


def test_doctor_tells_what_is_there_and_how_to_get_what_is_not(houses, monkeypatch):
    monkeypatch.delenv("QT_QPA_PLATFORM")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    wishes, result = by_hand(doctor.run(doctor.DoctorArguments(), houses()))
    assert kinds(wishes) == ["progress"]
    checks = {check.name: check for check in result.checks}
    assert {"program", "memory", "disk", "imagecodecs", "torch", "display", "font", "encoder", "sample", "reader",
            "device"} <= set(checks)  # fmt: skip
    assert "Fake" in checks["device"].detail
    assert all(check.ok for name, check in checks.items() if name not in ("display", "memory", "disk"))
    if os.uname().sysname == "Linux":
        assert not checks["display"].ok
        assert "demo --tour" in checks["display"].hint
    assert all(check.hint for check in result.checks if not check.ok)


def test_doctor_goes_on_when_something_fails_and_stops_when_told(houses):
    house = houses()

    def dead():
        raise ChildDied("The engine does not stay up", "a part of the program is missing (torch)", "Install it.")

    house._engine.device = dead
    checks = {check.name: check for check in drive(doctor.run(doctor.DoctorArguments(), house)).checks}
    assert not checks["device"].ok
    assert "a part of the program is missing" in checks["device"].hint
    with pytest.raises(Interrupted):
        drive(doctor.run(doctor.DoctorArguments(), houses()), interrupted=lambda: True)


def test_doctor_finds_damaged_weights(houses, tmp_path, monkeypatch):
    model = a_shelf_model(tmp_path / "weights" / "m")
    (model / "model.safetensors").write_bytes(b"rot")
    from usfm_studio.verbs.shelf import read_card

    monkeypatch.setattr(doctor, "shipped", lambda: ((model, read_card(model)),))
    checks = drive(doctor.run(doctor.DoctorArguments(), houses())).checks
    assert [(c.ok, "wrong digest" in c.detail) for c in checks if c.name == "starter model"] == [(False, True)]
    assert [c.ok for c in checks if c.name == "encoder"] == [False]


def test_the_sample_becomes_a_project_of_the_persons_own_once(houses, tmp_path):
    house = houses()
    assert open_sample(SampleArguments(folder=tmp_path / "deep" / "s"), house)
    result = drive(fill_sample(SampleArguments(folder=tmp_path / "deep" / "s"), house))
    assert result.imported == len(house.project.instances) > 30
    assert result.failed == []
    assert house.project.schema == sample_schema()
    assert {house.project.schema.exam_of(i) for i in house.project.instances} >= {"FETAL HEAD", "BREAST", "CAROTID"}
    house.project.close()
    assert not open_sample(SampleArguments(folder=tmp_path / "deep" / "s"), house)


def test_a_house_without_a_project_says_so():
    with pytest.raises(NotFound):
        _ = House().project


def test_leaving_a_house_ends_its_children_and_closes_its_project(tmp_path):
    with House.at(tmp_path / "p", create=True) as house:
        pid = house.reader.start() or None
        house.reader.find([tmp_path]).result(60)
        pids = house.reader.pids
        project = house.project
    assert pid is None
    for number in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(number, 0)
    assert house.opened is None
    Project.open(project.folder).close()  # nobody holds it


def test_what_keeps_a_project_from_the_disk_is_told_once_everything_is_closed(tmp_path, monkeypatch):
    house = House.at(tmp_path / "p", create=True)
    project = house.project

    def full(_timeout_s=0.0):
        raise DiskFull("The disk is full")

    monkeypatch.setattr(project, "flush", full)
    with pytest.raises(DiskFull):
        house.close()
    assert house.opened is project, "the window keeps it open, to try again"
    with pytest.raises(DiskFull):
        house.leave()
    assert house.opened is None
    Project.open(project.folder).close()


def test_the_error_of_the_work_is_told_not_that_of_the_closing(tmp_path, monkeypatch):
    house = House.at(tmp_path / "p", create=True)
    monkeypatch.setattr(house.project, "flush", lambda *_: (_ for _ in ()).throw(DiskFull("The disk is full")))
    with pytest.raises(NotFound), house:
        raise NotFound("Gone")


def test_a_house_without_a_project_keeps_its_cache_to_itself():
    with House() as house:
        cache = house.cache_folder
        assert cache.is_dir()
    assert not cache.exists()
