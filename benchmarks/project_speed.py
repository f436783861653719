"""Claims: a stroke costs the window's thread under 1 ms and is on the disk in a few; 500 frames open in under 200 ms.

Strokes of 60 x 100 pixels on 1024 x 768 and 4096 x 4096 frames through `Project.apply`, then until they are flushed; as
a baseline, the whole mask written to a .npy file with one fsync, as simple programs do. Then undo, and opening again.
Run: `python benchmarks/project_speed.py`.
"""

import os
import tempfile
import time
from pathlib import Path

import numpy as np

from usfm_studio.document.annotation import NO_ANNOTATION, Annotation, Proposal, State
from usfm_studio.document.edit import ReplaceInstances, SetAnnotation, SetProposal, paint
from usfm_studio.document.frame import FrameId, Instance
from usfm_studio.document.mask import Mask
from usfm_studio.project.project import Project

FRAMES = 500
STROKES = 300


def instances(count: int, rows: int, columns: int) -> tuple[Instance, ...]:
    return tuple(
        Instance(digest=f"{n:064x}", path=f"/nowhere/{n}", name=f"{n}", rows=rows, columns=columns, subject=f"s{n}")
        for n in range(count)
    )


def timed(act) -> float:
    start = time.perf_counter()
    act()
    return (time.perf_counter() - start) * 1000


def line(what: str, times: list[float]) -> None:
    ordered = sorted(times)
    print(f"{what:46} median {ordered[len(ordered) // 2]:8.2f}   p95 {ordered[len(ordered) * 95 // 100]:8.2f} ms")


def whole_mask(path: Path, ids: np.ndarray) -> None:
    with path.open("wb") as file:
        np.save(file, ids)
        file.flush()
        os.fsync(file.fileno())


def strokes(folder: Path, rows: int, columns: int) -> None:
    with Project.create(folder) as project:
        project.apply(ReplaceInstances(name="Import", before=(), after=instances(3, rows, columns)), undoable=False)
        frames = [frame.id for frame in project.frames()]
        apply, saved, baseline, undo = [], [], [], []
        for n in range(STROKES):
            frame = frames[n % 3]
            before = project.mask(frame)
            ids = before.to_array()
            y, x = n * 37 % (rows - 60), n * 91 % (columns - 100)
            ids[y : y + 60, x : x + 100] = 1 + n % 3
            edit = paint("Brush", frame, before, Mask.from_array(ids))
            if edit is None:
                continue
            apply.append(timed(lambda edit=edit: project.apply(edit)))
            saved.append(apply[-1] + timed(project.flush))
            baseline.append(timed(lambda ids=ids: whole_mask(folder / "exports" / "mask.npy", ids)))
        while project.undo_name:
            undo.append(timed(project.undo))
    print(f"{columns} x {rows}")
    line("  apply (the window's thread)", apply)
    line("  until it is on the disk", saved)
    line("  baseline: the whole mask to a file", baseline)
    line("  undo", undo)


def opening(folder: Path) -> None:
    with Project.create(folder) as project:
        project.apply(ReplaceInstances(name="Import", before=(), after=instances(FRAMES, 768, 1024)), undoable=False)
        ids = np.zeros((768, 1024), np.uint8)
        ids[100:400, 200:600] = 1
        mask = Mask.from_array(ids)
        for n in range(FRAMES):
            frame = FrameId(f"{n:064x}", 0)
            project.apply(paint("Brush", frame, Mask.empty((768, 1024)), mask))
            after = Annotation(state=State.DONE, labels=("benign",))
            project.apply(SetAnnotation(name="Done", frame=frame, before=NO_ANNOTATION, after=after))
            proposal = Proposal(frame=frame, model="a" * 64, mask=mask)
            project.apply(SetProposal(name="Proposal", frame=frame, before=None, after=proposal))
    times = []
    for _ in range(20):
        start = time.perf_counter()
        project = Project.open(folder)
        times.append((time.perf_counter() - start) * 1000)
        project.close()
    line(f"open {FRAMES} frames with masks, states, proposals", times)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        strokes(Path(scratch) / "small", 768, 1024)
        strokes(Path(scratch) / "large", 4096, 4096)
        opening(Path(scratch) / "many")
