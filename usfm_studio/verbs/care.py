"""`project check|repair|compact|migrate`: the project's health; never destroys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from usfm_studio.document.errors import WrongUsage
from usfm_studio.project import check as checking
from usfm_studio.project import migrate as migrating
from usfm_studio.verbs.house import House
from usfm_studio.verbs.steps import Apart, Steps, progress

ACTS: Mapping[str, tuple[str, Callable[[Path], list[str]]]] = {
    "check": ("Checking", lambda _folder: []),
    "repair": ("Repairing", checking.repair),
    "compact": ("Compacting", checking.compact),
    "migrate": ("Migrating", migrating.migrate),
}
"""Act -> (what is shown meanwhile, what it does to the project of a folder)."""


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

    @property
    def partial(self) -> bool:
        """True where a problem was found (check) or is left (the others): exit status 3, its list in the result."""
        return not self.ok


def run(arguments: CareArguments, _house: House) -> Steps[CareResult]:
    """Look the project over, or mend it."""
    if arguments.act not in ACTS:
        raise WrongUsage(f"There is no act {arguments.act}", f"project knows {', '.join(ACTS)}")
    words, act = ACTS[arguments.act]
    yield progress(0, 0, words)
    done: list[str] = yield Apart(lambda: act(arguments.folder))
    found: list[checking.Problem] = yield Apart(lambda: checking.problems(arguments.folder))
    problems = [asdict(problem) for problem in found]
    return CareResult(ok=not problems, problems=problems, done=done)
