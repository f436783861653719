"""Claim: whatever a person does, no step of the event loop computes longer than a frame of the display (16 ms).

A real window on a real project: 2,000 stills with proposals (500 of them done) and a loop, made here. For each act the
longest steps are printed, in wall time (what other programs take from us is in it) and in processor time of the
window's thread (which is ours alone). The same acts with all rows made anew, as a worklist without memory would do,
are the baseline: `items of all files`.

    python benchmarks/event_loop.py [--stills N] [--save]
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
if not os.environ.get("DISPLAY") and sys.platform.startswith("linux"):
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
from PySide6.QtWidgets import QApplication

from usfm_studio.document.annotation import Annotation, Proposal, State
from usfm_studio.document.edit import ReplaceInstances, SetAnnotation, SetProposal
from usfm_studio.document.frame import Instance
from usfm_studio.document.mask import Mask
from usfm_studio.document.schema import Schema, Segment
from usfm_studio.imaging.pictures import png_bytes
from usfm_studio.project.project import Project
from usfm_studio.ui.app import application_for_window, open_window, settle_in
from usfm_studio.ui.items import items_of
from usfm_studio.ui.shell.settings import SettingsStore
from usfm_studio.ui.shell.watchdog import Watchdog
from usfm_studio.verbs.drive import drive
from usfm_studio.verbs.house import House
from usfm_studio.verbs.import_files import ImportArguments
from usfm_studio.verbs.import_files import run as import_files

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "event_loop.txt"
ROWS, COLUMNS = 540, 800
FRAME_MS = 16.0
MODEL = "ab" * 32


def a_project(folder: Path, stills: int) -> None:
    """Stills that differ in their last bytes, after the picture; a proposal on each, the first quarter done."""
    picture = folder.parent / "still.png"
    picture.write_bytes(png_bytes(np.mgrid[0:ROWS, 0:COLUMNS][1].astype(np.uint8) // 2))
    loop = next((ROOT / "resources" / "sample" / "dicom" / "carotid").glob("*.dcm"))
    with House() as house:
        house.opened = Project.create(folder, Schema(segments=(Segment(value=1, name="Head"),)))
        drive(import_files(ImportArguments(paths=(str(picture), str(loop))), house))
        project = house.project
        still = next(instance for instance in project.instances if instance.frames == 1)
        new = tuple(_another(still, number) for number in range(stills))
        project.apply(ReplaceInstances(name="Add", before=(), after=new), undoable=False)
        ids = np.zeros((ROWS, COLUMNS), np.uint8)
        ids[150:400, 200:600] = 1
        mask = Mask.from_array(ids)
        for number, instance in enumerate(new):
            frame = instance.frame_id(0)
            made = Proposal(frame=frame, model=MODEL, mask=mask, confidences=MappingProxyType({1: 0.9}))
            project.apply(SetProposal(name="Proposal", frame=frame, before=None, after=made))
            if number < stills // 4:
                done = Annotation(state=State.DONE)
                project.apply(SetAnnotation(name="Done", frame=frame, before=Annotation(), after=done))


def _another(still: Instance, number: int) -> Instance:
    content = Path(still.path).read_bytes() + number.to_bytes(4, "big")
    path = Path(still.path).with_name(f"IM{number:05d}.png")
    path.write_bytes(content)
    return replace(
        still, digest=sha256(content).hexdigest(), path=str(path), name=path.name, study_uid=f"1.2.{number // 5}",
        subject=f"S{number // 5:04d}", instance_number=number,
    )  # fmt: skip


class Bench:
    def __init__(self, folder: Path, settings: Path) -> None:
        application_for_window()
        self.store = SettingsStore(settings)
        self.window = open_window(self.store)
        self.session = self.window.session
        self.watchdog = Watchdog(self.window, keep=5000)
        self.window.show()
        self.spin(lambda: True, 0.3)
        self.sweeper = settle_in(self.window)
        self.spin(lambda: True, 1.0)
        self.folder = folder

    def spin(self, ready, least_s: float = 0.0, most_s: float = 60.0) -> None:
        began = time.perf_counter()
        while (gone := time.perf_counter() - began) < most_s:
            QApplication.processEvents()
            if gone >= least_s and ready():
                return
            time.sleep(0.0005)
        raise SystemExit(f"an act did not come to its end: {self.session.navigation.trouble}")

    def measure(self, words: str, act, ready=lambda: True, least_s: float = 0.3) -> str:
        self.watchdog.start()
        self.spin(lambda: True, 0.02)
        act()
        self.spin(ready, least_s)
        self.watchdog.stop()
        steps = sorted((stall.cpu_ms for stall in self.watchdog.stalls), reverse=True)
        over, watchdog = sum(step > FRAME_MS for step in steps), self.watchdog
        longest = f"cpu {watchdog.longest_cpu_ms:6.1f} ms, wall {watchdog.longest_ms:6.1f} ms"
        return f"{words:34} longest step: {longest}; over {FRAME_MS:.0f} ms: {over} of {watchdog.ticks}"


def acts(bench: Bench):
    session, window = bench.session, bench.window
    here = lambda: session.pixels is not None  # noqa: E731
    yield bench.measure(
        "open", lambda: session.open_project(bench.folder), lambda: session.project is not None and here(), 1.0
    )
    navigation = session.navigation
    frame = navigation.items[1].instance.frame_id(0)
    project = session.project
    began = time.thread_time()
    items_of(project)
    rows_ms = 1000 * (time.thread_time() - began)
    loop = next(row for row, item in enumerate(navigation.items) if item.instance.frames > 1)

    def walk():
        for row in range(10, 30):
            navigation.go_item(row)
            bench.spin(here, 0.03)

    def accept():
        navigation.go_item(1)
        for _ in range(10):
            window.run("frame.done")
            bench.spin(here, 0.05)

    def play():
        navigation.go_item(loop)
        bench.spin(here, 0.5)
        window.run("loop.play")
        bench.spin(lambda: True, 2.0)
        window.run("loop.play")

    def propose():
        for number in range(200):
            other = navigation.items[number].instance.frame_id(0)
            made = project.proposal(frame)
            after = Proposal(frame=other, model=MODEL, mask=made.mask, confidences=made.confidences)
            session.commit(SetProposal(name="Proposal", frame=other, before=project.proposal(other), after=after))
            session.proposing._full.clear()
            session.proposing._look(project)
            bench.spin(lambda: True)

    yield bench.measure("another item, 20 times", walk)
    yield bench.measure("accept, done, next, 10 times", accept)
    yield bench.measure("play a loop, 2 s", play)
    yield bench.measure("200 proposals come in", propose)
    yield bench.measure("undo and redo on other items", lambda: (session.undo(), session.redo()))
    yield bench.measure("another project", lambda: session.open_project(bench.folder.parent / "other"), least_s=1.0)
    yield f"{'baseline: items of all files':34} one step:     cpu {rows_ms:6.1f} ms"


def report(stills: int):
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    yield f"steps of the event loop, {stills} stills and a loop, {os.environ.get('QT_QPA_PLATFORM', 'on a display')}"
    machine = f"{platform.machine()}, {os.cpu_count()} cores, load {load:.1f}"
    yield f"{machine}, Python {platform.python_version()}, at {commit}"
    with tempfile.TemporaryDirectory(prefix="usfm-bench-") as scratch:
        folder = Path(scratch) / "project"
        a_project(folder, stills)
        bench = Bench(folder, Path(scratch) / "settings")
        yield from acts(bench)
        bench.sweeper.stop()
        bench.session.shut_down(discard=True)
        bench.session.opening.wait(60)
        bench.store.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stills", type=int, default=2000)
    parser.add_argument("--save", action="store_true", help=f"keep the result in {RESULTS.relative_to(ROOT)}")
    asked = parser.parse_args()
    lines = []
    for line in report(asked.stills):
        print(line, flush=True)
        lines.append(line)
    if asked.save:
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
