"""The real window as a process: killed, told to end, its children killed under it. What was shown as saved is there."""

from __future__ import annotations

import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from random import Random

import psutil
import pytest

from tests.children.support import ROOT
from tests.ui.session.desk import SCHEMA, crown, write_images
from usfm_studio.project.check import problems
from usfm_studio.project.lock import holder
from usfm_studio.project.project import Project
from usfm_studio.ui.place import read_place
from usfm_studio.verbs.drive import drive
from usfm_studio.verbs.house import House
from usfm_studio.verbs.import_files import ImportArguments
from usfm_studio.verbs.import_files import run as import_files

LONG_S = 90.0
"""No wait of a healthy run comes near."""


class Program:
    """The window's process, and the lines that it says."""

    def __init__(self, project: Path, act: str, seed: int = 0, **environment: str) -> None:
        env = {
            **os.environ, "PYTHONPATH": ROOT, "QT_QPA_PLATFORM": "offscreen", "OMP_WAIT_POLICY": "PASSIVE",
            "USFM_STUDIO_CONFIG": str(project.parent / "config"), **environment,
        }  # fmt: skip
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.window_driver", str(project), act, str(seed)],
            env=env, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.said: list[list[str]] = []
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._errors: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=lambda: self._errors.extend(self.process.stderr), daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def wait_for(self, word: str, count: int = 1) -> list[str]:
        """The next line that begins with a word (the n-th from now on)."""
        until = time.monotonic() + LONG_S
        while (left := until - time.monotonic()) > 0:
            try:
                line = self._lines.get(timeout=left)
            except queue.Empty:
                break
            if line is None:
                break
            self.said.append(line.split())
            count -= self.said[-1][0] == word
            if not count:
                return self.said[-1]
        raise AssertionError(f"no {word}: {self.said[-5:]} {''.join(self._errors)[-3000:]}")

    def rest(self) -> list[list[str]]:
        """All that it said; after its end."""
        until = time.monotonic() + LONG_S
        while (line := self._lines.get(timeout=max(0.1, until - time.monotonic()))) is not None:
            if line.endswith("\n"):  # a torn last line does not count
                self.said.append(line.split())
        return self.said

    def last(self, word: str) -> int:
        """The number in the last line of this word, 0 without one."""
        return max((int(said[1]) for said in self.said if said[0] == word), default=0)

    def marked(self, number: int) -> int:
        """How many of the first strokes left marks: those over what was marked already do not."""
        return number - sum(said[0] == "unmarked" and int(said[1]) <= number for said in self.said)

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(LONG_S)


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """Four heads, a loop and a neck, and a model that proposes for heads."""
    home = tmp_path_factory.mktemp("window")
    with House() as house:
        house.opened = Project.create(home / "project", SCHEMA)
        drive(import_files(ImportArguments(paths=(str(write_images(home / "images")),)), house))
        crown(house.project, home / "model")
    return home / "project"


@pytest.fixture
def folder(template, tmp_path):
    shutil.copytree(template, tmp_path / "project")
    return tmp_path / "project"


@pytest.fixture
def start():
    made = []

    def start(*arguments, **environment):
        made.append(Program(*arguments, **environment))
        return made[-1]

    yield start
    for program in made:
        program.kill()


def strokes_in(folder: Path) -> int:
    with Project.open(folder) as project:
        return sum(entry.name.startswith(("Brush", "Edit proposal")) for entry in project.history(10_000))


def gone(processes: list[psutil.Process], seconds: float = 2.0) -> list[psutil.Process]:
    """Those that still live after a while; an ended one whose exit nobody has read yet lives no more."""
    return [process for process in psutil.wait_procs(processes, timeout=seconds)[1] if not ended(process)]


