"""Acts that follow from a number alone, so that a shadow project can repeat what a killed process did.

As a program: `python -m tests.project.acting FOLDER MODE UPTO` opens the project and acts until it is killed or has
reached journal position UPTO. It prints a line for each position that it was told is saved.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from tests.project.making import propose, set_state, stroke
from usfm_studio.document.annotation import State
from usfm_studio.document.edit import SetAnnotation, Several
from usfm_studio.project.project import Project


def act(project: Project, number: int) -> None:
    """One act, one journal entry."""
    random = np.random.default_rng(number)
    frames = project.frames()
    frame = frames[random.integers(len(frames))].id
    kind = random.integers(100)
    if kind < 15 and project.undo_name:
        project.undo()
    elif kind < 22 and project.redo_name:
        project.redo()
    elif kind < 35:
        propose(project, frame, number)
    elif kind < 45:
        state = State.DONE if project.annotation(frame).state is State.DOING else State.DOING
        set_state(project, frame, state, [f"label {number}"])
    elif kind < 55:
        before = project.annotation(frame)
        after = type(before)(state=State.FLAGGED, note=f"note {number}")
        decided = SetAnnotation(name=f"Flag {number}", frame=frame, before=before, after=after)
        project.apply(Several(name=f"Both {number}", edits=(stroke(project, frame, number), decided)))
    else:
        project.apply(stroke(project, frame, number, layer=int(random.integers(2))))


def main(folder: Path, mode: str, upto: int) -> None:
    with Project.open(folder) as project:
        if mode == "listening":
            project.on_saved(lambda saved: print("saved", saved.position, flush=True))
        print("ready", flush=True)
        while (position := project._position) < upto:
            act(project, position + 1)
            if mode == "flushing":
                project.flush()
                print("saved", project.saved.position, flush=True)
        project.flush()
    print("done", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
