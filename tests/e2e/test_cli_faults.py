"""What happens to the command line when the disk, the project, a child or the program itself fails: real processes."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.calling import (
    LONG_S,
    call_apart,
    children_of,
    environment,
    finished,
    start,
    wait_until_signals_are_heeded,
)
from tests.e2e.rights import as_an_ordinary_user, with_small_files
from tests.verbs.making import a_project, a_shelf_model, a_still, stills
from tests.verbs.test_export import draw
from tests.verbs.test_import import many
from usfm_studio.project.check import problems
from usfm_studio.project.project import Project

SHARED = Path("/dev/shm")
GONE_S = 10
"""Two seconds on a machine that does nothing else."""


@pytest.fixture
def drawn(tmp_path):
    """A project of eight finished stills; nobody has it open."""
    house = a_project(tmp_path / "p", stills(tmp_path / "images", 8))
    for frame in house.project.frames():
        draw(house.project, frame.id)
    house.close()
    return tmp_path / "p"


def one_message(called):
    """The one line of an error, with what, why and hint."""
    lines = [line for line in called.err.splitlines() if line]
    assert len(lines) == 1, called.err
    assert re.match(r"error: .+: .+\.", lines[0])
    return lines[0]


# ---- 5: a full disk ----


@pytest.fixture
def full_disk(tmp_path):
    """A disk of 40 MB; `fill` leaves no byte of it."""
    disk = tmp_path / "disk"
    disk.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", disk], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("mounting a small disk needs root")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def fill(disk: Path) -> Path:
    path = disk / "filler"
    with path.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            try:
                while True:
                    file.write(b"\1" * size)
            except OSError:
                continue
    return path


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


@pytest.mark.parametrize(
    "format", ["png", *(pytest.param(f, marks=pytest.mark.slow) for f in ("nifti", "data", "seg"))]
)
def test_an_export_to_a_full_disk_leaves_nothing(drawn, full_disk, format):
    filler = fill(full_disk)
    called = call_apart("export", drawn, "--format", format, "--out", full_disk / "out", "--json")
    assert called.status == 1
    assert "space" in one_message(called)
    assert names(full_disk) == ["filler"]
    filler.unlink()
    assert call_apart("export", drawn, "--format", format, "--out", full_disk / "out").status in (0, 3)


def test_a_model_that_does_not_fit_is_not_written(full_disk, tmp_path):
    model = a_shelf_model(tmp_path / "m", weights=os.urandom(4 << 20))
    fill(full_disk)
    for act in ("import", "export"):
        called = call_apart("models", act, model, "--out", full_disk / "out")
        assert called.status == 1
        assert "the disk is full" in one_message(called)
        assert names(full_disk) == ["filler"]


def test_an_import_onto_a_full_disk_says_so_and_the_project_stays_sound(full_disk, tmp_path):
    images = many(tmp_path / "images", 2500)
    a_project(full_disk / "p", stills(tmp_path / "first", 3)).close()
    (full_disk / "p" / "ballast").unlink()
    filler = fill(full_disk)
    called = call_apart("import", full_disk / "p", images, "--json")
    assert called.status == 1
    assert "full" in one_message(called)
    filler.unlink()
    assert problems(full_disk / "p") == []
    again = call_apart("import", full_disk / "p", images, "--json")
    assert again.status == 0
    assert again.result["imported"] + again.result["skipped"] == 2500


def test_a_project_is_not_half_made_on_a_full_disk(full_disk, tmp_path):
    images = stills(tmp_path / "images", 2)
    fill(full_disk)
    called = call_apart("import", full_disk / "p", images)
    assert called.status == 1
    assert "full" in one_message(called)
    assert names(full_disk) == ["filler"]


def test_files_that_may_not_grow_are_like_a_full_disk(drawn, tmp_path):
    """Needs no root: in the child no file may be larger than a kilobyte."""
    called = call_apart(
        "export", drawn, "--format", "data", "--out", tmp_path / "out", "--json", preexec_fn=with_small_files(1024)
    )
    assert called.status == 1
    one_message(called)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["images", "p"]


# ---- 6: a project that may not be written to ----


def forbid(folder: Path) -> None:
    for path in [*folder.rglob("*"), folder]:
        path.chmod(0o555 if path.is_dir() else 0o444)


def test_a_read_only_project_is_looked_at_and_exported_and_nothing_is_made_in_it(drawn, tmp_path):
    forbid(drawn)
    before = {str(p): p.stat().st_mtime_ns for p in drawn.rglob("*")}
    allowed = {"preexec_fn": as_an_ordinary_user}
    listed = call_apart("models", "list", "--project", drawn, "--json", **allowed)
    assert (listed.status, listed.result["models"]) == (0, [])
    assert call_apart("project", "check", drawn, "--json", **allowed).result["ok"]
    exported = call_apart("export", drawn, "--format", "png", "--out", tmp_path / "out", "--json", **allowed)
    assert (exported.status, exported.result["frames"]) == (0, 8)
    for words in (
        ["import", drawn, tmp_path / "images"],
        ["propose", drawn],
        ["models", "promote", "usfm_lite0", "--project", drawn],
        ["project", "compact", drawn],
    ):
        called = call_apart(*words, **allowed)
        assert called.status == 1, words
        assert "can only be looked at" in one_message(called) or "cannot be written" in called.err
    assert {str(p): p.stat().st_mtime_ns for p in drawn.rglob("*")} == before
    assert not list(drawn.glob("project.db-*"))
    for path in [drawn, *drawn.rglob("*")]:
        path.chmod(0o755)


def test_a_place_that_may_not_be_written_to_says_so(drawn, tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir()
    model = a_shelf_model(tmp_path / "m")
    locked.chmod(0o555)
    for words in (
        ["export", drawn, "--format", "png", "--out", locked / "out"],
        ["models", "export", model, "--out", locked / "out"],
        ["finetune", "--data", tmp_path, "--out", locked / "out"],
        ["import", locked / "p", tmp_path / "images"],
    ):
        called = call_apart(*words, preexec_fn=as_an_ordinary_user)
        assert called.status == 1, words
        one_message(called)
    assert names(locked) == []
    locked.chmod(0o755)


# ---- 7: a project opened twice ----

HOLD = """
import sys, time
from pathlib import Path
from usfm_studio.project.project import Project
project = Project.open(Path(sys.argv[1]))
print("ready", flush=True)
time.sleep(600)
"""


def test_a_project_that_is_open_elsewhere_names_who_has_it_and_is_free_when_that_is_killed(drawn, tmp_path):
    for _ in range(2):
        holder = start(drawn, code=HOLD)
        assert holder.stdout.readline() == "ready\n"
        called = call_apart("import", drawn, tmp_path / "images", "--json")
        assert called.status == 1
        assert f"process {holder.pid}" in one_message(called)
        assert "look at only" in called.result["hint"]
        assert call_apart("models", "list", "--project", drawn).status == 0
        holder.kill()
        holder.communicate()
    exported = call_apart("export", drawn, "--format", "csv", "--out", tmp_path / "out", "--json")
    assert (exported.status, exported.result["frames"]) == (0, 8)
    assert call_apart("import", drawn, tmp_path / "images", "--json").result["skipped"] == 8


# ---- 10 and 13: children that die, and the program with children alive ----


def living(pids):
    return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def test_a_reader_that_is_killed_in_the_middle_costs_no_file(tmp_path):
    images = many(tmp_path / "images", 2000)
    process = start("import", tmp_path / "p", images, "--json")
    killed = 0
    deadline = time.monotonic() + LONG_S
    while process.poll() is None and killed < 3 and time.monotonic() < deadline:
        for pid in children_of(process.pid):
            time.sleep(0.3)  # it has begun to read
            try:
                os.kill(pid, signal.SIGKILL)
                killed += 1
            except ProcessLookupError:
                continue
    called = finished(process)
    assert called.status in (0, 1), called.err
    if called.status == 1:  # it was killed while it looked for files: that is told, not guessed at
        assert "stopped" in one_message(called)
        called = call_apart("import", tmp_path / "p", images, "--json")
    assert called.result["imported"] + called.result["skipped"] == 2000
    assert called.result["failed"] == []


@pytest.mark.parametrize("words", [("doctor",), ("import", "p", "images")], ids=["engine and reader", "reader"])
def test_children_end_with_the_program_and_leave_no_shared_memory(tmp_path, words):
    many(tmp_path / "images", 3000)
    before = set(SHARED.iterdir())
    process = start(*words, cwd=tmp_path, env={"TMPDIR": str(tmp_path)})
    wanted, children = (2 if words == ("doctor",) else 1), []
    deadline = time.monotonic() + LONG_S
    while len(children) < wanted and process.poll() is None and time.monotonic() < deadline:
        children = children_of(process.pid)
    assert len(children) >= wanted
    process.kill()
    process.communicate()
    deadline = time.monotonic() + GONE_S
    while living(children) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert living(children) == []
    assert set(SHARED.iterdir()) <= before
    if (tmp_path / "p" / "project.db").exists():
        assert problems(tmp_path / "p") == []


def test_an_import_that_is_killed_keeps_what_was_added_and_goes_on(tmp_path):
    images = many(tmp_path / "images", 1500)
    process = start("import", tmp_path / "p", images, "--json")
    wait_until_signals_are_heeded(process)
    deadline = time.monotonic() + LONG_S
    wal = tmp_path / "p" / "project.db-wal"
    while process.poll() is None and time.monotonic() < deadline and not (wal.exists() and wal.stat().st_size > 60_000):
        time.sleep(0.01)
    process.kill()
    process.communicate()
    with Project.open(tmp_path / "p") as project:
        kept = len(project.instances)
    called = call_apart("import", tmp_path / "p", images, "--json")
    assert called.result["imported"] == 1500 - kept
    assert problems(tmp_path / "p") == []


# ---- 20: no patient's name in logs ----

PHANTOM = "ZZTEST^NOBODY"
DATABASE = re.compile(r"\.db(-\w+)?$")
"""The project's own database and its backups: they hold what the patient strip shows."""
WORDS = re.compile(rb"ZZTEST|NOBODY|Z9999|1931-?07-?04", re.IGNORECASE)


