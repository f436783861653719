"""The shelf: what is there, which model a name means, which one proposes; moved whole or not at all."""

import shutil

import pytest

from tests.verbs.making import a_project, a_shelf_model, by_hand
from usfm_studio.document.errors import BadModel, NotFound, Unsupported, WrongUsage
from usfm_studio.document.resources import resource
from usfm_studio.document.schema import Schema, Segment
from usfm_studio.verbs.drive import drive
from usfm_studio.verbs.house import House
from usfm_studio.verbs.models import ModelsArguments, run
from usfm_studio.verbs.shelf import copy_model, read_card, resolve_model, shipped, shipped_models


def act(house, name, model=None, **more):
    model = None if model is None else str(model)
    return drive(run(ModelsArguments(act=name, model=model, **more), house)).models


@pytest.fixture
def shelf(house, tmp_path):
    """A project with two generations of a model; the second one proposes."""
    first = read_card(a_shelf_model(tmp_path / "m1", b"one", name="Head v1"))
    second = read_card(a_shelf_model(tmp_path / "m2", b"two", name="Head v2", parents=(first.digest,)))
    for name in ("m1", "m2"):
        act(house, "import", tmp_path / name)
    act(house, "promote", second.digest[:8])
    return house, first, second


def in_use(models):
    return [model["name"] for model in models if model["champion"]]


def test_the_shelf_tells_of_every_model_and_of_the_one_in_use(shelf):
    house, first, second = shelf
    wishes, result = by_hand(run(ModelsArguments(act="list"), house))
    assert wishes == []
    assert [(m["name"], m["digest"], m["parents"]) for m in result.models] == [
        ("Head v1", first.digest, []),
        ("Head v2", second.digest, [first.digest]),
    ]
    assert in_use(result.models) == ["Head v2"]


def test_without_a_project_what_ships_is_listed():
    listed = drive(run(ModelsArguments(act="list"), House())).models
    assert {m["digest"] for m in listed} == {card.digest for _, card in shipped()}
    assert all(m["shipped"] for m in listed)
    assert any(m["task"] == "encoder" for m in listed)


def test_rollback_goes_to_the_parent_and_from_the_first_to_none(shelf):
    house, *_ = shelf
    assert in_use(act(house, "rollback")) == ["Head v1"]
    assert in_use(act(house, "rollback")) == []
    with pytest.raises(NotFound, match="none is in use"):
        act(house, "rollback")
    house.project.undo()
    house.project.undo()
    assert in_use(act(house, "list")) == ["Head v2"], "going back is a step that undo takes back"


def test_where_several_exams_have_a_model_rollback_wants_to_know_which(houses, tmp_path):
    schema = Schema(segments=tuple(Segment(value=n, name=e, exam=e) for n, e in enumerate(("HEAD", "BREAST"), 1)))
    house = houses(a_project(tmp_path / "p", schema=schema))
    for exam in ("HEAD", "BREAST"):
        act(house, "promote", a_shelf_model(tmp_path / exam, exam.encode(), name=exam, exam=exam))
    with pytest.raises(WrongUsage, match="--exam"):
        act(house, "rollback")
    assert in_use(act(house, "rollback", exam="HEAD")) == ["BREAST"]
    with pytest.raises(NotFound):
        act(house, "rollback", exam="HEAD")


def test_a_model_from_elsewhere_proposes_for_the_exam_whose_segments_it_knows(houses, tmp_path):
    schema = Schema(segments=tuple(Segment(value=n, name=e, exam=e) for n, e in enumerate(("HEAD", "BREAST"), 1)))
    house = houses(a_project(tmp_path / "p", schema=schema))
    for name, card, exam in (
        ("a", {"segments": {1: "head"}}, "HEAD"),
        ("b", {"segments": {1: "Mass"}, "exam": "breast"}, "BREAST"),
        ("c", {"segments": {1: "Head", 2: "Breast"}}, ""),
        ("d", {"segments": {1: "Mass"}, "exam": "LIVER"}, "LIVER"),
    ):
        act(house, "promote", a_shelf_model(tmp_path / name, name.encode(), name=name, **card))
        assert read_card(tmp_path / name).digest == house.project.champions()[exam]
    act(house, "promote", tmp_path / "c", exam="head")
    assert house.project.champions()["HEAD"] == read_card(tmp_path / "c").digest
    with pytest.raises(WrongUsage, match="HEAD, BREAST"):
        act(house, "promote", tmp_path / "c", exam="FOOT")


def test_promoting_a_model_from_elsewhere_brings_it_onto_the_shelf(house, tmp_path):
    model = a_shelf_model(tmp_path / "m", name="From afar")
    assert in_use(act(house, "promote", model)) == ["From afar"]
    shutil.rmtree(model)
    assert resolve_model("champion", house.project).parent.parent == house.project.folder


