"""The tour: the program's main job played from start to end, with the actions and mouse events of a person.

It opens the sample, accepts and corrects proposals, draws fetal heads, lets the program learn twice, and exports. What
it measures and where the pictures lie is written to `OUT/summary.json` (fields: docs/cli.md, `demo --tour`).
"""

from __future__ import annotations

import json
import os
import resource as usage
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from PySide6.QtCore import QEventLoop, QTimer

from usfm_studio.document.annotation import INSTANT
from usfm_studio.document.errors import StudioError
from usfm_studio.document.frame import Frame
from usfm_studio.ui.app import application_for_window, ms_since_process_start, open_window, settle_in
from usfm_studio.ui.job import Job
from usfm_studio.ui.shell.settings import SettingsStore
from usfm_studio.ui.shell.watchdog import Watchdog
from usfm_studio.ui.shell.window import Window
from usfm_studio.ui.sweeping import Sweeper
from usfm_studio.ui.tour_hand import Hand, dice, reference_ids
from usfm_studio.ui.tour_pictures import Pictures
from usfm_studio.verbs.export import ExportArguments
from usfm_studio.verbs.export import run as export
from usfm_studio.verbs.house import Options
from usfm_studio.verbs.sample import sample_facts

HEADS, BREAST, CAROTID = "FETAL HEAD", "BREAST", "CAROTID"
FIRST_TWO = ("FH-14", "FH-01")
GOOD_ENOUGH = 0.97
FIRST_MINUTES, SECOND_MINUTES = 0.5, 1.5
CLOSED_S = 30.0
FORMATS = ("png", "nifti", "coco", "csv", "data", "seg")


@dataclass(slots=True, kw_only=True)
class TourSummary:
    """What the tour found; fields as in the contract, and a few beside."""

    dice_before: float | None = None
    dice_after: float | None = None
    labelled_fraction: float = 0.0
    finetune_seconds: float = 0.0
    promoted: bool = False
    gui_max_stall_ms: float = 0.0
    gui_imported_torch: bool = False
    peak_gui_rss_mb: float = 0.0
    startup_ms: float = 0.0
    exports: list[str] = field(default_factory=list)
    screenshots: list[str] = field(default_factory=list)
    reason: str = ""
    first_reason: str = ""
    breast_dice: float | None = None
    undone: list[str] = field(default_factory=list)
    gui_max_stall_cpu_ms: float = 0.0
    worst_stalls: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0


class TourFailed(StudioError):
    """A step of the tour did not come about."""


def play(out: Path, *, keep: bool = False, seed: int = 0, device: str = "auto") -> TourSummary:
    """Play the tour into the folder `out`. Raises TourFailed with the step that did not come about."""
    if sys.platform == "linux":
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    out = out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    project = out / "project"
    shutil.rmtree(project, ignore_errors=True)
    shutil.rmtree(out / "exports", ignore_errors=True)
    application_for_window()
    window = open_window(SettingsStore(out / "settings"), Options(device=device, seed=seed))
    tour = Tour(window, out)
    try:
        tour.play(project)
    finally:
        if tour.sweeper is not None:
            tour.sweeper.stop()
        window.session.shut_down(discard=True)
        window.session.opening.wait(CLOSED_S)
        window.store.close()
    if not keep:
        shutil.rmtree(project, ignore_errors=True)
    shutil.rmtree(out / "settings", ignore_errors=True)
    beside = out / "summary.json.tmp"
    beside.write_text(json.dumps(asdict(tour.summary), indent=2) + "\n", "utf-8")
    beside.replace(out / "summary.json")
    return tour.summary


