"""Pictures of the window with a fake session, to look at: python -m tests.ui.shell.look OUT [WIDTH HEIGHT [THEME]]"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtWidgets import QApplication

from tests.ui.shell.fakes import FakeSession, rooms
from usfm_studio.ui.shell.settings import Recent, Settings, SettingsStore, write_settings
from usfm_studio.ui.shell.theme import apply_theme
from usfm_studio.ui.shell.window import Window
from usfm_studio.ui.state import Notice, SavedState


def main() -> None:
    out = Path(sys.argv[1])
    width, height = (int(sys.argv[2]), int(sys.argv[3])) if len(sys.argv) > 3 else (1280, 800)
    out.mkdir(parents=True, exist_ok=True)
    application = QApplication(sys.argv[:1])
    apply_theme(application, sys.argv[4] if len(sys.argv) > 4 else "reading-room")
    folder = Path(tempfile.mkdtemp())
    recent = []
    for name, items, done in (
        ("Fetal heads", 240, 60),
        ("Breast lesions", 131, 88),
        ("Carotid lumen", 240, 31),
        ("Hips", 12, 0),
    ):
        (folder / name).mkdir()
        (folder / name / "project.db").touch()
        recent.append(
            Recent(
                folder=str(folder / name), name=name, opened="2026-11-24T14:02:00", items=items, done=done, flagged=9
            )
        )
    write_settings(folder, Settings(recent=recent))

    def shot(window: Window, name: str) -> None:
        for _ in range(30):
            application.processEvents()
        import time

        time.sleep(0.2)
        application.processEvents()
        window.grab().save(str(out / f"{name}.png"))

    empty = Window(FakeSession(), rooms(FakeSession()), SettingsStore(folder))
    empty.resize(width, height)
    empty.show()
    shot(empty, "empty")
    session = FakeSession().fill().learn()
    window = Window(session, rooms(session), SettingsStore(folder))
    window.resize(width, height)
    window.show()
    window.work().link.hints_changed.emit(
        (
            ("Click", "add"),
            ("Ctrl+click", "exclude"),
            ("Drag", "box"),
            ("Wheel", "zoom"),
            ("Right drag", "window/level"),
        )
    )
    from PySide6.QtCore import QEvent

    application.sendEvent(window.work().tools.buttons["tool.lasso"], QEvent(QEvent.Type.ToolTip))
    shot(window, "work")
    window.run("view.worklist")
    shot(window, "drawer")
    window.run("view.worklist")
    session.learning.__dict__["running"] = False
    session.learning.__dict__["training"] = None
    session.saved = SavedState(kind="unsaved", text="Not saved")
    session.saved_changed.emit()
    session.notice.emit(
        Notice(
            kind="info",
            title="Lesions v5 is better",
            text="on 5 held-out subjects: 0.71 to 0.82.",
            button="See how",
            action="learn.verdict",
        )
    )
    session.notice.emit(
        Notice(
            kind="ok",
            title="Recovered",
            text="14 strokes since 13:58 are back.",
            button="Go on learning",
            action="model.fine_tune",
        )
    )
    session.notice.emit(
        Notice(
            kind="warning",
            title="Engine stopped and was started again",
            text="out of memory at 4096 px. The input is now 1024 px; nothing of yours was lost.",
            details="x",
        )
    )
    session.notice.emit(
        Notice(
            kind="error",
            title="Disk full",
            text="3 edits are not saved. They are kept in memory; free 200 MB on D: or save to another place.",
            button="Save elsewhere …",
            action="project.saved",
            details="x",
        )
    )
    window.refresh()
    window.run("help.palette")
    palette = window.front.top_overlay
    palette.field.setText("prop")
    shot(window, "palette")
    palette.close_it()
    window.messages.toggle()
    shot(window, "bars")
    for action in ("help.keys", "help.edit_keys", "app.settings", "help.open"):
        window.run(action)
        shot(window, action)
    window.front.top_overlay.close_it()
    window._show_menu(window.mapToGlobal(window.rect().topLeft()))
    menu = application.activePopupWidget()
    menu.actions()[3].menu().popup(window.mapToGlobal(window.rect().topLeft()))
    application.processEvents()
    menu.actions()[3].menu().grab().save(str(out / "menu.png"))


if __name__ == "__main__":
    main()
