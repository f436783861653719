"""Every verb, called as a person calls it, answers with the fields that docs/cli.md promises."""

import dataclasses
from pathlib import Path

import pytest

from tests.cli.calling import call
from tests.cli.contract import PAGE, fields_of, missing, promised, rows
from tests.verbs.making import a_data_folder
from usfm_studio.cli.commands import NOT_YET
from usfm_studio.cli.main import studio

pytestmark = pytest.mark.timeout(400)
DICOM = Path(__file__).parents[1] / "data" / "dicom"
EVENTS = {"stage", "step", "holdout", "note"}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("contract")


@pytest.fixture(scope="module")
def data(place):
    return a_data_folder(place / "data", subjects=6)


@pytest.fixture(scope="module")
def project(place, data):
    """Images and masks of the DATA folder as a project."""
    called = call("import", place / "p", data, "--annotations", "data", data, "--json")
    assert called.status == 0, called.err
    assert missing(promised("import")[0], called.result) == []
    assert (called.result["imported"], called.result["frames"], called.result["annotated"]) == (6, 6, 6)
    return place / "p"


def test_the_table_names_every_verb():
    names = set(rows()) - {"usfm"}
    assert names == {name for name, command in studio.commands.items() if not command.hidden}


def test_the_table_is_understood():
    assert fields_of("a, b: {c, d}, e: [{path, error}], f: {file: value}") == {
        "a": None,
        "b": {"c": None, "d": None},
        "e": {"path": None, "error": None},
        "f": None,
    }
    assert missing({"e": {"path": None}}, {"e": [{"path": 1}, {}]}) == ["e.path"]


def test_info(place):
    called = call("info", DICOM, place / "nowhere", "--json")
    assert called.status == 3
    assert missing(promised("info")[0], called.result) == []
    by_name = {file["path"].rpartition("/")[2]: file for file in called.result["files"]}
    loop = by_name["jpeg_loop_422.dcm"]
    assert (loop["ok"], loop["kind"], loop["frames"]) == (True, "loop", 30)
    assert set(loop["regions"][0]) == {"box", "format", "type", "units_x", "units_y", "delta_x", "delta_y"}
    assert not by_name["nowhere"]["ok"]


def test_doctor():
    called = call("doctor", "--json")
    assert called.status == 0
    assert missing(promised("doctor")[0], called.result) == []


def test_a_model_is_learned_shown_taken_elsewhere_used_and_scored(place, data, project):
    """One long test, so that the real run happens once: the model goes through every verb that takes one."""
    model = place / "model"
    learned(data, model)
    shown_and_taken(model, place / "taken")
    predicted(place / "taken", data, place / "out")
    scored(model, data)
    proposed(model, project)


def learned(data, model):
    called = call("finetune", "--data", data, "--minutes", "0.35", "--out", model, "--seed", "3", "--json")
    assert called.status == 0, called.err
    *events, result = called.lines
    assert {event["event"] for event in events} <= EVENTS
    assert next(event["stage"] for event in events if event["event"] == "stage") == "reading"
    named = {name for event in events for name in event}
    assert {"stage", "step", "loss", "left_s", "note"} <= named
    assert result["event"] == "result"
    assert missing(promised("finetune")[-1], result) == []
    assert (result["model"], result["seed"]) == (str(model), 3)
    assert called.err == ""


def shown_and_taken(model, elsewhere):
    shown = call("models", "show", model, "--json")
    assert missing(promised("models")[0], shown.result) == []
    (entry,) = shown.result["models"]
    assert (entry["task"], entry["segments"]) == ("segmentation", {"1": "Head"})
    assert call("models", "export", model, "--out", elsewhere, "--json").status == 0
    assert sorted(p.name for p in elsewhere.iterdir()) == sorted(p.name for p in model.iterdir())


def predicted(model, data, out):
    called = call("predict", data, "--model", model, "--out", out, "--json")
    assert called.status == 0, called.err
    assert missing(promised("predict")[0], called.result) == []
    assert called.result["frames"] == 6
    assert sorted(p.stem for p in out.glob("*.png")) == [f"s{n}" for n in range(6)]