class Tour:
    """One playing. Each step stands for what a person does; `wait` lets the program work."""

    def __init__(self, window: Window, out: Path) -> None:
        self.window, self.session, self.out = window, window.session, out
        self.summary = TourSummary()
        self.watchdog = Watchdog(window)
        self.pictures = Pictures(window, out, self.watchdog)
        self.hand: Hand | None = None
        self.labelled: set[str] = set()
        self.sweeper: Sweeper | None = None

    def play(self, project: Path) -> None:
        """All steps in order."""
        self._first_paint()
        self._open_sample(project)
        self._breast()
        self._loop()
        self._draw_two_subjects()
        self._learn_first()
        self.summary.first_reason = self._verdict("verdict-first")
        self._use_anyway()
        self.summary.dice_before = self._dice_of_unseen("after the first model")
        self._correct_four_more()
        self.watchdog.start()
        self._learn(SECOND_MINUTES, "learning", measured=True)
        self.summary.reason = self._verdict("verdict")
        self.summary.dice_after = self._dice_of_unseen("after fine-tuning")
        self._note_stalls()
        self._undo_and_redo()
        self._panels_and_sizes()
        self._export()
        self._finish()

    # --- waiting -----------------------------------------------------------------------------------------------

    def wait(self, ready: Callable[[], bool], seconds: float, what: str) -> None:
        """Let the program work until something has come about. Raises TourFailed after `seconds`."""
        self.watchdog.doing = what
        loop = QEventLoop()
        poll, limit = QTimer(), QTimer()
        poll.setInterval(15)
        poll.timeout.connect(lambda: loop.quit() if ready() else None)
        limit.setSingleShot(True)
        limit.timeout.connect(loop.quit)
        poll.start()
        limit.start(int(seconds * 1000))
        if not ready():
            loop.exec()
        poll.stop()
        if not ready():
            raise TourFailed("The tour stopped", f"{what} did not come about within {seconds:.0f} s", "See the log.")

    def rest(self, seconds: float) -> None:
        """Let the program work for a while."""
        loop = QEventLoop()
        QTimer.singleShot(int(seconds * 1000), loop.quit)
        loop.exec()

    # --- steps -------------------------------------------------------------------------------------------------

    def _first_paint(self) -> None:
        painted: list[float] = []
        self.window.painted.connect(lambda: painted.append(ms_since_process_start()))
        self.window.show()
        self.wait(lambda: bool(painted), 30, "the first paint")
        self.summary.startup_ms = round(painted[0], 1)
        self.sweeper = settle_in(self.window)
        self.watchdog.start()
        self.rest(0.2)
        self.pictures.take("start")

    def _open_sample(self, project: Path) -> None:
        self.session.bringing_in.open_sample(project)
        self.session.start_engine()
        reading = self.session.bringing_in
        self.wait(lambda: reading.state is not None and not reading.state.running, 60, "reading the sample")
        if not self.session.navigation.items:
            raise TourFailed("The tour stopped", "the sample could not be read", "Run `usfm-studio doctor`.")
        self.wait(lambda: self.session.pixels is not None, 30, "the first picture")
        self.hand = Hand(self.window)
        self.window.run("view.worklist")
        self.rest(0.6)
        self.pictures.take("worklist")
        self.window.run("view.worklist")

    def _breast(self) -> None:
        row = self._rows(BREAST)[1]
        self._go(row)
        self.wait(lambda: self.session.proposed is not None, 90, "a proposal of the starter model")
        self.rest(0.3)
        self.pictures.take("proposal")
        frame = self.session.current
        assert frame is not None
        self.summary.breast_dice = self._dice(frame)
        self.window.run("proposal.accept")
        self.rest(0.3)
        self.pictures.take("accepted")

    def _loop(self) -> None:
        self._go(self._rows(CAROTID)[0])
        self.window.run("loop.play")
        self.rest(1.2)
        self.pictures.take("loop")
        self.window.run("loop.play")

    def _draw_two_subjects(self) -> None:
        rows = [row for patient in FIRST_TWO for row in self._rows_of(patient)]
        self._go(rows[0])
        self.rest(0.3)
        self.pictures.take("nothing-yet")
        for number, row in enumerate(rows):
            self._go(row)
            self._draw_head(halfway="drawing" if number == 0 else None)
            self.window.run("frame.done")
            self.rest(0.1)

    def _draw_head(self, halfway: str | None = None) -> None:
        hand, frame = self.hand, self.session.current
        assert hand is not None
        assert frame is not None
        self._turn_down_what_is_not_tested()
        reference = reference_ids(frame.instance.name)
        hand.polygon(reference, pause=(lambda: self.pictures.take(halfway)) if halfway else None)
        hand.brush_along(reference)
        self.labelled.add(frame.instance.patient_id)
        if not self.session.mask().tiles:
            raise TourFailed("The tour stopped", "the outline that was drawn left no marks")

    def _turn_down_what_is_not_tested(self) -> None:
        """The frames that the first models learn from are drawn by hand, whatever the instant head says of them."""
        quiet: list[bool] = []  # once is enough: what is painted meanwhile may wake it again

        def settled() -> bool:
            quiet.extend([True] if not self.session.instant.busy else [])
            return bool(quiet)

        self.wait(settled, 60, "what the accepted frames teach")
        waiting = self.session.proposed
        if waiting is not None and waiting.model.startswith(INSTANT):
            self.window.run("proposal.reject_all")
            self.rest(0.1)

    def _correct_four_more(self) -> None:
        hand = self.hand
        assert hand is not None
        facts = [s["patient"] for s in sample_facts()["subjects"] if s.get("tour")]
        for patient in (p for p in facts if p not in FIRST_TWO):
            for row in self._rows_of(patient):
                self._go(row)
                self.wait(lambda: self.session.proposed is not None, 60, f"a proposal for {patient}")
                frame = self.session.current
                assert frame is not None
                if self._dice(frame) >= GOOD_ENOUGH:
                    self.window.run("proposal.accept")
                else:
                    self.window.run("proposal.reject")
                    self._draw_head()
                self.labelled.add(patient)
                if row == self._rows_of("FH-02")[0]:
                    self.pictures.take("corrected")
                self.window.run("frame.done")
                self.rest(0.05)

    def _learn_first(self) -> None:
        """Half a minute; where the machine is too busy to learn anything in that time, twice as long."""
        try:
            self._learn(FIRST_MINUTES, "learning-first")
        except TourFailed:
            self._learn(2 * FIRST_MINUTES, "learning-first")

    def _learn(self, minutes: float, picture: str, *, measured: bool = False) -> None:
        learning = self.session.learning
        self._go(self._rows(HEADS)[0])
        learning.fine_tune(minutes)
        self.window.show_page("learn")
        self.wait(
            lambda: not learning.running or bool(learning.training and learning.training.step > 20), 120, "learning"
        )
        self.rest(2.0)
        self.pictures.take(picture)
        self.window.show_page("work")
        if measured:
            self._work_meanwhile()
        self.wait(lambda: not learning.running, minutes * 60 + 90, "the end of learning")
        if learning.verdict is None:
            note = learning.training.note if learning.training else ""
            raise TourFailed("The tour stopped", f"learning ended without a comparison: {note}")
        self.summary.finetune_seconds = round(learning.verdict.seconds, 1)
        self.summary.promoted = learning.verdict.promoted

    def _work_meanwhile(self) -> None:
        """While both cores learn: look around, play a loop, paint and take it back."""
        hand = self.hand
        assert hand is not None
        for row in self._rows(HEADS)[8:14]:
            self._go(row)
            self.rest(0.15)
        self._go(self._rows(CAROTID)[0])
        self.window.run("loop.play")
        self.rest(2.0)
        self.window.run("loop.play")
        hand.scribble()
        self.window.run("edit.undo")
        self.rest(0.5)

    def _verdict(self, picture: str) -> str:
        self.window.show_page("verdict")
        self.rest(1.0)
        self.pictures.take(picture)
        self.window.show_page("work")
        verdict = self.session.learning.verdict
        return f"{verdict.title}. {verdict.sentence}" if verdict is not None else ""

    def _use_anyway(self) -> None:
        """A first model that the rule does not trust yet may still be used: that is the person's act."""
        project, verdict = self.session.project, self.session.learning.verdict
        assert project is not None
        if project.models.champion(HEADS) is None and verdict is not None:
            self.session.learning.promote(verdict.challenger.digest)

    def _dice_of_unseen(self, when: str) -> float:
        """Mean Dice of the champion's proposals on fetal heads of subjects that were never labelled."""
        project = self.session.project
        assert project is not None
        champion = project.models.champion(HEADS)
        tour_subjects = {s["patient"] for s in sample_facts()["subjects"] if s.get("tour")}
        frames = [f for f in project.frames() if self._is_unseen_head(f, tour_subjects)]

        def proposed_by_champion() -> bool:
            found = [project.proposal(f.id) for f in frames]
            return all(p is not None and p.model == champion for p in found)

        if champion is None:
            return 0.0
        self.wait(proposed_by_champion, 120, f"proposals for all heads {when}")
        return round(sum(self._dice(f) for f in frames) / len(frames), 4)

    @staticmethod
    def _is_unseen_head(frame: Frame, labelled: set[str]) -> bool:
        return frame.instance.body_part.upper() == HEADS and frame.instance.patient_id not in labelled

    def _note_stalls(self) -> None:
        """What the event loop felt while both cores learned and proposed."""
        self.summary.gui_max_stall_ms = round(self.watchdog.longest_ms, 1)
        self.summary.gui_max_stall_cpu_ms = round(self.watchdog.longest_cpu_ms, 1)
        self.summary.worst_stalls = [asdict(stall) for stall in self.watchdog.worst(8)]

    def _undo_and_redo(self) -> None:
        for _ in range(3):
            self.summary.undone.append(self.session.undo_text)
            self.window.run("edit.undo")
            self.rest(0.1)
        self.pictures.take("undone")
        for _ in range(3):
            self.window.run("edit.redo")
            self.rest(0.1)

    def _panels_and_sizes(self) -> None:
        self._go(self._rows(HEADS)[-1])
        self.wait(lambda: self.session.pixels is not None, 30, "a picture")
        self.rest(0.4)
        self.pictures.take("next-proposal")
        inspector: Any = self.window.work().inspector
        for tab in ("Learn", "Models", "History"):
            inspector.show_tab(tab)
            self.rest(0.2)
            self.pictures.take(f"tab-{tab.lower()}")
        inspector.show_tab("Proposal")
        for action in ("help.palette", "help.keys"):
            self.window.run(action)
            self.rest(0.4)
            self.pictures.take(action.partition(".")[2])
            if self.window.front.top_overlay is not None:
                self.window.front.top_overlay.close_it()
        self.pictures.take_at("next-proposal", 1280, 720, 2.0)
        self.pictures.take_at("next-proposal", 2560, 1440, 1.0)

    def _export(self) -> None:
        for name in FORMATS:
            out = self.out / "exports" / name
            ended: list[Any] = []
            Job(
                export(ExportArguments(format=name, out=out), self.session.house),
                done=ended.append,
                failed=ended.append,
            ).start()
            self.wait(lambda ended=ended: bool(ended), 60, f"the export as {name}")  # type: ignore[misc]
            if isinstance(ended[0], StudioError):
                raise ended[0]
            self.summary.exports.append(str(out))

    def _finish(self) -> None:
        project = self.session.project
        assert project is not None
        heads = {f.instance.patient_id for f in project.frames() if f.instance.body_part.upper() == HEADS}
        self.summary.labelled_fraction = round(len(self.labelled) / max(1, len(heads)), 4)
        self.summary.gui_imported_torch = "torch" in sys.modules
        self.summary.peak_gui_rss_mb = round(usage.getrusage(usage.RUSAGE_SELF).ru_maxrss / 1024, 1)
        self.summary.screenshots = [str(p) for p in self.pictures.taken]
        self.summary.seconds = round(ms_since_process_start() / 1000, 1)
        project.flush()

    # --- places ------------------------------------------------------------------------------------------------

    def _rows(self, body_part: str) -> list[int]:
        items = self.session.navigation.items
        return [row for row, item in enumerate(items) if item.instance.body_part.upper() == body_part]

    def _rows_of(self, patient: str) -> list[int]:
        items = self.session.navigation.items
        return [row for row, item in enumerate(items) if item.instance.patient_id == patient]

    def _go(self, row: int) -> None:
        self.session.navigation.go_item(row)
        self.wait(lambda: self.session.pixels is not None, 30, "a picture")

    def _dice(self, frame: Frame) -> float:
        project = self.session.project
        proposal = project.proposal(frame.id) if project is not None else None
        reference = reference_ids(frame.instance.name)
        if proposal is None:
            return 0.0
        return dice(proposal.mask.to_array() > 0, reference > 0)