def phantom(folder: Path) -> Path:
    """Files of one patient: sound, broken in several ways, odd."""
    a_still(folder, 1, PatientName=PHANTOM)
    whole = a_still(folder, 2, PatientName=PHANTOM, PatientBirthDate="19310704", InstitutionName="ZZTEST CLINIC")
    content = whole.read_bytes()
    for number, cut in enumerate((140, 300, 700, len(content) - 200)):
        (folder / f"cut{number}.dcm").write_bytes(content[:cut])
    (folder / "flipped.dcm").write_bytes(content.replace(b"\x28\x00\x10\x00", b"\x28\x00\x11\x00", 1))
    (folder / "text.dcm").write_bytes(PHANTOM.encode() * 100)
    loop = a_still(folder, 3, frames=3, PatientName=PHANTOM)
    loop.write_bytes(loop.read_bytes()[:-1600])
    return folder


def logged(err: str) -> list[dict]:
    """The log's lines on standard error."""
    return [json.loads(line) for line in err.splitlines() if line.startswith("{")]


def test_a_patients_name_stays_out_of_logs_messages_and_leftovers(tmp_path):
    images = phantom(tmp_path / "images")
    temp = tmp_path / "temp"
    temp.mkdir()
    env = {"TMPDIR": str(temp)}
    said = b""
    project = tmp_path / "p"
    for words in (
        ["import", project, images, "--debug"],
        ["info", images, images / "nowhere", "--debug"],
        ["propose", project, "--debug"],
        ["export", project, "--format", "seg", "--out", tmp_path / "out", "--debug"],
        ["finetune", project, "--debug"],
        ["models", "promote", "deadbeef", "--project", project, "--debug"],
        ["import", project, "--annotations", "png", images, "--debug"],
        ["import", project, "--annotations", "coco", images / "text.dcm", "--debug"],
    ):
        called = call_apart(*words, env=env)
        said += called.err.encode()
        for line in logged(called.err):
            assert str(tmp_path) not in json.dumps(line), line
    assert WORDS.search(said) is None
    assert list(temp.iterdir()) == []
    for path in [p for p in project.rglob("*") if p.is_file() and not DATABASE.search(p.name)]:
        assert WORDS.search(path.read_bytes()) is None, path.name


def test_a_reader_that_is_killed_with_a_patient_in_its_hands_says_nothing_of_her(tmp_path):
    """The log of a child's death, and what the child wrote to its standard error."""
    images = phantom(tmp_path / "images")
    process = start("info", images, "--debug", env={"TMPDIR": str(tmp_path)})
    deadline = time.monotonic() + LONG_S
    while process.poll() is None and not children_of(process.pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    for pid in children_of(process.pid):
        os.kill(pid, signal.SIGABRT)
    called = finished(process)
    assert WORDS.search(called.err.encode()) is None
    assert any(line["event"] == "child ended" for line in logged(called.err))


def test_a_childs_end_is_no_matter_for_a_persons_terminal(tmp_path):
    images = stills(tmp_path / "images", 2)
    called = call_apart("info", images)
    assert (called.status, called.err) == (0, "")


def test_nothing_is_written_to_the_persons_home(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    images = stills(tmp_path / "images", 2)
    kept = {key: str(home) for key in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")}
    code = "from usfm_studio.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "import", str(tmp_path / "p"), str(images)],
        env={**environment(), **kept}, capture_output=True, timeout=LONG_S, check=True,
    )  # fmt: skip
    assert done.returncode == 0
    assert list(home.iterdir()) == []
