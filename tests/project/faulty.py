"""The same piece of work again and again, its n-th write, fsync, rename or commit struck, until it passes unhurt.

As a program: `python -m tests.project.faulty FOLDER ACTION KINDS`; each try is a fork of this process, so that a death
costs no start. Prints the number of tries; asserts after each that nothing is lost and nothing half-written is listed.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from tests.project.forks import in_a_fork
from tests.project.making import a_model, a_project, propose, stroke
from usfm_studio.document.edit import SetChampion
from usfm_studio.document.errors import StudioError
from usfm_studio.project import faults, tables
from usfm_studio.project.ballast import Ballast
from usfm_studio.project.check import problems
from usfm_studio.project.project import Project

BLOB = b"pixels" * 50_000
TRIES = 400


def work(project: Project, model: Path, tell) -> None:
    """Everything that writes, each act told when it is acknowledged."""
    frame = project.frames()[0].id
    project.apply(stroke(project, frame, 1))
    project.flush()
    tell(f"saved {project.saved.position}")
    tell(f"blob {project.blobs.put(BLOB)}")
    card = project.models.adopt(model)
    tell(f"model {card.digest}")
    propose(project, frame, 2)
    before = project.models.champion("")
    project.apply(SetChampion(name="Promote", exam="", before=before, after=card.digest))
    project.flush()
    tell(f"saved {project.saved.position}")


def dying(folder: Path, model: Path, order: str, tell) -> None:
    faults.arm(order)
    with Project.open(folder) as project:
        work(project, model, tell)
    tell("unhurt" if not faults.disarm() else "struck")


def failing(folder: Path, model: Path, order: str, tell) -> None:
    """An error comes out in words, leaves nothing behind, and the same act succeeds right after it."""
    faults.arm(order)
    project = None
    try:
        project = Project.open(folder)
        work(project, model, tell)
        project.close()
    except StudioError as error:
        tell(f"error {type(error).__name__}")
    struck = faults.disarm()
    if project is not None:
        leftovers = [p.name for p in folder.rglob("*.tmp")]
        assert not leftovers, leftovers
        if not project._closed:
            work(project, model, tell)
            project.close()
    tell("struck" if struck else "unhurt")


def check(folder: Path, told: list[str]) -> None:
    with Project.open(folder) as project:
        for line in told:
            kind, _, value = line.partition(" ")
            if kind == "saved":
                assert project.saved.position >= int(value), line
            elif kind == "blob":
                assert project.blobs.get(value) == BLOB
            elif kind == "model":
                assert (project.models.path(value) / "model.safetensors").is_file()
        for digest in project._opened.reader.read(tables.read_blobs):
            assert project.blobs.get(digest) == BLOB
        for card in project.models.cards():
            assert (project.models.path(card.digest) / "card.json").is_file()
    assert problems(folder) == []


def main(folder: Path, action: str, kinds: str) -> None:
    a_project(folder / "template").close()
    model = a_model(folder / "run" / "model")
    for number in range(1, TRIES):
        shutil.copytree(folder / "template", folder / "p", ignore=shutil.ignore_patterns("ballast"))
        if action == "ENOSPC":
            Ballast(folder / "p").make()
        attempt = dying if action == "exit" else failing
        status, told = in_a_fork(attempt, folder / "p", model, f"{action}:{kinds}:{number}")
        assert status in ((0, faults.EXIT_STATUS) if action == "exit" else (0,)), (number, status, told)
        check_status, _ = in_a_fork(lambda tell, told=told: check(folder / "p", told))
        assert check_status == 0, (number, told)
        shutil.rmtree(folder / "p")
        if "unhurt" in told:
            print(number)
            return
    raise AssertionError("never passed unhurt")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
