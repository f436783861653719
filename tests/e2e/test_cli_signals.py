"""SIGINT and SIGTERM at random moments: the verb ends within seconds, says so, exits with 130, and keeps its state."""

import json
import random
import signal
import time
from pathlib import Path

import pytest

from tests.cli.calling import LONG_S, call_apart, children_of, finished, start, wait_until_signals_are_heeded
from tests.verbs.making import a_data_folder, a_project, stills
from tests.verbs.test_export import draw
from tests.verbs.test_import import many
from usfm_studio.engine.learning.run_folder import INTERRUPTED, state_of
from usfm_studio.project import lock
from usfm_studio.project.check import problems
from usfm_studio.project.models import read_card
from usfm_studio.project.project import Project
from usfm_studio.verbs.finetune import interrupted_runs

ENDS_S = 15
"""Five seconds on a machine that does nothing else; here two cores are shared by all tests."""


def seeds(usual, all_of_them):
    """The first few always, the others where time does not matter."""
    return [n if n < usual else pytest.param(n, marks=pytest.mark.slow) for n in range(all_of_them)]


def signalled(process, seed, most_s):
    """Send a signal at a random moment after the program heeds them; what is left of it."""
    choose = random.Random(seed)
    wait_until_signals_are_heeded(process)
    time.sleep(choose.uniform(0, most_s))
    told = time.monotonic()
    process.send_signal(choose.choice([signal.SIGINT, signal.SIGTERM]))
    called = finished(process)
    assert time.monotonic() - told < ENDS_S, f"seed {seed}"
    return called


def ended_well(called, seed):
    """Stopped with 130 and one message, or done before the signal came. True where it was stopped."""
    assert called.status in (0, 130), f"seed {seed}: {called.err}"
    assert "Traceback" not in called.err
    body = called.lines[-1]
    assert body["event"] == ("result" if called.status == 0 else "error"), f"seed {seed}"
    if called.status == 130:
        assert called.err.strip().splitlines()[-1].startswith("error: Stopped: you asked for it.")
    return called.status == 130


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return many(tmp_path_factory.mktemp("signals") / "images", 1500)


@pytest.mark.parametrize("seed", seeds(2, 6))
def test_info_ends(images, seed):
    ended_well(signalled(start("info", images, "--json"), seed, 2.5), seed)


@pytest.mark.parametrize("seed", seeds(2, 8))
def test_an_import_keeps_what_was_read_and_the_same_command_goes_on(images, tmp_path, seed):
    stopped = ended_well(signalled(start("import", tmp_path / "p", images, "--json"), seed, 3), seed)
    kept = 0
    if (tmp_path / "p" / "project.db").exists():
        assert problems(tmp_path / "p") == []
        with Project.open(tmp_path / "p") as project:
            kept = len(project.instances)
    assert stopped or kept == 1500
    called = call_apart("import", tmp_path / "p", images, "--json")
    assert (called.result["imported"], called.result["skipped"]) == (1500 - kept, kept)


@pytest.mark.parametrize("seed", seeds(1, 5))
def test_an_export_is_whole_or_absent(tmp_path, seed):
    house = a_project(tmp_path / "p", stills(tmp_path / "images", 30))
    for frame in house.project.frames():
        draw(house.project, frame.id)
    house.close()
    words = ("export", tmp_path / "p", "--format", "png", "--out", tmp_path / "out", "--json")
    stopped = ended_well(signalled(start(*words), seed, 2), seed)
    if stopped:
        assert not (tmp_path / "out").exists()
        assert call_apart(*words).status == 0
    assert len(list((tmp_path / "out").rglob("*.png"))) == 30
    assert not list(tmp_path.glob(".out*"))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", seeds(1, 3))