def ended(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


# --- kill -9 ----------------------------------------------------------------------------------------------------------

MOMENTS = ("pressed", "released", "proposed")
KILLS = [(moment, 1) for moment in MOMENTS]
MORE_KILLS = [pytest.param(moment, seed, marks=pytest.mark.slow) for moment in MOMENTS for seed in range(2, 10)]


@pytest.mark.parametrize(("moment", "seed"), [*KILLS, *MORE_KILLS])
def test_a_kill_loses_at_most_the_stroke_under_way_and_leaves_no_process(folder, start, moment, seed):
    random = Random(f"{moment} {seed}")
    program = start(folder, "paint", seed)
    program.wait_for("ready")
    family = program.family()
    assert len(family) >= 2
    program.wait_for(moment, random.randint(2, 6))
    time.sleep(random.uniform(0, 0.03))
    program.kill()
    assert gone(family) == []
    program.rest()
    saved, begun = program.last("saved"), program.last("pressed")
    print(f"seed {seed}: killed at {moment}, {saved} shown as saved, {begun} begun")
    assert begun <= saved + 1
    assert program.marked(saved) <= strokes_in(folder) <= program.marked(begun)
    assert problems(folder) == []


def test_after_a_kill_it_opens_on_the_same_frame_and_nothing_of_the_memory_is_left(folder, start):
    program = start(folder, "paint")
    program.wait_for("ready")
    for process in program.family():  # what they share has no name that could be left behind
        assert "/dev/shm" not in Path(f"/proc/{process.pid}/maps").read_text()
    while read_place(folder) is None:
        program.wait_for("saved")
    program.kill()
    place = read_place(folder)
    assert place is not None
    again = start(folder, "look")
    assert again.wait_for("shown")[1] == place.key


# --- told to end ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_a_signal_saves_and_ends_it_with_130(folder, start, number):
    random = Random(int(number))
    program = start(folder, "paint", int(number))
    program.wait_for("ready")
    program.wait_for("pressed", 3)
    family = program.family()
    time.sleep(random.uniform(0, 0.1))
    program.process.send_signal(number)
    assert program.process.wait(LONG_S) == 130
    program.rest()
    assert gone(family, 10.0) == []
    assert holder(folder) == {}  # it was closed, not only left
    assert strokes_in(folder) >= program.marked(program.last("released"))
    assert problems(folder) == []


def test_a_signal_before_the_project_is_there_ends_it_too(folder, start):
    program = start(folder, "look")
    deadline = time.monotonic() + LONG_S
    while not program.family() and time.monotonic() < deadline:
        time.sleep(0.01)
    program.process.terminate()
    assert program.process.wait(LONG_S) == 130
    assert problems(folder) == []


# --- children under it ------------------------------------------------------------------------------------------------


def test_an_engine_that_is_killed_answers_after_all_and_painting_goes_on(folder, start):
    program = start(folder, "paint", TINY_ENGINE="slow")
    os.kill(int(program.wait_for("ready")[1]), signal.SIGKILL)
    assert program.wait_for("notice") == ["notice", "warning", "The", "engine", "stopped"]
    program.wait_for("saved", 3)  # meanwhile
    program.wait_for("proposed", 2)
    program.wait_for("saved")


def test_an_engine_that_hangs_is_replaced_and_painting_goes_on(folder, start):
    program = start(folder, "paint", TINY_ENGINE="slow")
    engine = int(program.wait_for("ready")[1])
    os.kill(engine, signal.SIGSTOP)
    program.wait_for("saved", 5)  # meanwhile
    program.wait_for("proposed", 2)
    program.wait_for("saved", 2)
    assert not psutil.pid_exists(engine) or psutil.Process(engine).status() == psutil.STATUS_ZOMBIE


def test_readers_that_are_killed_come_back(folder, start):
    program = start(folder, "paint")
    readers = [int(pid) for pid in program.wait_for("ready")[2:]]
    for pid in readers:
        os.kill(pid, signal.SIGKILL)
    program.wait_for("saved", 8)  # more frames than are held from before
    assert program.process.poll() is None


# --- twice, and lightly -----------------------------------------------------------------------------------------------


def test_a_project_that_is_open_already_is_shown_to_be_looked_at(folder, start):
    first = start(folder, "look")
    first.wait_for("ready")
    second = start(folder, "look")
    assert second.wait_for("mode")[1] == "readonly"
    assert any(said[:2] == ["notice", "warning"] for said in second.said)


def test_a_window_that_was_used_has_loaded_neither_torch_nor_codecs(folder, start):
    program = start(folder, "use")
    assert program.wait_for("exported")[1] == "ExportResult"
    assert program.wait_for("modules") == ["modules"]
    assert program.process.wait(LONG_S) == 0
    assert holder(folder) == {}
