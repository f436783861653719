"""Why an action may be off: small questions to the situation, each with its answer in a few words."""

from __future__ import annotations

from collections.abc import Callable

from usfm_studio.ui.shell.action import Gate, Reason, Situation


def _gate(holds: Callable[[Situation], object], reason: str) -> Gate:
    return lambda situation: None if holds(situation) else reason


project = _gate(lambda s: s.has_project, "needs an open project")
items = _gate(lambda s: s.has_items, "the worklist is empty")
frame = _gate(lambda s: s.has_frame, "needs an image")
loop = _gate(lambda s: s.is_loop, "needs a loop")
writable = _gate(lambda s: not s.read_only, "the project is open for reading only")
proposal = _gate(lambda s: s.has_proposal, "nothing is proposed here")
model = _gate(lambda s: s.has_model, "no model for these images yet")
undo = _gate(lambda s: s.can_undo, "nothing to take back")
redo = _gate(lambda s: s.can_redo, "nothing to do again")
training = _gate(lambda s: s.training, "nothing is being learned")
idle = _gate(lambda s: not s.training, "learning already goes on")
interrupted = _gate(lambda s: s.interrupted_runs, "no run was interrupted")
verdict = _gate(lambda s: s.has_verdict, "no comparison yet")
earlier_model = _gate(lambda s: s.can_roll_back, "there is no earlier model")
files_seen = _gate(lambda s: s.import_seen, "no files were read yet")
importing = _gate(lambda s: s.importing, "no files are being read")
elsewhere = _gate(lambda s: s.page not in ("work", "empty"), "you are there")


def trainable(situation: Situation) -> Reason:
    """Enough frames and subjects."""
    return None if situation.can_train else (situation.train_needs or "needs more accepted frames")


def segment_at(index: int) -> Gate:
    """The schema has this many segments."""
    return _gate(lambda s: index < len(s.segments), "no such segment")


def label_at(index: int) -> Gate:
    """The schema has this many labels."""
    return _gate(lambda s: index < len(s.labels), "no such label")


def every(*gates: Gate) -> Gate:
    """The first reason that any of them has."""

    def first(situation: Situation) -> Reason:
        return next((reason for gate in gates if (reason := gate(situation)) is not None), None)

    return first
