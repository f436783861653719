from __future__ import annotations

import gc

import pytest
from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QApplication

from tests.ui.shell.fakes import FakeSession, rooms
from usfm_studio.ui.shell.settings import SettingsStore
from usfm_studio.ui.shell.theme import apply_theme, set_motion
from usfm_studio.ui.shell.window import Window


@pytest.fixture
def themed(qapp: QApplication):
    apply_theme(qapp)
    set_motion(False)
    yield qapp
    apply_theme(qapp)
    set_motion(True)


@pytest.fixture
def session(themed) -> FakeSession:
    return FakeSession()


@pytest.fixture
def make_window(themed, qtbot, qapp, tmp_path):
    made = []

    def make(session: FakeSession, size: tuple[int, int] = (1280, 800)) -> Window:
        window = Window(session, rooms(session), SettingsStore(tmp_path / "config"))
        window.front.ask_files = lambda parent, title: []
        window.front.ask_folder = lambda parent, title: ""
        window.front.projects_folder = lambda: tmp_path / "projects"
        window.resize(*size)
        window.show()
        window.activateWindow()
        qtbot.waitUntil(window.isActiveWindow, timeout=5000)
        made.append(window)
        return window

    yield make
    for window in made:
        window.hide()
        window.store.close()
        window.deleteLater()
    qapp.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    gc.collect()
