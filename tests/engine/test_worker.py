"""The worker as a real process: it learns, is stopped, cancelled, ended by the system and killed."""

import json
import os
import signal
import threading
import time

import pytest

from tests.engine.blobs import snapshot
from tests.engine.making import a_model
from usfm_studio.document.errors import BadModel, ChildDied, Interrupted, NothingToLearn, WrongUsage
from usfm_studio.engine.learning.run_folder import state_of
from usfm_studio.engine.models.checkpoint import load_model
from usfm_studio.engine.trainer_client import TrainingOrder, evaluate, train

WAIT_S = 120
ENDLESS = {"max_steps": 10**6, "input_px": 64, "views": 8, "batch": 2}


class Events:
    """Events of a run, and a way to wait for one."""

    def __init__(self):
        self.bodies, self.news = [], threading.Condition()

    def __call__(self, body):
        with self.news:
            self.bodies.append(body)
            self.news.notify_all()

    def wait_for(self, kind):
        with self.news:
            assert self.news.wait_for(lambda: any(b["event"] == kind for b in self.bodies), WAIT_S), kind


@pytest.fixture(scope="module")
def shot(tmp_path_factory):
    return snapshot(tmp_path_factory.mktemp("data") / "snapshot", 4)


@pytest.fixture
def start(tmp_path, shot):
    """Start a run; its process ends with the test."""
    begun = []

    def begin(**changes):
        events = Events()
        defaults = {"snapshot": shot.folder, "run": tmp_path / "run", "budget_s": 1e5, "device": "cpu", "threads": 1}
        work = train(TrainingOrder(**{**defaults, "options": ENDLESS, **changes}), on_event=events)
        begun.append(work)
        return work, events

    yield begin
    for work in begun:
        work.close()


def test_a_run_ends_with_a_model_and_runs_at_the_lowest_priority(start, tmp_path):
    work, events = start(options={**ENDLESS, "max_steps": 4})
    events.wait_for("step")
    assert os.getpriority(os.PRIO_PROCESS, work.pid) == 19
    body = work.ticket.result(WAIT_S)
    assert load_model(tmp_path / "run" / "model").card.digest == body["model"]
    assert state_of(tmp_path / "run") == "done"
    assert body["seconds"] > 0


def test_stop_keeps_the_best(start, tmp_path):
    work, events = start()
    events.wait_for("step")
    work.stop()
    body = work.ticket.result(WAIT_S)
    assert load_model(tmp_path / "run" / "model").card.digest == body["model"]
    assert state_of(tmp_path / "run") == "done"


def test_cancel_gives_up(start, tmp_path):
    work, events = start()
    events.wait_for("step")
    work.cancel()
    with pytest.raises(Interrupted):
        work.ticket.result(WAIT_S)
    work.close()
    assert state_of(tmp_path / "run") in ("cancelled", "interrupted")
    assert not (tmp_path / "run" / "result.json").exists()


def test_the_system_s_end_is_told(start, tmp_path):
    work, events = start()
    events.wait_for("step")
    os.kill(work.pid, signal.SIGTERM)
    with pytest.raises(Interrupted, match="the system ends it"):
        work.ticket.result(WAIT_S)
    assert state_of(tmp_path / "run") == "interrupted"


def test_killed_in_the_middle_it_says_so_and_leaves_no_half_model(start, tmp_path):
    work, events = start(options={**ENDLESS, "max_steps": 200})
    events.wait_for("holdout")  # the first member is through, the next one learns
    assert state_of(tmp_path / "run") == "running"
    pid = work.pid
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(ChildDied):
        work.ticket.result(WAIT_S)
    deadline = time.monotonic() + WAIT_S
    while state_of(tmp_path / "run") == "running" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert state_of(tmp_path / "run") == "interrupted"
    assert json.loads((tmp_path / "run" / "recipe.json").read_text())["input_px"] == 64
    if (tmp_path / "run" / "model").exists():
        load_model(tmp_path / "run" / "model")


def test_errors_come_with_their_class_and_hint(start, tmp_path):
    empty = snapshot(tmp_path / "empty", 2, empty=True)
    work, _ = start(snapshot=empty.folder, task="segmentation")
    with pytest.raises(NothingToLearn) as caught:
        work.ticket.result(WAIT_S)
    assert caught.value.hint
    work, _ = start(task="dance")
    with pytest.raises(WrongUsage):
        work.ticket.result(WAIT_S)


def test_evaluation_scores_the_wanted_fold(tmp_path, shot):
    a_model(tmp_path / "model", segments=("Blob",))
    events = Events()
    work = evaluate(tmp_path / "model", shot.folder, device="cpu", threads=1, on_event=events)
    try:
        body = work.ticket.result(WAIT_S)
    finally:
        work.close()
    assert set(body["per_subject"]) == set(shot.subjects)
    assert 0 <= body["dice_all"] <= 1
    assert body["interval_kind"] == "range"
    assert events.bodies[-1] == {"event": "progress", "done": 4, "total": 4}


def test_a_broken_model_is_not_scored(tmp_path, shot):
    a_model(tmp_path / "model", segments=("Blob",))
    (tmp_path / "model" / "model.safetensors").write_bytes(b"nonsense")
    work = evaluate(tmp_path / "model", shot.folder, device="cpu", threads=1)
    try:
        with pytest.raises(BadModel):
            work.ticket.result(WAIT_S)
    finally:
        work.close()
