"""`pretrain` as a command: real processes, real signals."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.cli.calling import MAIN, ROOT, call, children_of, environment, finished, start
from tests.engine.pretraining.runs import RECIPE, SMALL, a_corpus
from usfm_studio.engine.models.catalogue import read_card
from usfm_studio.engine.pretraining.keeping import Checkpoints


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return a_corpus(tmp_path_factory.mktemp("corpus") / "corpus")


def words(corpus, out, *more):
    return ("pretrain", RECIPE, *SMALL, f"data={corpus}", "--out", out, "--threads", 1, "--device", "cpu", *more)


def test_a_run_streams_events_and_ends_with_the_result(tmp_path, corpus):
    called = call(*words(corpus, tmp_path / "run", "steps=2", "--seed", 5, "--json"))
    assert called.status == 0, called.err
    *events, result = called.lines
    assert {event["event"] for event in events} == {"step"}
    assert all({"step", "loss", "spatial", "frequency", "images_per_second"} <= set(event) for event in events)
    assert result["event"] == "result"
    assert (result["images"], result["checkpoint"]) == (4, str(tmp_path / "run" / "encoder"))
    assert read_card(tmp_path / "run" / "encoder").seed == 5


def test_an_unknown_key_is_wrong_usage(tmp_path, corpus):
    called = call(*words(corpus, tmp_path / "run", "optimiser.warm_up=0.1", "--json"))
    assert called.status == 2
    assert "did you mean optimiser.warmup?" in called.err
    assert called.result["event"] == "error"


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_a_signal_keeps_the_state_and_ends_with_130(tmp_path, corpus, number):
    out = tmp_path / "run"
    process = start(*words(corpus, out, "steps=5000", "workers=1", "--json"))
    assert json.loads(process.stdout.readline())["event"] == "step"
    helpers = children_of(process.pid)
    begun = time.monotonic()
    process.send_signal(number)
    called = finished(process)
    assert time.monotonic() - begun < 6
    assert called.status == 130
    kept = Checkpoints(out).steps()
    assert len(kept) == 1
    assert f"after step {kept[0]} of 5000 is kept" in called.err
    assert "--resume" in called.err
    deadline = time.monotonic() + 10
    while any(os.path.exists(f"/proc/{pid}") for pid in helpers):  # noqa: PTH110
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.slow
def test_torchrun_shares_a_run_and_the_first_rank_alone_speaks(tmp_path, corpus):
    (tmp_path / "usfm-studio").write_text(f"#!/bin/sh\nexec {sys.executable} -c '{MAIN}' \"$@\"\n")
    (tmp_path / "usfm-studio").chmod(0o755)
    command = [
        sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "0", "--standalone",
        "--no-python", str(tmp_path / "usfm-studio"), *map(str, words(corpus, tmp_path / "run", "steps=2", "--json")),
    ]  # fmt: skip
    done = subprocess.run(command, env=environment(), cwd=ROOT, capture_output=True, text=True, timeout=170)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["event"] for line in lines] == ["step", "step", "result"]
    assert lines[-1]["images"] == 8
