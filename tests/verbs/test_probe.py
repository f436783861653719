"""The verb `probe`: folders become snapshots, encoders what the worker knows, and what is wrong is said first."""

import json
from pathlib import Path

import pytest

from tests.children.support import ROOT
from tests.verbs.making import a_data_folder, a_shelf_model, a_still, by_hand
from usfm_studio.cli.main import run as command_line
from usfm_studio.cli.signals import Signals
from usfm_studio.document.errors import NotFound, Unsupported, WrongUsage
from usfm_studio.engine import trainer_client
from usfm_studio.verbs import probe
from usfm_studio.verbs.drive import drive
from usfm_studio.verbs.house import House, Options


@pytest.fixture
def fake_prober(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", ROOT)
    monkeypatch.setattr(trainer_client, "MODULE", "tests.verbs.fake_prober")


@pytest.mark.usefixtures("fake_prober")
def test_folders_and_encoders_reach_the_worker_and_its_answer_comes_back(houses, tmp_path):
    first, second = a_data_folder(tmp_path / "heads", 2), a_data_folder(tmp_path / "breasts", 3)
    own = a_shelf_model(tmp_path / "own", task="encoder", segments={})
    arguments = probe.ProbeArguments(
        encoder=str(own), against="random:usfm_lite0", data=(first, second), fold_role="steer", quick=True
    )
    _, result = by_hand(probe.run(arguments, houses(House(Options(seed=4, threads=1)))))
    fields = result.fields()
    assert (fields["fewshot"], fields["failed"]) == ({"5": 0.5}, [])
    assert fields["read"] == {"heads": 2, "breasts": 3}
    told = fields["told"]
    assert (told["encoder"], told["against"]) == (str(own), "random:usfm_lite0")
    assert (told["fold_role"], told["quick"], told["seed"], told["threads"]) == ("steer", True, 4, 1)
    assert not any(Path(folder).exists() for folder in told["folders"].values())
    assert not result.partial


@pytest.mark.usefixtures("fake_prober")
def test_a_shipped_encoder_is_known_by_its_name_and_bad_files_are_listed(houses, tmp_path):
    data = a_data_folder(tmp_path / "heads", 2)
    (data / "images" / "s0.png").write_bytes(b"no picture")
    a_still(data / "images")
    _, result = by_hand(probe.run(probe.ProbeArguments(encoder="usfm_lite0", data=(data,)), houses()))
    assert Path(result.body["told"]["encoder"]).name == "usfm_lite0"
    assert result.partial
    assert result.failed[0].path.endswith("s0.png")


def test_what_is_no_encoder_is_refused(houses, tmp_path):
    model = a_shelf_model(tmp_path / "m")
    with pytest.raises(Unsupported, match="no encoder"):
        drive(probe.run(probe.ProbeArguments(encoder=str(model), data=(tmp_path,)), houses()))
    with pytest.raises(NotFound):
        drive(probe.run(probe.ProbeArguments(encoder="nowhere", data=(tmp_path,)), houses()))


def test_folders_need_names_of_their_own(houses, tmp_path):
    same = tmp_path / "a" / "heads", tmp_path / "b" / "heads"
    with pytest.raises(WrongUsage, match="two are called heads"):
        drive(probe.run(probe.ProbeArguments(encoder="usfm_lite0", data=same), houses()))
    with pytest.raises(WrongUsage, match="no folder was named"):
        drive(probe.run(probe.ProbeArguments(encoder="usfm_lite0", data=()), houses()))


@pytest.mark.usefixtures("fake_prober")
def test_the_command_takes_folders_one_after_the_other(tmp_path, capsys):
    folders = [str(a_data_folder(tmp_path / name, 2)) for name in ("heads", "breasts", "necks")]
    words = ["probe", "--encoder", "random:usfm_lite0", "--json", "--seed", "7", "--data", *folders]
    assert command_line(words, Signals()) == 0
    body = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert body["event"] == "result"
    assert body["read"] == {"heads": 2, "breasts": 2, "necks": 2}
    assert (body["told"]["seed"], body["told"]["fold_role"]) == (7, "decide")