def scored(model, data):
    called = call("evaluate", "--model", model, "--data", data, "--json")
    assert called.status == 0, called.err
    of_masks, of_pictures, rest, *_ = promised("evaluate")
    assert set(of_masks) - {"macro_f1", "auroc", "ece"} <= set(called.result)
    assert missing(rest, called.result) == []
    assert set(of_pictures) == {"ssim", "psnr", "lncc"}
    assert set(called.result["per_subject"]) == {f"s{n}" for n in range(6)}


def proposed(model, project):
    digest = call("models", "import", model, "--project", project, "--json").result["models"][0]["digest"]
    used = call("models", "promote", digest[:8], "--project", project, "--json").result["models"]
    assert [entry["champion"] for entry in used] == [True]
    called = call("propose", project, "--all", "--json")
    assert called.status == 0, called.err
    assert missing(promised("propose")[0], called.result) == []
    assert (called.result["frames"], called.result["model"]) == (6, digest[:8])
    assert call("propose", project, "--json").result["frames"] == 0
    back = call("models", "rollback", "--project", project, "--json").result["models"]
    assert [entry["champion"] for entry in back] == [False]
    assert call("models", "remove", digest[:8], "--project", project, "--json").result["models"] == []


def test_export(project, place):
    called = call("export", project, "--format", "csv", "--out", place / "csv", "--json")
    assert called.status == 0, called.err
    assert missing(promised("export")[0], called.result) == []
    assert called.result["frames"] == 6
    assert call("export", project, "--format", "data", "--out", place / "again", "--json").status == 0
    assert sorted(p.name for p in (place / "again" / "masks").iterdir()) == [f"s{n}.png" for n in range(6)]


def test_pack(place, data):
    called = call("pack", place / "corpus", data, "--size", "64", "--json")
    assert called.status == 0, called.err
    assert missing(promised("pack")[0], called.result) == []
    assert (called.result["shards"], called.result["images"], called.result["thinned"]) == (1, 6, 0)
    assert call("pack", place / "corpus", data, place / "nowhere", "--size", "64", "--add", "--json").status == 3


@pytest.mark.parametrize("act", ["check", "compact", "migrate", "repair"])
def test_project(project, act):
    called = call("project", act, project, "--json")
    assert called.status == 0, called.err
    assert missing(promised("project")[0], called.result) == []
    assert called.result["ok"]


def test_the_tours_summary_has_the_fields_of_its_page():
    from usfm_studio.ui.tour import TourSummary

    text = " ".join(PAGE.read_text("utf-8").split())
    page = text[text.index("- `demo --tour`: ") : text.index("- `models import FILE`")]
    wanted = {"dice_before", "dice_after", "labelled_fraction", "finetune_seconds", "promoted", "gui_max_stall_ms",
              "gui_imported_torch", "peak_gui_rss_mb", "startup_ms", "exports", "screenshots"}  # fmt: skip
    assert all(f"`{name}`" in page for name in wanted)
    assert wanted <= {field.name for field in dataclasses.fields(TourSummary)}


def test_verbs_that_are_not_there_yet_are_in_the_table():
    assert set(NOT_YET) < set(rows())


def test_for_people_there_are_words_and_tables(project, data, place):
    info = call("info", data / "images")
    assert "s0.png" in info.out
    assert "80 × 60" in info.out
    check = call("project", "check", project)
    assert "No problems." in check.out
    models = call("models", "list")
    assert "EfficientNet-Lite0" in models.out
    broken = call("info", place / "nowhere")
    assert "1 could not be read or used" in broken.out
    assert not any(line.startswith("{") for called in (info, check, models) for line in called.out.splitlines())


@pytest.mark.slow
def test_a_project_learns_and_its_better_model_proposes(project):
    called = call("finetune", project, "--minutes", "1", "--json")
    assert called.status == 0, called.err
    result = called.lines[-1]
    assert missing(promised("finetune")[-1], result) == []
    listed = call("models", "list", "--project", project, "--json").result["models"]
    assert [(entry["digest"], entry["champion"]) for entry in listed] == [(result["model"], result["promoted"])]
