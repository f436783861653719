"""`kill -9` of the process that draws, at any moment: nothing that was shown as saved is lost."""

import random
import time

import pytest

from tests.project.acting import act
from tests.project.making import a_project, contents
from tests.project.processes import LONG_S, acked, start
from usfm_studio.project.check import problems
from usfm_studio.project.project import Project

GROUP = 32


class Shadow:
    """A project that nobody kills, kept at the same position."""

    def __init__(self, folder):
        self.project = a_project(folder, instances=4)

    def at(self, position):
        while self.project._position < position:
            act(self.project, self.project._position + 1)
        return contents(self.project)


def killed_after(folder, mode, wait_s):
    """Start the process, let it draw for a while, kill it; answers what it had been told is saved."""
    process = start("-m", "tests.project.acting", folder, mode, 1_000_000)
    try:
        assert process.stdout.readline() == "ready\n"
        time.sleep(wait_s)
    finally:
        process.kill()
        out, _ = process.communicate(timeout=LONG_S)
    return acked(out)


@pytest.mark.parametrize("first_seed", [0, 10, 20, 30, 40])
def test_every_acknowledged_change_is_there_after_a_kill_and_at_most_one_more(tmp_path, first_seed):
    a_project(tmp_path / "p", instances=4).close()
    shadow = Shadow(tmp_path / "shadow")
    position = 2  # made, images added
    for seed in range(first_seed, first_seed + 10):
        mode = "flushing" if seed % 2 else "listening"
        told = max(position, killed_after(tmp_path / "p", mode, random.Random(seed).uniform(0, 0.06)))
        with Project.open(tmp_path / "p") as project:  # unclean, so SQLite's own check runs at opening
            position = project.saved.position
            assert told <= position <= told + (1 if mode == "flushing" else GROUP), f"seed {seed}"
            assert contents(project) == shadow.at(position), f"seed {seed}"
    assert problems(tmp_path / "p") == []
    shadow.project.close()
