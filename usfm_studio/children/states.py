"""Where a child stands: Stopped → Starting → Ready ⇄ Busy, and after a death Waiting → Starting, at last Dead."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stopped:
    """Not started yet, or stopped on purpose."""


@dataclass(frozen=True, slots=True)
class Starting:
    """The process is on its way."""


@dataclass(frozen=True, slots=True)
class Ready:
    """Waits for a request."""


@dataclass(frozen=True, slots=True)
class Busy:
    """Works on a request."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """It died and is started again after `seconds`; `why` in words for people."""

    why: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Dead:
    """It died too often (or cannot be used at all) and stays away until `start`; `why` in words for people."""

    why: str


State = Stopped | Starting | Ready | Busy | Waiting | Dead
