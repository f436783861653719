"""Fine-tuning by a worker that is a real process but learns nothing: what is handed over, kept, marked, forgotten."""

import hashlib
import json
import os
import shutil
import tempfile
import time
from pathlib import Path

import pytest

from tests.project.making import set_state
from tests.verbs.making import SCHEMA, a_data_folder, a_project, a_shelf_model, a_still, by_hand, kinds
from tests.verbs.test_export import draw
from usfm_studio.document.annotation import State
from usfm_studio.document.edit import SetChampion
from usfm_studio.document.errors import BadModel, ChildDied, Interrupted, NothingToLearn, ReadOnly, WrongUsage
from usfm_studio.document.schema import Schema, Segment
from usfm_studio.document.snapshot import Snapshot
from usfm_studio.engine.learning.run_folder import DONE, INTERRUPTED, state_of
from usfm_studio.project.models import read_card as checked_card
from usfm_studio.project.project import Project
from usfm_studio.verbs import early_end, runs
from usfm_studio.verbs.drive import drive
from usfm_studio.verbs.finetune import FinetuneArguments, Running, discard, interrupted_runs, run
from usfm_studio.verbs.import_files import ImportArguments
from usfm_studio.verbs.import_files import run as import_files
from usfm_studio.verbs.shelf import copy_model, read_card
from usfm_studio.verbs.steps import Apart, Await, Event

pytestmark = pytest.mark.usefixtures("fake_worker")


@pytest.fixture
def learned_from(filled):
    """Three stills with work on them, the first drawn, the second empty, the third labelled and drawn."""
    project = filled.project
    first, second, third, *_ = (frame.id for frame in project.frames())
    draw(project, first)
    set_state(project, second, State.NOTHING)
    draw(project, third, top=12)
    return filled


def learn(house, running=None, show=lambda _event: None, stop=lambda: False, **more):
    options = more.pop("options", {})
    return drive(run(FinetuneArguments(options=options, **more), house, running), show, stop)


def run_folders(house):
    return sorted((house.project.folder / "runs").iterdir())


def test_a_better_model_is_adopted_and_promoted_in_one_step_of_the_history(learned_from):
    events = []
    result = learn(learned_from, show=events.append)
    project = learned_from.project
    assert result.promoted
    assert project.models.champion("") == result.model
    assert project.models.card(result.model).name == "Model v1"
    assert project.undo_name == "Promote Model v1"
    assert [event.kind for event in events if event.kind in ("stage", "applied")] == ["stage", "stage", "applied"]
    assert result.comparison["per_subject"] == {"P1": {"challenger": 0.9, "champion": None}}
    assert result.data_digest
    assert not result.partial


def test_of_a_finished_run_recipe_and_verdict_stay_but_no_images(learned_from):
    learn(learned_from)
    (folder,) = run_folders(learned_from)
    assert state_of(folder) == DONE
    assert sorted(p.name for p in folder.iterdir()) == ["result.json", "run.json", "verdict"]
    assert interrupted_runs(learned_from.project) == []


def test_a_model_that_is_not_better_is_adopted_and_does_not_propose(learned_from):
    first = learn(learned_from)
    second = learn(learned_from, options={"promoted": False, "weights": "worse"})
    project = learned_from.project
    assert project.models.champion("") == first.model
    assert project.models.card(second.model).parents == (first.model,)
    assert not second.promoted


def test_a_model_chosen_during_the_run_stays_chosen(learned_from):
    """The verdict compares with the champion at the start: it says nothing of another one."""
    first, other = learn(learned_from), learn(learned_from, options={"promoted": False, "weights": "other"})
    project = learned_from.project

    def choose(event):
        learning = event.kind == "stage" and event.body["stage"] != "reading"
        if learning and project.models.champion("") == first.model:
            project.apply(SetChampion(name="Choose", exam="", before=first.model, after=other.model))

    third = learn(learned_from, options={"weights": "third"}, show=choose)
    assert not third.promoted
    assert "another model was chosen" in third.reason
    assert project.models.champion("") == other.model
    assert project.models.card(third.model).parents == (first.model,)


