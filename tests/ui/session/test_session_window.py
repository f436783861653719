"""Around the window: parts made ahead, garbage collected in its own thread, the last word on unsaved work."""

import gc
import threading
import weakref

import pytest
from PySide6.QtCore import QObject, QTimer

from usfm_studio.project import faults
from usfm_studio.ui.ahead import PARTS, Ahead
from usfm_studio.ui.app import open_window
from usfm_studio.ui.job import hands
from usfm_studio.ui.shell.rooms import Rooms
from usfm_studio.ui.shell.settings import SettingsStore
from usfm_studio.ui.sweeping import Sweeper


class Made:
    """Rooms that note when their parts are made."""

    def __init__(self):
        self.names = []
        every = (*PARTS, "learn", "verdict", "files")
        self.rooms = Rooms(**{name: lambda session, name=name: self._make(name) for name in every})

    def _make(self, name):
        self.names.append((name, threading.current_thread() is threading.main_thread()))
        return object()


def test_parts_are_made_ahead_once_and_in_the_windows_thread(empty_desk):
    made = Made()
    ahead = Ahead(made.rooms, empty_desk.session)
    assert made.names == []
    ahead.start()
    empty_desk.wait(lambda: len(made.names) == len(PARTS))
    given = [getattr(ahead.rooms, name)(empty_desk.session) for name in PARTS]
    assert len(set(map(id, given))) == len(PARTS)
    assert made.names == [(name, True) for name in PARTS]
    ahead.rooms.canvas(empty_desk.session)  # another one, when it is asked for again
    assert len(made.names) == len(PARTS) + 1


def test_a_part_that_is_wanted_at_once_is_made_at_once(empty_desk):
    made = Made()
    ahead = Ahead(made.rooms, empty_desk.session)
    hold = threading.Event()
    hands().submit(hold.wait, 20)
    ahead.start()
    ahead.rooms.inspector(empty_desk.session)
    assert made.names == [("inspector", True)]
    hold.set()
    empty_desk.wait(lambda: len(made.names) == len(PARTS))
    assert sorted(name for name, _ in made.names) == sorted(PARTS)


def test_garbage_with_timers_dies_in_the_windows_thread(qapp, qtbot):
    sweeper = Sweeper(qapp)
    try:
        assert not gc.isenabled()
        ended = []
        for _ in range(5):
            owner = QObject()
            owner.timer = QTimer(owner)
            owner.circle = [owner]
            weakref.finalize(owner, lambda: ended.append(threading.current_thread()))
            owner.timer.start(1000)
        del owner
        kept = []
        work = threading.Thread(target=lambda: kept.extend([] for _ in range(10_000)))
        work.start()
        work.join()
        assert ended == []  # where Python's own collector would have run
        sweeper.sweep()
        assert ended == [threading.main_thread()] * 5
    finally:
        sweeper.stop()
    assert gc.isenabled()


@pytest.fixture
def window(qapp, qtbot, tmp_path, folder):
    made = open_window(SettingsStore(tmp_path / "config"))
    made.show()
    done = []
    made.session.open_project(folder, lambda: done.append(True))
    qtbot.waitUntil(lambda: bool(done) and made.session.pixels is not None, timeout=30_000)
    yield made
    faults.disarm()
    made.session.shut_down(discard=True)
    assert made.session.opening.wait(20)
    made.hide()
    made.deleteLater()


def test_the_window_is_not_closed_over_unsaved_work_but_once_more_closes_it(window, qtbot):
    faults.arm("EIO:statement:1+")
    window.session.reviewing.add_segment("Skull")
    qtbot.waitUntil(lambda: window.session.saved.kind == "unsaved", timeout=10_000)
    assert not window.close()
    assert window.isVisible()
    assert window.session.project is not None
    titles = [notice.title for notice in window.messages.notices]
    assert titles[0] == "Closing now loses your last edits"
    assert window.close()
    assert window.session.project is None


def test_trouble_that_is_over_leaves_the_bar(window, qtbot):
    faults.arm("EIO:statement:1+")
    window.session.reviewing.add_segment("Skull")
    qtbot.waitUntil(lambda: any(n.key == "unsaved" for n in window.messages.notices), timeout=10_000)
    faults.disarm()
    qtbot.waitUntil(lambda: not any(n.key == "unsaved" for n in window.messages.notices), timeout=10_000)
    assert window.session.saved.kind == "saved"
    assert window.close()
