"""Runs, verdicts and models in the window: they never hold it up, and however they end it is told."""

import os
import signal
import time

import pytest

from tests.ui.session.desk import HEAD, LESION, LOOP, NECK, crown
from usfm_studio.document.annotation import State
from usfm_studio.ui import learning as learning_module
from usfm_studio.verbs.finetune import FinetuneArguments
from usfm_studio.verbs.runs import interrupted_runs


@pytest.fixture
def ready(desk, fake_worker):
    """Three heads of three subjects are done."""
    for row in range(3):
        desk.go(row)
        desk.session.reviewing.draw(desk.stroke())
        desk.session.reviewing.set_state(State.DONE)
    desk.go(3)
    desk.forget()
    return desk


@pytest.fixture
def acting(monkeypatch):
    """How the worker behaves."""
    options = {}

    def arguments(**more):
        return FinetuneArguments(**more, options=options)

    monkeypatch.setattr(learning_module, "FinetuneArguments", arguments)
    return options


def run(desk, minutes=1.0):
    desk.session.learning.fine_tune(minutes)
    desk.wait(lambda: not desk.session.learning.running)
    return desk.session.learning


def test_a_run_ends_in_a_verdict_and_a_champion_that_undo_takes_back(ready):
    desk, learning = ready, run(ready)
    assert learning.verdict is not None
    assert learning.verdict.title == "Head v1 proposes from now on: 0.90"
    assert learning.verdict.per_subject == (("P1", None, 0.9),)
    notice = desk.notices[-1]
    assert (notice.kind, notice.button, notice.action) == ("ok", "See how", "learn.verdict")
    champion = desk.project.models.champion(HEAD)
    assert champion == learning.verdict.challenger.digest
    assert [row.champion for row in learning.models] == [True]
    assert learning.proposer_name == "Head v1"
    state = learning.training
    assert (state.running, state.percent, state.left_s) == (False, 100.0, None)
    assert [loss for _, loss in state.losses] == [0.5, 0.5]
    assert desk.count("changed") == 1
    desk.session.undo()
    assert desk.project.models.champion(HEAD) is None
    assert learning.proposer_name == ""
    assert [row.champion for row in learning.models] == [False]


def test_a_run_keeps_the_window_going(ready, acting):
    desk, learning = ready, ready.session.learning
    acting |= {"act": "hang", "steps": 200}
    learning.fine_tune(1.0)
    assert learning.running
    learning.fine_tune(1.0)  # one at a time
    desk.wait(lambda: learning.training.step == 200)
    told = desk.count("training_changed")
    assert told < 60  # steps come faster than a person can look
    desk.session.reviewing.draw(desk.stroke(2))
    assert desk.session.mask().values() == (2,)
    learning.stop()
    assert learning.training.stopping
    desk.wait(lambda: not learning.running)
    assert learning.verdict is not None


def test_a_run_that_is_given_up_leaves_nothing(ready, acting):
    desk, learning = ready, ready.session.learning
    acting |= {"act": "hang"}
    learning.fine_tune(1.0)
    desk.wait(lambda: learning.training.step == 2)
    began = time.perf_counter()
    learning.cancel()
    assert time.perf_counter() - began < 1.5
    assert not learning.running
    assert "nothing has changed" in learning.training.note
    assert not learning._tick.isActive()
    desk.wait(lambda: not list((desk.project.folder / "runs").glob("*")))
    assert desk.project.models.cards() == []
    assert learning.verdict is None
    learning.cancel()  # twice is no error
    acting.clear()
    run(desk)
    assert learning.verdict is not None


def test_a_worker_that_dies_is_told_with_its_reason_and_the_models_stay(ready, acting, tmp_path):
    desk = ready
    champion = crown(desk.project, tmp_path / "m")
    acting |= {"act": "die"}
    learning = run(desk)
    notice = next(notice for notice in desk.notices if notice.kind == "error")
    assert notice.title == "The fine-tuning stopped"
    assert notice.text
    assert learning.training.note
    assert not learning.training.running
    assert desk.project.models.champion(HEAD) == champion.digest
    desk.session.reviewing.set_state(State.FLAGGED)
    assert desk.session.annotation.state is State.FLAGGED