def test_the_worker_is_told_all_it_needs(learned_from):
    first = learn(learned_from)
    learned_from.options.seed, learned_from.options.threads = 7, 1
    order = learn(learned_from, minutes=2, task="segmentation", options={"weights": "2"}).settings["order"]
    project = learned_from.project
    assert order["champion"] == str(project.models.path(first.model))
    assert (order["seed"], order["threads"], order["task"]) == (7, 1, "segmentation")
    assert 100 < order["budget_s"] < 119.5, "two minutes, less what is needed to shelve the model"
    assert order["trained_before"] == sorted(project.trained_subjects(""))


def test_the_snapshot_holds_finished_frames_in_the_order_in_which_subjects_joined(learned_from, monkeypatch):
    monkeypatch.setattr(runs, "finished", lambda _folder: None)
    learn(learned_from)
    snapshot = Snapshot.load(run_folders(learned_from)[0] / "snapshot")
    assert [s.subject for s in snapshot.samples] == ["P1", "P2", "P3"]
    assert [s.masked for s in snapshot.samples] == [True, True, True]
    assert snapshot.mask(snapshot.samples[1]).max() == 0
    assert snapshot.schema == SCHEMA.for_exam("")


def test_only_the_exam_asked_for_is_learned_and_its_letter_case_does_not_matter(houses, tmp_path):
    schema = Schema(
        segments=(Segment(value=1, name="Head", exam="HEAD"), Segment(value=2, name="Lesion", exam="BREAST"))
    )
    house = houses(a_project(tmp_path / "p", schema=schema))
    for number, exam in enumerate(("HEAD", "BREAST", "HEAD"), 1):
        a_still(tmp_path / "images", number, exam=exam)
    drive(import_files(ImportArguments(paths=(str(tmp_path / "images"),)), house))
    for frame in house.project.frames():
        draw(house.project, frame.id, value=1 if frame.instance.body_part == "HEAD" else 2)
    assert learn(house).settings["order"]["exam"] == "HEAD", "left out: the one with most finished frames"
    result = learn(house, exam="breast", options={"weights": "b"})
    assert result.settings["order"]["exam"] == "BREAST"
    assert result.train_subjects == 1
    assert house.project.models.card(result.model).name == "Breast v1"
    with pytest.raises(WrongUsage, match="HEAD, BREAST"):
        learn(house, exam="liver")


def test_without_a_finished_frame_there_is_nothing_to_learn(filled):
    with pytest.raises(NothingToLearn, match="no frame is done"):
        learn(filled)
    assert run_folders(filled) == []


def test_frames_that_teach_nothing_of_this_kind_of_image_are_left_out(filled):
    """A mark of a segment that belongs to another body part is no mark here."""
    first, second, *_ = (frame.id for frame in filled.project.frames())
    draw(filled.project, first, value=2)
    with pytest.raises(NothingToLearn, match="mark or a label of this kind"):
        learn(filled)
    assert run_folders(filled) == []
    draw(filled.project, second)
    assert learn(filled).train_subjects == 1


def test_no_time_is_wrong_usage_and_nothing_stays(learned_from):
    with pytest.raises(WrongUsage, match="no time"):
        learn(learned_from, minutes=1, spent_s=70)
    assert run_folders(learned_from) == []


def test_a_run_that_fails_says_why_and_is_forgotten(learned_from):
    with pytest.raises(NothingToLearn, match="one subject only"):
        learn(learned_from, options={"act": "fail"})
    assert run_folders(learned_from) == []
    assert learned_from.project.models.cards() == []


def test_a_worker_that_is_killed_leaves_the_old_model_in_use_and_a_run_to_discard(learned_from):
    first = learn(learned_from)
    with pytest.raises(ChildDied):
        learn(learned_from, options={"act": "die", "weights": "2"})
    project = learned_from.project
    assert project.models.champion("") == first.model
    (found,) = interrupted_runs(project)
    assert found.has_model
    assert found.started.startswith("20")
    discard(project, found)
    assert interrupted_runs(project) == []
    assert not found.folder.exists()
    assert len(run_folders(learned_from)) == 1, "the finished one stays"


def hanging(house, running=None, **more):
    """A run that is in the worker's hands and does not end by itself, driven by hand."""
    steps = run(FinetuneArguments(options={"act": "hang", **more}), house, running)
    wish = next(steps)
    while True:
        if isinstance(wish, Apart):
            wish = steps.send(wish.work())
        elif isinstance(wish, Await) and wish.events is None:
            wish = steps.send(wish.ticket.result(60))
        elif isinstance(wish, Event):
            wish = steps.send(None)
        else:
            break
    for _ in range(3):  # a stage and two steps: the worker is at work
        wish.events.get(timeout=60)
    return steps, wish


