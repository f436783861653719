"""`clicks` end to end: a real worker clicks on the masks of a small folder."""

import json

import pytest

from tests.cli.contract import missing, promised
from tests.engine.making import a_model
from tests.engine.prompting.making import a_prompter
from tests.verbs.making import a_data_folder, a_shelf_model
from usfm_studio.cli.main import run as command_line
from usfm_studio.cli.signals import Signals
from usfm_studio.document.errors import NotFound, Unsupported
from usfm_studio.engine.models.catalogue import shipped_prompter
from usfm_studio.verbs.clicks import ClicksArguments, run
from usfm_studio.verbs.drive import drive
from usfm_studio.verbs.house import House, Options
from usfm_studio.verbs.shelf import resolve_model, shipped_models


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return a_data_folder(tmp_path_factory.mktemp("data") / "heads", 3)


def test_the_command_gives_what_the_contract_promises(data, capsys):
    words = ["clicks", "--data", str(data), "--cap", "6", "--threads", "1", "--json"]
    assert command_line(words, Signals()) == 0
    body = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert missing(promised("clicks")[0], body) == []
    assert body["targets"] == 3
    assert body["skipped"] == 0
    assert set(body["per_image"]) == {"s0.png", "s1.png", "s2.png"}
    assert body["noc80"] <= 2
    assert body["noc80"] <= body["noc85"] <= body["noc90"] <= 6
    assert body["iou1"] <= body["iou5"] + 0.02
    assert 0 < body["ms_per_click_p50"] <= body["ms_per_click_p95"]
    assert body["interval"]["noc80"]


@pytest.mark.slow
def test_boxes_own_models_folds_and_starts_reach_the_worker(data, tmp_path, houses):
    card = a_prompter(tmp_path / "p")
    a_model(tmp_path / "m", segments=("Head",))
    house = houses(House(Options(threads=1)))
    boxed = drive(run(ClicksArguments(data=data, model=str(tmp_path / "p"), prompt="box", cap=2), house)).fields()
    assert boxed["prompter"] == card.digest
    started = ClicksArguments(data=data, model=str(tmp_path / "m"), from_proposal=True, cap=1, jitter=4)
    body = drive(run(started, house)).fields()
    assert body["prompter"] != card.digest
    assert body["targets"] == 3
    some = drive(run(ClicksArguments(data=data, cap=1, folds=2, fold=0), house)).fields()
    other = drive(run(ClicksArguments(data=data, cap=1, folds=2, fold=1), house)).fields()
    assert some["targets"] + other["targets"] == 3


def test_a_model_without_prompts_is_refused_unless_it_proposes(data, tmp_path, houses):
    model = a_shelf_model(tmp_path / "m")
    with pytest.raises(Unsupported, match="does not answer prompts"):
        drive(run(ClicksArguments(data=data, model=str(model)), houses()))
    labels = a_shelf_model(tmp_path / "l", task="labels", segments={}, labels=("a", "b"))
    with pytest.raises(Unsupported, match="has no segments"):
        drive(run(ClicksArguments(data=data, model=str(labels), from_proposal=True), houses()))


@pytest.mark.slow
def test_a_folder_without_masks_says_so(tmp_path, houses):
    data = a_data_folder(tmp_path / "heads", 2)
    for mask in (data / "masks").iterdir():
        mask.unlink()
    with pytest.raises(NotFound):
        drive(run(ClicksArguments(data=data, cap=1), houses(House(Options(threads=1)))))


def test_what_answers_prompts_never_proposes_by_itself():
    assert resolve_model("prompt_open") == shipped_prompter()
    assert shipped_prompter() not in [path for path, _ in shipped_models()]
