"""Nobody outlives the parent, and a death is told in words that hold no name and no path."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from tests.children.support import LONG, ROOT, a_spec, error_of
from usfm_studio.children.deaths import back_off_s, death_of, trace_of
from usfm_studio.children.supervisor import Child

PARENT = """
import sys, time
from tests.children.support import a_spec
from usfm_studio.children.supervisor import Child
reader = Child(a_spec(spare=True)).start()
engine = Child(a_spec()).start()
pids = [c.ask("who", {}).result(60)["pid"] for c in (reader, engine)]
ticket = engine.ask("sleep", {"seconds": 1000})
print(*pids, flush=True)
ENDING
time.sleep(1000)
"""


def a_parent(ending=""):
    script = PARENT.replace("ENDING", ending)
    environment = {**os.environ, "PYTHONPATH": ROOT}
    return subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environment
    )


def gone(pids, seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE for pid in pids):
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGINT"])
def test_children_end_with_a_killed_parent(name):
    with a_parent() as parent:
        pids = [int(word) for word in parent.stdout.readline().split()]
        pids += [p.pid for p in psutil.Process(parent.pid).children(recursive=True)]
        parent.send_signal(getattr(signal, name))
        parent.wait(LONG)
        assert gone(pids, 2 if name == "SIGKILL" else LONG)


def test_children_end_with_a_parent_that_forgot_them():
    with a_parent("sys.exit(0)") as parent:
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert parent.wait(LONG) == 0
        assert gone(pids, LONG)


def test_children_end_with_their_input_where_the_kernel_does_not_help(monkeypatch):
    environment = {**os.environ, "PYTHONPATH": ROOT}
    command = [sys.executable, "-P", "-m", "usfm_studio.children.start", "{}", "tests.children.misbehaving"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as child:
        assert b"Hello" in child.stdout.read(40)
        child.stdin.close()
        assert child.wait(LONG) == 0


def test_a_child_left_alone_by_the_thread_that_asked_lives_on():
    """Linux ends a process with the thread that started it: that is the keeper, never the one that asks."""
    import threading

    child = Child(a_spec())
    pids = []
    thread = threading.Thread(target=lambda: pids.append(child.ask("who", {}).result(LONG)["pid"]))
    thread.start()
    thread.join(LONG)
    try:
        assert child.ask("who", {}).result(LONG)["pid"] == pids[0]
    finally:
        child.stop()


def test_what_a_child_wrote_last_gives_the_reason_but_is_not_shown():
    with Child(a_spec(retry=0)) as child:
        error_of(child.ask("stumble", {}))
        error = error_of(child.ask("die", {"signal": "SIGABRT"}))
        assert "ZZTEST^NOBODY" in child.last_words
        assert "ZZTEST" not in str(error)
        assert error.why == "it gave up on an internal error (SIGABRT)"


TRACEBACK = """Traceback (most recent call last):
  File "/home/zztest/usfm_studio/engine/host.py", line 12, in propose
    forward(x)
  File "/home/zztest/lib/torch/nn/module.py", line 1234, in forward
    raise RuntimeError("ZZTEST^NOBODY")
torch.cuda.SomeError: ZZTEST^NOBODY born 19700101
"""


@pytest.mark.parametrize(
    ("status", "words", "why", "no_memory"),
    [
        (-9, "", "the system ended it (SIGKILL)", False),
        (-6, "terminate called after throwing an instance of 'std::bad_alloc'", "the memory was not enough", True),
        (1, "MemoryError", "the memory was not enough", True),
        (1, TRACEBACK, "it met an internal error (SomeError)", False),
        (1, "ModuleNotFoundError: No module named 'torch'", "a part of the program is missing (torch)", False),
        (0, "", "it ended by itself (exit status 0)", False),
        (-250, "", "it was ended (signal 250)", False),
        (None, "", "it stopped answering", False),
    ],
)
def test_deaths_are_told_in_words(status, words, why, no_memory):
    death = death_of(status, words)
    assert (death.why, death.no_memory) == (why, no_memory)
    assert "ZZTEST" not in str(death).upper()


def test_a_trace_for_the_log_holds_classes_and_places_alone():
    assert trace_of(TRACEBACK) == "engine/host.py:12 nn/module.py:1234 SomeError"


def test_pauses_between_restarts_grow_to_half_a_minute():
    assert [back_off_s(n) for n in range(1, 9)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