def test_an_interrupted_run_is_kept_and_marked_within_a_moment(learned_from):
    running = Running()
    steps, _ = hanging(learned_from, running)
    pid = running.training.pid
    begun = time.monotonic()
    with pytest.raises(Interrupted):
        steps.throw(Interrupted("Stopped", "you asked for it"))
    assert time.monotonic() - begun < 5
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    (found,) = interrupted_runs(learned_from.project)
    assert state_of(found.folder) == INTERRUPTED
    assert json.loads((found.folder / "run.json").read_text())["why"] == "you asked for it"
    assert (found.folder / "snapshot" / "manifest.json").exists()


def test_a_run_that_is_given_up_is_forgotten_once_its_worker_is_gone(learned_from):
    running = Running()
    steps, wish = hanging(learned_from, running)
    running.cancel()
    steps.close()
    assert isinstance(wish.ticket.exception(30), Interrupted)
    for _ in range(300):
        if not run_folders(learned_from):
            break
        time.sleep(0.02)
    assert run_folders(learned_from) == []


def test_a_window_that_closes_leaves_a_run_to_be_found_at_the_next_opening(learned_from):
    steps, _ = hanging(learned_from)
    steps.close()
    folder = learned_from.project.folder
    learned_from.project.close()
    with Project.open(folder) as again:
        assert len(interrupted_runs(again)) == 1
    learned_from.opened = None


def test_a_run_that_is_stopped_answers_with_the_best_so_far(learned_from):
    running = Running()
    steps, wish = hanging(learned_from, running)
    running.stop()
    _, result = by_hand(steps, wish.ticket.result(60))
    assert result.promoted


def test_interrupted_while_frames_are_collected_it_is_marked_too(learned_from):
    seen = []
    with pytest.raises(Interrupted):
        learn(learned_from, show=seen.append, stop=lambda: any(event.kind == "progress" for event in seen))
    assert len(interrupted_runs(learned_from.project)) == 1


def test_a_run_killed_with_its_program_is_found(learned_from):
    """What `kill -9` of the whole program leaves: a run that calls itself running, or has not said anything yet."""
    folder = learned_from.project.folder / "runs"
    for name, body in (("20260101T101500-1", {"state": "running", "pid": 2**22 + 1, "process_born": 1.0}), ("x", None)):
        (folder / name / "snapshot").mkdir(parents=True)
        if body is not None:
            (folder / name / "run.json").write_text(json.dumps(body))
    assert [r.started for r in interrupted_runs(learned_from.project)] == ["2026-01-01T10:15:00+00:00", ""]


def test_a_run_at_work_is_not_taken_for_an_interrupted_one(learned_from):
    steps, _ = hanging(learned_from)
    assert interrupted_runs(learned_from.project) == []
    steps.close()


def test_a_project_to_look_at_discards_nothing(learned_from):
    steps, _ = hanging(learned_from)
    steps.close()
    folder = learned_from.project.folder
    learned_from.project.close()
    learned_from.opened = None
    with Project.open(folder, read_only=True) as looking:
        (found,) = interrupted_runs(looking)
        with pytest.raises(ReadOnly):
            discard(looking, found)
    assert found.folder.exists()


def test_old_runs_make_room(learned_from, monkeypatch):
    monkeypatch.setattr(runs, "KEPT", 2)
    for number in range(4):
        learn(learned_from, options={"weights": str(number)})
    assert len(run_folders(learned_from)) == 2


def test_a_model_that_is_not_what_its_card_says_is_not_adopted(learned_from):
    with pytest.raises(BadModel, match="wrong digest"):
        learn(learned_from, options={"wrong_digest": True})
    assert learned_from.project.models.cards() == []
    assert run_folders(learned_from) == []


def test_a_source_that_is_gone_is_not_learned_from_and_is_named(learned_from, tmp_path):
    (tmp_path / "images" / "im0001.dcm").unlink()
    result = learn(learned_from)
    assert result.train_subjects == 2
    assert [failure.path.rpartition("/")[2] for failure in result.failed] == ["im0001.dcm"]
    assert result.partial


