"""What the window shows besides the document: plain values that panels read and signals announce."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from usfm_studio.document.annotation import State
from usfm_studio.document.frame import FrameId, Instance
from usfm_studio.document.model_card import ModelCard


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One row of the worklist: a still or a loop."""

    instance: Instance
    title: str
    subtitle: str
    subject: str
    exam: str
    state: State
    marked_frames: int
    proposed_frames: int
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One line of the bar: `kind` is error, warning, ok or info; `action` is the id that its button runs.

    `key` names what it is about, so that it can be taken away when that is no longer true ("unsaved").
    """

    kind: str
    title: str
    text: str
    button: str | None = None
    action: str | None = None
    details: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedState:
    """`kind`: saved, saving, unsaved, readonly or none."""

    kind: str = "none"
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineState:
    """`kind`: starting, ready, busy, restarting or stopped."""

    kind: str = "starting"
    text: str = "Engine starting"
    device: str = ""


STAGES = (
    ("reading", "Collect"),
    ("preparing", "Ready"),
    ("learning", "Learn"),
    ("comparing", "Compare"),
    ("writing", "Write"),
)
"""Stages of a run in order, by the worker's name and the person's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingState:
    """A run as it stands. `losses` and `holdout` are (step, value) pairs; `percent` is of the time, 0..100."""

    running: bool
    name: str
    exam: str
    started: str
    percent: float = 0.0
    left_s: float | None = None
    stage: str = "reading"
    stages: tuple[tuple[str, str], ...] = ()  # (name, done|running|todo)
    step: int = 0
    steps: int | None = None
    steps_per_second: float | None = None
    losses: tuple[tuple[int, float], ...] = ()
    holdout: tuple[tuple[int, float], ...] = ()
    champion_score: float | None = None
    champion_name: str = ""
    note: str = ""
    frames: int = 0
    frames_empty: int = 0
    train_subjects: tuple[str, ...] = ()
    holdout_subjects: tuple[str, ...] = ()
    segment_frames: tuple[tuple[str, int], ...] = ()
    label_frames: tuple[tuple[str, int], ...] = ()
    stopping: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WorstFrame:
    """One held-out frame of the comparison: label maps of the old and the new model, and the person's."""

    frame: FrameId
    subject: str
    title: str
    old_dice: float | None
    new_dice: float
    old_ids: NDArray[np.uint8] | None
    new_ids: NDArray[np.uint8]
    reference_ids: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How a run ended. `per_subject` holds (subject, old score or None, new score)."""

    title: str
    sentence: str
    rule: str
    promoted: bool
    champion: ModelCard | None
    challenger: ModelCard
    metric: str
    per_subject: tuple[tuple[str, float | None, float], ...] = ()
    interval: tuple[float, float] | None = None
    champion_score: float | None = None
    challenger_score: float | None = None
    kind: str = "held-out"
    worst: tuple[WorstFrame, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """One model of the shelf."""

    card: ModelCard
    champion: bool
    shipped: bool
    score: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportState:
    """Reading of files: `failed` holds (name, reason)."""

    running: bool
    source: str = ""
    done: int = 0
    total: int = 0
    left_s: float | None = None
    failed: tuple[tuple[str, str], ...] = ()
    notices: tuple[tuple[str, str], ...] = ()
    imported: int = 0
    skipped: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """What fine-tuning needs and has: frames done and subjects done, and how many of each are wanted."""

    frames: int = 0
    frames_needed: int = 3
    subjects: int = 0
    subjects_needed: int = 2
    exam: str = ""
    frames_empty: int = 0
    segment_frames: tuple[tuple[str, int], ...] = field(default=())
    label_frames: tuple[tuple[str, int], ...] = field(default=())

    @property
    def enough(self) -> bool:
        """True when a run may start."""
        return self.frames >= self.frames_needed and self.subjects >= self.subjects_needed
