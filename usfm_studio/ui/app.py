"""The window's process: one application, one session, one window. Engine and readers start after the first paint."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from time import time

import psutil
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication

from usfm_studio.children import log
from usfm_studio.ui.ahead import Ahead
from usfm_studio.ui.furnishing import furnished
from usfm_studio.ui.session import Session
from usfm_studio.ui.shell.settings import SettingsStore, apply_scale, config_folder
from usfm_studio.ui.shell.theme import apply_theme, set_motion
from usfm_studio.ui.shell.window import Window
from usfm_studio.ui.sweeping import Sweeper
from usfm_studio.verbs.house import Options


def main(project: Path | None = None) -> int:
    """Open the window, on a project if one is named. Answers the exit status."""
    return _run(lambda window: window.front.enter_project(project) if project is not None else None)


def show_sample() -> int:
    """Open the window on the sample project."""
    return _run(lambda window: window.front.open_sample())


def _run(then: Callable[[Window], object]) -> int:
    store = SettingsStore()
    apply_scale(store.now)
    application = application_for_window()
    window = open_window(store)
    application.commitDataRequest.connect(lambda _manager: window.session.opening.flush())
    window.painted.connect(lambda: QTimer.singleShot(0, lambda: _begin(window, then)))
    window.show()
    status = application.exec()
    window.session.shut_down(discard=True)  # the event loop may have been left without the window's being closed
    return status


def _begin(window: Window, then: Callable[[Window], object]) -> None:
    settle_in(window)
    then(window)
    window.session.start_engine()


def settle_in(window: Window) -> Sweeper:
    """What can wait for the first paint, and need not wait for a project."""
    ahead = Ahead(window.rooms, window.session)
    window.rooms = ahead.rooms
    ahead.start(window.work)
    sweeper = Sweeper(window)
    window.session.opened.connect(sweeper.leave_out)
    return sweeper


def application_for_window() -> QApplication:
    """The application in its theme; made once. `OMP_WAIT_POLICY` is handed down to every child."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    found = QApplication.instance()
    application = found if isinstance(found, QApplication) else QApplication(sys.argv[:1])
    application.setApplicationName("USFM Studio")
    application.setDesktopFileName("usfm-studio")
    return application


def open_window(store: SettingsStore, options: Options | None = None) -> Window:
    """A window with a session of its own; not shown yet."""
    log.configure("window", config_folder() / "log")
    application = application_for_window()
    apply_theme(application, store.now.theme)
    set_motion(not store.now.reduce_motion)
    session = Session(options)
    session.house.readers, session.house.spare = 2, True
    return Window(session, furnished(), store)


def ms_since_process_start() -> float:
    """How long this process has been alive, in milliseconds."""
    return float(1000 * (time() - psutil.Process().create_time()))