# ---- from a DATA folder ----


@pytest.fixture
def data(tmp_path):
    return a_data_folder(tmp_path / "data", subjects=3)


def test_from_a_data_folder_a_model_is_written_and_nothing_else(houses, data, tmp_path, monkeypatch):
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    house = houses()
    wishes, result = by_hand(run(FinetuneArguments(data=data, fraction=0.5, folds=3, fold=1), house))
    assert kinds(wishes) == ["stage", "progress"]
    assert [p.name for p in work.iterdir()] == [result.model]
    assert result.model == f"model-{read_card(work / result.model).short}"
    order = result.settings["order"]
    assert (order["fraction"], order["folds"], order["fold"], order["options"]) == (0.5, 3, 1, {"standalone": True})
    assert order["name"] == "data"
    assert not Path(order["snapshot"]).exists()


def test_an_older_model_at_the_place_is_replaced(houses, data, tmp_path):
    out = a_shelf_model(tmp_path / "model")
    learn(houses(), data=data, out=out)
    assert (out / "model.safetensors").read_bytes() == b"learned"


def test_a_place_that_is_taken_is_refused_before_anything_is_learned(houses, data, tmp_path):
    (tmp_path / "thesis").mkdir()
    house = houses()
    events = []
    with pytest.raises(WrongUsage, match="not a model"):
        learn(house, show=events.append, data=data, out=tmp_path / "thesis")
    assert events == []


def test_a_run_that_comes_to_nothing_writes_nothing(houses, data, tmp_path):
    out = tmp_path / "deep" / "model"
    with pytest.raises(NothingToLearn):
        learn(houses(), data=data, out=out, options={"act": "fail"})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data"]


def test_of_a_worker_that_dies_the_best_model_so_far_is_written(houses, data, tmp_path):
    out = tmp_path / "deep" / "model"
    with pytest.raises(ChildDied, match=r"best model so far is in .*deep/model; it was not compared"):
        learn(houses(), data=data, out=out, options={"act": "die"})
    assert checked_card(out).name == "data"


def test_images_that_cannot_be_read_are_named(houses, data, tmp_path):
    (data / "images" / "s0.png").write_bytes(b"no picture")
    result = learn(houses(), data=data, out=tmp_path / "model")
    assert {failure.path.rpartition("/")[2] for failure in result.failed} == {"s0.png"}
    assert result.partial
    assert result.train_subjects == 2


def test_where_nothing_is_left_to_learn_from_it_is_said_what_was_left_out(houses, data, tmp_path):
    for number in (0, 1):
        (data / "images" / f"s{number}.png").write_bytes(b"no picture")
    with pytest.raises(NothingToLearn, match=r"one subject only; \d things .* left out, first: Could not read s0\.png"):
        learn(houses(), data=data, out=tmp_path / "model", options={"act": "fail"})


def test_what_is_gone_after_the_run_is_not_named_in_its_answer(houses, data, tmp_path):
    row = {"file": "s0.png", "dice": 0.5, "new": "/tmp/run/s0-new.npy", "old": "/tmp/run/s0-old.npy"}
    result = learn(houses(), data=data, out=tmp_path / "model", options={"worst": [row]})
    assert result.comparison["worst"] == [{"file": "s0.png", "dice": 0.5}]


@pytest.fixture
def temp(tmp_path, monkeypatch):
    """Where temporary folders are made; nothing may be left there."""
    temp = tmp_path / "temp"
    temp.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temp))
    return temp


def interrupted_at(house, note, **more):
    """What is raised by a run that is interrupted at an event of this kind; and how long that took."""
    seen, asked = [], []

    def stop():
        if not asked and any(event.kind == note for event in seen):
            asked.append(time.monotonic())
        return bool(asked)

    with pytest.raises(Interrupted) as caught:
        learn(house, show=seen.append, stop=stop, **more)
    return caught.value, time.monotonic() - asked[0]


