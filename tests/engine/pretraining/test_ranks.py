"""Two real processes share a run; one of them dies."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors.torch import load_file

from tests.engine.pretraining.runs import a_corpus, losses

ROOT = Path(__file__).parents[3]
LONG_S = 170


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return a_corpus(tmp_path_factory.mktemp("corpus") / "corpus")


def free_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


@pytest.fixture
def start():
    """Start the ranks of a run; they end with the test."""
    begun = []

    def ranks(acts, *words):
        port = str(free_port())
        for rank, act in enumerate(acts):
            env = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
            if len(acts) > 1:
                env |= {"RANK": str(rank), "WORLD_SIZE": str(len(acts)), "LOCAL_RANK": str(rank)}
                env |= {"LOCAL_WORLD_SIZE": str(len(acts)), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
            command = [sys.executable, "-m", "tests.engine.pretraining.a_rank", act, *map(str, words)]
            begun.append(subprocess.Popen(command, env=env, cwd=ROOT, stdout=subprocess.PIPE, text=True))
        return begun[-len(acts) :]

    yield ranks
    for process in begun:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
        process.communicate()


def answer(process):
    out, _ = process.communicate(timeout=LONG_S)
    return json.loads(out.splitlines()[-1])


def test_two_ranks_have_the_gradient_of_one_with_the_joined_batch(tmp_path, corpus, start):
    words = ("loss.preset=usfm", "steps=2")
    both = start(["gradient"] * 2, corpus, tmp_path / "both", *words, "batch=2")
    alone = start(["gradient"], corpus, tmp_path / "alone", *words, "batch=4")
    told = [answer(process) for process in (*both, *alone)]
    assert told[0]["ratio"] == pytest.approx(told[2]["ratio"], rel=1e-3)
    assert told[0]["loss"] != told[1]["loss"]  # each has its own images
    assert (told[0]["loss"] + told[1]["loss"]) / 2 == pytest.approx(told[2]["loss"], rel=1e-4)
    wanted = load_file(tmp_path / "alone-0.safetensors")
    for rank in (0, 1):
        found = load_file(tmp_path / f"both-{rank}.safetensors")
        for name, gradient in wanted.items():
            assert (found[name] - gradient).norm() <= 2e-4 * gradient.norm() + 1e-7, name


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["fixed", "train"])
def test_two_ranks_end_like_one(tmp_path, corpus, start, mode):
    words = ("steps=3", f"batch_norm={mode}", "loss.preset=usfm", "accumulate=2")
    both = start(["run"] * 2, corpus, tmp_path / "both", *words, "batch=1")
    results = [answer(process) for process in both]
    assert results[0]["images"] == 12
    if mode == "fixed":
        alone = start(["run"], corpus, tmp_path / "alone", *words, "batch=2")
        answer(alone[0])
        for (step, loss), (same, wanted) in zip(losses(tmp_path / "both"), losses(tmp_path / "alone"), strict=True):
            assert step == same
            assert loss == pytest.approx(wanted, rel=1e-3)


@pytest.mark.parametrize("end", ["vanish", pytest.param("freeze", marks=pytest.mark.slow)])
@pytest.mark.parametrize("who", [1, pytest.param(0, marks=pytest.mark.slow)])
def test_when_a_rank_is_lost_the_other_says_so_and_ends(tmp_path, corpus, start, end, who):
    acts = ["run", "run"]
    acts[who] = end
    ranks = start(acts, corpus, tmp_path / "run", "steps=400", "keep.steps=1")
    if end == "vanish":
        assert ranks[who].wait(LONG_S) == 9
    else:
        deadline = time.monotonic() + LONG_S
        while Path(f"/proc/{ranks[who].pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
            assert time.monotonic() < deadline
            time.sleep(0.1)
    begun = time.monotonic()
    told = answer(ranks[1 - who])
    assert "another of its ranks has ended or does not answer" in str(told)
    assert "--resume" in str(told)
    assert ranks[1 - who].returncode == 1
    assert time.monotonic() - begun < 60
    assert (tmp_path / "run" / "checkpoints").is_dir()