def test_a_run_of_a_project_is_kept_and_marked(tmp_path, seed):
    house = a_project(tmp_path / "p", stills(tmp_path / "images", 4))
    for frame in house.project.frames():
        draw(house.project, frame.id)
    house.close()
    process = start("finetune", tmp_path / "p", "--minutes", "3", "--json")
    choose = random.Random(seed)
    lines = []
    while not any('"learning"' in line for line in lines):  # torch is up and the first step is near
        lines.append(process.stdout.readline())
        assert lines[-1], process.stderr.read()
    time.sleep(choose.uniform(0, 2))
    workers = children_of(process.pid)
    told = time.monotonic()
    process.send_signal(choose.choice([signal.SIGINT, signal.SIGTERM]))
    called = finished(process)
    assert time.monotonic() - told < ENDS_S
    assert called.status == 130, called.err
    assert json.loads(called.out.splitlines()[-1])["event"] == "error"
    assert workers
    with Project.open(tmp_path / "p") as project:
        (run,) = interrupted_runs(project)
        assert state_of(run.folder) == INTERRUPTED
        assert project.models.cards() == []
        assert project.models.champion("") is None


PATIENT = """
from usfm_studio.cli import signals
signals.PATIENCE_S, signals.GRACE_S = 10.0, 14.0
from usfm_studio.cli.main import main; main()
"""
"""Its five seconds on a machine that is shared by all tests."""
LEARNS_S = 4.0
"""After its first step a run has a model on disk within two seconds, on a machine that does nothing else."""


WITHOUT_TORCH = f"""
from usfm_studio.engine import trainer_client
trainer_client.MODULE = "tests.verbs.fake_worker"
{PATIENT}
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("act", ["hang", "deaf", "early"])
def test_of_an_interrupted_run_from_a_data_folder_the_best_model_is_written(tmp_path, number, act):
    """A real program, worker and signal; but the worker only pretends to learn."""
    data, temp = a_data_folder(tmp_path / "data"), tmp_path / "temp"
    temp.mkdir()
    words = ("finetune", "--data", data, "--minutes", "1", "--out", tmp_path / "model", "--json")
    process = start(*words, code=WITHOUT_TORCH, env={"TMPDIR": str(temp), "FAKE_WORKER": act})
    while json.loads(process.stdout.readline())["event"] != ("step" if act == "early" else "note"):
        pass
    told = time.monotonic()
    process.send_signal(number)
    called = finished(process)
    assert time.monotonic() - told < ENDS_S
    assert called.status == 130, called.err
    if act == "early":
        assert "no model was written" in called.err
        assert not (tmp_path / "model").exists()
    else:
        assert f"The best model so far is in {tmp_path / 'model'}; it was not compared" in called.err
        assert read_card(tmp_path / "model").name == "data"
    assert list(temp.iterdir()) == []


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_model_that_is_written_when_a_run_is_interrupted_predicts(tmp_path, number):
    data, temp = a_data_folder(tmp_path / "data"), tmp_path / "temp"
    temp.mkdir()
    words = ("finetune", "--data", data, "--minutes", "1", "--out", tmp_path / "model", "--json")
    process = start(*words, code=PATIENT, env={"TMPDIR": str(temp)})
    first = None
    while first is None or time.monotonic() - first < LEARNS_S:
        body = json.loads(process.stdout.readline())
        if body["event"] == "step" and first is None:
            first = time.monotonic()
    told = time.monotonic()
    process.send_signal(number)
    called = finished(process)
    assert time.monotonic() - told < ENDS_S
    assert called.status == 130, called.err
    assert f"The best model so far is in {tmp_path / 'model'}; " in called.err
    assert called.lines[-1]["hint"].startswith("The best model so far is in ")
    card = read_card(tmp_path / "model")
    assert (card.task, dict(card.segments)) == ("segmentation", {1: "Head"})
    assert list(temp.glob("usfm-*")) == []
    found = call_apart("predict", "--model", tmp_path / "model", data / "images", "--out", tmp_path / "out", "--json")
    assert (found.status, found.lines[-1]["frames"]) == (0, 4)


@pytest.mark.timeout(300)
def test_a_run_from_a_data_folder_leaves_nothing_half_written(tmp_path):
    data = a_data_folder(tmp_path / "data")
    temp = tmp_path / "temp"
    temp.mkdir()
    words = ("finetune", "--data", data, "--minutes", "3", "--out", tmp_path / "model", "--json")
    called = signalled(start(*words, env={"TMPDIR": str(temp)}), 5, 2)
    assert called.status == 130, called.err
    assert (tmp_path / "model").exists() == ("best model so far" in called.err)
    if (tmp_path / "model").exists():
        assert read_card(tmp_path / "model").name == "data"
    assert {p.name for p in tmp_path.iterdir()} - {"model"} == {"data", "temp"}
    assert list(temp.glob("usfm-*")) == []


def test_a_second_signal_ends_it_at_once(images):
    process = start("info", images, "--json")
    wait_until_signals_are_heeded(process)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGINT)
    assert finished(process).status == 130


STUCK = """
import sys, time
from usfm_studio.cli import common, main, signals
from usfm_studio.verbs.steps import Apart
signals.PATIENCE_S, signals.GRACE_S = 0.3, 1.0

