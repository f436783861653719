"""`project check|repair|compact|migrate`: the project's health; never destroys."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from usfm_studio.document.errors import WrongUsage
from usfm_studio.project import check as checking
from usfm_studio.project import migrate as migrating
from usfm_studio.verbs.house import House
from usfm_studio.verbs.steps import Steps

ACTS = ("check", "repair", "compact", "migrate")


@dataclass(frozen=True, slots=True, kw_only=True)
class CareArguments:
    """`act` is one of ACTS."""

    act: str
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class CareResult:
    """`problems` as found (check) or as left (the others); `done` lists what was changed."""

    ok: bool
    problems: list[dict[str, Any]]
    done: list[str]


def run(arguments: CareArguments, _house: House) -> Steps[CareResult]:
    """Look the project over, or mend it."""
    done: list[str] = []
    if arguments.act == "repair":
        done = checking.repair(arguments.folder)
    elif arguments.act == "compact":
        done = checking.compact(arguments.folder)
    elif arguments.act == "migrate":
        done = migrating.migrate(arguments.folder)
    elif arguments.act != "check":
        raise WrongUsage(f"There is no act {arguments.act}", f"project knows {', '.join(ACTS)}")
    problems = [asdict(p) for p in checking.problems(arguments.folder)]
    return CareResult(ok=not problems, problems=problems, done=done)
    yield  # a generator like the other verbs, though it waits for nothing
