"""A project with a few accepted frames and no model: `propose` learns from them at once, `next` says how to go on."""

import shutil

import pytest

from tests.cli.calling import call
from tests.cli.contract import missing, promised
from tests.verbs.making import a_data_folder


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Seven discs; the masks of two are accepted."""
    place = tmp_path_factory.mktemp("few")
    data = a_data_folder(place / "data", 7)
    few = shutil.copytree(data, place / "few")
    for number in range(2, 7):
        (few / "masks" / f"s{number}.png").unlink()
    assert call("import", place / "p", data / "images", "--json").status == 0
    called = call("import", place / "p", "--annotations", "data", few, "--json")
    assert called.status == 0, called.err
    return place / "p"


def test_propose_learns_from_what_is_accepted_and_says_so(project):
    called = call("propose", project, "--json")
    assert called.status == 0, called.err
    assert missing(promised("propose")[0], called.result) == []
    assert (called.result["frames"], called.result["model"]) == (5, "instant")
    assert call("propose", project, "--model", "champion").status == 1


def test_next_names_frames_and_reasons_and_admits_what_is_not_known(project):
    called = call("next", project, "-n", "3", "--json")
    assert called.status == 0, called.err
    frames, curve, *_ = promised("next")
    assert missing(frames | curve, called.result) == []
    found = called.result["frames"]
    assert len(found) == 3
    assert found[0]["reason"] == "the least like the 2 frames that are done"
    assert not {f["frame"].rpartition("/")[2] for f in found} & {"s0.png", "s1.png"}
    assert called.result["learning_curve"] == {
        "target": None, "more_subjects": None, "low": None, "high": None,
        "note": "not yet known: no run has been compared yet",
    }  # fmt: skip
    text = call("next", project, "-n", "1")
    assert "the least like the 2 frames that are done" in text.out
    assert call("next", project, "--target", "1.5").status == 2
    assert call("next", project, "--exam", "FOOT").status == 2