def stuck():
    print("stuck", flush=True)
    {what}

def command(call, **_):
    from usfm_studio.verbs.house import House
    def verb():
        yield Apart(stuck)
    return common.perform(call, House(), verb())

main.studio.commands["doctor"].callback = common.shared(command)
main.main()
"""


@pytest.mark.parametrize(
    "what",
    [
        pytest.param("time.sleep(60)", id="work that a signal can break off"),
        pytest.param(
            "exec('while True:\\n try: time.sleep(60)\\n except BaseException: pass')", id="work that nothing can"
        ),
    ],
)
def test_work_that_does_not_listen_is_broken_off(what):
    process = start("doctor", "--json", code=STUCK.format(what=what))
    assert process.stdout.readline() == "stuck\n"
    process.send_signal(signal.SIGTERM)
    assert finished(process).status == 130


def test_a_loop_of_signals_from_a_terminal_reaches_the_program_alone(images):
    """Ctrl+C goes to the whole group: the children have groups of their own and end with their parent."""
    process = start("info", images, "--json")
    wait_until_signals_are_heeded(process)
    while process.poll() is None and not children_of(process.pid):
        time.sleep(0.01)
    children = children_of(process.pid)
    process.send_signal(signal.SIGINT)
    assert finished(process).status in (0, 130)
    assert children


def test_the_window_is_closed_as_a_person_closes_it(tmp_path):
    a_project(tmp_path / "p", stills(tmp_path / "images", 2)).close()
    process = start(tmp_path / "p", env={"QT_QPA_PLATFORM": "offscreen", "XDG_CONFIG_HOME": str(tmp_path / "config")})
    while process.poll() is None and len(children_of(process.pid)) < 2:  # the window is there, and asks for pictures
        time.sleep(0.05)
    children = children_of(process.pid)
    process.send_signal(signal.SIGTERM)
    called = finished(process)
    assert called.status == 130, called.err
    assert "Traceback" not in called.err
    assert children
    assert lock.holder(tmp_path / "p") == {}, "it was closed, not killed"
    assert problems(tmp_path / "p") == []


@pytest.mark.slow
def test_the_tour_ends_with_its_children(tmp_path):
    process = start("demo", "--tour", tmp_path / "out", "--json")
    while process.poll() is None and len(children_of(process.pid)) < 3:
        time.sleep(0.05)
    children = children_of(process.pid)
    process.send_signal(signal.SIGTERM)
    called = finished(process)
    assert called.status == 130, called.err
    assert called.result["what"] == "Stopped"
    assert "Traceback" not in called.err
    assert children
    assert not (tmp_path / "out" / "summary.json").exists()


@pytest.mark.parametrize("words", [["."], ["demo"], ["demo", "--tour", "out"]], ids=" ".join)
def test_while_qt_is_brought_in_a_signal_ends_the_process_and_does_not_abort_it(tmp_path, words):
    env = {"QT_QPA_PLATFORM": "offscreen", "USFM_STUDIO_CONFIG": str(tmp_path / "config"), "HOME": str(tmp_path)}
    process = start(*words, env=env, cwd=tmp_path)
    deadline = time.monotonic() + LONG_S
    while "shiboken" not in Path(f"/proc/{process.pid}/maps").read_text() and time.monotonic() < deadline:
        time.sleep(0.001)
    process.send_signal(signal.SIGTERM)
    ended = finished(process)
    assert ended.status == 130
    assert "Traceback" not in ended.err
    assert "Fatal" not in ended.err