COMPARED = {"metric": "dice_all", "challenger": 0.9, "subjects": 2}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"act": "hang", "comparison": COMPARED}, "on 2 subjects that it had not seen its dice_all is 0.900"),
        ({"act": "deaf"}, "it was not compared with anything"),
    ],
    ids=["in time", "too slow"],
)
def test_an_interrupted_run_from_a_data_folder_writes_its_best_model(houses, data, tmp_path, temp, options, told):
    error, seconds = interrupted_at(houses(), "note", data=data, out=tmp_path / "model", options=options)
    assert seconds < 5
    assert error.hint == f"The best model so far is in {tmp_path / 'model'}; {told}."
    assert checked_card(tmp_path / "model").name == "data"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data", "model", "temp"]
    assert list(temp.iterdir()) == []


def test_an_interrupted_run_replaces_no_older_model(houses, data, tmp_path, temp):
    old = a_shelf_model(tmp_path / "model", weights=b"of last week")
    error, _ = interrupted_at(houses(), "note", data=data, out=old, options={"act": "deaf"})
    beside = tmp_path / f"model-{hashlib.sha256(b'learned').hexdigest()[:8]}"
    assert str(beside) in error.hint
    assert checked_card(beside).name == "data"
    assert (old / "model.safetensors").read_bytes() == b"of last week"


@pytest.mark.parametrize(("note", "act"), [("stage", "early"), ("progress", "learn"), ("step", "early")])
def test_a_run_interrupted_before_it_has_a_model_says_so_and_writes_nothing(houses, data, tmp_path, temp, note, act):
    error, _ = interrupted_at(houses(), note, data=data, out=tmp_path / "model", options={"act": act})
    assert error.hint == "Nothing was learned yet, and no model was written."
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data", "temp"]
    shutil.rmtree(data)
    assert list(temp.iterdir()) == []


def test_a_run_that_is_broken_off_before_it_has_a_model_claims_nothing(houses, data, tmp_path, temp):
    """The command line breaks off what does not stop in time; here nothing was finished that could be kept."""
    steps = run(FinetuneArguments(data=data, out=tmp_path / "model"), houses())
    next(steps)
    with pytest.raises(Interrupted) as told:
        steps.throw(KeyboardInterrupt)
    assert told.value.hint == "Nothing was learned yet, and no model was written."
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data", "temp"]


def test_a_run_from_a_data_folder_that_is_given_up_writes_nothing(houses, data, tmp_path, temp):
    running, seen = Running(), []

    def show(event):
        seen.append(event)
        if event.kind == "note":
            running.cancel()

    with pytest.raises(Interrupted):
        learn(houses(), running, show=show, data=data, out=tmp_path / "model", options={"act": "hang"})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data", "temp"]


def test_a_run_that_is_broken_off_while_its_model_is_copied_still_writes_it(houses, data, tmp_path, temp, monkeypatch):
    """The command line breaks off what does not stop in time; on a busy machine that may be the copying."""
    calls = []

    def slow(source, out):
        calls.append(out)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return copy_model(source, out)

    monkeypatch.setattr(early_end, "copy_model", slow)
    error, _ = interrupted_at(houses(), "note", data=data, out=tmp_path / "model", options={"act": "deaf"})
    assert f"The best model so far is in {tmp_path / 'model'}; " in error.hint
    assert checked_card(tmp_path / "model").name == "data"
    assert list(temp.iterdir()) == []


def test_a_model_that_enhances_is_kept_beside_the_one_that_proposes(learned_from):
    project = learned_from.project
    marks = learn(learned_from, options={"weights": "marks"})
    first = learn(learned_from, task="enhancement", options={"weights": "e1", "comparison": {"promoted": True}})
    assert first.promoted
    assert first.settings["order"]["champion"] is None
    assert project.models.champion("") == marks.model
    assert project.models.card(first.model).task == "enhancement"
    second = learn(learned_from, task="enhancement", options={"weights": "e2", "comparison": {"promoted": False}})
    assert second.settings["order"]["champion"] == str(project.models.path(first.model))
    assert project.models.enhancer("") == first.model
    assert project.undo_name == "Promote Model v1"


def test_who_taught_a_model_to_enhance_may_still_test_one_that_marks(house, tmp_path):
    shelf = house.project.models
    shelf.adopt(a_shelf_model(tmp_path / "marks", b"m", train_subjects=("a" * 16,)))
    shelf.adopt(a_shelf_model(tmp_path / "e", b"e", task="enhancement", segments={}, train_subjects=("b" * 16,)))
    assert shelf.trained_hashes("") == {"a" * 16}
    assert shelf.trained_hashes("", enhancement=True) == {"b" * 16}