def test_an_encoder_cannot_propose(house):
    with pytest.raises(Unsupported):
        act(house, "promote", "usfm_lite0")


def test_a_model_in_use_is_not_removed_another_one_is(shelf):
    house, first, second = shelf
    with pytest.raises(WrongUsage, match="in use"):
        act(house, "remove", second.digest)
    assert [m["name"] for m in act(house, "remove", first.digest)] == ["Head v2"]


def test_a_model_is_exported_whole_to_a_place_of_its_own(shelf, tmp_path):
    house, _, second = shelf
    (entry,) = act(house, "export", "champion", out=tmp_path / "out")
    assert entry["path"] == str(tmp_path / "out")
    assert read_card(tmp_path / "out") == second
    with pytest.raises(WrongUsage, match="not replaced"):
        act(house, "export", "champion", out=tmp_path / "out")


def test_without_a_project_importing_copies_and_checks(tmp_path, monkeypatch):
    model = a_shelf_model(tmp_path / "elsewhere" / "head.model")
    monkeypatch.chdir(tmp_path)
    (entry,) = drive(run(ModelsArguments(act="import", model=str(model)), House())).models
    assert entry["path"] == "head.model"
    assert (tmp_path / "head.model" / "model.safetensors").read_bytes() == b"weights"


@pytest.mark.parametrize("verb", ["import", "show", "promote"])
def test_a_wrong_digest_is_one_clear_message_and_nothing_is_kept(house, tmp_path, verb):
    model = a_shelf_model(tmp_path / "m")
    (model / "model.safetensors").write_bytes(b"tampered")
    with pytest.raises(BadModel, match="wrong digest"):
        act(house, verb, model)
    with pytest.raises(BadModel, match="wrong digest"):
        copy_model(model, tmp_path / "copy")
    assert act(house, "list") == []
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m", "p"]


@pytest.mark.parametrize(
    ("name", "error"),
    [("gone", NotFound), ("weights.onnx", Unsupported), ("weights.pkl", Unsupported), ("folder", BadModel)],
)
def test_what_is_no_model_folder_says_so(house, tmp_path, name, error):
    if name == "folder":
        (tmp_path / name).mkdir()
    elif name != "gone":
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(error):
        act(house, "import", tmp_path / name)


def test_a_copy_that_cannot_be_finished_leaves_the_old_model(tmp_path, monkeypatch):
    old, new = a_shelf_model(tmp_path / "old", b"old"), a_shelf_model(tmp_path / "new", b"new")
    from usfm_studio.project import files

    def failing(source, target):
        if target.name == "old":
            raise OSError(28, "No space left on device")
        source.replace(target)

    monkeypatch.setattr(files, "rename", failing)
    from usfm_studio.document.errors import DiskFull

    with pytest.raises(DiskFull):
        copy_model(new, old, replace=True)
    assert (old / "model.safetensors").read_bytes() == b"old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["new", "old"]


def test_an_older_model_is_replaced_and_anything_else_is_not(tmp_path):
    old, new = a_shelf_model(tmp_path / "old", b"old"), a_shelf_model(tmp_path / "new", b"new")
    copy_model(new, old, replace=True)
    assert (old / "model.safetensors").read_bytes() == b"new"
    (tmp_path / "thesis").mkdir()
    with pytest.raises(WrongUsage, match="not a model"):
        copy_model(new, tmp_path / "thesis", replace=True)


def test_a_name_is_a_path_a_digest_the_champion_or_what_ships(shelf, tmp_path):
    house, first, second = shelf
    project = house.project
    assert resolve_model(str(tmp_path / "m1"), project) == tmp_path / "m1"
    assert read_card(resolve_model(first.digest[:8], project)) == first
    assert read_card(resolve_model("champion", project)) == second
    assert read_card(resolve_model(None, project)) == second
    assert read_card(resolve_model("Head v1", project)) == first
    assert resolve_model("usfm_lite0") == resource("weights", "usfm_lite0")
    for unknown in (first.digest[:7], "deadbeef", "champion"):
        with pytest.raises(NotFound):
            resolve_model(unknown, None if unknown == "champion" else project)


def test_an_encoder_is_never_taken_for_the_shipped_model():
    if not shipped_models():
        with pytest.raises(NotFound):
            resolve_model(None)
    else:
        assert read_card(resolve_model(None)).task != "encoder"


def test_a_file_in_the_place_of_a_model_says_so(tmp_path):
    (tmp_path / "m").write_text("x")
    with pytest.raises(BadModel, match="folder"):
        resolve_model(str(tmp_path / "m"))


def test_an_act_that_is_not_known_is_wrong_usage(house):
    with pytest.raises(WrongUsage):
        act(house, "frobnicate")