def test_a_worker_that_is_killed_is_told(ready, acting):
    desk, learning = ready, ready.session.learning
    acting |= {"act": "hang"}
    learning.fine_tune(1.0)
    desk.wait(lambda: learning.training.step == 2)
    os.kill(learning._running.training.pid, signal.SIGKILL)
    desk.wait(lambda: not learning.running)
    assert any(notice.kind == "error" for notice in desk.notices)


def test_closing_while_it_learns_is_quick_and_the_run_is_found_again(ready, acting, folder):
    desk, learning = ready, ready.session.learning
    acting |= {"act": "hang"}
    learning.fine_tune(1.0)
    desk.wait(lambda: learning.training.step == 2)
    worker = learning._running.training.pid
    began = time.perf_counter()
    desk.close()
    assert time.perf_counter() - began < 5.0
    assert learning.training is None
    desk.wait(lambda: not os.path.exists(f"/proc/{worker}") or _is_zombie(worker))  # noqa: PTH110
    desk.heard.clear()
    desk.open(folder)
    assert len(interrupted_runs(desk.project)) == 1
    assert desk.notices[0].action == "runs.discard"


def _is_zombie(pid):
    with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
        return file.read().rpartition(")")[2].split()[0] == "Z"


def test_a_model_that_is_not_better_does_not_propose(ready, acting, tmp_path):
    desk = ready
    first = crown(desk.project, tmp_path / "m")
    acting |= {"promoted": False}
    learning = run(desk)
    assert desk.project.models.champion(HEAD) == first.digest
    assert learning.verdict.title == "Kept Head v1"
    assert desk.notices[-1].kind == "info"
    assert len(learning.models) == 2
    learning.promote(learning.verdict.challenger.digest)
    assert desk.project.models.champion(HEAD) == learning.verdict.challenger.digest
    learning.rollback()
    assert desk.project.models.champion(HEAD) == first.digest


def test_going_back_without_a_model_is_told(desk):
    desk.session.learning.rollback()
    assert desk.titles == ["There is no model to go back from"]


# --- what a run would learn from ------------------------------------------------------------------------------------


def test_readiness_follows_every_decision(desk):
    learning = desk.session.learning
    assert (learning.readiness.frames, learning.readiness.enough) == (0, False)
    learning.fine_tune()
    assert desk.titles == ["Too little to learn from yet"]
    for row, subjects in ((0, 1), (1, 2), (2, 3)):
        desk.go(row)
        desk.session.reviewing.draw(desk.stroke(1 + row % 2))
        desk.session.reviewing.set_state(State.DONE)
        assert (learning.readiness.frames, learning.readiness.subjects) == (row + 1, subjects)
    assert learning.readiness.enough
    desk.wait(lambda: dict(learning.readiness.segment_frames) == {"Head": 2, "Midline": 1})
    desk.session.reviewing.toggle_label("good")
    assert dict(learning.readiness.label_frames) == {"good": 1}
    desk.go(3)
    desk.session.reviewing.set_state(State.NOTHING)
    assert (learning.readiness.frames, learning.readiness.frames_empty) == (4, 1)
    desk.session.undo()
    assert (learning.readiness.frames, learning.readiness.frames_empty) == (3, 0)
    desk.go(LESION)
    assert (learning.readiness.exam, learning.readiness.frames) == (NECK, 0)
    desk.go(LOOP)
    assert (learning.readiness.exam, learning.readiness.frames) == (HEAD, 3)


def test_readiness_is_known_again_after_opening(ready, folder):
    desk = ready
    desk.session.reviewing.set_state(State.NOTHING)
    desk.close()
    assert desk.session.learning.readiness.frames == 0
    desk.open(folder)
    learning = desk.session.learning
    assert (learning.readiness.frames, learning.readiness.subjects) == (4, 4)
    desk.wait(lambda: dict(learning.readiness.segment_frames) == {"Head": 3})
    assert learning.readiness.frames_empty == 1


def test_a_mask_that_changes_while_it_is_looked_at_is_looked_at_again(desk):
    session = desk.session
    session.reviewing.draw(desk.stroke(1))
    session.reviewing.set_state(State.DONE)  # it is being looked at now
    session.reviewing.draw(desk.stroke(2, at=40))
    desk.wait(lambda: not session.learning.counting._unknown)
    assert dict(session.learning.readiness.segment_frames) == {"Head": 1, "Midline": 1}
