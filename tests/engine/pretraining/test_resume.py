"""Interrupted equals uninterrupted, bit for bit; no checkpoint is ever lost."""

import errno
import json
import os
import signal

import pytest
import torch

from tests.engine.pretraining.runs import Line, a_corpus, a_run, an_order, losses, state, wait_until
from usfm_studio.document.errors import ChildDied, DiskFull, Interrupted, WrongUsage
from usfm_studio.engine.models.checkpoint import load_encoder
from usfm_studio.engine.pretrainer_client import Pretrainer
from usfm_studio.engine.pretraining import keeping
from usfm_studio.engine.pretraining.keeping import Checkpoints

STEPS = ("steps=9", "sampler.draws=7")  # an epoch is 7 images: it ends in the middle of a step


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return a_corpus(tmp_path_factory.mktemp("corpus") / "corpus")


@pytest.fixture(scope="module")
def whole(tmp_path_factory, corpus):
    """A run that nothing disturbed."""
    out = tmp_path_factory.mktemp("whole") / "run"
    a_run(corpus, out, *STEPS)
    return out


def test_a_run_that_was_killed_ends_like_one_that_was_not(tmp_path, corpus, whole):
    out = tmp_path / "run"
    pretrainer = Pretrainer()
    try:
        ticket = pretrainer.run(an_order(corpus, out, *STEPS, "keep.steps=2", "workers=1", "steps=9"))
        wait_until(lambda: len(Checkpoints(out).steps()) >= 1 or ticket.done())
        os.kill(pretrainer.pid, signal.SIGKILL)
        with pytest.raises(ChildDied):
            ticket.result(60)
    finally:
        pretrainer.close()
    done = Checkpoints(out).steps()[-1]
    assert 0 < done < 9
    a_run(corpus, out, *STEPS, "workers=0", resume=True)
    assert losses(out) == losses(whole)
    assert state(out) == state(whole)
    assert tensors(out) == tensors(whole)


def tensors(out):
    return (out / "encoder" / "model.safetensors").read_bytes()


@pytest.mark.parametrize(
    "changes",
    [
        ("batch_norm=train", "precision=auto"),
        pytest.param(("accumulate=2", "batch=1"), marks=pytest.mark.slow),
        pytest.param(("loss.feature_weight=0.5",), marks=pytest.mark.slow),
    ],
)
def test_a_run_that_was_stopped_ends_like_one_that_was_not(tmp_path, corpus, changes):
    words = ("steps=4", "mask.fill=mix", *changes)
    a_run(corpus, tmp_path / "whole", *words)
    with pytest.raises(Interrupted, match=r"after step 2 of 4 is kept"):
        a_run(corpus, tmp_path / "run", *words, line=Line(stop_at=2))
    a_run(corpus, tmp_path / "run", *words, resume=True)
    assert losses(tmp_path / "run") == losses(tmp_path / "whole")
    assert state(tmp_path / "run") == state(tmp_path / "whole")


def test_resume_where_nothing_is_starts_afresh_and_a_finished_run_stays_as_it_is(tmp_path, corpus, whole):
    out = tmp_path / "run"
    a_run(corpus, out, *STEPS, resume=True)
    before = state(out)
    assert before == state(whole)
    a_run(corpus, out, *STEPS, resume=True)
    assert state(out) == before


def test_a_run_is_not_begun_twice_in_one_folder(corpus, whole):
    with pytest.raises(WrongUsage, match="holds a run already"):
        a_run(corpus, whole, *STEPS)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("mask.cell_share=0.5", "mask.cell_share"),
        ("optimiser.encoder=1e-3", "optimiser.encoder"),
        ("batch=4", "images"),
    ],
)
def test_another_recipe_does_not_go_on_with_a_run(corpus, whole, change, named):
    with pytest.raises(WrongUsage, match=named):
        a_run(corpus, whole, *STEPS, change, resume=True)


def test_another_corpus_does_not_go_on_with_a_run(tmp_path, whole):
    with pytest.raises(WrongUsage, match="corpus has changed"):
        a_run(a_corpus(tmp_path / "other", images=5), whole, *STEPS, resume=True)


def test_the_last_ones_and_the_best_are_kept(tmp_path):
    checkpoints = Checkpoints(tmp_path, last=2)
    for step in range(1, 6):
        checkpoints.best = 2 if step >= 2 else None
        checkpoints.write(step, {}, {"w": torch.full((3,), float(step))})
    assert checkpoints.steps() == [2, 4, 5]


@pytest.mark.parametrize("hurt", ["cut", "flip", "facts"])
def test_a_torn_checkpoint_gives_way_to_the_one_before(tmp_path, hurt):
    checkpoints, notes = Checkpoints(tmp_path), []
    for step in (3, 7):
        path = checkpoints.write(step, {"a": step}, {"w": torch.full((3, 4), float(step))})
    content = path.read_bytes()
    if hurt == "cut":
        path.write_bytes(content[:-5])
    elif hurt == "flip":
        path.write_bytes(content[:-3] + bytes([content[-3] ^ 1]) + content[-2:])
    else:
        path.with_suffix(".json").write_text("{")
    saved = checkpoints.newest({"w": (3, 4)}, notes.append)
    assert (saved.step, saved.facts["a"]) == (3, 3)
    assert torch.equal(saved.tensors["w"], torch.full((3, 4), 3.0))
    assert len(notes) == 1
    assert "step 7" in notes[0]


@pytest.mark.parametrize("nth", [1, 2, 3, 4])
def test_a_disk_that_is_full_at_any_moment_costs_no_checkpoint(tmp_path, monkeypatch, nth):
    checkpoints = Checkpoints(tmp_path, last=1)
    checkpoints.write(1, {}, {"w": torch.ones(3)})
    left = [nth]

    def counted(real):
        def fsync(*given):
            left[0] -= 1
            if left[0] == 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(*given)

        return fsync

    monkeypatch.setattr(os, "fsync", counted(os.fsync))
    try:
        checkpoints.write(2, {}, {"w": torch.zeros(3)})
        written = True
    except OSError:
        written = False
    monkeypatch.undo()
    saved = checkpoints.newest({"w": (3,)})
    assert saved.step == (2 if written else saved.step)
    assert torch.equal(saved.tensors["w"], torch.ones(3) if saved.step == 1 else torch.zeros(3))
    assert not list(checkpoints.folder.glob("*.tmp"))


def test_a_full_disk_is_told_and_the_run_goes_on_until_it_must_end(tmp_path, corpus, monkeypatch):
    real, line = keeping.write_tensors, Line()
    written = []

    def full_after_one(path, content):
        written.append(path)
        if len(written) > 1:
            path.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, content)

    monkeypatch.setattr(keeping, "write_tensors", full_after_one)
    with pytest.raises(DiskFull, match="--resume"):
        a_run(corpus, tmp_path / "run", "steps=4", "keep.steps=1", line=line)
    notes = [event["note"] for event in line.events if event["event"] == "note"]
    assert "step 2 was not written (no space left on device)" in notes[0]
    assert Checkpoints(tmp_path / "run").steps() == [1]
    assert not list((tmp_path / "run" / "checkpoints").glob("*.tmp"))
    monkeypatch.undo()
    a_run(corpus, tmp_path / "run", "steps=4", resume=True)
    assert load_encoder(tmp_path / "run" / "encoder").name == "usfm_lite0"


def test_facts_tell_what_a_run_is(whole):
    facts = json.loads(sorted((whole / "checkpoints").glob("*.json"))[-1].read_text())
    assert facts["step"] == 9
    assert facts["recipe"]["px"] == 64
    assert facts["standing"]["images"] == 18
