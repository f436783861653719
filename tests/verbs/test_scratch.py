"""Temporary folders: private, gone afterwards, and swept when a killed process left them."""

import os
import stat
import tempfile
from pathlib import Path

import psutil
import pytest

from usfm_studio.verbs import scratch
from usfm_studio.verbs.scratch import SWEEP_AFTER_S, fresh, sweep, sweep_beside


@pytest.fixture(autouse=True)
def temp(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def dead_pid():
    return next(pid for pid in range(4_000_000, 1, -1) if not psutil.pid_exists(pid))


def aged(path: Path):
    path.mkdir()
    (path / "frame.npy").write_bytes(b"x")
    old = path.stat().st_mtime - SWEEP_AFTER_S - 1
    os.utime(path, (old, old))
    return path


def test_a_scratch_folder_is_private_and_gone_afterwards():
    with scratch.scratch("run") as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (folder / "frame").mkdir()
    assert not folder.exists()


def test_it_is_gone_after_an_error_too():
    with pytest.raises(ValueError, match="odd"), scratch.scratch("run") as folder:
        raise ValueError("odd")
    assert not folder.exists()


def test_what_a_killed_process_left_is_swept_once_it_is_old(temp):
    left = aged(temp / f"usfm-run-{dead_pid()}-1600000000-abc_1")
    sweep()
    assert not left.exists()


def test_the_folders_of_the_living_the_young_and_strangers_stay(temp):
    young = temp / f"usfm-run-{dead_pid()}-1600000000-young"
    young.mkdir()
    living = aged(temp / fresh("run").name.replace("run", "cache"))
    strange = [aged(temp / name) for name in ("usfm-tests-x", "usfm-run-12-x-y", "other-run-1-1-x")]
    sweep()
    assert all(path.exists() for path in (young, living, *strange))


def test_a_process_of_the_same_number_born_at_another_time_is_another(temp):
    reused = aged(temp / f"usfm-run-{os.getpid()}-1600000000-abc")
    sweep()
    assert not reused.exists()


def test_beside_an_export_only_dead_writers_are_swept(temp):
    dead, living = temp / f".out.{dead_pid()}.tmp", temp / f".out.{os.getpid()}.tmp"
    others = [temp / ".out.txt.tmp", temp / f".other.{dead_pid()}.tmp", temp / "out"]
    for path in (dead, living, *others):
        path.mkdir()
    sweep_beside(temp, "out")
    assert not dead.exists()
    assert all(path.exists() for path in (living, *others))
