"""The real program as its own process, driven from within by real mouse events: `python -m tests.e2e.window_driver
PROJECT ACT SEED`. The engine alone is one without torch.

It prints a line for all that a test needs to know: `ready ENGINE READER …` (process ids), `pressed N`, `released N`,
`saved N` (stroke N is shown as saved), `proposed KEY`, `shown KEY`, `notice KIND TITLE`. ACT is

- `paint`: strokes, each begun when the one before is shown as saved, on one item after the other;
- `look`: nothing but what the window does by itself;
- `use`: all pages, tools and panels, an export, and then the window is closed; prints `modules NAME …`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from PySide6.QtCore import QObject, Qt, QTimer
from PySide6.QtTest import QTest

from usfm_studio.engine import client as engine_client
from usfm_studio.ui import app
from usfm_studio.ui.shell.window import Window

UNWANTED = (
    "torch",
    "timm",
    "torchvision",
    "safetensors",
    "pydicom",
    "imagecodecs",
    "highdicom",
    "SimpleITK",
    "openjpeg",
)
LEFT, PLAIN = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
Until = Callable[[], bool]


def say(*words: object) -> None:
    print(*words, flush=True)


class Driver(QObject):
    """Goes through an act step by step; a step is done in one turn of the event loop and says what to wait for."""

    def __init__(self, window: Window, act: str, seed: int) -> None:
        super().__init__(window)
        self.window, self.session, self.random = window, window.session, Random(seed)
        self.session.notice.connect(lambda notice: say("notice", notice.kind, notice.title))
        self.session.changed.connect(self._on_changed)
        self.session.current_changed.connect(self._on_current)
        self._shown = ""
        self._tool = "tool.brush"
        self._until: Until = lambda: True
        self._steps = self._all(act)
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._go_on)
        self._timer.start(5)

    def _on_changed(self, change) -> None:
        if "proposal" in change.kinds:
            for frame in change.frames:
                say("proposed", frame.key)

    def _on_current(self) -> None:
        key = self.session.current.id.key if self.session.current else ""
        if key != self._shown:
            self._shown = key
            say("shown", key)

    def _go_on(self) -> None:
        if not self._until():
            return
        try:
            self._until = next(self._steps)
        except StopIteration:
            self._timer.stop()

    def _all(self, act: str) -> Iterator[Until]:
        session = self.session
        yield lambda: session.project is not None and session.pixels is not None
        say("mode", "readonly" if session.read_only else "writing")
        yield lambda: session.engine.kind in ("ready", "busy")
        say("ready", session.house.engine.pid, *session.house.reader.pids)
        yield from getattr(self, act)()

    # --- acts --------------------------------------------------------------------------------------------------

    def look(self) -> Iterator[Until]:
        yield lambda: False

    def paint(self) -> Iterator[Until]:
        number = 0
        rows = len(self.session.navigation.items)
        while True:
            self.session.navigation.go_item(number % rows)
            yield lambda: self.session.pixels is not None
            yield lambda: True
            number += 1
            yield from self._stroke(number)

    def _stroke(self, number: int) -> Iterator[Until]:
        session, view = self.session, self.window.work().link.widget
        self.window.run(self._tool)
        view.set_brush_size(6)
        rows, columns = session.mask().shape_rc
        points = [
            view.image_to_view((self.random.uniform(2, columns - 2), self.random.uniform(2, rows - 2))).toPoint()
            for _ in range(6)
        ]
        changes: list[object] = []
        heard = session.changed.connect(lambda change: changes.append(change) if "masks" in change.kinds else None)
        say("pressed", number)
        QTest.mousePress(view, LEFT, PLAIN, points[0])
        for point in points[1:]:
            QTest.mouseMove(view, point)
            yield lambda: True
        QTest.mouseRelease(view, LEFT, PLAIN, points[-1])
        say("released", number)
        session.changed.disconnect(heard)
        if not changes:  # all of it was marked before, or nothing
            say("unmarked", number)
            self._tool = "tool.eraser" if self._tool == "tool.brush" else "tool.brush"
        yield lambda: session.saved.kind == "saved"
        say("saved", number)

    def use(self) -> Iterator[Until]:
        session, window = self.session, self.window
        yield lambda: session.proposed is not None
        for action in ("proposal.accept", "state.flagged", "edit.undo", "edit.redo", "view.worklist", "help.palette"):
            window.run(action)
            yield lambda: True
        if window.front.top_overlay is not None:
            window.front.top_overlay.close_it()
        yield from self._stroke(1)
        for page in ("learn", "import", "work"):
            window.show_page(page)
            yield lambda: True
        for tab in ("Learn", "Models", "History", "Proposal"):
            window.work().inspector.show_tab(tab)
            yield lambda: True
        session.navigation.last()
        window.run("loop.play")
        yield lambda: session.pixels is not None
        yield from self._export()
        say("modules", *sorted(name for name in UNWANTED if name in sys.modules))
        window.close()

    def _export(self) -> Iterator[Until]:
        from usfm_studio.ui.job import Job
        from usfm_studio.verbs.export import ExportArguments, run

        ended: list[object] = []
        out = Path(self.session.project.folder) / "exports" / "png"
        arguments = ExportArguments(format="png", out=out, everything=True)
        Job(run(arguments, self.session.house), done=ended.append, failed=ended.append).start()
        yield lambda: bool(ended)
        say("exported", type(ended[0]).__name__)


def main() -> None:
    project, act, seed = sys.argv[1], sys.argv[2], int(sys.argv[3])
    engine_client.HOST = "tests.ui.session.tiny_engine"
    begin = app._begin

    def begin_and_drive(window: Window, then: Callable[[Window], object]) -> None:
        begin(window, then)
        Driver(window, act, seed)

    app._begin = begin_and_drive
    sys.argv = ["usfm-studio", project]
    from usfm_studio.cli.main import main as program

    program()


if __name__ == "__main__":
    main()
